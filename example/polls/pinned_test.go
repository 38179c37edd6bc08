package main

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/example/polls/hosting"
	"github.com/gorm-tenancy/tenancy/example/polls/operator"
	"github.com/gorm-tenancy/tenancy/example/polls/polls"
	"golang.org/x/crypto/bcrypt"
)

// pinnedSite is the process of one tenant, filled.
func pinnedSite(t *testing.T, tenant string) *site {
	t.Helper()
	dir := t.TempDir()
	service := opened(t, hosting.Options{
		Strategy: hosting.Pinned, Tenant: tenant, Data: dir, Domains: []string{"polls." + tenant + ".example"},
	}, false)
	raw := rawDB(t, "sqlite3", filepath.Join(dir, "polls.db")+pragmas)
	s := &site{
		T: t, store: store{Service: service, all: true, raw: one(raw), central: raw}, tokens: map[string]string{}, cookies: map[string]string{},
	}
	must(t, service.Prepare(t.Context()))
	_, err := service.Seed(t.Context())
	must(t, err)
	pages, err := service.Operator(operator.Options{})
	must(t, err)
	s.handler, err = service.Handler(polls.Options{PasswordCost: bcrypt.MinCost}, pages)
	must(t, err)
	return s
}

// TestPinned: each of two processes serves its own tenant at any of its hosts and nothing at all elsewhere; what one has given
// is nothing to the other, and there is no operator's page and no launch.
func TestPinned(t *testing.T) {
	t.Parallel()
	s, other := pinnedSite(t, "thor"), pinnedSite(t, "potter")
	s.signUp(thor, "jane")
	other.signUp(potter, "jane")
	token := "Token " + s.tokens["jane@"+thor]
	for _, host := range []string{thor, "thor.polls.local", "polls.thor.example", "THOR.localhost."} {
		s.send(host, "GET", "/polls/1/", "", "Authorization", token).want(200).shows("hammer")
		s.send(host, "GET", "/operator/", "").want(404)
		s.form(host, "", "/start/", "tenant", "loki").want(404)
		other.send(host, "GET", "/polls/1/", "", "Authorization", "Token "+other.tokens["jane@"+potter]).want(404)
	}
	other.keeps("potter", func() {
		other.send(potter, "GET", "/polls/1/", "", "Authorization", token).want(401)
		other.send(potter, "DELETE", "/polls/1/", "", "Authorization", token).want(401)
	})
	s.keeps("thor", func() {
		for _, host := range []string{potter, bare, "polls.local", "127.0.0.1:8080", "polls.potter.example", "example.com", "loki.localhost"} {
			for _, path := range []string{"/", "/polls/1/", "/signin/", "/operator/", "/start/", "/static/polls.css"} {
				s.send(host, "GET", path, "", "Authorization", token).want(404)
			}
			s.send(host, "POST", "/users/", `{"username":"x","password":"password1"}`, "Content-Type", asJSON).want(404)
		}
		if err := s.DB.WithContext(tenancy.WithTenant(t.Context(), "potter")).Find(&[]polls.Poll{}).Error; err == nil {
			t.Error("another tenant's statement runs")
		}
	})
}

// TestHealth: any host may ask whether the process is well, without a tenant; the answer has no data, and is no while the
// database is away.
func TestHealth(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]*site{"pinned": pinnedSite(t, "thor"), "shared": newSite(t, sharedSQLite(t)), "database": newSite(t, databaseSQLite(t))} {
		ask := func() answer { return s.send("10.0.0.7:8000", "GET", hosting.HealthPath, "") }
		if a := ask().want(200); a.Body.Len() > 0 {
			t.Errorf("%s: says %s", name, a.Body)
		}
		server := httptest.NewServer(s.handler)
		must(t, healthy(t.Context(), server.Listener.Addr().String()))
		must(t, s.Close())
		if a := ask().want(http.StatusServiceUnavailable); a.Body.Len() > 0 {
			t.Errorf("%s: says %s", name, a.Body)
		}
		if err := healthy(t.Context(), server.Listener.Addr().String()); err == nil {
			t.Errorf("%s: is well without a database", name)
		}
		server.Close()
	}
}
