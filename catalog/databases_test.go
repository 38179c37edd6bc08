package catalog_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"testing"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
	"github.com/gorm-tenancy/tenancy/strategies/database"
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
