package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
	"github.com/gorm-tenancy/tenancy/example/polls/hosting"
	"github.com/gorm-tenancy/tenancy/example/polls/operator"
)

const (
	root         = "root"
	rootPassword = "root of everything"
)

// operates makes an operator and signs them in at the bare host.
func (s *site) operates() {
	s.Helper()
	must(s.T, operator.Create(s.Context(), s.DB, root, rootPassword))
	w := s.form(bare, "", "/operator/signin/", "username", "ROOT", "password", rootPassword).want(303)
	cookie := w.Result().Cookies()[0]
	if cookie.Domain != "" || !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode {
		s.Errorf("cookie %+v", cookie)
	}
	s.cookies[root+"@"+bare] = cookie.Name + "=" + cookie.Value
}

// TestOperator: the list says how each tenant stands, and what an operator does to one is so at once, for this one alone.
func TestOperator(t *testing.T) {
	everywhere(t, func(_ *testing.T, s *site) {
		s.operates()
		s.page(bare, root, "/operator/").want(200).shows("thor", "potter", "active", "at head", "2 users, 3 polls, 1 vote", "2 users, 2 polls, 0 votes", "Sign out root")
		place := s.Strategy()
		if place == hosting.Hybrid {
			place = hosting.Shared
			s.page(bare, root, "/operator/tenants/potter/").want(200).shows("<dd>" + hosting.Database)
		}
		s.page(bare, root, "/operator/tenants/thor/").want(200).shows("Thor&#39;s hall", "thor."+bare, "<dd>"+place)
		s.keeps("thor", func() {
			for _, tc := range []struct {
				step, state string
				thor        int
			}{{"suspend", "suspended", 403}, {"resume", "active", 200}, {"delete", "deleting", 404}, {"undelete", "active", 200}} {
				s.form(bare, root, "/operator/tenants/thor/"+tc.step+"/", "confirm", "thor").want(303)
				s.page(bare, root, "/operator/tenants/thor/").want(200).shows("<dd>" + tc.state)
				s.send(thor, "GET", "/openapi.json", "").want(tc.thor)
				s.api(potter, "jane", "GET", "/polls/1/", "").want(200)
			}
		})
		s.api(thor, "jane", "GET", "/polls/1/", "").want(200)
		s.form(bare, root, "/operator/tenants/thor/undelete/").want(409).shows("does not allow this")
		for _, confirm := range []string{"", "potter", "THOR"} {
			s.form(bare, root, "/operator/tenants/thor/delete/", "confirm", confirm).want(400).shows("Type the tenant")
		}
		for _, path := range []string{"/operator/tenants/loki/", "/operator/tenants/central/", "/operator/tenants/a.b/", "/operator/tenants/x%22%3B--/"} {
			s.page(bare, root, path).want(404)
		}
		s.form(bare, root, "/operator/tenants/thor/purge/").want(404)
		s.form(bare, root, "/operator/signout/").want(303)
		s.page(bare, root, "/operator/").want(303)
	})
}

// TestOperatorIsNobodyElsewhere: an operator's session and password are nothing at a tenant, and a tenant's superuser, by
// session, token or password, is no operator.
func TestOperatorIsNobodyElsewhere(t *testing.T) {
	everywhere(t, func(_ *testing.T, s *site) {
		s.operates()
		_, secret, _ := strings.Cut(s.cookies[root+"@"+bare], "=")
		_, session, _ := strings.Cut(s.cookies[superuser+"@"+thor], "=")
		token := "Token " + s.tokens[superuser+"@"+thor]
		s.keeps("thor", func() {
			for _, cookie := range []string{"operator=" + secret, "session=" + secret, "session=" + secret + "; operator=" + secret} {
				s.send(thor, "GET", "/polls/", "", "Cookie", cookie).want(401)
				s.send(thor, "GET", "/admin/", "", "Cookie", cookie, "Accept", asPage).want(303)
				s.send(thor, "GET", "/operator/", "", "Cookie", cookie, "Accept", asPage).want(404)
				s.send(thor, "POST", "/operator/tenants/potter/suspend/", "", "Cookie", cookie).want(404)
			}
			s.send(thor, "GET", "/polls/", "", "Authorization", "Token "+secret).want(401)
			s.send(thor, "GET", "/polls/", "", "Authorization", token).want(200)
		})
		s.form(thor, "", "/signin/", "username", root, "password", rootPassword).want(400)

		for _, cookie := range []string{"session=" + session, "operator=" + session, "session=" + session + "; operator=" + session} {
			s.send(bare, "GET", "/operator/", "", "Cookie", cookie, "Authorization", token, "Accept", asPage).want(303)
			s.send(bare, "POST", "/operator/tenants/potter/suspend/", "", "Cookie", cookie, "Authorization", token).want(303)
		}
		s.send(bare, "GET", "/operator/", "", "Cookie", "operator="+secret).want(200)
		s.send(potter, "GET", "/openapi.json", "").want(200)
		for _, user := range []string{superuser, root, "", "' OR 1=1 --"} {
			s.form(bare, "", "/operator/signin/", "username", user, "password", passwordOf(thor, superuser)).want(400).shows("is wrong")
		}
		s.form(bare, "", "/operator/signin/", "username", root, "password", rootPassword).want(303)
	})
}

// TestOperatorCrossOrigin: what a page of a tenant, which is of the same site, makes an operator's browser send is refused.
func TestOperatorCrossOrigin(t *testing.T) {
	t.Parallel()
	s := newSite(t, sharedSQLite(t))
	s.operates()
	cookie := s.cookies[root+"@"+bare]
	for path, body := range map[string]string{
		"/operator/tenants/potter/suspend/": "", "/operator/tenants/potter/delete/": "confirm=potter", "/operator/signout/": "",
		"/operator/signin/": "username=root&password=" + rootPassword, "/start/": "tenant=loki&username=x&password=long+enough",
	} {
		for _, header := range [][]string{
			{"Sec-Fetch-Site", "same-site"}, {"Sec-Fetch-Site", "cross-site"}, {"Origin", "http://thor.localhost:8080"}, {"Origin", "null"},
		} {
			s.send(bare, "POST", path, body, append(header, "Cookie", cookie, "Content-Type", asForm)...).want(403)
		}
	}
	s.send(bare, "GET", "/operator/", "", "Cookie", cookie).want(200).shows("active")
	s.send(bare, "POST", "/operator/tenants/potter/suspend/", "", "Cookie", cookie, "Origin", "http://"+bare).want(303)
	s.send(potter, "GET", "/openapi.json", "").want(403)
}

// TestOperatorGuessing: a network that guesses is told to wait, with the right password, too; another one is not.
func TestOperatorGuessing(t *testing.T) {
	t.Parallel()
	s := newSite(t, sharedSQLite(t))
	s.operates() // the first attempt
	for range 9 {
		s.form(bare, "", "/operator/signin/", "username", root, "password", "a guess").want(400)
	}
	s.form(bare, "", "/operator/signin/", "username", root, "password", rootPassword).want(429)
	s.from = "198.51.100.7:1"
	s.form(bare, "", "/operator/signin/", "username", root, "password", rootPassword).want(303)
}

// TestCustomDomain: a tenant's own domain leads to it, with its own sessions and nobody else's, and no tenant gets another
// one's, nor what could be one's subdomain.
func TestCustomDomain(t *testing.T) {
	everywhere(t, func(_ *testing.T, s *site) {
		ctx := tenancy.Central(s.Context())
		give := func(id tenancy.ID, domain string) error {
			_, err := s.Catalog.Update(ctx, id, func(t *catalog.Tenant) error {
				t.Domains = []string{domain}
				return nil
			})
			return err
		}
		must(s.T, give("thor", "polls.thor.example"))
		must(s.T, give("potter", "polls.potter.example"))
		for domain, want := range map[string]string{"polls.thor.example": "is taken", "loki.localhost": "base", "localhost": "base"} {
			if err := give("potter", domain); err == nil {
				s.Errorf("potter has %s (%s)", domain, want)
			}
		}
		token := "Token " + s.tokens["jane@"+thor]
		s.send("polls.thor.example", "GET", "/polls/3/", "", "Authorization", token).want(200).shows("cellar")
		s.send("POLLS.Thor.example.:80", "GET", "/polls/3/", "", "Authorization", token).want(200).shows("cellar")
		s.send("polls.potter.example", "GET", "/polls/3/", "", "Authorization", token).want(401)
		s.send("polls.potter.example", "GET", "/polls/1/", "", "Authorization", "Token "+s.tokens["jane@"+potter]).want(200).clean().shows("Which pet")
		for _, host := range []string{"thor.example", "x.polls.thor.example", "polls.thor.example.org"} {
			s.send(host, "GET", "/polls/3/", "", "Authorization", token).want(404)
		}
		_, err := s.Catalog.Suspend(ctx, "thor")
		must(s.T, err)
		s.send("polls.thor.example", "GET", "/polls/3/", "", "Authorization", token).want(403)
	})
}

// TestPurge: a tenant that is deleted and purged leaves no row, and its neighbour keeps all of its own.
func TestPurge(t *testing.T) {
	everywhere(t, func(_ *testing.T, s *site) {
		ctx := tenancy.Central(s.Context())
		before := s.left("thor")
		if before == 0 {
			s.Fatal("nothing to begin with")
		}
		s.keeps("potter", func() {
			for _, step := range []func(context.Context, tenancy.ID) (catalog.Tenant, error){s.Catalog.Delete, s.Catalog.PurgeNow} {
				if s.left("thor") != before {
					s.Error("rows are gone before the purge")
				}
				_, err := step(ctx, "thor")
				must(s.T, err)
			}
		})
		if n := s.left("thor"); n > 0 {
			s.Errorf("%d rows are left", n)
		}
		for _, path := range []string{"/", "/polls/3/", "/signin/"} {
			s.send(thor, "GET", path, "", "Authorization", "Token "+s.tokens["jane@"+thor]).want(404)
		}
		status, err := s.Migrations.Status(ctx)
		must(s.T, err)
		for _, one := range status {
			if fmt.Sprint(one.Tenant) == "thor" {
				s.Errorf("the ledger knows %+v", one)
			}
		}
	})
}

// left counts the rows that a tenant has anywhere. A place that is gone has none.
func (s *site) left(tenant string) (n int) {
	s.Helper()
	db, prefix := s.raw(tenant)
	for _, table := range tables {
		var here int
		query := fmt.Sprintf("SELECT count(*) FROM %s%s WHERE tenant_id = '%s'", prefix, table, tenant)
		if err := db.QueryRowContext(s.Context(), query).Scan(&here); err != nil && !(s.all && missing(err)) {
			s.Fatal(err)
		}
		n += here
	}
	return n
}

// missing reports whether a table is not there.
func missing(err error) bool {
	return strings.Contains(err.Error(), "no such table") || strings.Contains(err.Error(), "does not exist")
}
