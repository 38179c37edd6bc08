package catalog_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
)

// scenarios are steps in a world with the tenants acme and b, and what must be there in the end.
var scenarios = map[string]struct {
	prepare func(*world, *catalog.Catalog)
	do      func(context.Context, *catalog.Catalog) error
	records string
	places  string
}{
	"create": {
		do: func(ctx context.Context, c *catalog.Catalog) error {
			_, err := c.Create(ctx, catalog.Tenant{ID: "new", Name: "New", Domains: []string{"new.org"}})
			return err
		},
		records: acme + b + "new active \"New\" \"new.org\"\n",
		places:  "acme=[row of acme] b=[row of b] new=[seed] ",
	},
	"clone": {
		do: func(ctx context.Context, c *catalog.Catalog) error {
			_, err := c.Clone(ctx, "acme", catalog.Tenant{ID: "copy"})
			return err
		},
		records: acme + b + "copy active\n",
		places:  "acme=[row of acme] b=[row of b] copy=[row of acme] ",
	},
	"copy": {
		prepare: func(w *world, _ *catalog.Catalog) { w.copies = true },
		do: func(ctx context.Context, c *catalog.Catalog) error {
			_, err := c.Clone(ctx, "acme", catalog.Tenant{ID: "copy"})
			return err
		},
		records: acme + b + "copy active\n",
		places:  "acme=[row of acme] b=[row of b] copy=[row of acme] ",
	},
	"rename": {
		do: func(ctx context.Context, c *catalog.Catalog) error {
			_, err := c.Rename(ctx, "acme", "zeta")
			return err
		},
		records: "acme purged\n" + b + "zeta active \"Acme\" \"acme.org\"\n",
		places:  "b=[row of b] zeta=[row of acme] ",
	},
	"rename a suspended tenant": {
		prepare: func(w *world, c *catalog.Catalog) {
			_, err := c.Suspend(context.Background(), "acme")
			must(w, err)
		},
		do: func(ctx context.Context, c *catalog.Catalog) error {
			_, err := c.Rename(ctx, "acme", "zeta")
			return err
		},
		records: "acme purged\n" + b + "zeta suspended \"Acme\" \"acme.org\"\n",
		places:  "b=[row of b] zeta=[row of acme] ",
	},
	"claim": {
		prepare: func(w *world, _ *catalog.Catalog) { w.put(catalog.Tenant{ID: "ready-1", State: catalog.Ready}) },
		do: func(ctx context.Context, c *catalog.Catalog) error {
			_, err := c.Claim(ctx, catalog.Tenant{ID: "zeta", Name: "Zeta", Domains: []string{"zeta.org"}})
			return err
		},
		records: acme + b + "zeta active \"Zeta\" \"zeta.org\"\n",
		places:  "acme=[row of acme] b=[row of b] zeta=[row of ready-1] ",
	},
	"claim under the ready-made id": {
		prepare: func(w *world, _ *catalog.Catalog) { w.put(catalog.Tenant{ID: "ready-1", State: catalog.Ready}) },
		do: func(ctx context.Context, c *catalog.Catalog) error {
			_, err := c.Claim(ctx, catalog.Tenant{Name: "Zeta", Domains: []string{"zeta.org"}})
			return err
		},
		records: acme + b + "ready-1 active \"Zeta\" \"zeta.org\"\n",
		places:  "acme=[row of acme] b=[row of b] ready-1=[row of ready-1] ",
	},
	"suspend":  {do: one((*catalog.Catalog).Suspend), records: strings.Replace(acme, "active", "suspended", 1) + b, places: both},
	"maintain": {do: one((*catalog.Catalog).Maintain), records: strings.Replace(acme, "active", "maintenance", 1) + b, places: both},
	"resume": {
		prepare: func(w *world, c *catalog.Catalog) {
			_, err := c.Suspend(context.Background(), "acme")
			must(w, err)
		},
		do: one((*catalog.Catalog).Resume), records: acme + b, places: both,
	},
	"delete": {
		do:      one((*catalog.Catalog).Delete),
		records: "acme deleting \"active\" \"Acme\" \"acme.org\" with grace\n" + b, places: both,
	},
	"undelete": {
		prepare: deleted, do: one((*catalog.Catalog).Undelete), records: acme + b, places: both,
	},
	"purge": {
		prepare: deleted, do: one((*catalog.Catalog).PurgeNow), records: "acme purged\n" + b, places: "b=[row of b] ",
	},
}

const (
	acme = "acme active \"Acme\" \"acme.org\"\n"
	b    = "b active \"b.org\"\n"
	both = "acme=[row of acme] b=[row of b] "
)

func one(step func(*catalog.Catalog, context.Context, tenancy.ID) (catalog.Tenant, error)) func(context.Context, *catalog.Catalog) error {
	return func(ctx context.Context, c *catalog.Catalog) error {
		_, err := step(c, ctx, "acme")
		return err
	}
}

func deleted(w *world, c *catalog.Catalog) {
	_, err := c.Delete(context.Background(), "acme")
	must(w, err)
}

// TestCrash kills the process before and behind each thing that a step does to the world. Whatever is left, nothing half
// made is served, nobody else can have the domains, and Repair leads to the end, or to the beginning if nothing was begun.
func TestCrash(t *testing.T) {
	t.Parallel()
	for name := range scenarios {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, after := range []bool{false, true} {
				n := 1
				for crash(t, name, n, after) {
					n++
				}
				if n < 4 {
					t.Errorf("only %d crashes: %q does less than it should", n-1, name)
				}
			}
		})
	}
}

// crash reports whether the process came as far as its n-th deed.
func crash(t *testing.T, name string, n int, after bool) bool {
	t.Helper()
	ctx, sc, w := t.Context(), scenarios[name], newWorld(t)
	w.put(catalog.Tenant{ID: "acme", State: catalog.Active, Name: "Acme", Domains: []string{"acme.org"}})
	w.put(catalog.Tenant{ID: "b", State: catalog.Active, Domains: []string{"b.org"}})
	if sc.prepare != nil {
		sc.prepare(w, w.catalog())
	}
	beforeRecords, beforePlaces := w.records(), w.places.dump()

	f := &fuse{at: n, after: after}
	if err := sc.do(ctx, w.process(f)); err == nil && w.records() != sc.records {
		t.Errorf("deed %d, after %v: no error, but\n%s", n, after, w.records())
	}
	w.sound(n, after)

	next := w.catalog()
	for range 2 {
		if err := next.RepairAll(ctx, catalog.EachOptions{}); err != nil {
			t.Errorf("deed %d, after %v: repair: %v\n%s", n, after, err, w.records())
		}
	}
	records, places := w.records(), w.places.dump()
	done := forgiving(records) == sc.records && places == sc.places
	if begun := records != beforeRecords || places != beforePlaces; begun && !done {
		t.Errorf("deed %d, after %v: repaired to\n%s%s\nwant\n%s%s", n, after, records, places, sc.records, sc.places)
	}
	w.sound(n, after)
	return f.exploded()
}

// forgiving takes out what is left of a tenant of the pool when the process dies at its very end.
func forgiving(records string) string { return strings.Replace(records, "ready-1 purged\n", "", 1) }

// sound fails if a tenant is served that is not whole, or if somebody else can take a domain.
func (w *world) sound(n int, after bool) {
	w.Helper()
	ctx, c := context.Background(), w.catalog()
	for t, err := range w.store.List(ctx, catalog.Filter{}) {
		must(w, err)
		rows, placed := w.places.rows[t.ID]
		if c.Lookup(ctx, t.ID) == nil && (!placed || len(rows) == 0) {
			w.Errorf("deed %d, after %v: %s is served, but has no place or no rows\n%s%s", n, after, t.ID, w.records(), w.places.dump())
		}
	}
	for _, domain := range []string{"ACME.org.", "b.org"} {
		if strings.Contains(w.records(), "acme purged\n"+b) && !strings.Contains(w.records(), "zeta") && domain != "b.org" {
			continue // acme is gone
		}
		err := w.store.Save(ctx, &catalog.Tenant{ID: "thief", State: catalog.Active, Domains: []string{domain}})
		if !errors.Is(err, catalog.ErrDomainTaken) {
			w.Errorf("deed %d, after %v: %s could be taken (%v)\n%s", n, after, domain, err, w.records())
		}
	}
}

// TestRepairRace has many processes finish what one left, by either of the ids: it happens once.
func TestRepairRace(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"create", "clone", "copy", "rename", "claim", "claim under the ready-made id", "resume", "purge"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, sc := newWorld(t), scenarios[name]
			w.put(catalog.Tenant{ID: "acme", State: catalog.Active, Name: "Acme", Domains: []string{"acme.org"}})
			w.put(catalog.Tenant{ID: "b", State: catalog.Active, Domains: []string{"b.org"}})
			if sc.prepare != nil {
				sc.prepare(w, w.catalog())
			}
			if err := sc.do(t.Context(), w.process(&fuse{at: 2})); err == nil { // behind saving the intent
				t.Fatal("not interrupted")
			}
			ids := []tenancy.ID{"acme", "zeta", "new", "copy", "ready-1"}
			var wg sync.WaitGroup
			for i := range 20 {
				c := w.catalog()
				wg.Go(func() {
					_, err := c.Repair(context.Background(), ids[i%len(ids)])
					if err != nil && !errors.Is(err, catalog.ErrConflict) && !errors.Is(err, tenancy.ErrUnknownTenant) {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if records := forgiving(w.records()); records != sc.records || w.places.dump() != sc.places {
				t.Errorf("ended as\n%s%s", records, w.places.dump())
			}
			w.sound(2, false)
		})
	}
}

// TestFailedRenameReverts has the strategy refuse.
func TestFailedRenameReverts(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		err  error
	}{{"refused", errTest}, {"unsupported", tenancy.ErrUnsupported}} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.put(catalog.Tenant{ID: "acme", State: catalog.Maintenance, Name: "Acme", Domains: []string{"acme.org"}})
			before := w.records()
			c := w.catalog()
			// Forward fails, back succeeds: the fake strategy renames nothing that was not renamed.
			w.places.renameErr = tc.err
			_, err := c.Rename(t.Context(), "acme", "zeta")
			want(t, err, tc.err)
			w.places.renameErr = nil
			must(t, c.RepairAll(t.Context(), catalog.EachOptions{}))
			if got := w.records(); got != before || w.places.dump() != "acme=[row of acme] " {
				t.Errorf("got\n%s%s", got, w.places.dump())
			}
			_, err = c.Rename(t.Context(), "acme", "zeta") // control, and the id is free again
			must(t, err)
			want(t, c.Lookup(t.Context(), "zeta"), tenancy.ErrTenantMaintenance)
		})
	}
}

// TestCrashWhileReverting kills the process while it takes back a renaming that the strategy refused. The tenant is whole
// afterwards, under one of the two ids.
func TestCrashWhileReverting(t *testing.T) {
	t.Parallel()
	ids := map[string]int{}
	for n := 1; ; n++ {
		w, f := newWorld(t), &fuse{at: n}
		w.put(catalog.Tenant{ID: "acme", State: catalog.Active, Name: "Acme", Domains: []string{"acme.org"}})
		w.put(catalog.Tenant{ID: "b", State: catalog.Active, Domains: []string{"b.org"}})
		w.places.renameErr = tenancy.ErrUnsupported
		if _, err := w.process(f).Rename(t.Context(), "acme", "zeta"); err == nil {
			t.Fatal("renamed")
		}
		w.sound(n, false)
		w.places.renameErr = nil
		must(t, w.catalog().RepairAll(t.Context(), catalog.EachOptions{}))
		got := strings.Replace(w.records(), "zeta purged\n", "", 1) + w.places.dump()
		switch got {
		case acme + b + both:
			ids["acme"]++
		case scenarios["rename"].records + scenarios["rename"].places:
			ids["zeta"]++
		default:
			t.Errorf("deed %d: %s", n, got)
		}
		if !f.exploded() {
			break
		}
	}
	if ids["acme"] < 3 || ids["zeta"] < 1 {
		t.Errorf("ended as %v", ids)
	}
}

// TestRepairWaits leaves a step alone whose process may live.
func TestRepairWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.clock.now.Store(time.Now().UnixNano()) // stores stamp records with it
	w.put(catalog.Tenant{ID: "acme", State: catalog.Suspended, Step: catalog.StepSuspend})
	c := w.catalog(catalog.RepairAfter(time.Minute))
	must(t, c.RepairAll(t.Context(), catalog.EachOptions{}))
	if got := w.records(); !strings.Contains(got, "suspend\"") {
		t.Errorf("repaired at once: %s", got)
	}
	w.clock.advance(2 * time.Minute)
	must(t, c.RepairAll(t.Context(), catalog.EachOptions{}))
	if got := w.records(); got != "acme suspended\n" {
		t.Errorf("not repaired: %s", got)
	}
}
