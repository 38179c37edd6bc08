package archive_test

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"testing"

	"gorm.io/driver/sqlite"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/archive"
	"github.com/gorm-tenancy/tenancy/catalog"
	"github.com/gorm-tenancy/tenancy/strategies/database"
	"github.com/gorm-tenancy/tenancy/strategies/hybrid"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
)

// house is a hybrid whose tenants are where the catalog says: a in a database of its own, b in shared tables.
type house struct {
	*backend
	tenants *catalog.Catalog
	mixed   *hybrid.Strategy
}

func newHouse(t testing.TB) *house {
	t.Helper()
	dir := t.TempDir()
	places := database.SQLiteFiles(filepath.Join(dir, "tenants"), sqlite.Open)
	h := &house{backend: &backend{TB: t, mixed: true}}
	h.mixed = hybrid.New(func(ctx context.Context, id tenancy.ID) (string, string, error) { return h.tenants.Place(ctx, id) },
		hybrid.Members{"shared": shared.New(), "database": database.New(places.Open, database.WithProvisioner(places))})
	h.strategy = h.mixed
	store := catalog.NewMemory()
	must(t, store.Save(t.Context(), &catalog.Tenant{ID: "a", State: catalog.Active, Strategy: "database"}))
	must(t, store.Save(t.Context(), &catalog.Tenant{ID: "b", State: catalog.Active, Strategy: "shared"}))
	var err error
	h.tenants, err = catalog.New(store, catalog.Strategy(h.mixed), catalog.Lag(0))
	must(t, err)
	h.raw = h.one("sqlite3", sqliteFile(dir, "central.db"), "")
	h.open(sqlite.Open(sqliteFile(dir, "central.db")), true)
	return h
}

// move takes a to another member with archive.Mover.
func (h *house) move(member string, opts ...archive.Option) error {
	_, err := h.tenants.Relocate(h.Context(), "a", member, "", func(ctx context.Context) error {
		return h.mixed.Move(ctx, "a", member, "", archive.Mover(h.db, opts...))
	})
	return err
}

// inShared are the rows of shared tables with a tenant's id.
func (h *house) inShared(id tenancy.ID) string {
	at := *h.backend
	at.shared = true
	return at.dump(id)
}

// TestMover takes a into the shared tables, where b has the same keys, and back. b keeps what it has.
func TestMover(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	fill(t, h.db, "a", 1)
	fill(t, h.db, "b", 1)
	bs, told := h.inShared("b"), story(t, h.db, "a")
	if err := h.move("shared"); !errors.Is(err, archive.ErrKeyTaken) {
		t.Fatalf("b has these keys: %v", err)
	}
	if rows := h.inShared("a"); rows != "" || story(t, h.db, "a") != told {
		t.Fatalf("half of a move:\n%s", rows)
	}
	must(t, h.move("shared", archive.Renumber()))
	if got := story(t, h.db, "a"); got != told || h.inShared("a") == "" {
		t.Errorf("a told\n%s\nand tells\n%s", told, got)
	}
	must(t, h.mixed.Clear(t.Context(), "a", "database", ""))
	before := sum(t, h.db, "a")
	must(t, h.move("database"))
	same(t, "back home", sum(t, h.db, "a"), before)
	must(t, h.mixed.Clear(t.Context(), "a", "shared", ""))
	if rows := h.inShared("a"); rows != "" {
		t.Errorf("cleared, but there are\n%s", rows)
	}
	same(t, "without the old rows", sum(t, h.db, "a"), before)
	if after := h.inShared("b"); after != bs {
		t.Errorf("b had\n%s\nand has\n%s", bs, after)
	}
}

// TestMoverOthers: the two contexts of a move reach the rows of its tenant and the central tables, and nobody else's rows.
func TestMoverOthers(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	fill(t, h.db, "b", 1)
	must(t, h.db.WithContext(as("a")).Create(&Note{Code: "x", Body: "a's"}).Error)
	must(t, h.db.WithContext(tenancy.Central(t.Context())).Create(&Plan{Name: "free"}).Error)
	_, err := h.tenants.Relocate(t.Context(), "a", "shared", "", func(ctx context.Context) error {
		return h.mixed.Move(ctx, "a", "shared", "", func(from, to context.Context) error {
			for name, ctx := range map[string]context.Context{"from": from, "to": to} {
				var polls, plans int64
				err := h.db.WithContext(tenancy.WithTenant(ctx, "b")).Model(&Poll{}).Count(&polls).Error
				if !errors.Is(err, tenancy.ErrTenantMismatch) || polls != 0 {
					t.Errorf("%s: b has %d polls, %v", name, polls, err)
				}
				must(t, h.db.WithContext(tenancy.Central(ctx)).Model(&Plan{}).Count(&plans).Error)
				if plans != 1 {
					t.Errorf("%s: there are %d plans", name, plans)
				}
			}
			return archive.Mover(h.db)(from, to)
		})
	})
	must(t, err)
	if rows := h.inShared("a"); rows == "" {
		t.Error("a was not moved")
	}
}

// TestCheck says what an import would do, and does nothing.
func TestCheck(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, b *backend) {
		b.fill()
		text, m := export(t, b.db, "a")
		before := b.dump("a")
		b.unchanged(func() {
			if _, err := archive.Check(as("a"), b.db, bytes.NewReader(text)); !errors.Is(err, archive.ErrNotEmpty) {
				t.Errorf("a has rows: %v", err)
			}
			report, err := archive.Check(as("a"), b.db, bytes.NewReader(text), archive.Replace())
			must(t, err)
			if report.Manifest.SHA256 != m.SHA256 || len(report.Erased) == 0 {
				t.Errorf("%+v", report)
			}
			if _, err := archive.Check(as("a"), b.db, bytes.NewReader(text[:len(text)/2])); !errors.Is(err, archive.ErrMalformed) {
				t.Errorf("half of an archive: %v", err)
			}
		})
		if after := b.dump("a"); after != before {
			t.Errorf("a had\n%s\nand has\n%s", before, after)
		}
	})
}

// TestForget has the hook erase what was written after the purge, before the id is free.
func TestForget(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"shared SQLite", "row-level security", "shared MariaDB"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := backends[name](t).fill()
			store := catalog.NewMemory()
			must(t, store.Save(t.Context(), &catalog.Tenant{ID: "a", State: catalog.Deleting}))
			c, err := catalog.New(store, catalog.Hooks(archive.PurgeHook(b.db)))
			must(t, err)
			b.unchanged(func() {
				_, err = c.PurgeNow(t.Context(), "a")
				must(t, err)
				must(t, b.db.WithContext(as("a")).Create(&Note{Code: "late"}).Error)
				must(t, c.Forget(t.Context(), "a"))
				if rows := b.dump("a"); rows != "" {
					t.Errorf("the next a has\n%s", rows)
				}
			})
			if _, err := c.Create(t.Context(), catalog.Tenant{ID: "a"}); err != nil {
				t.Error(err)
			}
		})
	}
}
