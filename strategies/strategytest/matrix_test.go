package strategytest_test

import (
	"database/sql"
	"flag"
	"path/filepath"
	"testing"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
	"github.com/gorm-tenancy/tenancy/strategies/strategytest"
)

var full = flag.Bool("full", false, "run every case in every mode also on servers")

const sqliteOptions = "?_busy_timeout=10000&_journal_mode=WAL&_synchronous=OFF"

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// open opens GORM and closes it when the test ends.
func open(t testing.TB, d gorm.Dialector, config *gorm.Config) *gorm.DB {
	t.Helper()
	db, err := gorm.Open(d, config)
	must(t, err)
	t.Cleanup(func() {
		if pool, err := db.DB(); err == nil {
			pool.Close()
		}
	})
	return db
}

func raw(t testing.TB, driver, dsn string) *sql.DB {
	t.Helper()
	pool, err := sql.Open(driver, dsn)
	must(t, err)
	t.Cleanup(func() { pool.Close() })
	return pool
}

// once keeps the pools of a harness.
func once(pool func(t testing.TB, id tenancy.ID) *sql.DB, place func(id tenancy.ID) string) func(t testing.TB, id tenancy.ID) *sql.DB {
	pools := map[string]*sql.DB{}
	return func(t testing.TB, id tenancy.ID) *sql.DB {
		key := place(id)
		if pools[key] == nil {
			pools[key] = pool(t, id)
		}
		return pools[key]
	}
}

func everything(tenancy.ID) string { return "" }

// using opens GORM with a strategy of its own each time.
func using(at func() gorm.Dialector, strategy func() tenancy.Strategy) func(testing.TB, *gorm.Config, ...tenancy.Option) *gorm.DB {
	return func(t testing.TB, config *gorm.Config, options ...tenancy.Option) *gorm.DB {
		db := open(t, at(), config)
		must(t, db.Use(tenancy.New(strategy(), options...)))
		return db
	}
}

const (
	noText  = "nothing but the statement wall holds shared tables, and it cannot judge text"
	noConns = "the database holds no connection"
)

var onWallAlone = map[strategytest.Capability]string{strategytest.SQLText: noText, strategytest.Connections: noConns}

func sharedOnSQLite(t testing.TB) strategytest.Harness {
	file := filepath.Join(t.TempDir(), "app.db") + sqliteOptions
	other := filepath.Join(t.TempDir(), "plain.db") + sqliteOptions
	return strategytest.Harness{
		Open:  using(func() gorm.Dialector { return sqlite.Open(file) }, func() tenancy.Strategy { return shared.New() }),
		Plain: func(t testing.TB, c *gorm.Config) *gorm.DB { return open(t, sqlite.Open(other), c) },
		Raw:   once(func(t testing.TB, _ tenancy.ID) *sql.DB { return raw(t, "sqlite3", file) }, everything),
		Lacks: onWallAlone,
	}
}

func TestShared(t *testing.T) {
	strategytest.Run(t, sharedOnSQLite(t))
}
