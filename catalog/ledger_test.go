package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
	"github.com/gorm-tenancy/tenancy/internal/servers"
	"github.com/gorm-tenancy/tenancy/migrate"
	"github.com/gorm-tenancy/tenancy/strategies/schema"
)

var _ catalog.Ledger = (*migrate.Runner)(nil)

// mortalPlaces are schemas as one process sees them, until its fuse burns. A clone lacks what the migrator keeps there.
type mortalPlaces struct {
	*schema.Strategy
	s    *schemas
	fuse *fuse
}

func (m mortalPlaces) Provision(ctx context.Context, id tenancy.ID) error {
	return m.fuse.do(func() error { return m.Strategy.Provision(ctx, id) })
}

func (m mortalPlaces) Deprovision(ctx context.Context, id tenancy.ID) error {
	return m.fuse.do(func() error { return m.Strategy.Deprovision(ctx, id) })
}

func (m mortalPlaces) Rename(ctx context.Context, from, to tenancy.ID) error {
	return m.fuse.do(func() error { return m.Strategy.Rename(ctx, from, to) })
}

func (m mortalPlaces) Clone(ctx context.Context, from, to tenancy.ID) error {
	return m.fuse.do(func() error {
		if err := m.Strategy.Provision(ctx, to); err != nil {
			return err
		}
		_, err := m.s.raw.Exec(fmt.Sprintf(`INSERT INTO "tenant_%s".polls SELECT * FROM "tenant_%s".polls ON CONFLICT DO NOTHING`, to, from))
		return err
	})
}

// mortalLedger is a runner in that process.
type mortalLedger struct {
	*migrate.Runner
	fuse *fuse
}

func (m mortalLedger) Baseline(ctx context.Context, ids ...tenancy.ID) error {
	return m.fuse.do(func() error { return m.Runner.Baseline(ctx, ids...) })
}

func (m mortalLedger) Admit(ctx context.Context, id tenancy.ID) error {
	return m.fuse.do(func() error { return m.Runner.Admit(ctx, id) })
}

func (m mortalLedger) Inherit(ctx context.Context, from, id tenancy.ID) error {
	return m.fuse.do(func() error { return m.Runner.Inherit(ctx, from, id) })
}

func (m mortalLedger) Forget(ctx context.Context, ids ...tenancy.ID) error {
	return m.fuse.do(func() error { return m.Runner.Forget(ctx, ids...) })
}

// fleet is schemas with a runner, one of whose steps would be seen if it were made twice.
type fleet struct {
	*schemas
	store  catalog.Store
	runner *migrate.Runner
}

func newFleet(t testing.TB) *fleet {
	s := newSchemas(t, servers.Postgres(t))
	f := &fleet{schemas: s, store: catalog.GORM(s.db)}
	var err error
	f.runner, err = migrate.New(s.db, catalog.IDs(f.store), []migrate.Source{
		migrate.Step{Version: 1, Name: "rows", Run: func(_ context.Context, tx *gorm.DB) error {
			return tx.Create(&Poll{Title: "step"}).Error
		}},
		migrate.Models(),
	})
	must(t, err)
	return f
}

func (f *fleet) process(burn *fuse, hook func(catalog.Ledger) catalog.Hook) *catalog.Catalog {
	f.Helper()
	c, err := catalog.New(mortal{f.store, burn}, catalog.Strategy(mortalPlaces{f.strategy, f.schemas, burn}), catalog.RepairAfter(0),
		catalog.Hooks(hook(mortalLedger{f.runner, burn})))
	must(f, err)
	return c
}

// head says how often the step was made in a tenant, what stands there for it, and whether the ledger has it at head.
func (f *fleet) head(id tenancy.ID) string {
	f.Helper()
	history, err := f.runner.History(context.Background(), id)
	must(f, err)
	ready := f.runner.Ready(context.Background(), id) == nil
	return fmt.Sprintf("%s has %q, %d entries, ready %v", id, f.titles(id), len(history), ready)
}

// TestLedgerCrash kills the process before and behind everything that a step of life does with the ledger in the hook.
// Repair leads to a ledger that says what is true: new tenants at head, each step once, nothing of those who are gone.
func TestLedgerCrash(t *testing.T) {
	t.Parallel()
	const made, atHead = "%s has \"step\", 2 entries, ready true", "%s has \"\", 2 entries, ready true"
	const gone = "%s has \"-\", 0 entries, ready false"
	for name, tc := range map[string]struct {
		hook    func(catalog.Ledger) catalog.Hook
		prepare string // a tenant that is there
		do      func(ctx context.Context, c *catalog.Catalog, id, other tenancy.ID) error
		id      string
		other   string
	}{
		"create, baseline": {hook: catalog.Baselining, do: createOne, id: atHead, other: gone},
		"create, migrate":  {hook: catalog.Migrating, do: createOne, id: made, other: gone},
		"rename": {hook: catalog.Migrating, prepare: "id", do: func(ctx context.Context, c *catalog.Catalog, id, other tenancy.ID) error {
			_, err := c.Rename(ctx, id, other)
			return err
		}, id: gone, other: made},
		"clone": {hook: catalog.Migrating, prepare: "id", do: func(ctx context.Context, c *catalog.Catalog, id, other tenancy.ID) error {
			_, err := c.Clone(ctx, id, catalog.Tenant{ID: other})
			return err
		}, id: made, other: made},
		"purge": {hook: catalog.Baselining, prepare: "id", do: func(ctx context.Context, c *catalog.Catalog, id, _ tenancy.ID) error {
			_, err := c.Delete(ctx, id)
			if err == nil {
				_, err = c.PurgeNow(ctx, id)
			}
			return err
		}, id: gone, other: gone},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, ctx := newFleet(t), t.Context()
			_, err := f.process(&fuse{}, catalog.Migrating).Create(ctx, catalog.Tenant{ID: "neighbour"})
			must(t, err)
			for _, after := range []bool{false, true} {
				for n := 1; ; n++ {
					id := tenancy.ID(fmt.Sprintf("t%d-%v", n, after))
					other := id + "-b"
					if tc.prepare != "" {
						_, err := f.process(&fuse{}, catalog.Migrating).Create(ctx, catalog.Tenant{ID: id})
						must(t, err)
					}
					burn := &fuse{at: n, after: after}
					begun := tc.do(ctx, f.process(burn, tc.hook), id, other)
					next := f.process(&fuse{}, tc.hook)
					must(t, next.RepairAll(ctx, catalog.EachOptions{}))
					if begun != nil { // what was not even begun is done now; what was repaired is there already
						err := tc.do(ctx, next, id, other)
						if err != nil && !errors.Is(err, catalog.ErrExists) && !errors.Is(err, catalog.ErrTransition) {
							t.Fatal(err)
						}
					}
					for at, want := range map[tenancy.ID]string{id: tc.id, other: tc.other, "neighbour": made} {
						if got, want := f.head(at), fmt.Sprintf(want, at); got != want {
							t.Errorf("deed %d, after %v: %s, want %s", n, after, got, want)
						}
					}
					if !burn.exploded() {
						if n < 4 {
							t.Errorf("only %d crashes", n-1)
						}
						break
					}
				}
			}
			if report, err := f.runner.Up(ctx); err != nil || report.Steps != 0 {
				t.Errorf("%v: %v", report, err)
			}
		})
	}
}

func createOne(ctx context.Context, c *catalog.Catalog, id, _ tenancy.ID) error {
	_, err := c.Create(ctx, catalog.Tenant{ID: id})
	return err
}

// TestLedgerPool has tenants of the pool at head, and takes their steps along when they are claimed.
func TestLedgerPool(t *testing.T) {
	t.Parallel()
	f, ctx := newFleet(t), t.Context()
	c := f.process(&fuse{}, catalog.Migrating)
	_, err := c.Fill(ctx, 2)
	must(t, err)
	var ready []tenancy.ID
	for id, err := range catalog.IDs(f.store)(ctx) {
		must(t, err)
		ready = append(ready, id)
	}
	named, err := c.Claim(ctx, catalog.Tenant{ID: "acme"})
	must(t, err)
	random, err := c.Claim(ctx, catalog.Tenant{Name: "Globex"})
	must(t, err)
	for _, id := range []tenancy.ID{named.ID, random.ID} {
		if got, want := f.head(id), fmt.Sprintf("%s has \"step\", 2 entries, ready true", id); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	for _, id := range ready {
		if id != random.ID && f.head(id) != fmt.Sprintf("%s has \"-\", 0 entries, ready false", id) {
			t.Error(f.head(id))
		}
	}
}

// TestLedgerNewcomer makes a tenant under the id of a purged one, whose steps must not be passed over.
func TestLedgerNewcomer(t *testing.T) {
	t.Parallel()
	f, ctx := newFleet(t), t.Context()
	c := f.process(&fuse{}, catalog.Migrating)
	for range 2 {
		_, err := c.Create(ctx, catalog.Tenant{ID: "acme"})
		must(t, err)
		if got := f.head("acme"); got != `acme has "step", 2 entries, ready true` {
			t.Error(got)
		}
		_, err = c.Delete(ctx, "acme")
		must(t, err)
		_, err = c.PurgeNow(ctx, "acme")
		must(t, err)
		must(t, c.Forget(ctx, "acme"))
	}
	// The ledger was told nothing of the end of a first one, whose place somebody removed by hand.
	_, err := c.Create(ctx, catalog.Tenant{ID: "acme"})
	must(t, err)
	f.add("acme", "row")
	must(t, f.strategy.Deprovision(ctx, "acme"))
	must(t, f.strategy.Provision(ctx, "acme"))
	must(t, f.runner.Admit(ctx, "acme"))
	if got := f.head("acme"); got != `acme has "step", 2 entries, ready true` {
		t.Error(got)
	}
}

// TestIDs lists tenants whose places are there, and ends with the store's error.
func TestIDs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, state := range catalog.States() {
		w.put(catalog.Tenant{ID: tenancy.ID(state), State: state})
	}
	list := func(store catalog.Store) (ids []string, err error) {
		for id, err := range catalog.IDs(store)(t.Context()) {
			if err != nil {
				return ids, err
			}
			ids = append(ids, string(id))
		}
		return ids, nil
	}
	ids, err := list(w.store)
	if got := strings.Join(ids, " "); err != nil || got != "active deleting maintenance ready suspended" {
		t.Errorf("%s: %v", got, err)
	}
	broken := newSpy(w.store)
	broken.kill()
	if ids, err := list(broken); !errors.Is(err, errTest) || len(ids) > 0 {
		t.Errorf("%v: %v", ids, err)
	}
	for id := range catalog.IDs(w.store)(t.Context()) {
		if id != "active" {
			t.Errorf("%s comes after the end", id)
		}
		break
	}
}
