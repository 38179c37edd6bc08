package tenancy_test

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/gorm-tenancy/tenancy/internal/servers"
)

// backend is a database engine, and a way to talk to it, that the tables of routes and attacks run on.
type backend struct {
	name    string
	dialect string // what GORM calls it
	// open is GORM's dialector for a data source.
	open func(dsn string) gorm.Dialector
	// raw is a pool past GORM. It takes several statements at once, and SQL as SQLite and PostgreSQL do: "name" is an
	// identifier, || joins texts.
	raw func(dsn string) (*sql.DB, error)
	// empty is a database of the test's own, seeded one with the rows of the fixture.
	empty, seeded func(t *testing.T) (dsn string)
	// schema qualifies a table in the database of a data source.
	schema func(e *env) string

	confinement
}

// The engines. PostgreSQL is spoken to in the extended protocol, with statements that pgx prepares, and in the simple one,
// where values are part of the text.
var (
	onSQLite = backend{
		name: "sqlite", dialect: "sqlite",
		open:  sqlite.Open,
		raw:   func(dsn string) (*sql.DB, error) { return sql.Open("sqlite3", dsn) },
		empty: func(t *testing.T) string { return filepath.Join(t.TempDir(), "t.db") + "?_busy_timeout=60000" },
		seeded: func(t *testing.T) string {
			file, err := sqliteFile()
			if err != nil {
				t.Fatal(err)
			}
			name := filepath.Join(t.TempDir(), "t.db")
			if err := os.WriteFile(name, file, 0o600); err != nil {
				t.Fatal(err)
			}
			return name + "?_busy_timeout=60000"
		},
		schema: func(*env) string { return "main" },
	}
	onPostgres = backend{
		name: "postgres", dialect: "postgres",
		open: postgres.Open,
		raw: func(dsn string) (*sql.DB, error) {
			return sql.Open("pgx", dsn+"&default_query_exec_mode=simple_protocol")
		},
		empty: func(t *testing.T) string {
			s := servers.Postgres(t)
			return s.DSN(servers.App, s.Database(t))
		},
		seeded: func(t *testing.T) string {
			s := servers.Postgres(t)
			template := s.Template(t, "fixture", func(name string) error { return fill(postgres.Open(s.DSN(servers.App, name))) })
			return s.DSN(servers.App, s.Clone(t, template))
		},
		schema: func(*env) string { return "public" },
	}
	onPostgresSimple = backend{
		name: "postgres-simple", dialect: "postgres",
		open: func(dsn string) gorm.Dialector {
			return postgres.New(postgres.Config{DSN: dsn, PreferSimpleProtocol: true})
		},
		raw: onPostgres.raw, empty: onPostgres.empty, seeded: onPostgres.seeded, schema: onPostgres.schema,
	}
	onMariaDB = backend{
		name: "mariadb", dialect: "mysql",
		open: mysql.Open,
		raw:  func(dsn string) (*sql.DB, error) { return sql.Open("mysql", dsn+"&sql_mode=ANSI&multiStatements=true") },
		empty: func(t *testing.T) string {
			s := servers.MariaDB(t)
			return s.DSN(servers.App, s.Database(t))
		},
		seeded: func(t *testing.T) string {
			s := servers.MariaDB(t)
			template := s.Template(t, "fixture", func(name string) error { return fill(mysql.Open(s.DSN(servers.App, name))) })
			return s.DSN(servers.App, s.Clone(t, template))
		},
		schema: func(e *env) string { return e.query("SELECT database()") },
	}
	backends = []backend{onSQLite, onPostgres, onPostgresSimple, onMariaDB}
)

// onEach runs a test on every backend where the plugin alone holds tenants.
func onEach(t *testing.T, test func(t *testing.T, b backend)) {
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) { test(t, b) })
	}
}

// onAll runs a test also where the database holds tenants.
func onAll(t *testing.T, test func(t *testing.T, b backend)) {
	onEach(t, test)
	for _, b := range append(confining[:len(confining):len(confining)], mixed...) {
		t.Run(b.name, func(t *testing.T) { test(t, b) })
	}
}

// fill seeds a database. There are no foreign keys in it: what holds references inside a tenant is the plugin alone.
func fill(d gorm.Dialector) error {
	db, err := gorm.Open(d, &gorm.Config{Logger: logger.Discard, DisableForeignKeyConstraintWhenMigrating: true})
	if err != nil {
		return err
	}
	pool, err := db.DB()
	if err != nil {
		return err
	}
	return errors.Join(seed(db), pool.Close())
}

// sqliteFile is a seeded database, made once.
var sqliteFile = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "tenancy")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "t.db")
	if err := fill(sqlite.Open(name)); err != nil {
		return nil, err
	}
	return os.ReadFile(name)
})
