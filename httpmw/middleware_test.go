package httpmw_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/httpmw"
	"github.com/gorm-tenancy/tenancy/internal/requesttable"
)

func quiet() httpmw.Option { return httpmw.WithLogger(slog.New(slog.NewTextHandler(io.Discard, nil))) }

func requestTo(host string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Host = host
	return r
}

// whoami answers with the tenant it acts for.
func whoami(w http.ResponseWriter, r *http.Request) {
	id, _ := tenancy.FromContext(r.Context())
	fmt.Fprint(w, id)
}

func middleware(t *testing.T, resolver httpmw.Resolver, options ...httpmw.Option) *httpmw.Middleware {
	t.Helper()
	mw, err := httpmw.New(resolver, requesttable.Directory(), options...)
	if err != nil {
		t.Fatal(err)
	}
	return mw
}

func serve(
	t *testing.T, resolver httpmw.Resolver, r *http.Request, options ...httpmw.Option,
) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	middleware(t, resolver, options...).Handler(http.HandlerFunc(whoami)).ServeHTTP(w, r)
	return w
}

// Whatever is not served looks the same, byte for byte and header for header.
func TestRefusalsAreIndistinguishable(t *testing.T) {
	t.Parallel()
	sub := httpmw.FromSubdomain("example.com")
	hidden := httpmw.WithMembership(func(context.Context, *http.Request, tenancy.ID) error {
		return fmt.Errorf("user 7 in thor: %w", tenancy.ErrUnknownTenant)
	})
	stranger := httpmw.WithMembership(func(context.Context, *http.Request, tenancy.ID) error {
		return errors.New("user 7 is not in thor")
	})
	for name, group := range map[string][]*httptest.ResponseRecorder{
		"404": {
			serve(t, sub, requestTo("nobody.example.com")),
			serve(t, sub, requestTo("a-much-longer-name-that-nobody-has.example.com")),
			serve(t, sub, requestTo("evil.org")),
			serve(t, sub, requestTo("a.thor.example.com")),
			serve(t, sub, requestTo("example.com")),
			serve(t, sub, requestTo("thor.example.com"), hidden),
			serve(t, sub, requestTo("loki.example.com"), hidden),
			serve(t, sub, requestTo("odin.example.com"), hidden),
		},
		"403": {
			serve(t, sub, requestTo("loki.example.com")),
			serve(t, sub, requestTo("thor.example.com"), stranger),
			serve(t, sub, requestTo("loki.example.com"), stranger),
			serve(t, sub, requestTo("odin.example.com"), stranger),
		},
	} {
		first := fmt.Sprint(group[0].Code, group[0].Header(), group[0].Body)
		for i, w := range group {
			if got := fmt.Sprint(w.Code, w.Header(), w.Body); got != first || fmt.Sprint(w.Code) != name {
				t.Errorf("%s: answer %d is\n%s\nand the first is\n%s", name, i, got, first)
			}
		}
	}
}

func TestProblemDocument(t *testing.T) {
	t.Parallel()
	w := serve(t, httpmw.FromSubdomain("example.com"), requestTo("nobody.example.com"))
	want := `{"type":"about:blank","title":"Not Found","status":404,"detail":"Nothing is served at this address."}` + "\n"
	if got := w.Body.String(); got != want {
		t.Errorf("got %s want %s", got, want)
	}
}

func TestVaryNamesEverySource(t *testing.T) {
	t.Parallel()
	claim := httpmw.FromClaim(func(*http.Request) (string, bool, error) { return "thor", true, nil })
	for want, resolver := range map[string]httpmw.Resolver{
		"":                           httpmw.FromSubdomain("example.com"),
		"X-Tenant":                   httpmw.FromHeader("x-tenant"),
		"Cookie":                     httpmw.FromCookie("tenant"),
		"Authorization, Cookie":      claim,
		"Authorization, Cookie, X-A": httpmw.Chain(httpmw.FromHeader("X-A"), httpmw.FromCookie("t"), claim),
		"X-A, X-B":                   httpmw.Chain(httpmw.Chain(httpmw.FromHeader("X-B")), httpmw.FromHeader("X-A")),
	} {
		for _, host := range []string{"thor.example.com", "nobody.example.com"} {
			got := strings.Join(serve(t, resolver, requestTo(host)).Header().Values("Vary"), ", ")
			if got != want {
				t.Errorf("%s: Vary %q, want %q", host, got, want)
			}
		}
	}
}

func TestOnlyOurOwnFailuresAreLogged(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"hela.example.com": true, "thor.example.com": false, "nobody.example.com": false, "loki.example.com": false,
		"odin.example.com": false, "a@b": false,
	} {
		var log bytes.Buffer
		logger := httpmw.WithLogger(slog.New(slog.NewTextHandler(&log, nil)))
		serve(t, httpmw.FromSubdomain("example.com"), requestTo(host), logger)
		if got := strings.Contains(log.String(), "dial tcp"); got != want {
			t.Errorf("%s: logged: %v, want %v: %s", host, got, want, log.String())
		}
	}
}

func TestClientThatLeftIsNotLogged(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var log bytes.Buffer
	logger := httpmw.WithLogger(slog.New(slog.NewTextHandler(&log, nil)))
	serve(t, httpmw.FromSubdomain("example.com"), requestTo("hela.example.com").WithContext(ctx), logger)
	if log.Len() > 0 {
		t.Errorf("logged %s", log.String())
	}
}

func TestErrorHandlerGetsTheCause(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]error{
		"nobody.example.com": tenancy.ErrUnknownTenant,
		"loki.example.com":   tenancy.ErrTenantSuspended,
		"odin.example.com":   httpmw.ErrMaintenance,
		"hela.example.com":   httpmw.ErrUnavailable,
		"example.com":        httpmw.ErrCentral,
		"a@b":                tenancy.ErrInvalidID,
	} {
		page := httpmw.WithErrorHandler(func(w http.ResponseWriter, _ *http.Request, refusal *httpmw.Refusal) {
			if !errors.Is(refusal.Err, want) {
				t.Errorf("%s: %v, want %v", host, refusal.Err, want)
			}
			w.WriteHeader(refusal.Status)
			fmt.Fprintf(w, "<h1>%s</h1>", refusal.Title)
		})
		w := serve(t, httpmw.FromSubdomain("example.com"), requestTo(host), page, quiet())
		if !strings.HasPrefix(w.Body.String(), "<h1>") || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: got %q with %v", host, w.Body, w.Header())
		}
	}
}

// A directory that fails with some error of package tenancy is down; the client has made no mistake.
func TestDirectoryErrorIsNotTheClientsMistake(t *testing.T) {
	t.Parallel()
	for _, cause := range []error{
		tenancy.ErrNoTenant, tenancy.ErrTenantMismatch, tenancy.ErrInvalidID, httpmw.ErrNotNamed, httpmw.ErrCentral,
	} {
		directory := httpmw.DirectoryFunc(func(context.Context, tenancy.ID) error { return cause })
		mw, err := httpmw.New(httpmw.FromSubdomain("example.com"), directory, httpmw.AllowCentral(), quiet())
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		mw.Handler(http.HandlerFunc(whoami)).ServeHTTP(w, requestTo("thor.example.com"))
		if w.Code != http.StatusServiceUnavailable {
			t.Errorf("%v: status %d, want 503", cause, w.Code)
		}
	}
}

func TestNestedMiddlewareMustAgree(t *testing.T) {
	t.Parallel()
	central := httpmw.AllowCentral()
	outer := middleware(t, httpmw.FromSubdomain("example.com"), central)
	byHeader := middleware(t, httpmw.FromHeader("X-Tenant"))
	same := middleware(t, httpmw.FromSubdomain("example.com"))
	toCentral := middleware(t, httpmw.FromSubdomain("thor.example.com"), central)
	for name, c := range map[string]struct {
		inner *httpmw.Middleware
		want  int
	}{
		"same":    {same, http.StatusOK},
		"other":   {byHeader, http.StatusBadRequest},
		"central": {toCentral, http.StatusNotFound},
	} {
		r := requestTo("thor.example.com")
		r.Header.Set("X-Tenant", "potter")
		w := httptest.NewRecorder()
		outer.Handler(c.inner.Handler(http.HandlerFunc(whoami))).ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%s: status %d, want %d", name, w.Code, c.want)
		}
	}
}

// The hooks run with exactly the access their comments promise, whatever the caller's context allowed.
func TestHooksGetTheirOwnAccess(t *testing.T) {
	t.Parallel()
	tenantOf := func(ctx context.Context) tenancy.ID {
		id, _ := tenancy.FromContext(ctx)
		return id
	}
	var inDirectory, inMembership, inRequest tenancy.ID
	directory := httpmw.DirectoryFunc(func(ctx context.Context, _ tenancy.ID) error {
		inDirectory = tenantOf(ctx)
		return nil
	})
	membership := httpmw.WithMembership(func(ctx context.Context, r *http.Request, id tenancy.ID) error {
		inMembership, inRequest = tenantOf(ctx), tenantOf(r.Context())
		return nil
	})
	mw, err := httpmw.New(httpmw.FromSubdomain("example.com"), directory, membership)
	if err != nil {
		t.Fatal(err)
	}
	r := requestTo("thor.example.com")
	handler := mw.Handler(http.HandlerFunc(whoami))
	for want, ctx := range map[tenancy.ID]context.Context{
		"":     tenancy.Bypass(r.Context(), "test"),
		"thor": tenancy.WithTenant(r.Context(), "thor"),
	} {
		handler.ServeHTTP(httptest.NewRecorder(), r.WithContext(ctx))
		if inDirectory != "" || inMembership != "thor" || inRequest != want {
			t.Errorf("directory %q, membership %q, request %q", inDirectory, inMembership, inRequest)
		}
	}
}

func TestDomainsActForTheCentralSite(t *testing.T) {
	t.Parallel()
	domains := httpmw.DomainsFunc(func(ctx context.Context, _ string) (tenancy.ID, error) {
		if id, ok := tenancy.FromContext(ctx); ok {
			t.Errorf("acts for %q", id)
		}
		return "thor", nil
	})
	r := requestTo("polls.thor.org")
	serve(t, httpmw.FromDomain(domains), r.WithContext(tenancy.WithTenant(r.Context(), "thor")))
}

func TestPathValueInsideMux(t *testing.T) {
	t.Parallel()
	mw := middleware(t, httpmw.FromPathValue("tenant"))
	mux := http.NewServeMux()
	mux.Handle("/t/{tenant}/polls", mw.Handler(http.HandlerFunc(whoami)))
	for target, want := range map[string]int{
		"/t/thor/polls": http.StatusOK, "/t/nobody/polls": http.StatusNotFound,
		"/t/thor%2Fpotter/polls": http.StatusBadRequest, "/t/%2e%2e/polls": http.StatusBadRequest,
	} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
		if w.Code != want {
			t.Errorf("%s: status %d, want %d", target, w.Code, want)
		}
	}
	// Around the mux no route has matched yet: nobody is served.
	w := httptest.NewRecorder()
	mw.Handler(http.HandlerFunc(whoami)).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/t/thor/polls", nil))
	if w.Code != http.StatusNotFound {
		t.Errorf("outside: status %d, want 404", w.Code)
	}
}

// The tenants of requests that run at once must not mix.
func TestConcurrentTenants(t *testing.T) {
	t.Parallel()
	ids := make([]tenancy.ID, 16)
	for i := range ids {
		ids[i] = tenancy.ID(fmt.Sprintf("tenant%d", i))
	}
	resolver := httpmw.Chain(httpmw.FromSubdomain("example.com"), httpmw.FromHeader("X-Tenant"))
	mw, err := httpmw.New(resolver, httpmw.Tenants(ids...))
	if err != nil {
		t.Fatal(err)
	}
	handler := mw.Handler(http.HandlerFunc(whoami))
	var wg sync.WaitGroup
	for _, id := range ids {
		wg.Go(func() {
			for range 100 {
				r := requestTo(string(id) + ".example.com")
				r.Header.Set("X-Tenant", string(id))
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, r)
				if got := w.Body.String(); got != string(id) {
					t.Errorf("acts for %q, want %q", got, id)
				}
			}
		})
	}
	wg.Wait()
}
