package main

import (
	"database/sql"
	"log/slog"
	"path/filepath"
	"testing"

	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/example/polls/polls"
	"github.com/gorm-tenancy/tenancy/internal/servers"
	"github.com/gorm-tenancy/tenancy/strategies/database"
	"github.com/gorm-tenancy/tenancy/strategies/schema"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
)

// store is where the application's rows are, behind the plugin, and how to look at them past everything.
type store struct {
	db  *gorm.DB
	raw func(tenant string) (db *sql.DB, table string) // where a tenant's tables are; table is put in front of their names
	all bool                                           // the tables there hold one tenant's rows
}

// backends are the places the application runs in. Its code is the same in all of them.
var backends = map[string]func(*testing.T) store{
	"shared SQLite":     sharedSQLite,
	"shared PostgreSQL": sharedPostgres,
	"shared MariaDB":    sharedMariaDB,
	"schema PostgreSQL": schemaPostgres,
	"database SQLite":   databaseSQLite,
}

// everywhere runs a test once in each backend, with two tenants.
func everywhere(t *testing.T, test func(*testing.T, *site)) {
	t.Parallel()
	for name, open := range backends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newSite(t, open(t)))
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func opened(t *testing.T, d gorm.Dialector) *gorm.DB {
	t.Helper()
	db, err := gorm.Open(d, &gorm.Config{TranslateError: true, Logger: logger.Discard})
	must(t, err)
	t.Cleanup(func() {
		if pool, err := db.DB(); err == nil {
			_ = pool.Close()
		}
	})
	return db
}

func rawDB(t *testing.T, driver, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	must(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func plugin(s tenancy.Strategy) *tenancy.Plugin {
	return tenancy.New(s, tenancy.OwnedModels(polls.Models()...), tenancy.CentralModels(&Tenant{}),
		tenancy.Logger(slog.New(slog.DiscardHandler)))
}

// few makes tenants take turns on the same connections.
func few(t *testing.T, db *gorm.DB) {
	t.Helper()
	pool, err := db.DB()
	must(t, err)
	pool.SetMaxOpenConns(3)
}

// one is for tables that tenants share.
func one(db *sql.DB) func(string) (*sql.DB, string) {
	return func(string) (*sql.DB, string) { return db, "" }
}

func sharedSQLite(t *testing.T) store {
	file := filepath.Join(t.TempDir(), "polls.db")
	db, closeDB, err := openDB(file, slog.New(slog.DiscardHandler))
	must(t, err)
	t.Cleanup(func() { _ = closeDB() })
	must(t, createTables(t.Context(), db))
	return store{db: db, raw: one(rawDB(t, "sqlite3", file+pragmas))}
}

func sharedPostgres(t *testing.T) store {
	server := servers.Postgres(t)
	name := server.Database(t)
	strategy := shared.New(shared.RowLevelSecurity())
	p := plugin(strategy)
	db := opened(t, postgres.Open(server.DSN(servers.App, name)))
	must(t, strategy.Migrate(t.Context(), db, p, &Tenant{}))
	must(t, db.Use(p))
	few(t, db)
	return store{db: db, raw: one(rawDB(t, "pgx", server.DSN(servers.Superuser, name)))}
}

func sharedMariaDB(t *testing.T) store {
	server := servers.MariaDB(t)
	dsn := server.DSN(servers.App, server.Database(t))
	db := opened(t, mysql.Open(dsn))
	must(t, db.Use(plugin(shared.New())))
	few(t, db)
	must(t, createTables(t.Context(), db))
	return store{db: db, raw: one(rawDB(t, "mysql", dsn))}
}

func schemaPostgres(t *testing.T) store {
	server := servers.Postgres(t)
	name := server.Database(t)
	strategy := schema.New()
	db := opened(t, postgres.Open(server.DSN(servers.App, name)))
	must(t, db.Use(plugin(strategy)))
	few(t, db)
	must(t, db.WithContext(tenancy.Bypass(t.Context(), "create tables")).AutoMigrate(&Tenant{}))
	for _, tenant := range seeds() {
		must(t, strategy.Provision(t.Context(), tenant.id))
	}
	raw := rawDB(t, "pgx", server.DSN(servers.Superuser, name))
	return store{db: db, all: true, raw: func(tenant string) (*sql.DB, string) { return raw, "tenant_" + tenant + "." }}
}

func databaseSQLite(t *testing.T) store {
	dir := t.TempDir()
	files := database.SQLiteFiles(dir, sqlite.Open)
	strategy := database.New(files.Open, database.WithProvisioner(files))
	db := opened(t, sqlite.Open(filepath.Join(dir, "central.db")+pragmas))
	must(t, db.Use(plugin(strategy)))
	must(t, db.WithContext(tenancy.Bypass(t.Context(), "create tables")).AutoMigrate(&Tenant{}))
	for _, tenant := range seeds() {
		must(t, strategy.Provision(t.Context(), tenant.id))
	}
	return store{db: db, all: true, raw: func(tenant string) (*sql.DB, string) {
		return rawDB(t, "sqlite3", filepath.Join(dir, "tenant_"+tenant+".db")+pragmas), ""
	}}
}
