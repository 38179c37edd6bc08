package catalog_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
)

// TestPool has many sign up at once: each gets a place of its own.
func TestPool(t *testing.T) {
	t.Parallel()
	for _, chosen := range []bool{true, false} {
		t.Run(fmt.Sprintf("chosen ids %v", chosen), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			var created, claimed atomic.Int64
			c := w.catalog(catalog.Hooks(catalog.Hook{After: func(_ context.Context, e catalog.Event) error {
				switch e.Step {
				case catalog.StepCreate:
					created.Add(1)
				case catalog.StepClaim:
					claimed.Add(1)
				}
				return nil
			}}))
			made, err := c.Fill(t.Context(), 10)
			must(t, err)
			if again, err := c.Fill(t.Context(), 10); made != 10 || again != 0 || err != nil {
				t.Errorf("made %d and %d, %v", made, again, err)
			}
			var wg sync.WaitGroup
			for i := range 16 {
				wg.Go(func() {
					wanted := catalog.Tenant{Name: fmt.Sprint("name", i), Domains: []string{fmt.Sprintf("t%d.org", i)}}
					if chosen {
						wanted.ID = tenancy.ID(fmt.Sprintf("t%d", i))
					}
					got, err := c.Claim(t.Context(), wanted)
					if err != nil || got.State != catalog.Active || got.Name != wanted.Name || chosen && got.ID != wanted.ID {
						t.Errorf("%+v, %v", got, err)
					}
					owner, err := c.TenantOf(t.Context(), wanted.Domains[0])
					if owner != got.ID || err != nil || c.Lookup(t.Context(), got.ID) != nil {
						t.Errorf("%s is of %q, not %q (%v)", wanted.Domains[0], owner, got.ID, err)
					}
				})
			}
			wg.Wait()
			if created.Load() != 6 || claimed.Load() != 10 || len(w.places.rows) != 16 || strings.Contains(w.records(), "ready ") {
				t.Errorf("%d created, %d claimed\n%s%s", created.Load(), claimed.Load(), w.records(), w.places.dump())
			}
			_, err = c.Claim(t.Context(), catalog.Tenant{ID: "late", Domains: []string{"T3.org"}})
			want(t, err, catalog.ErrDomainTaken)
		})
	}
}

// TestClaimWithoutRenaming falls back to creating, and leaves the pool as it was.
func TestClaimWithoutRenaming(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put(catalog.Tenant{ID: "ready-1", State: catalog.Ready})
	w.places.renameErr = tenancy.ErrUnsupported
	got, err := w.catalog().Claim(t.Context(), catalog.Tenant{ID: "acme", Name: "Acme", Domains: []string{"acme.org"}})
	must(t, err)
	if want := acme + "ready-1 ready\n"; got.ID != "acme" || w.records() != want || w.places.dump() != "acme=[seed] ready-1=[row of ready-1] " {
		t.Errorf("got\n%s%s", w.records(), w.places.dump())
	}
}
