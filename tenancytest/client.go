package tenancytest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gorm-tenancy/tenancy"
)

// Naming puts the name of a tenant into a request, where the application's resolver (package httpmw) looks for it. For a verified
// claim write your own: it signs a token, or sets a session's cookie.
type Naming func(r *http.Request, id tenancy.ID)

// Subdomain names the tenant as httpmw.FromSubdomain reads it: thor.example.com.
func Subdomain(base string) Naming {
	return func(r *http.Request, id tenancy.ID) { host(r, id.String()+"."+base) }
}

// Host names the tenant by a domain of its own, as httpmw.FromDomain reads it.
func Host(name string) Naming { return func(r *http.Request, _ tenancy.ID) { host(r, name) } }

func host(r *http.Request, name string) { r.Host, r.URL.Host = name, name }

// Header names the tenant as httpmw.FromHeader reads it.
func Header(name string) Naming {
	return func(r *http.Request, id tenancy.ID) { r.Header.Set(name, id.String()) }
}

// Path names the tenant as httpmw.FromPath reads it: with "/t", a request for /polls goes to /t/thor/polls.
func Path(prefix string) Naming {
	return func(r *http.Request, id tenancy.ID) {
		r.URL.Path = strings.TrimSuffix(prefix, "/") + "/" + id.String() + r.URL.Path
		r.URL.RawPath = ""
	}
}

// Query names the tenant as httpmw.FromQuery reads it.
func Query(name string) Naming {
	return func(r *http.Request, id tenancy.ID) {
		values := r.URL.Query()
		values.Set(name, id.String())
		r.URL.RawQuery = values.Encode()
	}
}

// Cookie names the tenant as httpmw.FromCookie reads it.
func Cookie(name string) Naming {
	return func(r *http.Request, id tenancy.ID) { r.AddCookie(&http.Cookie{Name: name, Value: id.String()}) }
}

// Client makes requests to a handler for one tenant and keeps the cookies of the answers, as a browser does for each host. No
// network is used and no redirect followed. Not safe for concurrent use.
type Client struct {
	t       testing.TB
	handler http.Handler
	id      tenancy.ID
	name    Naming
	jar     http.CookieJar
}

// NewClient returns a client of a tenant. The handler is the whole application, with its middleware: the client only names the
// tenant, it is not the tenant.
//
//	thor := tenancytest.NewClient(t, handler, "thor", tenancytest.Subdomain("example.com"))
//	if answer := thor.Get("/polls"); answer.Status != http.StatusOK { … }
func NewClient(t testing.TB, handler http.Handler, id tenancy.ID, name Naming) *Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatalf("tenancytest: %v", err)
	}
	return &Client{t, handler, id, name, jar}
}

// Answer is what came back.
type Answer struct {
	// Status is the HTTP status.
	Status int
	// Header holds the headers.
	Header http.Header
	// Body is all of the body.
	Body string
}

// JSON decodes the body.
func (a Answer) JSON(into any) error { return json.Unmarshal([]byte(a.Body), into) }

// Get asks for a path, which may have a query.
func (c *Client) Get(path string) Answer {
	c.t.Helper()
	return c.Do(httptest.NewRequest(http.MethodGet, path, nil))
}

// Post sends a body of a type.
func (c *Client) Post(path, contentType, body string) Answer {
	c.t.Helper()
	return c.Send(http.MethodPost, path, contentType, body)
}

// PostForm sends a form.
func (c *Client) PostForm(path string, values url.Values) Answer {
	c.t.Helper()
	return c.Post(path, "application/x-www-form-urlencoded", values.Encode())
}

// Send makes a request with a body.
func (c *Client) Send(method, path, contentType, body string) Answer {
	c.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	return c.Do(r)
}

// Do sends a request made by httptest.NewRequest, with headers of the caller's, after the tenant's name and the cookies were put
// into it.
func (c *Client) Do(r *http.Request) Answer {
	c.t.Helper()
	if r.URL.Host == "" {
		r.URL.Host = r.Host
	}
	c.name(r, c.id)
	at := &url.URL{Scheme: "https", Host: r.Host, Path: r.URL.Path}
	for _, cookie := range c.jar.Cookies(at) {
		r.AddCookie(cookie)
	}
	r.RequestURI = r.URL.RequestURI()
	w := httptest.NewRecorder()
	c.handler.ServeHTTP(w, r)
	result := w.Result()
	c.jar.SetCookies(at, result.Cookies())
	body, err := io.ReadAll(result.Body)
	if err != nil {
		c.t.Fatalf("tenancytest: %v", err)
	}
	return Answer{result.StatusCode, result.Header, string(body)}
}
