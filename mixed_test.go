package tenancy_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mattn/go-sqlite3"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/internal/servers"
	"github.com/gorm-tenancy/tenancy/strategies/database"
	"github.com/gorm-tenancy/tenancy/strategies/hybrid"
	"github.com/gorm-tenancy/tenancy/strategies/schema"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
)

// The backends on which a is in shared tables, where rows of b are as well, as a move leaves them, and b has a place of its
// own. What the plugin alone refuses must be refused here, too.
var (
	onSQLiteHybrid = backend{
		name: "sqlite-hybrid", dialect: "sqlite",
		open: onSQLite.open, raw: onSQLite.raw, empty: onSQLite.empty, schema: onSQLite.schema,
		seeded: func(t *testing.T) string {
			dsn := onSQLite.seeded(t)
			file, err := sqliteFile()
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(os.WriteFile(fileOfB(dsn), file, 0o600), only("b", fileOfB(dsn))); err != nil {
				t.Fatal(err)
			}
			return dsn
		},
		confinement: confinement{
			strategy: func(dsn string) tenancy.Strategy {
				files := database.SQLiteFiles(filepath.Dir(fileOfB(dsn)), sqlite.Open)
				return hybrid.New(aSharesWith("database"), hybrid.Members{
					"shared": shared.New(), "database": database.New(files.Open, database.WithProvisioner(files)),
				})
			},
			apart: func(e *env) string {
				db, err := sql.Open("sqlite3", fileOfB(e.dsn))
				if err != nil {
					e.Fatal(err)
				}
				defer db.Close()
				return dumpOf(&env{T: e.T, backend: onSQLite, raw: db}, "main")
			},
		},
	}
	onPostgresHybrid = backend{
		name: "postgres-hybrid", dialect: "postgres",
		open: onPostgres.open, raw: onPostgres.raw, empty: onPostgres.empty, schema: onPostgres.schema,
		seeded: func(t *testing.T) string {
			s := servers.Postgres(t)
			template := s.Template(t, "hybrid", func(name string) error { return fillHybrid(s.DSN(servers.App, name)) })
			return s.DSN(servers.App, s.Clone(t, template)) + "&search_path=public,central"
		},
		confinement: confinement{
			strategy: func(string) tenancy.Strategy { return sharedAndSchema() },
			apart:    func(e *env) string { return dumpOf(e, "tenant_b") },
		},
	}
)

// onSQLiteHybridApart is the reverse: a has a file of its own, and b is in shared tables, with twins of a's rows.
var onSQLiteHybridApart = backend{
	name: "sqlite-hybrid-apart", dialect: "sqlite",
	open: onSQLite.open, empty: onSQLite.empty, schema: onSQLite.schema,
	raw: func(dsn string) (*sql.DB, error) { // a's file, with the shared one beside it
		central, _, _ := strings.Cut(dsn, "?")
		return sql.OpenDB(attached{file: filepath.Join(filepath.Dir(central), "tenant_a.db"), beside: central}), nil
	},
	seeded: func(t *testing.T) string {
		dsn := onSQLite.seeded(t)
		central, _, _ := strings.Cut(dsn, "?")
		file, err := sqliteFile()
		if err != nil {
			t.Fatal(err)
		}
		own := filepath.Join(filepath.Dir(central), "tenant_a.db")
		if err := errors.Join(os.WriteFile(own, file, 0o600), only("a", own), withoutCentral(own), only("b", central), twins(central)); err != nil {
			t.Fatal(err)
		}
		return dsn
	},
	confinement: confinement{
		kind: "hybrid", differs: differsApart(),
		strategy: func(dsn string) tenancy.Strategy {
			files := database.SQLiteFiles(filepath.Dir(dsn), sqlite.Open)
			return hybrid.New(func(_ context.Context, id tenancy.ID) (string, string, error) {
				if id == "a" {
					return "database", "", nil
				}
				return "shared", "", nil
			}, hybrid.Members{"shared": shared.New(), "database": database.New(files.Open, database.WithProvisioner(files))})
		},
		silos: &silos{
			of: func(_, tenant string) string { return map[string]string{"a": "main", "b": "beside"}[tenant] },
			in: func(_, schema, q string) string {
				return strings.Replace(tableWords.ReplaceAllString(q, schema+".$1"), "TABLE stray", "TABLE "+schema+".stray", 1)
			},
			outside:  "SELECT name FROM beside.sqlite_master WHERE '%s' = 'main' ORDER BY 1",
			crossing: "SELECT '%s' WHERE 1 = 0", // files have no foreign keys to each other
		},
	},
}

var mixed = []backend{onSQLiteHybrid, onPostgresHybrid, onSQLiteHybridApart}

// attached opens a SQLite file with another one beside it.
type attached struct{ file, beside string }

func (a attached) Connect(context.Context) (driver.Conn, error) {
	return a.Driver().Open(a.file + "?_busy_timeout=60000")
}

func (a attached) Driver() driver.Driver {
	return &sqlite3.SQLiteDriver{ConnectHook: func(c *sqlite3.SQLiteConn) error {
		_, err := c.Exec("ATTACH '"+a.beside+"' AS beside", nil)
		return err
	}}
}

// differsApart is what a tenant whose database is not that of the central tables cannot do.
func differsApart() map[string]difference {
	all := map[string]difference{
		"subquery/under bypass": {why: "Bypass reaches the shared tables only", want: "2"},
		"subquery/in central":   {why: "tables of two databases in one statement", want: "[]", refused: tenancy.ErrUnconfined},
		"generic association/update central tags is for everybody": {
			why: "GORM asks a tenant's table in a statement on a central one, which finds none of its links there", after: "red",
		},
	}
	for _, name := range []string{"raw/central", "raw/central in a WITH", "raw more/builder sub-query of central"} {
		all[name] = difference{why: "SQL text runs in the tenant's own database", refused: errAny}
	}
	for _, name := range []string{"create/nested", "association/central tags"} {
		all[name] = apart["sqlite-hybrid"]
	}
	for _, name := range []string{
		"join/raw join of central", "from/Update From central", "from/From alias",
	} {
		all[name] = difference{why: "tables of two databases in one statement", refused: tenancy.ErrUnconfined}
	}
	for _, name := range []string{
		"Select of central", "Order of central", "Having of central", "Distinct", "Joins of central", "Joins with values of central",
		"Update of central", "Update of central by map", "Set clause of central", "Create map of central", "upsert of central",
		"Delete of central",
	} {
		all["subquery without context/"+name] = difference{why: "tables of two databases in one statement", refused: tenancy.ErrUnconfined}
	}
	return all
}

// withoutCentral leaves central tables to the central database, where the tests look for them, too.
func withoutCentral(file string) error {
	db, err := sql.Open("sqlite3", file)
	if err != nil {
		return err
	}
	_, err = db.Exec("DROP TABLE plans; DROP TABLE tags")
	return errors.Join(err, db.Close())
}

// twins gives b rows with the ids of a's.
func twins(file string) error {
	return withDB(sqlite.Open(file), nil, func(db *gorm.DB) error { return seedTenant(db, "b", 0) })
}

func fileOfB(dsn string) string {
	file, _, _ := strings.Cut(dsn, "?")
	return filepath.Join(filepath.Dir(file), "tenant_b.db")
}

// only takes the rows of others out of a tenant's file.
func only(tenant, file string) error {
	db, err := sql.Open("sqlite3", file)
	if err != nil {
		return err
	}
	for _, table := range ownedTables {
		_, deleted := db.Exec("DELETE FROM "+table+" WHERE tenant_id <> ?", tenant)
		err = errors.Join(err, deleted)
	}
	first, last := 1, 2 // user_languages and user_tags have no tenant
	if tenant == "b" {
		first, last = 3, 4
	}
	for _, table := range []string{"user_languages", "user_tags"} {
		_, deleted := db.Exec("DELETE FROM "+table+" WHERE user_id NOT BETWEEN ? AND ?", first, last)
		err = errors.Join(err, deleted)
	}
	return errors.Join(err, db.Close())
}

// aSharesWith has all tenants in shared tables but b.
func aSharesWith(member string) hybrid.Lookup {
	return func(_ context.Context, id tenancy.ID) (string, string, error) {
		if id == "b" {
			return member, "", nil
		}
		return "shared", "", nil
	}
}

func sharedAndSchema() *hybrid.Strategy {
	return hybrid.New(aSharesWith("schema"), hybrid.Members{"shared": shared.New(), "schema": schema.New(schema.Shared("central"))})
}

// fillHybrid has owned tables in public, central ones in a schema that every tenant's search_path ends with, and b's own.
func fillHybrid(dsn string) error {
	return withDB(postgres.Open(dsn+"&search_path=public,central"), nil, func(db *gorm.DB) error {
		if err := db.Exec("CREATE SCHEMA central").Error; err != nil {
			return err
		}
		s := sharedAndSchema()
		if err := db.Use(pluginOf(s)); err != nil {
			return err
		}
		if err := db.WithContext(bypass("seed")).AutoMigrate(append(append([]any{}, ownedModels...), centralModels...)...); err != nil {
			return err
		}
		if err := s.Provision(context.Background(), "b"); err != nil {
			return err
		}
		return errors.Join(
			withDB(postgres.Open(dsn+"&search_path=public,central"), nil, seedRows),
			withDB(postgres.Open(dsn+"&search_path=tenant_b,central"), nil, func(db *gorm.DB) error {
				return errors.Join(seedTenant(db, "b", 2), seedComposite(db, "b"), seedTenant(db, "b", 0))
			}))
	})
}

// dumpOf is everything in the owned tables of a schema.
func dumpOf(e *env, schema string) string {
	e.Helper()
	var b strings.Builder
	for _, table := range siloed {
		fmt.Fprintf(&b, "%s.%s: %s\n", schema, table, e.rows(fmt.Sprintf(`SELECT * FROM %s."%s" ORDER BY 1, 2`, schema, table)))
	}
	return b.String()
}

// TestMixedComparisonNotices is the control of these backends: a change in b's own place would show.
func TestMixedComparisonNotices(t *testing.T) {
	for _, b := range []backend{onSQLiteHybrid, onPostgresHybrid} {
		t.Run(b.name, func(t *testing.T) {
			e := newEnvOn(t, b, &gorm.Config{})
			if err := e.db.WithContext(tenancy.WithTenant(context.Background(), "b")).Model(&User{}).Where("1 = 1").Update("age", 1).Error; err != nil {
				t.Fatal(err)
			}
			if e.dumpB() == e.start {
				t.Error("nobody notices an update of b")
			}
			if got := e.query("SELECT count(*) FROM users WHERE age = 1"); got != "0" {
				t.Errorf("%s rows in shared tables were changed", got)
			}
		})
	}
}
