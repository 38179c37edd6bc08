package main

import (
	"errors"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
)

// schemas lists the schemas of the database, past everything.
func (s *site) schemas() string {
	s.Helper()
	db, _ := s.raw("")
	var names string
	must(s.T, db.QueryRow("SELECT string_agg(nspname, ' ' ORDER BY nspname) FROM pg_namespace WHERE nspname !~ '^pg_'").Scan(&names))
	return names
}

// TestBD9: an unknown host was sent to a schema named None. Here it is nobody's, also where somebody made such a schema, and
// no tenant has that name.
func TestBD9(t *testing.T) {
	t.Parallel()
	s := newSite(t, schemaPostgres(t))
	db, _ := s.raw("")
	_, err := db.Exec("CREATE SCHEMA none; CREATE SCHEMA tenant_none; CREATE TABLE none.polls AS SELECT * FROM tenant_thor.polls; " +
		"CREATE TABLE tenant_none.polls AS SELECT * FROM tenant_thor.polls")
	must(t, err)
	before := s.schemas()
	for host, status := range map[string]int{"nobody.localhost": 404, "none.localhost": 400, "example.com": 404} {
		s.send(host, "GET", "/polls/", "", "Authorization", "Token "+s.tokens["jane@"+thor]).want(status).clean()
		s.send(host, "POST", "/users/", `{"username":"x","password":"password1"}`, "Content-Type", asJSON).want(status)
	}
	if after := s.schemas(); after != before {
		t.Errorf("schemas %s, before %s", after, before)
	}
	if _, err := s.Catalog.Create(tenancy.Central(t.Context()), catalog.Tenant{ID: "none"}); !errors.Is(err, tenancy.ErrInvalidID) {
		t.Error(err)
	}
	s.api(thor, "jane", "GET", "/polls/", "").want(200).shows("cellar")
}

// TestBD11: search_path was set and never taken back, so that whoever had the connection next was the tenant of the last
// request.
func TestBD11(t *testing.T) {
	t.Parallel()
	s := newSite(t, schemaPostgres(t))
	pool, err := s.DB.DB()
	must(t, err)
	pool.SetMaxOpenConns(1)
	path := func(db *gorm.DB) string {
		var is string
		must(t, db.Raw("SHOW search_path").Scan(&is).Error)
		return is
	}
	for range 3 {
		s.page(thor, "jane", "/").want(200).shows("cellar")
		if is := path(s.DB.WithContext(tenancy.WithTenant(t.Context(), "thor"))); !strings.Contains(is, "tenant_thor") {
			t.Errorf("thor's path is %s", is)
		}
		if is := path(s.DB.WithContext(tenancy.Bypass(t.Context(), "look"))); strings.Contains(is, "tenant_") {
			t.Errorf("after thor's request the path is %s", is)
		}
		s.page(potter, "jane", "/").want(200).clean()
		if err := s.DB.WithContext(t.Context()).Raw("SHOW search_path").Scan(new(string)).Error; !errors.Is(err, tenancy.ErrNoTenant) {
			t.Errorf("for nobody: %v", err)
		}
	}
}
