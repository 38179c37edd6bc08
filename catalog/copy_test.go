package catalog_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
)

// TestCopyOccupied clones into an id that has rows nobody knows of: they stay, and so does the id's freedom.
func TestCopyOccupied(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.copies = true
	w.put(catalog.Tenant{ID: "acme", State: catalog.Active})
	w.places.rows["copy"] = []string{"row of a stranger"}
	records, places := w.records(), w.places.dump()
	_, err := w.catalog().Clone(t.Context(), "acme", catalog.Tenant{ID: "copy"})
	want(t, err, catalog.ErrOccupied)
	if errors.Is(err, catalog.ErrPending) || w.records() != records || w.places.dump() != places {
		t.Errorf("%v, left\n%s%s", err, w.records(), w.places.dump())
	}
	// The process dies as soon as its intent is saved. What repairs it must not take the rows for a copy.
	_, err = w.process(&fuse{at: 2}).Clone(t.Context(), "acme", catalog.Tenant{ID: "copy"})
	want(t, err, errTest)
	_, err = w.catalog().Repair(t.Context(), "copy")
	want(t, err, catalog.ErrOccupied)
	if w.places.dump() != places {
		t.Errorf("left %s", w.places.dump())
	}
}

// TestCopySteps: hooks see a clone, also when the copy is repaired, and without a copier there is none.
func TestCopySteps(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.copies = true
	w.put(catalog.Tenant{ID: "acme", State: catalog.Active})
	var seen []catalog.Step
	hook := catalog.Hooks(catalog.Hook{After: func(_ context.Context, e catalog.Event) error {
		seen = append(seen, e.Step)
		return nil
	}})
	_, err := w.process(&fuse{at: 5}, hook).Clone(t.Context(), "acme", catalog.Tenant{ID: "copy"}) // in copying
	want(t, err, catalog.ErrPending)
	_, err = w.catalog(hook).Repair(t.Context(), "copy")
	must(t, err)
	if !slices.Equal(seen, []catalog.Step{catalog.StepClone}) {
		t.Errorf("hooks saw %q", seen)
	}
	plain, err := catalog.New(w.store)
	must(t, err)
	_, err = plain.Clone(t.Context(), "acme", catalog.Tenant{ID: "more"})
	want(t, err, tenancy.ErrUnsupported)
	// A copy that cannot be finished can be purged.
	_, err = w.process(&fuse{at: 5}).Clone(t.Context(), "acme", catalog.Tenant{ID: "half"})
	want(t, err, catalog.ErrPending)
	_, err = w.catalog().Purge(t.Context(), "half")
	must(t, err)
}
