package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
	"github.com/gorm-tenancy/tenancy/example/polls/hosting"
	"github.com/gorm-tenancy/tenancy/example/polls/operator"
)

// wishFor is the form of a launch by the user shabda, whose password is another one than elsewhere.
func (s *site) wishFor(tenant string, pairs ...string) answer {
	form := map[string]string{
		"tenant": tenant, "name": "The site " + tenant, "plan": hosting.Shared, "username": superuser, "email": "shabda@example.com",
		"password": "founder of " + tenant,
	}
	for i := 0; i < len(pairs); i += 2 {
		form[pairs[i]] = pairs[i+1]
	}
	return s.form(bare, "", "/start/", slices.Collect(func(yield func(string) bool) {
		for k, v := range form {
			if !yield(k) || !yield(v) {
				return
			}
		}
	})...)
}

const served = `id="done"`

// running makes the tenants that are launched until the function ends.
func (s *site) running(f func()) {
	ctx, stop := context.WithCancel(s.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.pages.Run(ctx)
	}()
	defer func() { <-ended }()
	defer stop()
	f()
}

// launched follows a launch to its end and returns the last page, which the browser would show.
func (s *site) launched(a answer) answer {
	s.Helper()
	return s.settled(a.want(303).Header().Get("Location"))
}

// settled asks for the page of a launch until it has an end.
func (s *site) settled(page string) answer {
	s.Helper()
	for range time.Tick(5 * time.Millisecond) {
		if got := s.page(bare, "", page).want(200); !strings.Contains(got.Body.String(), `http-equiv="refresh"`) {
			return got
		}
		if s.Context().Err() != nil {
			break
		}
	}
	s.Fatal("the launch has no end")
	return answer{}
}

// founds signs the first user of a launched tenant in.
func (s *site) founds(tenant string) {
	s.Helper()
	host := tenant + "." + bare
	cookie := s.form(host, "", "/signin/", "username", superuser, "password", "founder of "+tenant).want(303).Result().Cookies()[0]
	s.cookies[superuser+"@"+host] = cookie.Name + "=" + cookie.Value
	s.page(host, superuser, "/admin/users/").want(200).shows(superuser, "1 user")
}

// TestLaunch: a visitor launches a tenant over HTTP and is its superuser; nobody else's rows change, and what the visitor typed
// is kept nowhere but in the tenant.
func TestLaunch(t *testing.T) {
	everywhere(t, func(_ *testing.T, s *site) {
		s.page(bare, "", "/start/").want(200).shows("Address", `action="/start/"`)
		first := s.wishFor("loki").want(303).Header().Get("Location")
		s.page(bare, "", first).want(200).shows(`http-equiv="refresh"`, "The site will be made in a moment.")
		s.send("loki."+bare, "GET", "/", "").want(404)
		s.keeps("thor", func() {
			s.keeps("potter", func() {
				s.running(func() {
					s.launched(s.wishFor("loki-2", "plan", hosting.Database)).shows(served, "loki-2."+bare+"/signin/")
					s.settled(first).shows(served)
				})
				for _, tenant := range []string{"loki", "loki-2"} {
					s.founds(tenant)
					s.api(tenant+"."+bare, "", "POST", "/login/", fmt.Sprintf(`{"username":%q,"password":%q}`, superuser, passwordOf(thor, superuser))).want(400)
				}
				s.form("loki."+bare, superuser, "/polls/new/", "question", "Whose hammer?", "choices", "Mine\nHis").want(303)
				s.page("loki-2."+bare, superuser, "/").want(200).shows("no polls yet")
			})
		})
		s.form(thor, "", "/signin/", "username", superuser, "password", "founder of loki").want(400)
		var launches []operator.Launch
		must(s.T, s.DB.WithContext(tenancy.Central(s.Context())).Find(&launches).Error)
		for _, l := range launches {
			if l.Open || l.PasswordHash != "" || l.Email != "" || l.Problem != "" {
				s.Errorf("kept: %+v", l)
			}
		}
		if len(launches) != 2 {
			s.Errorf("%d launches", len(launches))
		}
	})
}

// TestLaunchTaken: an id that some tenant has, or had, is refused alike in every state, and nothing of the tenant changes.
func TestLaunchTaken(t *testing.T) {
	everywhere(t, func(_ *testing.T, s *site) {
		ctx := tenancy.Central(s.Context())
		want := s.wishFor("thor").want(409).shows("This address is taken.").Body.String()
		for _, step := range []func(context.Context, tenancy.ID) (catalog.Tenant, error){
			s.Catalog.Suspend, s.Catalog.Resume, s.Catalog.Maintain, s.Catalog.Delete,
		} {
			_, err := step(ctx, "thor")
			must(s.T, err)
			s.keeps("thor", func() {
				if got := s.wishFor("THOR").want(409).Body.String(); got != strings.ReplaceAll(want, "site thor", "site THOR") {
					s.Errorf("shows the state: %s", got)
				}
			})
		}
		_, err := s.Catalog.PurgeNow(ctx, "thor")
		must(s.T, err)
		s.running(func() {
			s.wishFor("thor").want(409)
			s.launched(s.wishFor("loki")).shows(served)
		})
		s.send(thor, "GET", "/", "").want(404)
	})
}

// TestLaunchRace: of two who wish for one address before either has it, one gets it with their own first user, and the other
// is told.
func TestLaunchRace(t *testing.T) {
	everywhere(t, func(_ *testing.T, s *site) {
		wishes := []answer{s.wishFor("loki"), s.wishFor("loki", "username", "mallory", "password", "mallory's own")}
		won := 0
		s.running(func() {
			for i, wish := range wishes {
				if !strings.Contains(s.launched(wish).Body.String(), served) {
					continue
				}
				won++
				name := []string{superuser, "mallory"}[i]
				other := []string{"mallory", superuser}[i]
				password := []string{"founder of loki", "mallory's own"}
				s.form("loki."+bare, "", "/signin/", "username", name, "password", password[i]).want(303)
				s.form("loki."+bare, "", "/signin/", "username", other, "password", password[1-i]).want(400)
			}
		})
		if won != 1 {
			s.Errorf("%d have the address", won)
		}
	})
}

func TestLaunchRefuses(t *testing.T) {
	t.Parallel()
	st := newSite(t, hybridSQLite(t))
	for i, tc := range []struct{ name, field, value, want string }{
		{"no address", "tenant", "", "Choose an address."},
		{"a short one", "tenant", "ab", "3 to 63 characters"},
		{"a long one", "tenant", strings.Repeat("a", 64), "3 to 63 characters"},
		{"a dot", "tenant", "a.thor", "letters, digits and hyphens"},
		{"a hyphen in front", "tenant", "-loki", "letters, digits and hyphens"},
		{"a hyphen behind", "tenant", "loki-", "letters, digits and hyphens"},
		{"an underscore", "tenant", "lo_ki", "letters, digits and hyphens"},
		{"SQL", "tenant", `x"; DROP SCHEMA public; --`, "letters, digits and hyphens"},
		{"a path", "tenant", "../thor", "letters, digits and hyphens"},
		{"another script", "tenant", "thоr", "letters, digits and hyphens"},
		{"punycode", "tenant", "xn--thr-5cd", "letters, digits and hyphens"},
		{"a schema of PostgreSQL", "tenant", "public", "reserved"},
		{"the web's", "tenant", "WWW", "reserved"},
		{"the operator's", "tenant", "operator", "reserved"},
		{"the pool's", "tenant", "ready-made", "reserved"},
		{"no such plan", "plan", "schema", "Choose a plan."},
		{"a long name", "name", strings.Repeat("x", 101), "at most 100 characters"},
		{"no user", "username", "", "username is missing"},
		{"a short password", "password", "short", "shorter than 8"},
		{"no e-mail", "email", "nobody", "not an address"},
	} {
		s := *st
		s.from = fmt.Sprintf("192.0.2.%d:1", i) // nobody is told to wait
		a := s.wishFor("loki", tc.field, tc.value).want(400).shows(tc.want, `role="alert"`)
		if strings.Contains(a.Body.String(), "founder of") {
			t.Errorf("%s: the password comes back", tc.name)
		}
		var n int64
		must(t, s.DB.WithContext(tenancy.Central(t.Context())).Model(&operator.Launch{}).Count(&n).Error)
		if n > 0 {
			t.Errorf("%s: taken down", tc.name)
		}
	}
}

// TestLaunchThrottled: a network that launches without end is told to wait, and another one is not.
func TestLaunchThrottled(t *testing.T) {
	t.Parallel()
	s := newSite(t, sharedSQLite(t))
	for range 10 {
		s.wishFor("x").want(400)
	}
	if wait := s.wishFor("loki").want(429).Header().Get("Retry-After"); wait == "" {
		t.Error("not told for how long")
	}
	s.from = "198.51.100.7:1"
	s.wishFor("loki").want(303)
}

// TestLaunchCrash: what a process leaves half done, another one finishes, once.
func TestLaunchCrash(t *testing.T) {
	everywhere(t, func(_ *testing.T, s *site) {
		page := s.wishFor("loki").want(303)
		var l operator.Launch
		db := s.DB.WithContext(tenancy.Central(s.Context()))
		must(s.T, db.Take(&l).Error)
		_, err := s.Catalog.Create(tenancy.Central(s.Context()), catalog.Tenant{
			ID: "loki", Name: l.Name, Strategy: l.Plan, Metadata: map[string]any{"launch": l.ID},
		}) // the process ends here: the launch is open
		must(s.T, err)
		s.founds("loki")
		s.running(func() { s.launched(page).shows(served) })
		s.founds("loki")
	})
}
