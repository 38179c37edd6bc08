// Package requesttable holds the requests that every adapter of httpmw must answer alike. Attacks come first.
package requesttable

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/httpmw"
)

// Case is a request and what must become of it.
type Case struct {
	Name     string
	Resolver httpmw.Resolver
	Options  []httpmw.Option

	Method string // "" is GET
	Host   string // "" is example.com
	Target string // "" is /
	Header http.Header

	// Status is the wanted answer. With 200 the handler must see Tenant; "" means that it acts for the central site.
	Status int
	Tenant tenancy.ID
	// RetryAfter is the wanted Retry-After header.
	RetryAfter string
}

// Wrap puts the adapter under test in front of a handler.
type Wrap func(mw *httpmw.Middleware, handler http.HandlerFunc) http.Handler

// Tenants in every state. No answer may name them or the cause.
const (
	Active      = tenancy.ID("thor")
	Other       = tenancy.ID("potter")
	Suspended   = tenancy.ID("loki")
	Maintenance = tenancy.ID("odin")
	Unreachable = tenancy.ID("hela")
)

const causeText = "dial tcp 10.0.0.7:5432: refused"

// Directory knows the tenants above.
func Directory() httpmw.Directory {
	return httpmw.DirectoryFunc(func(_ context.Context, id tenancy.ID) error {
		switch id {
		case Active, Other, "xn--bcher-kva", "my_team", "a--b":
			return nil
		case Suspended:
			return tenancy.ErrTenantSuspended
		case Maintenance:
			return &httpmw.MaintenanceError{RetryAfter: 90*time.Second + time.Millisecond}
		case Unreachable:
			return errors.New(causeText)
		}
		return tenancy.ErrUnknownTenant
	})
}

// Request returns the request of a case.
func (c Case) Request() *http.Request {
	r := httptest.NewRequest(or(c.Method, http.MethodGet), or(c.Target, "/"), nil)
	r.Host = or(c.Host, "example.com")
	if c.Host == Empty {
		r.Host = ""
	}
	for name, values := range c.Header {
		r.Header[name] = values
	}
	return r
}

// Empty is the Host of a request without one.
const Empty = "(empty)"

// Run sends all cases through an adapter.
func Run(t *testing.T, wrap Wrap) {
	for _, c := range Cases() {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			c.run(t, wrap)
		})
	}
}

func (c Case) run(t *testing.T, wrap Wrap) {
	quiet := httpmw.WithLogger(slog.New(slog.NewTextHandler(io.Discard, nil)))
	mw, err := httpmw.New(c.Resolver, Directory(), append(c.Options, quiet)...)
	if err != nil {
		t.Fatal(err)
	}
	reached := false
	handler := func(w http.ResponseWriter, r *http.Request) {
		reached = true
		id, ok := tenancy.FromContext(r.Context())
		if id != c.Tenant || ok != (c.Tenant != "") {
			t.Errorf("the handler acts for %q (%v), want %q", id, ok, c.Tenant)
		}
		w.WriteHeader(http.StatusOK)
	}
	w := httptest.NewRecorder()
	wrap(mw, handler).ServeHTTP(w, c.Request())

	if w.Code != c.Status {
		t.Errorf("status %d, want %d", w.Code, c.Status)
	}
	if want := c.Status == http.StatusOK; reached != want {
		t.Errorf("the handler was reached: %v, want %v", reached, want)
	}
	if got := w.Header().Get("Retry-After"); got != c.RetryAfter {
		t.Errorf("Retry-After %q, want %q", got, c.RetryAfter)
	}
	if c.Status != http.StatusOK {
		c.checkRefusal(t, w)
	}
}

// checkRefusal checks that the answer is a problem document that reveals nothing.
func (c Case) checkRefusal(t *testing.T, w *httptest.ResponseRecorder) {
	if got := w.Header().Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control %q, want no-store", got)
	}
	if got := w.Header().Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type %q, want a problem document", got)
	}
	if c.Method == http.MethodHead {
		if w.Body.Len() != 0 {
			t.Errorf("HEAD got the body %q", w.Body)
		}
		return
	}
	for _, secret := range []string{"thor", "potter", "loki", "odin", "hela", "nobody", "example", "tenancy:", causeText} {
		if bytes.Contains(bytes.ToLower(w.Body.Bytes()), []byte(secret)) {
			t.Errorf("the answer reveals %q: %s", secret, w.Body)
		}
	}
	var got map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatalf("%v in %q", err, w.Body)
	}
	detail, _ := got["detail"].(string)
	if got["type"] != "about:blank" || got["title"] != http.StatusText(c.Status) ||
		got["status"] != float64(c.Status) || !strings.HasSuffix(detail, ".") || len(got) != 4 {
		t.Errorf("not the problem document of %d: %v", c.Status, got)
	}
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
