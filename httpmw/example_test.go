package httpmw_test

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/httpmw"
)

// hello greets the tenant the request acts for; a real handler would call db.WithContext(r.Context()).
func hello(w http.ResponseWriter, r *http.Request) {
	id, ok := tenancy.FromContext(r.Context())
	if !ok {
		fmt.Fprintln(w, "the central site")
		return
	}
	fmt.Fprintln(w, "hello,", id)
}

// get prints the answer to a request.
func get(handler http.Handler, url string, headers ...string) {
	r := httptest.NewRequest(http.MethodGet, url, nil)
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	fmt.Println(w.Code, strings.TrimSpace(w.Body.String()))
}

func Example() {
	mw, err := httpmw.New(httpmw.FromSubdomain("example.com"), httpmw.Tenants("thor", "potter"), httpmw.AllowCentral())
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/", hello)
	handler := mw.Handler(mux)

	get(handler, "http://thor.example.com/")
	get(handler, "http://example.com/")
	get(handler, "http://nobody.example.com/")
	// Output:
	// 200 hello, thor
	// 200 the central site
	// 404 {"type":"about:blank","title":"Not Found","status":404,"detail":"Nothing is served at this address."}
}

func ExampleNew_mistake() {
	_, err := httpmw.New(httpmw.FromSubdomain("*.example.com"), httpmw.Tenants("thor"))
	fmt.Println(err)
	// Output: httpmw: resolver: httpmw: base domain "*.example.com": want a domain name without a port
}

func ExampleChain() {
	resolver := httpmw.Chain(httpmw.FromSubdomain("example.com"), httpmw.FromHeader("X-Tenant"))
	mw, err := httpmw.New(resolver, httpmw.Tenants("thor", "potter"))
	if err != nil {
		fmt.Println(err)
		return
	}
	handler := mw.Handler(http.HandlerFunc(hello))

	get(handler, "http://thor.example.com/")
	get(handler, "http://thor.example.com/", "X-Tenant: thor")
	get(handler, "http://thor.example.com/", "X-Tenant: potter")
	// Output:
	// 200 hello, thor
	// 200 hello, thor
	// 400 {"type":"about:blank","title":"Bad Request","status":400,"detail":"The request names more than one tenant."}
}

func ExampleFromDomain() {
	domains := httpmw.DomainMap(map[string]tenancy.ID{"polls.thor.org": "thor"})
	mw, err := httpmw.New(httpmw.FromDomain(domains, "example.com"), httpmw.Tenants("thor", "potter"))
	if err != nil {
		fmt.Println(err)
		return
	}
	handler := mw.Handler(http.HandlerFunc(hello))

	get(handler, "http://polls.thor.org/")
	get(handler, "http://potter.example.com/")
	// Output:
	// 200 hello, thor
	// 200 hello, potter
}

func ExampleFromPath() {
	mw, err := httpmw.New(httpmw.FromPath("/t"), httpmw.Tenants("thor"))
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/t/{tenant}/polls", hello)

	get(mw.Handler(mux), "http://example.com/t/thor/polls")
	// Output: 200 hello, thor
}

func ExampleFromClaim() {
	type claimsKey struct{}
	// An authentication middleware in front has verified the token and left its claims in the context.
	verified := func(r *http.Request) (string, bool, error) {
		text, ok := r.Context().Value(claimsKey{}).(string)
		return text, ok, nil
	}
	mw, err := httpmw.New(httpmw.FromClaim(verified), httpmw.Tenants("thor"))
	if err != nil {
		fmt.Println(err)
		return
	}
	authenticated := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := context.WithValue(r.Context(), claimsKey{}, "thor")
		mw.Handler(http.HandlerFunc(hello)).ServeHTTP(w, r.WithContext(ctx))
	})

	get(authenticated, "http://example.com/")
	// Output: 200 hello, thor
}

func ExampleWithMembership() {
	member := func(_ context.Context, r *http.Request, id tenancy.ID) error {
		user, _, _ := r.BasicAuth()
		if user != "jane" || id != "thor" {
			return httpmw.ErrNotMember
		}
		return nil
	}
	mw, err := httpmw.New(
		httpmw.FromSubdomain("example.com"), httpmw.Tenants("thor", "potter"), httpmw.WithMembership(member),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	handler := mw.Handler(http.HandlerFunc(hello))

	const jane = "Authorization: Basic amFuZTpzZWNyZXQ="
	get(handler, "http://thor.example.com/", jane)
	get(handler, "http://potter.example.com/", jane)
	// Output:
	// 200 hello, thor
	// 403 {"type":"about:blank","title":"Forbidden","status":403,"detail":"Access to this address is not allowed."}
}

func ExampleWithErrorHandler() {
	page := func(w http.ResponseWriter, r *http.Request, refusal *httpmw.Refusal) {
		if !strings.Contains(r.Header.Get("Accept"), "text/html") {
			httpmw.WriteProblem(w, r, refusal)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(refusal.Status)
		fmt.Fprintf(w, "<h1>%s</h1><p>%s</p>", html.EscapeString(refusal.Title), html.EscapeString(refusal.Detail))
	}
	mw, err := httpmw.New(httpmw.FromSubdomain("example.com"), httpmw.Tenants("thor"), httpmw.WithErrorHandler(page))
	if err != nil {
		fmt.Println(err)
		return
	}

	get(mw.Handler(http.HandlerFunc(hello)), "http://nobody.example.com/", "Accept: text/html")
	// Output: 404 <h1>Not Found</h1><p>Nothing is served at this address.</p>
}
