package catalog_test

import (
	"context"
	"slices"
	"testing"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
)

// TestForget: an id is free again only where nothing of the last tenant can be left.
func TestForget(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put(catalog.Tenant{ID: "acme", State: catalog.Deleting})
	c := w.catalog()
	want(t, c.Forget(t.Context(), "acme"), catalog.ErrTransition)
	_, err := c.PurgeNow(t.Context(), "acme")
	must(t, err)
	_, err = c.Create(t.Context(), catalog.Tenant{ID: "acme"})
	want(t, err, catalog.ErrExists)
	w.places.rows["acme"] = []string{"made late"} // by somebody who was still creating it
	records, err := catalog.New(w.store)
	must(t, err)
	want(t, records.Forget(t.Context(), "acme"), tenancy.ErrUnsupported)
	var cleared []tenancy.ID
	clearing := func(err error) *catalog.Catalog {
		c, failed := catalog.New(w.store, catalog.Hooks(catalog.Hook{}, catalog.Hook{
			Clear: func(_ context.Context, id tenancy.ID) error { cleared = append(cleared, id); return err },
		}))
		must(t, failed)
		return c
	}
	want(t, clearing(errTest).Forget(t.Context(), "acme"), errTest) // and the record stays
	w.put(catalog.Tenant{ID: "zeta", State: catalog.Purged})
	delete(w.places.rows, "zeta")
	must(t, clearing(nil).Forget(t.Context(), "zeta"))
	if !slices.Equal(cleared, []tenancy.ID{"acme", "zeta"}) {
		t.Errorf("cleared %v", cleared)
	}
	must(t, c.Forget(t.Context(), "acme"))
	want(t, c.Forget(t.Context(), "acme"), tenancy.ErrUnknownTenant)
	_, err = c.Create(t.Context(), catalog.Tenant{ID: "acme"})
	must(t, err)
	if got := w.places.dump(); got != "acme=[seed] " {
		t.Errorf("the next tenant has %s", got)
	}
}
