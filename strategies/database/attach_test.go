package database_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/utils/tests"
	"gorm.io/plugin/dbresolver"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/internal/servers"
	"github.com/gorm-tenancy/tenancy/strategies/database"
	"github.com/gorm-tenancy/tenancy/tenantconn"
)

func file(t testing.TB, name string) string { return filepath.Join(t.TempDir(), name) }

func TestAttachRefusals(t *testing.T) {
	t.Parallel()
	places := database.SQLiteFiles(t.TempDir(), sqlite.Open)
	for name, tc := range map[string]struct {
		dialector func(t *testing.T) gorm.Dialector
		strategy  func() tenancy.Strategy
		prepare   func(t *testing.T, db *gorm.DB)
		want      string
		is        error
	}{
		"no opener": {strategy: func() tenancy.Strategy { return database.New(nil) }, want: "needs a function"},
		"negative budget": {strategy: func() tenancy.Strategy {
			return database.New(places.Open, database.Budget(tenantconn.Budget{MaxOpen: -1}))
		}, want: "no negative numbers"},
		"connections of the application": {dialector: func(t *testing.T) gorm.Dialector {
			pool, err := sql.Open("sqlite3", file(t, "x.db"))
			must(t, err)
			return sqlite.New(sqlite.Config{Conn: pool})
		}, want: "open GORM with a DSN"},
		"another kind": {dialector: func(*testing.T) gorm.Dialector { return tests.DummyDialector{} }, want: "no *sql.DB"},
		"dbresolver first": {prepare: func(t *testing.T, db *gorm.DB) {
			must(t, db.Use(dbresolver.Register(dbresolver.Config{Replicas: []gorm.Dialector{sqlite.Open(file(t, "r.db"))}})))
		}, want: "register dbresolver after tenancy"},
		"owned table in the central database": {prepare: func(t *testing.T, db *gorm.DB) {
			must(t, db.Exec(`CREATE TABLE "Books" (id int)`).Error)
		}, want: "stands in the central database", is: tenancy.ErrUnconfined},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tc.dialector == nil {
				tc.dialector = func(t *testing.T) gorm.Dialector { return sqlite.Open(file(t, "x.db")) }
			}
			if tc.strategy == nil {
				tc.strategy = func() tenancy.Strategy { return database.New(places.Open) }
			}
			db, err := gorm.Open(tc.dialector(t), &gorm.Config{})
			must(t, err)
			if tc.prepare != nil {
				tc.prepare(t, db)
			}
			err = db.Use(plugin(tc.strategy()))
			if err == nil || !strings.Contains(err.Error(), tc.want) || (tc.is != nil && !errors.Is(err, tc.is)) {
				t.Error(err)
			}
		})
	}
}

// TestKinds: tenants' databases are of the kind GORM was opened with, and so are replicas.
func TestKinds(t *testing.T) {
	t.Parallel()
	var dialector gorm.Dialector
	s := database.New(func(context.Context, tenancy.ID) (gorm.Dialector, error) { return dialector, nil })
	db := open(t, sqlite.Open(file(t, "x.db")), gorm.Config{})
	must(t, db.Use(plugin(s)))
	for name, tc := range map[string]struct {
		dialector gorm.Dialector
		is        error
	}{
		"PostgreSQL": {postgres.Open("postgres://localhost/x"), tenancy.ErrUnsupported},
		"none":       {nil, tenancy.ErrUnknownTenant},
		"Conn":       {sqlite.New(sqlite.Config{Conn: &sql.DB{}}), nil},
		"no DSN":     {sqlite.Open(""), nil},
	} {
		dialector = tc.dialector
		if err := db.WithContext(as("a")).Find(&[]Book{}).Error; err == nil || (tc.is != nil && !errors.Is(err, tc.is)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	err := db.Use(dbresolver.Register(dbresolver.Config{Replicas: []gorm.Dialector{mysql.New(mysql.Config{
		DSN: "x@tcp(127.0.0.1:1)/x", SkipInitializeWithVersion: true,
	})}}))
	if !errors.Is(err, tenancy.ErrUnsupported) {
		t.Error(err)
	}
}

// TestOldHandles: a handle made before db.Use fails, and using the plugin's strategy again changes nothing.
func TestOldHandles(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]gorm.Config{"plain": {}, "PrepareStmt": {PrepareStmt: true}} {
		db := open(t, sqlite.Open(file(t, "x.db")), config)
		old := db.WithContext(as("a"))
		var one int
		must(t, old.Raw("SELECT 1").Scan(&one).Error)
		s := database.New(database.SQLiteFiles(t.TempDir(), sqlite.Open).Open)
		must(t, db.Use(plugin(s)))
		must(t, s.Attach(db))
		if err := old.Raw("SELECT 1").Scan(&one).Error; err == nil {
			t.Errorf("%s: a handle made before goes round", name)
		}
		must(t, db.WithContext(bypass()).Raw("SELECT 1").Scan(&one).Error)
	}
}

// TestReplicas: dbresolver's replicas are those of the central database; tenants have none.
func TestReplicas(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]gorm.Config{"plain": {}, "PrepareStmt": {PrepareStmt: true}} {
		e := newEnv(t, "SQLite", config)
		replica := file(t, "replica.db")
		past := openRaw(t, "sqlite3", replica)
		exec(t, past, "CREATE TABLE shelves (id integer primary key, name text)")
		exec(t, past, "INSERT INTO shelves VALUES (1, 'from the replica')")
		must(t, e.db.Use(dbresolver.Register(dbresolver.Config{Replicas: []gorm.Dialector{sqlite.Open(replica)}})))
		for range 3 {
			var shelf Shelf
			must(t, e.db.WithContext(as("a")).Take(&shelf, 1).Error)
			if shelf.Name != "from the replica" {
				t.Errorf("%s: %v", name, shelf)
			}
			shelf = Shelf{}
			must(t, e.db.WithContext(as("a")).Clauses(dbresolver.Write).Take(&shelf, 1).Error)
			if shelf.Name != "top" {
				t.Errorf("%s: %v", name, shelf)
			}
			for _, id := range []tenancy.ID{"a", "b"} {
				var book Book
				must(t, e.db.WithContext(as(id)).Take(&book, 1).Error)
				must(t, e.db.WithContext(as(id)).Model(&book).Update("pages", 5).Error)
				if book.Title != string(id)+"-one" {
					t.Errorf("%s: %v", name, book)
				}
			}
		}
		if c := e.strategy.Counters(); c.Open > 4 {
			t.Errorf("%s: the replica has a budget of its own: %+v", name, c)
		}
	}
}

// TestMySQLUsers: a tenant's user reaches no other database by name, also one whose name its own matches as a pattern.
func TestMySQLUsers(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "MariaDB", gorm.Config{})
	for _, id := range []tenancy.ID{"a_b", "axb"} {
		must(t, e.strategy.Provision(context.Background(), id))
		must(t, e.db.WithContext(as(id)).Create(&Book{Title: "control"}).Error)
	}
	prefix := strings.TrimSuffix(column(t, e.past("a"), "SELECT DATABASE()")[0], "a")
	e.untouched(func() {
		for _, other := range []string{prefix + "b", prefix + "axb", "mysql"} {
			for _, as := range []context.Context{as("a"), as("a_b")} {
				if err := e.db.WithContext(as).Exec("SELECT * FROM " + other + ".books").Error; err == nil {
					t.Errorf("reached %s", other)
				}
				if err := e.db.WithContext(as).Exec("USE " + other).Error; !errors.Is(err, tenancy.ErrUnconfined) {
					t.Error(err)
				}
			}
		}
	})
	// One user for all: the connection is refused, unless that is accepted.
	server := servers.MariaDB(t)
	opener := func(_ context.Context, id tenancy.ID) (gorm.Dialector, error) {
		return mysql.Open(server.DSN("root", prefix+string(id))), nil
	}
	for _, shared := range []bool{false, true} {
		var opts []database.Option
		if shared {
			opts = append(opts, database.SharedUser())
		}
		db := open(t, mysql.Open(server.DSN(servers.App, server.Database(t))), gorm.Config{})
		must(t, db.Use(plugin(database.New(opener, opts...))))
		err := db.WithContext(as("a")).Find(&[]Book{}).Error
		if (shared && err != nil) || (!shared && !errors.Is(err, tenancy.ErrUnconfined)) {
			t.Errorf("shared %v: %v", shared, err)
		}
	}
}

// TestPostgresRoles: a tenant's role cannot connect to another tenant's database, however it was made.
func TestPostgresRoles(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "PostgreSQL", gorm.Config{})
	name := column(t, e.past("a"), "SELECT current_database()")[0]
	other := strings.TrimSuffix(name, "a") + "b"
	server := servers.Postgres(t)
	own := openRaw(t, "pgx", server.DSN(name, name))
	if got := column(t, own, "SELECT title FROM books WHERE id = 1"); got[0] != "a-one" {
		t.Error(got)
	}
	exec(t, own, "ALTER TABLE books ADD COLUMN extra int") // the tenant's role can migrate
	if err := openRaw(t, "pgx", server.DSN(name, other)).Ping(); err == nil || !strings.Contains(err.Error(), "permission denied") {
		t.Errorf("a's role connects to b's database: %v", err)
	}
	for _, q := range []string{
		"GRANT CONNECT ON DATABASE " + other + " TO " + name, "ALTER DATABASE " + other + " OWNER TO " + name, "DROP DATABASE " + other,
		"ALTER ROLE " + other + " PASSWORD 'x'", "CREATE DATABASE loot TEMPLATE " + other, "CREATE EXTENSION dblink",
	} {
		// GRANT by somebody who may not is a warning.
		if _, err := own.Exec(q); err == nil && !strings.HasPrefix(q, "GRANT") {
			t.Errorf("%s worked", q)
		}
	}
	if err := openRaw(t, "pgx", server.DSN(name, other)).Ping(); err == nil {
		t.Error("a's role connects to b's database")
	}
}
