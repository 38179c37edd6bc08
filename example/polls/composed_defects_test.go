package main

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/gorm-tenancy/tenancy/example/polls/hosting"
)

// These go on with the defects of defects_test.go, where they are about what puts tenants under the application.

// TestBD7: that a subdomain belongs to one tenant stood in the model and not in the migration. Here the tables that the
// migrations make refuse a second record of an id and a second owner of a domain, whoever writes.
func TestBD7(t *testing.T) {
	everywhere(t, func(_ *testing.T, s *site) {
		db := s.central
		insert := func(query string) error {
			_, err := db.ExecContext(s.Context(), query)
			return err
		}
		record := `INSERT INTO tenancy_tenants (id, name, domains, strategy, place, version, metadata, state, step, previous, peer,
			revision, created_at, updated_at) SELECT %s, name, domains, strategy, place, version, metadata, state, step, previous, peer,
			revision, created_at, updated_at FROM tenancy_tenants WHERE id = 'thor'`
		if err := insert(fmt.Sprintf(record, "'loki'")); err != nil {
			s.Errorf("a good record: %v", err)
		}
		if insert(fmt.Sprintf(record, "id")) == nil {
			s.Error("two tenants have one id")
		}
		domain := "INSERT INTO tenancy_domains (domain, owner) VALUES ('polls.thor.example', '%s')"
		if err := insert(fmt.Sprintf(domain, "thor")); err != nil {
			s.Errorf("a good domain: %v", err)
		}
		if insert(fmt.Sprintf(domain, "potter")) == nil {
			s.Error("two tenants have one domain")
		}
	})
}

// TestBD10: the name of a schema went into SQL as it came. Here what is no id reaches no SQL, from a form, a host or the
// command line, and ids with a hyphen or of digits only, which SQL would have quoted, are launched and served.
func TestBD10(t *testing.T) {
	everywhere(t, func(_ *testing.T, s *site) {
		s.keeps("thor", func() {
			s.keeps("potter", func() {
				for i, id := range []string{`x"; DROP SCHEMA tenant_thor CASCADE; --`, "x'; DELETE FROM users; --", "a`b", "a b", "tenant_thor.polls"} {
					s.from = fmt.Sprintf("192.0.2.%d:1", i)
					s.wishFor(id).want(400)
					if a := s.send(id+"."+bare, "GET", "/", ""); a.Code != 400 && a.Code != 404 {
						s.Errorf("host %q: status %d", id, a.Code)
					}
					var stdout, stderr bytes.Buffer
					code := run(s.Context(), "", &stdout, &stderr, "tenants", "create", "--data", s.TempDir(), "--", id)
					if code != 2 || stdout.Len() > 0 {
						s.Errorf("%q: code %d, %s", id, code, stdout.String())
					}
				}
				s.running(func() {
					for _, id := range []string{"a-b", "2026", "select"} {
						s.launched(s.wishFor(id)).shows(served)
						s.founds(id)
					}
				})
			})
		})
	})
}

// TestBD13: whom nobody knew was given the default database. Here the central tables hold nothing of the application where
// tenants have places of their own, and a host that is nobody's makes and reads nothing.
func TestBD13(t *testing.T) {
	everywhere(t, func(_ *testing.T, s *site) {
		db := s.central
		count := func() (n int) {
			for _, table := range tables {
				var here int
				if err := db.QueryRowContext(s.Context(), "SELECT count(*) FROM "+table).Scan(&here); err != nil && !missing(err) {
					s.Fatal(err)
				}
				n += here
			}
			return n
		}
		before := count()
		if (before == 0) != s.all {
			s.Errorf("%d rows in the central database", before)
		}
		for _, host := range []string{"loki.localhost:8080", "poter.localhost:8080", "example.com", bare} {
			s.send(host, "POST", "/users/", `{"username":"x","password":"password1"}`, "Content-Type", asJSON).want(404)
			s.form(host, "", "/signup/", "username", "x", "password", "password1").want(404)
		}
		if after := count(); after != before {
			s.Errorf("%d rows were stored for nobody", after-before)
		}
	})
}

// TestBD14: the command that migrates all tenants was that of another database and migrated none. Here one command migrates
// them in every strategy, twice without harm, and the program refuses to serve before it has run.
func TestBD14(t *testing.T) {
	inPrograms(t, func(p program) {
		p.fails(1, "run polls migrate up", "serve", "--addr", "127.0.0.1:0")
		p.does("0 failed", "migrate", "up")
		if p.tenant == "" {
			p.create("thor")
			p.create("potter")
		}
		p.does("0 migrated, 0 failed", "migrate", "up")
		p.does("at head", "migrate", "status")
		if p.strategy != hosting.Shared { // whose tables are the central migrations' business
			p.does("", "migrate", "drift")
		}
	})
}
