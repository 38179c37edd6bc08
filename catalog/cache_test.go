package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
)

// cached is a catalog over a spied store with the tenants acme and b.
func cached(t *testing.T, opts ...catalog.Option) (*catalog.Catalog, *spy, *clock) {
	t.Helper()
	s, now := newSpy(catalog.NewMemory()), newClock()
	a := &catalog.Tenant{ID: "acme", Name: "Acme", State: catalog.Active, Domains: []string{"acme.org"}}
	b := &catalog.Tenant{ID: "b", State: catalog.Active, Domains: []string{"b.org"}}
	must(t, s.Save(t.Context(), a, b))
	return another(t, s, now, opts...), s, now
}

// another is one more process over the same store.
func another(t *testing.T, s catalog.Store, now *clock, opts ...catalog.Option) *catalog.Catalog {
	t.Helper()
	c, err := catalog.New(s, append([]catalog.Option{catalog.Clock(now.Now), catalog.TTL(time.Minute)}, opts...)...)
	must(t, err)
	return c
}

func TestWarmLookupsDoNotAskTheStore(t *testing.T) {
	t.Parallel()
	c, s, now := cached(t)
	for range 3 {
		must(t, c.Lookup(t.Context(), "acme"))
		want(t, c.Lookup(t.Context(), "nobody"), tenancy.ErrUnknownTenant)
		owner, err := c.TenantOf(t.Context(), "ACME.org.")
		if owner != "acme" || err != nil {
			t.Errorf("got %q, %v", owner, err)
		}
		_, err = c.TenantOf(t.Context(), "nobody.org")
		want(t, err, tenancy.ErrUnknownTenant)
		_, err = c.TenantOf(t.Context(), "b.org:80")
		want(t, err, tenancy.ErrUnknownTenant)
	}
	if s.gets.Load() != 2 || s.domains.Load() != 2 || s.changes.Load() != 1 {
		t.Errorf("%d gets, %d by domain, %d polls", s.gets.Load(), s.domains.Load(), s.changes.Load())
	}
	now.advance(time.Second) // one poll is all that a second costs
	must(t, c.Lookup(t.Context(), "acme"))
	want(t, c.Lookup(t.Context(), "nobody"), tenancy.ErrUnknownTenant)
	if s.gets.Load() != 2 || s.changes.Load() != 2 {
		t.Errorf("%d gets, %d polls", s.gets.Load(), s.changes.Load())
	}
	now.advance(time.Minute)
	must(t, c.Lookup(t.Context(), "acme"))
	want(t, c.Lookup(t.Context(), "nobody"), tenancy.ErrUnknownTenant)
	if s.gets.Load() != 4 {
		t.Errorf("%d gets after the TTL", s.gets.Load())
	}
}

// TestChangesReachOtherProcesses makes each kind of change in one process and looks in two: at once in the same one, and
// after Poll in the other.
func TestChangesReachOtherProcesses(t *testing.T) {
	t.Parallel()
	domainsOf := func(c *catalog.Catalog, id tenancy.ID, domains ...string) error {
		_, err := c.Update(context.Background(), id, func(t *catalog.Tenant) error {
			t.Domains = domains
			return nil
		})
		return err
	}
	for name, tc := range map[string]struct {
		change       func(*catalog.Catalog) error
		before, then string // what look says
	}{
		"suspend": {
			func(c *catalog.Catalog) error { _, err := c.Suspend(context.Background(), "acme"); return err },
			"acme=ok new=unknown acme.org:acme b.org:b new.org:", "acme=suspended new=unknown acme.org:acme b.org:b new.org:",
		},
		"create": {
			func(c *catalog.Catalog) error {
				_, err := c.Create(context.Background(), catalog.Tenant{ID: "new", Domains: []string{"new.org"}})
				return err
			},
			"acme=ok new=unknown acme.org:acme b.org:b new.org:", "acme=ok new=ok acme.org:acme b.org:b new.org:new",
		},
		"a domain is added": {
			func(c *catalog.Catalog) error { return domainsOf(c, "acme", "acme.org", "new.org") },
			"acme=ok new=unknown acme.org:acme b.org:b new.org:", "acme=ok new=unknown acme.org:acme b.org:b new.org:acme",
		},
		"a domain moves": {
			func(c *catalog.Catalog) error {
				return errors.Join(domainsOf(c, "acme"), domainsOf(c, "b", "b.org", "acme.org"))
			},
			"acme=ok new=unknown acme.org:acme b.org:b new.org:", "acme=ok new=unknown acme.org:b b.org:b new.org:",
		},
		"a domain is removed": {
			func(c *catalog.Catalog) error { return domainsOf(c, "acme") },
			"acme=ok new=unknown acme.org:acme b.org:b new.org:", "acme=ok new=unknown acme.org: b.org:b new.org:",
		},
		"the record is deleted": {
			func(c *catalog.Catalog) error {
				t, err := c.Store().Get(context.Background(), "acme")
				return errors.Join(err, c.Store().Delete(context.Background(), "acme", t.Revision))
			},
			"acme=ok new=unknown acme.org:acme b.org:b new.org:", "acme=unknown new=unknown acme.org: b.org:b new.org:",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mine, s, now := cached(t)
			other := another(t, s, now)
			look := func(c *catalog.Catalog) (text string) {
				for _, id := range []tenancy.ID{"acme", "new"} {
					err := c.Lookup(t.Context(), id)
					word := fmt.Sprint(err)
					switch {
					case err == nil:
						word = "ok"
					case errors.Is(err, tenancy.ErrUnknownTenant):
						word = "unknown"
					case errors.Is(err, tenancy.ErrTenantSuspended):
						word = "suspended"
					}
					text += string(id) + "=" + word + " "
				}
				for _, d := range []string{"acme.org", "b.org", "new.org"} {
					owner, err := c.TenantOf(t.Context(), d)
					if err != nil && !errors.Is(err, tenancy.ErrUnknownTenant) {
						t.Error(err)
					}
					text += d + ":" + string(owner) + " "
				}
				return text[:len(text)-1]
			}
			if look(mine) != tc.before || look(other) != tc.before {
				t.Fatalf("before: %s", look(mine))
			}
			must(t, tc.change(mine))
			if got := look(mine); got != tc.then && name != "the record is deleted" { // that went past the catalog
				t.Errorf("in the same process: %s, want %s", got, tc.then)
			}
			now.advance(time.Second - 1)
			if got := look(other); got != tc.before {
				t.Errorf("in another one, too early: %s", got) // a control: it is the poll that tells
			}
			now.advance(1)
			if got := look(other); got != tc.then {
				t.Errorf("in another one: %s, want %s", got, tc.then)
			}
			if got := look(mine); got != tc.then {
				t.Errorf("later in the same process: %s, want %s", got, tc.then)
			}
		})
	}
}

// TestForgotten tells the own cache of a deleted record at once.
func TestForgotten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put(catalog.Tenant{ID: "acme", State: catalog.Purged, Name: "old"})
	c := w.catalog()
	if _, err := c.Find(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	must(t, c.Forget(t.Context(), "acme"))
	_, err := c.Find(t.Context(), "acme")
	want(t, err, tenancy.ErrUnknownTenant)
}

// TestLookupsShareOneQuestion has many ask for a tenant that is not cached.
func TestLookupsShareOneQuestion(t *testing.T) {
	t.Parallel()
	c, s, _ := cached(t)
	gate := make(chan struct{})
	s.gate.Store(&gate)
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			if err := c.Lookup(context.Background(), "acme"); err != nil {
				t.Error(err)
			}
		})
	}
	<-s.entered
	// One who gives up does not take the answer from the others.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := c.Lookup(ctx, "acme")
	want(t, err, catalog.ErrUnavailable)
	want(t, err, context.Canceled)
	close(gate)
	wg.Wait()
	if n := s.gets.Load(); n != 1 {
		t.Errorf("%d questions", n)
	}
}

// TestWhoAsksMayLeave has the one who asked the store give up; those who wait for the same answer get it.
func TestWhoAsksMayLeave(t *testing.T) {
	t.Parallel()
	c, s, _ := cached(t)
	want(t, c.Lookup(t.Context(), "nobody"), tenancy.ErrUnknownTenant) // the poll is done
	gate := make(chan struct{})
	s.gate.Store(&gate)
	ctx, leave := context.WithCancel(t.Context())
	first, second := make(chan error, 1), make(chan error, 1)
	go func() { first <- c.Lookup(ctx, "acme") }()
	<-s.entered
	go func() { second <- c.Lookup(context.Background(), "acme") }()
	leave()
	want(t, <-first, context.Canceled)
	if asked := s.askedWith.Load(); (*asked).Err() != nil {
		t.Error("the question ends with the one who asked it")
	}
	close(gate)
	must(t, <-second)
}

// TestSuspendedWhileLoading suspends a tenant between reading and keeping its record. The old record must not be kept, and
// who asks after the suspension must not be given it.
func TestSuspendedWhileLoading(t *testing.T) {
	t.Parallel()
	c, s, _ := cached(t)
	gate := make(chan struct{})
	s.gate.Store(&gate)
	early := make(chan error)
	go func() { early <- c.Lookup(context.Background(), "acme") }()
	<-s.entered
	s.gate.Store(nil)
	_, err := c.Suspend(t.Context(), "acme")
	must(t, err)
	want(t, c.Lookup(t.Context(), "acme"), tenancy.ErrTenantSuspended)
	close(gate)
	must(t, <-early) // it asked before
	for range 2 {
		want(t, c.Lookup(t.Context(), "acme"), tenancy.ErrTenantSuspended)
	}
}

// TestDeadStore: what is cached is served for the TTL, suspended tenants stay refused, and what is not known is an error.
func TestDeadStore(t *testing.T) {
	t.Parallel()
	c, s, now := cached(t)
	_, err := c.Suspend(t.Context(), "b")
	must(t, err)
	check := func(when string, acme, b, domain error) {
		t.Helper()
		_, domainErr := c.TenantOf(t.Context(), "acme.org")
		for _, x := range []struct{ got, want error }{
			{c.Lookup(t.Context(), "acme"), acme}, {c.Lookup(t.Context(), "b"), b}, {domainErr, domain},
		} {
			if !errors.Is(x.got, x.want) {
				t.Errorf("%s: got %v, want %v", when, x.got, x.want)
			}
		}
	}
	check("alive", nil, tenancy.ErrTenantSuspended, nil)
	now.advance(50 * time.Second)
	check("verified", nil, tenancy.ErrTenantSuspended, nil)
	s.kill()
	now.advance(59 * time.Second) // the records are older than the TTL, but were right a minute ago
	check("dead", nil, tenancy.ErrTenantSuspended, nil)
	err = c.Lookup(t.Context(), "cold")
	want(t, err, catalog.ErrUnavailable)
	want(t, err, errTest)
	_, err = c.TenantOf(t.Context(), "cold.org")
	want(t, err, catalog.ErrUnavailable)
	now.advance(time.Second)
	check("dead for long", catalog.ErrUnavailable, catalog.ErrUnavailable, catalog.ErrUnavailable)
	s.revive()
	check("alive again", nil, tenancy.ErrTenantSuspended, nil)
	want(t, c.Lookup(t.Context(), "cold"), tenancy.ErrUnknownTenant)
}

// TestDeadStoreIsNotAsked: while it fails, look-ups of what is cached cost one question in a Poll.
func TestDeadStoreIsNotAsked(t *testing.T) {
	t.Parallel()
	c, s, now := cached(t)
	must(t, c.Lookup(t.Context(), "acme"))
	now.advance(59500 * time.Millisecond)
	must(t, c.Lookup(t.Context(), "acme"))
	s.kill()
	now.advance(time.Second)
	gets, polls := s.gets.Load(), s.changes.Load()
	for range 100 {
		must(t, c.Lookup(t.Context(), "acme"))
	}
	if s.gets.Load() != gets || s.changes.Load() != polls+1 {
		t.Errorf("%d gets, %d polls", s.gets.Load()-gets, s.changes.Load()-polls)
	}
}

// TestChangesByHand are noticed after the TTL.
func TestChangesByHand(t *testing.T) {
	t.Parallel()
	db := open(t, sqliteFile(t), nil, nil)
	now := newClock()
	store := catalog.GORM(db)
	must(t, store.Save(t.Context(), &catalog.Tenant{ID: "acme", State: catalog.Active}))
	c := another(t, store, now)
	must(t, c.Lookup(t.Context(), "acme"))
	must(t, db.Exec("UPDATE tenancy_tenants SET state = 'suspended'").Error)
	now.advance(time.Minute - 1)
	must(t, c.Lookup(t.Context(), "acme"))
	now.advance(1)
	want(t, c.Lookup(t.Context(), "acme"), tenancy.ErrTenantSuspended)
}

// TestFlood has strangers ask for more names than fit: memory is bounded, and tenants stay cached.
func TestFlood(t *testing.T) {
	t.Parallel()
	c, s, _ := cached(t, catalog.CacheSize(10))
	must(t, c.Lookup(t.Context(), "acme"))
	for i := range 1000 {
		want(t, c.Lookup(t.Context(), tenancy.ID(fmt.Sprint("x", i))), tenancy.ErrUnknownTenant)
		_, err := c.TenantOf(t.Context(), fmt.Sprint("x", i, ".org"))
		want(t, err, tenancy.ErrUnknownTenant)
	}
	gets := s.gets.Load()
	must(t, c.Lookup(t.Context(), "acme"))
	if s.gets.Load() != gets {
		t.Error("the tenant was driven out")
	}
	want(t, c.Lookup(t.Context(), "x0"), tenancy.ErrUnknownTenant)
	if s.gets.Load() != gets+1 {
		t.Error("unknown names are kept without bound")
	}
}

// TestFoundIsACopy: a handler cannot spoil the cache.
func TestFoundIsACopy(t *testing.T) {
	t.Parallel()
	c, _, _ := cached(t)
	got, err := c.Find(t.Context(), "acme")
	must(t, err)
	got.Domains[0], got.State = "b.org", catalog.Suspended
	again, err := c.Find(t.Context(), "acme")
	must(t, err)
	if again.Primary() != "acme.org" || c.Lookup(t.Context(), "acme") != nil {
		t.Errorf("spoilt: %+v", again)
	}
}

// TestCacheRace changes tenants in two processes while many look: after all is quiet, everybody sees the end.
func TestCacheRace(t *testing.T) {
	t.Parallel()
	s := catalog.NewMemory()
	var processes []*catalog.Catalog
	for range 2 {
		c, err := catalog.New(s, catalog.Poll(time.Nanosecond), catalog.CacheSize(3))
		must(t, err)
		processes = append(processes, c)
	}
	ids := []tenancy.ID{"a", "b", "c", "d", "e"}
	for _, id := range ids {
		must(t, s.Save(t.Context(), &catalog.Tenant{ID: id, State: catalog.Active, Domains: []string{string(id) + ".org"}}))
	}
	var wg sync.WaitGroup
	for i := range 8 {
		c := processes[i%2]
		wg.Go(func() {
			for j := range 200 {
				id := ids[(i+j)%len(ids)]
				if err := c.Lookup(context.Background(), id); err != nil && !errors.Is(err, tenancy.ErrTenantSuspended) {
					t.Error(err)
				}
				if owner, err := c.TenantOf(context.Background(), string(id)+".org"); owner != id || err != nil {
					t.Errorf("%s.org is of %q, %v", id, owner, err)
				}
				step := c.Suspend
				if j%2 == 0 {
					step = c.Resume
				}
				if _, err := step(context.Background(), id); err != nil &&
					!errors.Is(err, catalog.ErrTransition) && !errors.Is(err, catalog.ErrConflict) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for _, id := range ids {
		truth, err := s.Get(t.Context(), id)
		must(t, err)
		for i, c := range processes {
			if got := c.Lookup(t.Context(), id); !errors.Is(got, truth.Err()) {
				t.Errorf("process %d says %v of %s, which is %s", i, got, id, truth.State)
			}
		}
	}
}
