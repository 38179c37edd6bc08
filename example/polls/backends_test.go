package main

import (
	"database/sql"
	"log/slog"
	"path/filepath"
	"testing"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/mattn/go-sqlite3"

	"github.com/gorm-tenancy/tenancy/example/polls/hosting"
	"github.com/gorm-tenancy/tenancy/internal/servers"
)

const pragmas = "?_foreign_keys=on&_busy_timeout=10000"

// store is where the application's rows are, behind the plugin, and how to look at them past everything.
type store struct {
	*hosting.Service
	raw func(tenant string) (db *sql.DB, table string) // where a tenant's tables are; table is put in front of their names
	all bool                                           // the tables there hold one tenant's rows
	// central is the database of the central tables, past everything.
	central *sql.DB
}

// backends are the places the application runs in. Its code is the same in all of them.
var backends = map[string]func(*testing.T) store{
	"shared SQLite":     sharedSQLite,
	"shared PostgreSQL": sharedPostgres,
	"shared MariaDB":    sharedMariaDB,
	"schema PostgreSQL": schemaPostgres,
	"database SQLite":   databaseSQLite,
	"hybrid SQLite":     hybridSQLite,
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

// opened opens the application where the options say. few makes tenants take turns on the same connections.
func opened(t *testing.T, o hosting.Options, few bool) *hosting.Service {
	t.Helper()
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	service, err := hosting.Open(t.Context(), o)
	must(t, err)
	t.Cleanup(func() { _ = service.Close() })
	if few {
		pool, err := service.DB.DB()
		must(t, err)
		pool.SetMaxOpenConns(3)
	}
	return service
}

func rawDB(t *testing.T, driver, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	must(t, err)
	db.SetMaxIdleConns(0) // a file that somebody has open is not removed
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// one is for tables that tenants share.
func one(db *sql.DB) func(string) (*sql.DB, string) {
	return func(string) (*sql.DB, string) { return db, "" }
}

func sharedSQLite(t *testing.T) store {
	dir := t.TempDir()
	raw := rawDB(t, "sqlite3", filepath.Join(dir, "polls.db")+pragmas)
	return store{Service: opened(t, hosting.Options{Data: dir}, false), raw: one(raw), central: raw}
}

func sharedPostgres(t *testing.T) store {
	server := servers.Postgres(t)
	name := server.Database(t)
	service := opened(t, hosting.Options{DSN: server.DSN(servers.App, name), RowLevelSecurity: true}, true)
	raw := rawDB(t, "pgx", server.DSN(servers.Superuser, name))
	return store{Service: service, raw: one(raw), central: raw}
}

func sharedMariaDB(t *testing.T) store {
	server := servers.MariaDB(t)
	dsn := server.DSN(servers.App, server.Database(t))
	raw := rawDB(t, "mysql", dsn)
	return store{Service: opened(t, hosting.Options{DSN: dsn}, true), raw: one(raw), central: raw}
}

func schemaPostgres(t *testing.T) store {
	server := servers.Postgres(t)
	name := server.Database(t)
	service := opened(t, hosting.Options{Strategy: hosting.Schema, DSN: server.DSN(servers.App, name)}, true)
	raw := rawDB(t, "pgx", server.DSN(servers.Superuser, name))
	return store{Service: service, all: true, central: raw, raw: func(tenant string) (*sql.DB, string) { return raw, "tenant_" + tenant + "." }}
}

func databaseSQLite(t *testing.T) store {
	dir := t.TempDir()
	service := opened(t, hosting.Options{Strategy: hosting.Database, Data: dir}, false)
	central := rawDB(t, "sqlite3", filepath.Join(dir, "polls.db")+pragmas)
	return store{Service: service, all: true, central: central, raw: filesIn(t, dir)}
}

// filesIn is where each tenant has a file.
func filesIn(t *testing.T, dir string) func(string) (*sql.DB, string) {
	return func(tenant string) (*sql.DB, string) {
		return rawDB(t, "sqlite3", filepath.Join(dir, "tenant_"+tenant+".db")+pragmas), ""
	}
}

// hybridSQLite has thor in shared tables and potter in a file.
func hybridSQLite(t *testing.T) store {
	dir := t.TempDir()
	files := filesIn(t, dir)
	central := rawDB(t, "sqlite3", filepath.Join(dir, "polls.db")+pragmas)
	service := opened(t, hosting.Options{Strategy: hosting.Hybrid, Data: dir}, false)
	return store{Service: service, central: central, raw: func(tenant string) (*sql.DB, string) {
		if tenant == "potter" {
			return files(tenant)
		}
		return central, ""
	}}
}
