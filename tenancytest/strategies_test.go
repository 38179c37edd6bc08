package tenancytest_test

import (
	"context"
	"path/filepath"
	"testing"

	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/internal/servers"
	"github.com/gorm-tenancy/tenancy/strategies/database"
	"github.com/gorm-tenancy/tenancy/strategies/hybrid"
	"github.com/gorm-tenancy/tenancy/strategies/schema"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
	"github.com/gorm-tenancy/tenancy/tenancytest"
)

func everything() []any { return append(owned(), keyed()...) }

func options() []tenancy.Option {
	return []tenancy.Option{tenancy.OwnedModels(everything()...), tenancy.CentralModels(&Plan{}), silent()}
}

// opened closes what it opens when the test ends.
func opened(t testing.TB, d gorm.Dialector) *gorm.DB {
	t.Helper()
	db, err := gorm.Open(d, config())
	must(t, err)
	t.Cleanup(func() {
		if pool, err := db.DB(); err == nil {
			_ = pool.Close()
		}
	})
	return db
}

// used has the strategy, and the tables of the models.
func used(t testing.TB, d gorm.Dialector, s tenancy.Strategy, models ...any) *gorm.DB {
	t.Helper()
	db := opened(t, d)
	must(t, db.Use(tenancy.New(s, options()...)))
	must(t, db.WithContext(tenancy.Bypass(t.Context(), "create tables")).AutoMigrate(models...))
	return db
}

func everyTable() []any { return append([]any{&Plan{}}, everything()...) }

// halves has a in shared tables and b in a place of its own, or the other way round.
func halves(sharing tenancy.ID, apart string) hybrid.Lookup {
	return func(_ context.Context, id tenancy.ID) (string, string, error) {
		if id == sharing {
			return "shared", "", nil
		}
		return apart, "", nil
	}
}

func hybridFiles(t testing.TB, sharing tenancy.ID) *gorm.DB {
	dir := t.TempDir()
	at := sqlite.Open("file:" + filepath.Join(dir, "app.db") + "?_busy_timeout=10000&_journal_mode=WAL&_synchronous=OFF")
	must(t, opened(t, at).AutoMigrate(everyTable()...))
	places := database.SQLiteFiles(dir, sqlite.Open)
	db := opened(t, at)
	must(t, db.Use(tenancy.New(hybrid.New(halves(sharing, "database"), hybrid.Members{
		"shared": shared.New(), "database": database.New(places.Open, database.WithProvisioner(places)),
	}), options()...)))
	return db
}

// places are the ways in which an application may keep tenants apart.
var places = map[string]func(t testing.TB) *gorm.DB{
	"shared SQLite": func(t testing.TB) *gorm.DB {
		return used(t, sqlite.Open("file:"+filepath.Join(t.TempDir(), "app.db")+"?_foreign_keys=on&_synchronous=OFF"), shared.New(), everyTable()...)
	},
	"shared SQLite in memory, one connection": func(t testing.TB) *gorm.DB {
		db := opened(t, sqlite.Open(":memory:"))
		pool, err := db.DB()
		must(t, err)
		pool.SetMaxOpenConns(1)
		must(t, db.Use(tenancy.New(shared.New(), options()...)))
		must(t, db.WithContext(tenancy.Bypass(t.Context(), "create tables")).AutoMigrate(everyTable()...))
		return db
	},
	"shared PostgreSQL": func(t testing.TB) *gorm.DB {
		s := servers.Postgres(t)
		return used(t, postgres.Open(s.DSN(servers.App, s.Database(t))), shared.New(), everyTable()...)
	},
	"shared MariaDB": func(t testing.TB) *gorm.DB {
		s := servers.MariaDB(t)
		return used(t, mysql.Open(s.DSN(servers.App, s.Database(t))), shared.New(), everyTable()...)
	},
	"row-level security": func(t testing.TB) *gorm.DB {
		s := servers.Postgres(t)
		at := postgres.Open(s.DSN(servers.App, s.Database(t)))
		rules := shared.New(shared.RowLevelSecurity())
		must(t, rules.Migrate(t.Context(), opened(t, at), tenancy.New(rules, options()...), &Plan{}))
		db := opened(t, at)
		must(t, db.Use(tenancy.New(shared.New(shared.RowLevelSecurity()), options()...)))
		return db
	},
	"schema": func(t testing.TB) *gorm.DB {
		s := servers.Postgres(t)
		return used(t, postgres.Open(s.DSN(servers.App, s.Database(t))), schema.New(), &Plan{})
	},
	"database SQLite": func(t testing.TB) *gorm.DB {
		dir := t.TempDir()
		files := database.SQLiteFiles(dir, sqlite.Open)
		return used(t, sqlite.Open(filepath.Join(dir, "app.db")), database.New(files.Open, database.WithProvisioner(files)), &Plan{})
	},
	"hybrid, a shared": func(t testing.TB) *gorm.DB { return hybridFiles(t, "a") },
	"hybrid, b shared": func(t testing.TB) *gorm.DB { return hybridFiles(t, "b") },
}

// TestHealthy shows that models without defects pass wherever tenants are.
func TestHealthy(t *testing.T) {
	t.Parallel()
	for name, open := range places {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tenancytest.RequireIsolated(t, open(t))
		})
	}
}
