// Package matrix has every strategy of the module on every database it knows, each as a harness for the suites that run over all
// of them. The databases are throwaway ones: see package servers.
package matrix

import (
	"context"
	"database/sql"
	"testing"

	"gorm.io/gorm"
	naming "gorm.io/gorm/schema"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/strategies/strategytest"
)

// Pair is a strategy on a database.
type Pair struct {
	Name string
	// Harness makes the databases, which are gone when the test ends.
	Harness func(t testing.TB) Harness
}

// Harness is one of the suite, with what opens its database and its strategy. It is not safe for concurrent use.
type Harness struct {
	*opener
	strategytest.Harness
}

// Bare opens the application's database as Open does, without a plugin.
func (h Harness) Bare(t testing.TB, config *gorm.Config, _ ...tenancy.Option) *gorm.DB {
	config.NamingStrategy = h.names
	return open(t, h.at(), config)
}

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

// opener opens GORM with a strategy of its own each time, and provisions with the first.
type opener struct {
	at    func() gorm.Dialector
	make  func() tenancy.Strategy
	names naming.Namer
	first tenancy.Strategy
}

func (o *opener) open(t testing.TB, config *gorm.Config, options ...tenancy.Option) *gorm.DB {
	s := o.make()
	if o.first == nil {
		o.first = s
	}
	config.NamingStrategy = o.names
	db := open(t, o.at(), config)
	must(t, db.Use(tenancy.New(s, options...)))
	return db
}

func (o *opener) provision(ctx context.Context, id tenancy.ID) error {
	return o.first.(tenancy.Provisioner).Provision(ctx, id)
}

func (o *opener) deprovision(ctx context.Context, id tenancy.ID) error {
	return o.first.(tenancy.Provisioner).Deprovision(ctx, id)
}

// plain opens databases of one tenant.
func plain(at func() gorm.Dialector) func(testing.TB, *gorm.Config) *gorm.DB {
	return func(t testing.TB, config *gorm.Config) *gorm.DB { return open(t, at(), config) }
}

// pools opens one for each data source.
func pools(driver string, dsn func(id tenancy.ID) string) func(t testing.TB, id tenancy.ID) *sql.DB {
	all := map[string]*sql.DB{}
	return func(t testing.TB, id tenancy.ID) *sql.DB {
		if all[dsn(id)] == nil {
			all[dsn(id)] = raw(t, driver, dsn(id))
		}
		return all[dsn(id)]
	}
}

const (
	noText  = "nothing but the statement wall holds shared tables, and it cannot judge text"
	noConns = "the database holds no connection"
)

var onWallAlone = map[strategytest.Capability]string{strategytest.SQLText: noText, strategytest.Connections: noConns}

// Pairs are the strategies of the module, on each database they know.
func Pairs() []Pair {
	return []Pair{
		{"shared on SQLite", sharedOnSQLite},
		{"database on SQLite", databaseOnSQLite},
		{"hybrid on SQLite", hybridOnSQLite("a")},
		{"hybrid on SQLite, a apart", hybridOnSQLite("b")},
		{"pinned over shared on SQLite", pinnedTo(sharedOnSQLite)},
		{"pinned over database on SQLite", pinnedTo(databaseOnSQLite)},
		{"pinned over hybrid on SQLite", pinnedTo(hybridOnSQLite("a"))},
		{"shared on PostgreSQL", sharedOnPostgres(direct)},
		{"shared behind PgBouncer", sharedOnPostgres(pooled)},
		{"row-level security on PostgreSQL", rowSecurity(direct)},
		{"row-level security behind PgBouncer", rowSecurity(pooled)},
		{"row-level security, simple protocol", rowSecurity(simple)},
		{"schema on PostgreSQL", schemaOnPostgres(direct)},
		{"schema, simple protocol", schemaOnPostgres(simple)},
		{"schema, exec", schemaOnPostgres(atOnce)},
		{"schema, Session", schemaOnPostgres(session)},
		{"schema behind PgBouncer", schemaOnPostgres(pooled)},
		{"database on PostgreSQL", databaseOnPostgres},
		{"hybrid on PostgreSQL", hybridOnPostgres("a")},
		{"hybrid on PostgreSQL, a apart", hybridOnPostgres("b")},
		{"pinned over schema on PostgreSQL", pinnedTo(schemaOnPostgres(direct))},
		{"shared on MariaDB", sharedOnMariaDB},
		{"schema on MariaDB", schemaOnMariaDB},
		{"database on MariaDB", databaseOnMariaDB},
		{"hybrid on MariaDB", hybridOnMariaDB},
	}
}
