package httpmw_test

import (
	"errors"
	"net/http"
	"net/url"
	"path"
	"strings"
	"testing"

	"golang.org/x/net/idna"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/httpmw"
	"github.com/gorm-tenancy/tenancy/internal/requesttable"
)

// FuzzSubdomain checks that a host that names a tenant is that tenant's subdomain: lower-cased, without port and one
// trailing dot, and converted to ASCII, it is the only host of the tenant.
func FuzzSubdomain(f *testing.F) {
	for _, c := range requesttable.Cases() {
		f.Add(c.Host)
	}
	resolver := httpmw.FromSubdomain("example.com")
	f.Fuzz(func(t *testing.T, hostport string) {
		id, err := resolver.Resolve(&http.Request{Host: hostport})
		if err != nil {
			checkResolveError(t, id, err)
			return
		}
		checkID(t, id)
		host, _, _ := strings.Cut(hostport, ":")
		label, _, _ := strings.Cut(strings.TrimSuffix(host, "."), ".")
		if len(host)-len(strings.TrimSuffix(host, ".")) > 1 {
			t.Fatalf("%q has dots at its end", hostport)
		}
		// An ASCII label is never converted, so that two of them are never one tenant.
		want := strings.ToLower(label)
		if !isASCII(label) {
			want, err = idna.Lookup.ToASCII(label)
		}
		if err != nil || !isASCII(label) && !strings.HasPrefix(want, "xn--") {
			t.Fatalf("%q gives %q, the label is %q (%v)", hostport, id, want, err)
		}
		rest := strings.ToLower(strings.TrimPrefix(strings.TrimSuffix(host, "."), label))
		if string(id) != want || rest != ".example.com" {
			t.Fatalf("%q gives %q", hostport, id)
		}
		again, err := resolver.Resolve(&http.Request{Host: string(id) + ".example.com"})
		if again != id || err != nil {
			t.Fatalf("%q gives %q, whose own host gives %q (%v)", hostport, id, again, err)
		}
	})
}

// FuzzPath checks that a path that names a tenant names it for every router: for those that clean or unescape the path
// first as for those that do not.
func FuzzPath(f *testing.F) {
	for _, c := range requesttable.Cases() {
		f.Add(c.Target)
	}
	resolver := httpmw.FromPath("/t")
	f.Fuzz(func(t *testing.T, target string) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return
		}
		id, err := resolver.Resolve(&http.Request{URL: u})
		if err != nil {
			checkResolveError(t, id, err)
			return
		}
		checkID(t, id)
		for _, reading := range []string{u.Path, path.Clean(u.Path)} {
			parts := strings.Split(reading, "/")
			if len(parts) < 3 || parts[0] != "" || parts[1] != "t" || parts[2] != string(id) {
				t.Fatalf("%q gives %q, and %q is another reading", target, id, reading)
			}
		}
		var routed string
		mux := http.NewServeMux()
		mux.HandleFunc("/t/{tenant}/{rest...}", func(_ http.ResponseWriter, r *http.Request) {
			routed = r.PathValue("tenant")
		})
		mux.ServeHTTP(discard{}, &http.Request{Method: http.MethodGet, URL: u})
		if routed != "" && routed != string(id) {
			t.Fatalf("%q gives %q, and the mux finds %q", target, id, routed)
		}
	})
}

// FuzzChain checks the values of headers and cookies, alone and against each other.
func FuzzChain(f *testing.F) {
	f.Add("thor", "potter", "tenant=thor")
	f.Add("thor", "thor", "tenant=thor; tenant=thor")
	f.Add("", "thor,potter", `tenant="thor"`)
	resolver := httpmw.Chain(httpmw.FromHeader("X-A"), httpmw.FromHeader("X-B"), httpmw.FromCookie("tenant"))
	f.Fuzz(func(t *testing.T, a, b, cookie string) {
		r := &http.Request{Header: http.Header{"X-A": {a}, "X-B": {b}, "Cookie": {cookie}}}
		id, err := resolver.Resolve(r)
		if err != nil {
			checkResolveError(t, id, err)
			return
		}
		checkID(t, id)
		if a != b || string(id) != a {
			t.Fatalf("%q and %q give %q", a, b, id)
		}
	})
}

func checkID(t *testing.T, id tenancy.ID) {
	t.Helper()
	if _, err := tenancy.ParseID(string(id)); err != nil {
		t.Fatalf("%q: %v", id, err)
	}
}

func checkResolveError(t *testing.T, id tenancy.ID, err error) {
	t.Helper()
	if id != "" {
		t.Fatalf("%q together with %v", id, err)
	}
	for _, documented := range []error{
		httpmw.ErrNotNamed, httpmw.ErrCentral,
		tenancy.ErrInvalidID, tenancy.ErrUnknownTenant, tenancy.ErrTenantMismatch,
	} {
		if errors.Is(err, documented) {
			return
		}
	}
	t.Fatalf("undocumented error %v", err)
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r > 127 }) < 0
}

type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) WriteHeader(int)             {}
