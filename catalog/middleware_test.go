package catalog_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
	"github.com/gorm-tenancy/tenancy/httpmw"
)

var (
	_ httpmw.Directory = (*catalog.Catalog)(nil)
	_ httpmw.Domains   = (*catalog.Catalog)(nil)
)

// TestMiddleware serves tenants by subdomain and by their own domains.
func TestMiddleware(t *testing.T) {
	t.Parallel()
	c, s, _ := cached(t, catalog.BaseDomains("example.com"))
	for id, state := range map[tenancy.ID]catalog.State{
		"susp": catalog.Suspended, "maint": catalog.Maintenance, "moving": catalog.Renaming, "new": catalog.Creating,
		"ready-1": catalog.Ready, "gone": catalog.Deleting, "purged": catalog.Purged,
	} {
		must(t, s.Save(t.Context(), &catalog.Tenant{ID: id, State: state, Domains: []string{string(id) + ".org"}}))
	}
	mw, err := httpmw.New(httpmw.FromDomain(c, "example.com"), c)
	must(t, err)
	handler := mw.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := tenancy.FromContext(r.Context())
		w.Header().Set("Tenant", string(id))
	}))
	for host, want := range map[string]struct {
		status int
		tenant string
	}{
		"acme.example.com": {200, "acme"}, "ACME.org.:443": {200, "acme"}, "b.org": {200, "b"},
		"susp.example.com": {403, ""}, "susp.org": {403, ""},
		"maint.org": {503, ""}, "moving.example.com": {503, ""},
		"new.example.com": {404, ""}, "ready-1.org": {404, ""}, "gone.org": {404, ""}, "purged.example.com": {404, ""},
		"nobody.example.com": {404, ""}, "nobody.org": {404, ""}, "x.acme.org": {404, ""},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Host = host
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if got := w.Header().Get("Tenant"); w.Code != want.status || got != want.tenant {
			t.Errorf("%s: %d for %q, want %d for %q", host, w.Code, got, want.status, want.tenant)
		}
	}
	s.kill()
	for host, status := range map[string]int{"b.org": 200, "cold.org": 503, "cold.example.com": 503} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Host = host
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != status {
			t.Errorf("dead store, %s: %d", host, w.Code)
		}
	}
}
