package catalog_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
	"github.com/gorm-tenancy/tenancy/strategies/database"
	"github.com/gorm-tenancy/tenancy/strategies/hybrid"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
)

// files is a catalog in a central SQLite file whose tenants have files of their own.
func files(t testing.TB) (db *gorm.DB, tenants *catalog.Catalog, dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "tenants")
	places := database.SQLiteFiles(dir, sqlite.Open)
	strategy := database.New(places.Open, database.WithProvisioner(places))
	db = open(t, sqliteFile(t), strategy, nil)
	tenants, err := catalog.New(catalog.GORM(db), catalog.Strategy(strategy), catalog.Seed(func(ctx context.Context, _ catalog.Tenant) error {
		return db.WithContext(ctx).Where(owned{Text: "welcome"}).FirstOrCreate(&owned{}).Error
	}))
	must(t, err)
	return db, tenants, dir
}

// TestFiles takes tenants of the database strategy through rename, clone and claim; b, with the same ids, keeps its rows.
func TestFiles(t *testing.T) {
	t.Parallel()
	db, tenants, dir := files(t)
	ctx := t.Context()
	texts := func(id tenancy.ID) (texts string) {
		t.Helper()
		raw, err := sql.Open("sqlite3", "file:"+filepath.Join(dir, "tenant_"+string(id)+".db")+"?mode=ro")
		must(t, err)
		defer raw.Close()
		if err := raw.QueryRow("SELECT group_concat(tenant_id || ':' || text, ' ') FROM (SELECT * FROM owneds ORDER BY id)").Scan(&texts); err != nil {
			return "-"
		}
		return texts
	}
	for _, id := range []tenancy.ID{"acme", "b"} {
		_, err := tenants.Create(ctx, catalog.Tenant{ID: id})
		must(t, err)
		must(t, db.WithContext(tenancy.WithTenant(ctx, id)).Create(&owned{Text: string(id)}).Error)
	}
	_, err := tenants.Rename(ctx, "acme", "zeta")
	must(t, err)
	_, err = tenants.Clone(ctx, "zeta", catalog.Tenant{ID: "copy"})
	must(t, err)
	must(t, db.WithContext(tenancy.WithTenant(ctx, "copy")).Where("text = ?", "acme").Delete(&owned{}).Error)
	_, err = tenants.Fill(ctx, 1)
	must(t, err)
	claimed, err := tenants.Claim(ctx, catalog.Tenant{ID: "claimed"})
	must(t, err)
	must(t, db.WithContext(tenancy.WithTenant(ctx, "claimed")).Create(&owned{Text: "new"}).Error)
	if claimed.ID != "claimed" {
		t.Errorf("%+v", claimed)
	}
	if _, err := tenants.Rename(ctx, "zeta", "b"); !errors.Is(err, catalog.ErrExists) {
		t.Error(err)
	}
	for id, rows := range map[tenancy.ID]string{
		"acme": "-", "zeta": "zeta:welcome zeta:acme", "copy": "copy:welcome", "b": "b:welcome b:b", "claimed": "claimed:welcome claimed:new",
	} {
		if got := texts(id); got != rows {
			t.Errorf("%s has %q, want %q", id, got, rows)
		}
	}
}

// TestHybrid: whoever acts for the new id of a tenant before its rename is done meets its place.
func TestHybrid(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	var tenants *catalog.Catalog
	places := database.SQLiteFiles(filepath.Join(t.TempDir(), "tenants"), sqlite.Open)
	strategy := hybrid.New(
		func(ctx context.Context, id tenancy.ID) (string, string, error) { return tenants.Place(ctx, id) },
		hybrid.Members{"shared": shared.New(), "database": database.New(places.Open, database.WithProvisioner(places))},
	)
	db := open(t, sqliteFile(t), strategy, nil)
	must(t, db.WithContext(tenancy.Bypass(ctx, "create tables")).AutoMigrate(&owned{}))
	act := catalog.Hook{
		Steps: []catalog.Step{catalog.StepRename, catalog.StepClaim},
		After: func(ctx context.Context, e catalog.Event) error {
			return db.WithContext(tenancy.WithTenant(ctx, e.Target)).Where(owned{Text: "hook"}).FirstOrCreate(&owned{}).Error
		},
	}
	tenants, err := catalog.New(catalog.GORM(db), catalog.Strategy(strategy), catalog.Hooks(act))
	must(t, err)
	for id, member := range map[tenancy.ID]string{"acme": "database", "b": "shared"} {
		_, err := tenants.Create(ctx, catalog.Tenant{ID: id, Strategy: member})
		must(t, err)
		must(t, db.WithContext(tenancy.WithTenant(ctx, id)).Create(&owned{Text: string(id)}).Error)
	}
	renamed, err := tenants.Rename(ctx, "acme", "zeta")
	must(t, err)
	_, err = tenants.FillAt(ctx, 1, "database", "")
	must(t, err)
	claimed, err := tenants.Claim(ctx, catalog.Tenant{ID: "claimed", Strategy: "database"})
	must(t, err)
	for id, want := range map[tenancy.ID]string{"zeta": "zeta:acme zeta:hook", "claimed": "claimed:hook", "b": "b:b"} {
		var rows []owned
		must(t, db.WithContext(tenancy.WithTenant(ctx, id)).Order("id").Find(&rows).Error)
		got := make([]string, len(rows))
		for i, r := range rows {
			got[i] = r.TenantID + ":" + r.Text
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s has %v, want %s", id, got, want)
		}
	}
	if renamed.Strategy != "database" || claimed.Strategy != "database" {
		t.Errorf("%+v, %+v", renamed, claimed)
	}
	if _, err := tenants.Rename(ctx, "b", "c"); !errors.Is(err, tenancy.ErrUnsupported) {
		t.Errorf("renamed in shared tables: %v", err)
	}
	if b, err := tenants.Find(ctx, "b"); err != nil || b.State != catalog.Active {
		t.Errorf("b is %s: %v", b.State, err)
	}
}

// unable can do nothing but say so.
type unable struct{ tenancy.Strategy }

func (unable) Clone(context.Context, tenancy.ID, tenancy.ID) error { return tenancy.ErrUnsupported }

// TestCloneUnsupported: where the database cannot clone nothing is left, and the id is free.
func TestCloneUnsupported(t *testing.T) {
	t.Parallel()
	tenants, err := catalog.New(catalog.NewMemory(), catalog.Strategy(unable{}))
	must(t, err)
	_, err = tenants.Create(t.Context(), catalog.Tenant{ID: "a"})
	must(t, err)
	if _, err := tenants.Clone(t.Context(), "a", catalog.Tenant{ID: "c"}); !errors.Is(err, tenancy.ErrUnsupported) || errors.Is(err, catalog.ErrPending) {
		t.Error(err)
	}
	_, err = tenants.Create(t.Context(), catalog.Tenant{ID: "c"})
	must(t, err)
}
