package archive_test

import (
	"context"
	"errors"
	"testing"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/archive"
	"github.com/gorm-tenancy/tenancy/catalog"
)

// dying is a copier whose process dies behind its work, before anybody learns of it.
type dying struct{ catalog.Copier }

var errDied = errors.New("died")

func (d dying) Copy(ctx context.Context, from, to tenancy.ID) error {
	return errors.Join(d.Copier.Copy(ctx, from, to), errDied)
}

// TestClone clones a under every strategy, with a crash in the middle of the copy and one behind it, and purges the clone.
// a and b keep what they have.
func TestClone(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, b *backend) {
		b.fill()
		if b.alone {
			return
		}
		store := catalog.NewMemory()
		for _, id := range b.tenants() {
			must(t, store.Save(t.Context(), &catalog.Tenant{ID: id, State: catalog.Active}))
		}
		with := func(c catalog.Copier) *catalog.Catalog {
			strategy := b.strategy
			if p, ok := strategy.(tenancy.Provisioner); ok { // some clone by themselves: databases of SQLite
				strategy = struct {
					tenancy.Strategy
					tenancy.Provisioner
				}{b.strategy, p}
			}
			made, err := catalog.New(store, catalog.Strategy(strategy), catalog.CopyWith(c), catalog.Hooks(archive.PurgeHook(b.db)))
			must(t, err)
			return made
		}
		before, told := b.dump("a"), story(t, b.db, "a")
		b.unchanged(func() {
			ctx, cancel := context.WithCancel(t.Context())
			reports := 0
			half := with(archive.Copier(b.db, archive.Progress(func(table string, done, total int64) {
				if reports++; reports == len(tables)*2+7 { // in the middle of the import
					cancel()
				}
			})))
			_, err := half.Clone(ctx, "a", catalog.Tenant{ID: "copy"})
			if !errors.Is(err, catalog.ErrPending) || ctx.Err() == nil {
				t.Fatalf("half way: %v", err)
			}
			if rows := b.dump("copy"); rows != "" {
				t.Errorf("half of a copy:\n%s", rows)
			}
			whole := with(archive.Copier(b.db))
			if whole.Lookup(t.Context(), "copy") == nil {
				t.Error("served without rows")
			}
			for range 2 {
				_, err = with(dying{archive.Copier(b.db)}).Repair(t.Context(), "copy")
				if !errors.Is(err, errDied) || b.dump("copy") == "" {
					t.Fatalf("behind: %v", err)
				}
			}
			_, err = whole.Repair(t.Context(), "copy")
			must(t, err)
			must(t, whole.Lookup(t.Context(), "copy"))
			if got := story(t, b.db, "copy"); got != told {
				t.Errorf("a tells\n%s\nand its copy\n%s", told, got)
			}
			_, err = whole.Delete(t.Context(), "copy")
			must(t, err)
			_, err = whole.PurgeNow(t.Context(), "copy")
			must(t, err)
			if b.shared && b.dump("copy") != "" {
				t.Errorf("purged, but has\n%s", b.dump("copy"))
			}
		})
		if after := b.dump("a"); after != before {
			t.Errorf("a had\n%s\nand has\n%s", before, after)
		}
	})
}

// TestCloneOccupied clones onto an id that has rows and that the catalog does not know.
func TestCloneOccupied(t *testing.T) {
	t.Parallel()
	b := backends["shared SQLite"](t).fill()
	store := catalog.NewMemory()
	must(t, store.Save(t.Context(), &catalog.Tenant{ID: "a", State: catalog.Active}))
	c, err := catalog.New(store, catalog.CopyWith(archive.Copier(b.db)))
	must(t, err)
	b.unchanged(func() {
		if _, err := c.Clone(t.Context(), "a", catalog.Tenant{ID: "b"}); !errors.Is(err, catalog.ErrOccupied) {
			t.Errorf("got %v", err)
		}
	})
	_, err = c.Clone(t.Context(), "a", catalog.Tenant{ID: "free"})
	must(t, err)
}
