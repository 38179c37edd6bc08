package database_test

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/internal/servers"
	"github.com/gorm-tenancy/tenancy/strategies/database"
)

// The models of the tests. Book and Loan have no tenant column, Author has one. Shelf and Label are central.
type (
	Book struct {
		ID      uint
		Title   string
		Pages   int
		ShelfID *uint
		Shelf   *Shelf
		Loans   []Loan
		Authors []Author `gorm:"many2many:book_authors"`
		Labels  []Label  `gorm:"many2many:book_labels"`
	}
	Loan struct {
		ID     uint
		BookID uint
		Book   *Book
		Reader string `gorm:"size:100;index"`
		FromID *uint
		From   *Shelf
	}
	Author struct {
		ID       uint
		TenantID string `gorm:"size:64"`
		Name     string `gorm:"size:100;uniqueIndex"`
		Died     gorm.DeletedAt
	}
	Shelf struct {
		ID    uint
		Name  string
		Books []Book
	}
	Label struct {
		ID   uint
		Text string
	}
)

var (
	owned   = []any{&Book{}, &Loan{}, &Author{}}
	central = []any{&Shelf{}, &Label{}}

	ownedTables   = []string{"books", "loans", "authors", "book_authors", "book_labels"}
	centralTables = []string{"shelves", "labels"}
)

func as(id tenancy.ID) context.Context { return tenancy.WithTenant(context.Background(), id) }

func bypass() context.Context { return tenancy.Bypass(context.Background(), "test") }

func plugin(s tenancy.Strategy) *tenancy.Plugin {
	return tenancy.New(s, tenancy.OwnedModels(owned...), tenancy.CentralModels(central...),
		tenancy.Logger(slog.New(slog.DiscardHandler)))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// places is a provisioner of the package with its Opener.
type places interface {
	tenancy.Provisioner
	Open(ctx context.Context, id tenancy.ID) (gorm.Dialector, error)
}

// engine is a kind of database with room for tenants.
type engine struct {
	central gorm.Dialector
	plain   gorm.Dialector // a database without tenancy
	places  places
	raw     func(id tenancy.ID) (driver, dsn string) // past everything
}

var engines = map[string]func(t testing.TB) engine{
	"SQLite": func(t testing.TB) engine {
		dir := t.TempDir()
		file := func(name string) string {
			return "file:" + filepath.Join(dir, name) + "?_busy_timeout=5000&_foreign_keys=1&_journal_mode=WAL"
		}
		return engine{
			central: sqlite.Open(file("central.db")),
			plain:   sqlite.Open(file("plain.db")),
			places:  database.SQLiteFiles(filepath.Join(dir, "tenants"), sqlite.Open),
			raw: func(id tenancy.ID) (string, string) {
				if id == "" {
					return "sqlite3", file("central.db")
				}
				return "sqlite3", file("tenants/tenant_" + string(id) + ".db")
			},
		}
	},
	"PostgreSQL": func(t testing.TB) engine {
		server := servers.Postgres(t)
		main, prefix := server.Database(t), server.Prefix(t)
		return engine{
			central: postgres.Open(server.DSN(servers.App, main)),
			plain:   postgres.Open(server.DSN(servers.App, server.Database(t))),
			places:  database.PostgresDatabases(server.DSN(servers.Superuser, "postgres"), secrets(t), database.Prefix(prefix)),
			raw: func(id tenancy.ID) (string, string) {
				if id == "" {
					return "pgx", server.DSN(servers.Superuser, main)
				}
				return "pgx", server.DSN(servers.Superuser, prefix+string(id))
			},
		}
	},
	"MariaDB": func(t testing.TB) engine {
		server := servers.MariaDB(t)
		main, prefix := server.Database(t), server.Prefix(t)
		return engine{
			central: mysql.Open(server.DSN(servers.App, main)),
			plain:   mysql.Open(server.DSN(servers.App, server.Database(t))),
			places:  database.MySQLDatabases(server.DSN("root", ""), secrets(t), database.MySQLPrefix(prefix)),
			raw: func(id tenancy.ID) (string, string) {
				if id == "" {
					return "mysql", server.DSN("root", main)
				}
				return "mysql", server.DSN("root", prefix+string(id))
			},
		}
	},
}

func secrets(t testing.TB) database.Secrets {
	t.Helper()
	s, err := database.Derived([]byte("0123456789abcdef0123456789abcdef"))
	must(t, err)
	return s
}

func openRaw(t testing.TB, driver, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	must(t, err)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	return db
}

func exec(t testing.TB, db *sql.DB, q string, args ...any) {
	t.Helper()
	if _, err := db.Exec(q, args...); err != nil {
		t.Fatalf("%s: %v", q, err)
	}
}

func column(t testing.TB, db *sql.DB, q string) (out []string) {
	t.Helper()
	rows, err := db.Query(q)
	must(t, err)
	defer rows.Close()
	for rows.Next() {
		var s string
		must(t, rows.Scan(&s))
		out = append(out, s)
	}
	must(t, rows.Err())
	return out
}

// env is an engine with tenants a and b.
type env struct {
	testing.TB
	engine
	strategy *database.Strategy
	db       *gorm.DB
	pools    map[tenancy.ID]*sql.DB
}

func open(t testing.TB, d gorm.Dialector, config gorm.Config) *gorm.DB {
	t.Helper()
	config.Logger = logger.Discard
	config.TranslateError = true
	db, err := gorm.Open(d, &config)
	must(t, err)
	t.Cleanup(func() {
		pool, err := db.DB()
		must(t, err)
		must(t, pool.Close())
	})
	return db
}

func newEnv(t testing.TB, kind string, config gorm.Config, opts ...database.Option) *env {
	t.Helper()
	e := &env{TB: t, engine: engines[kind](t), pools: map[tenancy.ID]*sql.DB{}}
	e.strategy = database.New(e.places.Open, append([]database.Option{database.WithProvisioner(e.places)}, opts...)...)
	e.db = open(t, e.central, config)
	must(t, e.db.Use(plugin(e.strategy)))
	must(t, e.db.WithContext(bypass()).AutoMigrate(central...))
	e.fill("", seedCentral)
	for _, id := range []tenancy.ID{"a", "b"} {
		must(t, e.strategy.Provision(context.Background(), id))
		e.fill(id, seedOwned)
	}
	return e
}

const (
	seedCentral = `INSERT INTO shelves (id, name) VALUES (1, 'top'), (2, 'low');
INSERT INTO labels (id, text) VALUES (1, 'new'), (2, 'old')`
	seedOwned = `INSERT INTO books (id, title, pages, shelf_id) VALUES (1, '#-one', 10, 1), (2, '#-two', 20, 2);
INSERT INTO loans (id, book_id, reader) VALUES (1, 1, '#-x'), (2, 1, '#-y'), (3, 2, '#-z');
INSERT INTO authors (id, tenant_id, name) VALUES (1, '#', '#-ann'), (2, '#', '#-bob');
INSERT INTO book_authors (book_id, author_id) VALUES (1, 1), (1, 2), (2, 2);
INSERT INTO book_labels (book_id, label_id) VALUES (1, 1)`
)

// fill inserts the same rows everywhere, but for texts, which begin with the tenant.
func (e *env) fill(id tenancy.ID, script string) {
	e.Helper()
	fill(e, e.past(id), id, script)
}

func fill(t testing.TB, db *sql.DB, id tenancy.ID, script string) {
	t.Helper()
	for _, q := range strings.Split(strings.ReplaceAll(script, "#", string(id)), ";\n") {
		exec(t, db, q)
		if table := strings.Fields(q)[2]; strings.Contains(fmt.Sprintf("%T", db.Driver()), "stdlib") && !strings.Contains(table, "_") {
			exec(t, db, "SELECT setval('"+table+"_id_seq', (SELECT max(id) FROM "+table+"))")
		}
	}
}

// past returns a pool to a tenant's database, or the central one, past everything.
func (e *env) past(id tenancy.ID) *sql.DB {
	e.Helper()
	if e.pools[id] == nil {
		driver, dsn := e.raw(id)
		e.pools[id] = openRaw(e, driver, dsn)
	}
	return e.pools[id]
}

// dump is what the tables of a tenant hold, or the central ones.
func (e *env) dump(id tenancy.ID) string {
	e.Helper()
	if id == "" {
		return dump(e, e.past(id), centralTables)
	}
	return dump(e, e.past(id), ownedTables)
}

func dump(t testing.TB, db *sql.DB, tables []string) string {
	t.Helper()
	var b strings.Builder
	for _, table := range tables {
		fmt.Fprintf(&b, "%s:", table)
		rows, err := db.Query("SELECT * FROM " + table)
		must(t, err)
		columns, err := rows.Columns()
		must(t, err)
		var lines []string
		for rows.Next() {
			row := make([]any, len(columns))
			for i := range row {
				row[i] = new(sql.NullString)
			}
			must(t, rows.Scan(row...))
			line := ""
			for i, v := range row {
				if s := v.(*sql.NullString); columns[i] != "died" {
					line += fmt.Sprintf(" %s=%s", columns[i], s.String)
				} else {
					line += fmt.Sprint(" dead=", s.Valid)
				}
			}
			lines = append(lines, line)
		}
		must(t, rows.Err())
		must(t, rows.Close())
		slices.Sort(lines)
		b.WriteString(strings.Join(lines, ";") + "\n")
	}
	return b.String()
}

// untouched runs f and fails if anything of tenant b is another than before.
func (e *env) untouched(f func()) {
	e.Helper()
	before := e.dump("b")
	f()
	if after := e.dump("b"); after != before {
		e.Errorf("b changed\n--- before\n%s\n--- after\n%s", before, after)
	}
}

func onAll(t *testing.T, run func(t *testing.T, kind string)) {
	t.Helper()
	for kind := range engines {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			run(t, kind)
		})
	}
}

// tenantless leaves out the tenant column, which plain GORM does not stamp.
func tenantless(dump string) string { return strings.ReplaceAll(dump, "tenant_id=a", "tenant_id=") }
