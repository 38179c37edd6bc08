package archive_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"

	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	naming "gorm.io/gorm/schema"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/internal/servers"
	"github.com/gorm-tenancy/tenancy/strategies/database"
	"github.com/gorm-tenancy/tenancy/strategies/pinned"
	"github.com/gorm-tenancy/tenancy/strategies/schema"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
)

// backend is a strategy on a database.
type backend struct {
	testing.TB
	db       *gorm.DB
	strategy tenancy.Strategy
	shared   bool
	alone    bool                                              // serves no other tenant than a
	raw      func(id tenancy.ID) (db *sql.DB, tablesIn string) // past all walls
}

var backends = map[string]func(testing.TB) *backend{
	"shared SQLite": func(t testing.TB) *backend {
		file := sqliteFile(t.TempDir(), "x.db")
		b := &backend{TB: t, strategy: shared.New(), shared: true}
		b.raw = b.one("sqlite3", file, "")
		return b.open(sqlite.Open(file), true)
	},
	"shared PostgreSQL": func(t testing.TB) *backend {
		server := servers.Postgres(t)
		name := server.Database(t)
		b := &backend{TB: t, strategy: shared.New(), shared: true}
		b.raw = b.one("pgx", server.DSN(servers.Superuser, name), "")
		return b.open(postgres.Open(server.DSN(servers.App, name)), true)
	},
	"shared MariaDB": func(t testing.TB) *backend {
		server := servers.MariaDB(t)
		name := server.Database(t)
		b := &backend{TB: t, strategy: shared.New(), shared: true}
		b.raw = b.one("mysql", server.DSN("root", name), "")
		return b.open(mysql.Open(server.DSN(servers.App, name)), true)
	},
	"row-level security": func(t testing.TB) *backend {
		server := servers.Postgres(t)
		name := server.Database(t)
		s := shared.New(shared.RowLevelSecurity())
		b := &backend{TB: t, strategy: s, shared: true}
		b.raw = b.one("pgx", server.DSN(servers.Superuser, name), "")
		plain, err := gorm.Open(postgres.Open(server.DSN(servers.App, name)), &gorm.Config{Logger: logger.Discard})
		must(t, err)
		must(t, s.Migrate(context.Background(), plain, plugin(s), &Plan{}))
		pool, err := plain.DB()
		must(t, err)
		must(t, pool.Close())
		return b.open(postgres.Open(server.DSN(servers.App, name)), false)
	},
	"schema PostgreSQL": func(t testing.TB) *backend {
		return schemas(t, servers.Postgres(t), servers.App, schema.New())
	},
	"schema with roles": func(t testing.TB) *backend {
		server := servers.NewPostgres(t) // roles are the server's
		admin := openRaw(t, "pgx", server.DSN(servers.Superuser, "postgres"))
		_, err := admin.Exec("CREATE ROLE creator LOGIN CREATEROLE; GRANT creator TO " + servers.Superuser)
		must(t, err)
		return schemas(t, server, "creator", schema.New(schema.Roles("SELECT")))
	},
	"schema MariaDB": func(t testing.TB) *backend {
		server := servers.MariaDB(t)
		name := server.Database(t)
		raw := openRaw(t, "mysql", server.DSN("root", ""))
		_, err := raw.Exec(fmt.Sprintf("GRANT ALL ON `%s\\_%%`.* TO app@'127.0.0.1'", name))
		must(t, err)
		b := &backend{TB: t, strategy: schema.New(schema.Prefix(name + "_"))}
		b.raw = func(id tenancy.ID) (*sql.DB, string) { return raw, name + "_" + string(id) + "." }
		t.Cleanup(func() {
			for _, id := range []string{"a", "b", "copy"} {
				_, err := raw.Exec("DROP DATABASE IF EXISTS `" + name + "_" + id + "`")
				must(t, err)
			}
		})
		return b.open(mysql.Open(server.DSN(servers.App, name)), true, &gorm.Config{NamingStrategy: central{database: name}})
	},
	"database SQLite": func(t testing.TB) *backend {
		dir := t.TempDir()
		places := database.SQLiteFiles(filepath.Join(dir, "tenants"), sqlite.Open)
		b := &backend{TB: t, strategy: database.New(places.Open, database.WithProvisioner(places))}
		b.raw = func(id tenancy.ID) (*sql.DB, string) {
			raw := openRaw(t, "sqlite3", sqliteFile(dir, "tenants/tenant_"+string(id)+".db"))
			raw.SetMaxIdleConns(0) // an open file is not removed
			return raw, ""
		}
		return b.open(sqlite.Open(sqliteFile(dir, "central.db")), true)
	},
	"database PostgreSQL": func(t testing.TB) *backend {
		server := servers.NewPostgres(t) // its databases and roles end with it
		places := database.PostgresDatabases(server.DSN(servers.Superuser, "postgres"), secrets(t), database.Prefix("p_"))
		b := &backend{TB: t, strategy: database.New(places.Open, database.WithProvisioner(places))}
		b.raw = func(id tenancy.ID) (*sql.DB, string) {
			return openRaw(t, "pgx", server.DSN(servers.Superuser, "p_"+string(id))), ""
		}
		return b.open(postgres.Open(server.DSN(servers.App, server.Database(t))), true)
	},
	"database MariaDB": func(t testing.TB) *backend {
		server := servers.NewMariaDB(t)
		places := database.MySQLDatabases(server.DSN("root", ""), secrets(t), database.MySQLPrefix("p_"))
		b := &backend{TB: t, strategy: database.New(places.Open, database.WithProvisioner(places))}
		b.raw = func(id tenancy.ID) (*sql.DB, string) {
			return openRaw(t, "mysql", server.DSN("root", "p_"+string(id))), ""
		}
		return b.open(mysql.Open(server.DSN(servers.App, server.Database(t))), true)
	},
	"pinned": func(t testing.TB) *backend {
		file := sqliteFile(t.TempDir(), "x.db")
		plain, err := gorm.Open(sqlite.Open(file), &gorm.Config{Logger: logger.Discard})
		must(t, err)
		must(t, plain.AutoMigrate(append(owned, &Plan{})...))
		pool, err := plain.DB()
		must(t, err)
		must(t, pool.Close())
		b := &backend{TB: t, strategy: pinned.New("a"), alone: true}
		b.raw = b.one("sqlite3", file, "")
		return b.open(sqlite.Open(file), false)
	},
	"pinned over shared": func(t testing.TB) *backend {
		server := servers.Postgres(t)
		name := server.Database(t)
		b := &backend{TB: t, strategy: pinned.New("a", pinned.Over(shared.New())), shared: true, alone: true}
		b.raw = b.one("pgx", server.DSN(servers.Superuser, name), "")
		return b.open(postgres.Open(server.DSN(servers.App, name)), true)
	},
}

func schemas(t testing.TB, server *servers.PostgresServer, user string, s *schema.Strategy) *backend {
	t.Helper()
	name := server.Database(t)
	raw := openRaw(t, "pgx", server.DSN(servers.Superuser, name))
	_, err := raw.Exec("ALTER DATABASE " + name + " OWNER TO " + user)
	must(t, err)
	b := &backend{TB: t, strategy: s}
	b.raw = func(id tenancy.ID) (*sql.DB, string) { return raw, "tenant_" + string(id) + "." }
	return b.open(postgres.Open(server.DSN(user, name)), true)
}

// central tells central tables their database, where the schema strategy needs it.
type central struct {
	naming.NamingStrategy
	database string
}

func (c central) TableName(table string) string {
	name := c.NamingStrategy.TableName(table)
	if name == "plans" || strings.HasPrefix(name, "tenancy_") {
		return c.database + "." + name
	}
	return name
}

func sqliteFile(dir, name string) string {
	return "file:" + filepath.Join(dir, name) + "?_busy_timeout=10000&_foreign_keys=1&_journal_mode=WAL"
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

// one is a database in which all tenants are.
func (b *backend) one(driver, dsn, in string) func(tenancy.ID) (*sql.DB, string) {
	raw := openRaw(b, driver, dsn)
	return func(tenancy.ID) (*sql.DB, string) { return raw, in }
}

// open opens the database with the plugin, and makes the places of a and b.
func (b *backend) open(d gorm.Dialector, migrate bool, config ...*gorm.Config) *backend {
	b.Helper()
	c := &gorm.Config{}
	for _, given := range config {
		c = given
	}
	c.Logger = logger.Discard
	var err error
	b.db, err = gorm.Open(d, c)
	must(b, err)
	b.Cleanup(func() {
		pool, err := b.db.DB()
		must(b, err)
		pool.Close()
	})
	must(b, b.db.Use(plugin(b.strategy)))
	if migrate {
		models := []any{&Plan{}}
		if b.shared {
			models = append(models, owned...)
		}
		must(b, b.db.WithContext(tenancy.Bypass(context.Background(), "create tables")).AutoMigrate(models...))
	}
	for _, id := range b.tenants() {
		b.provision(id)
	}
	return b
}

func (b *backend) tenants() []tenancy.ID {
	if b.alone {
		return []tenancy.ID{"a"}
	}
	return []tenancy.ID{"a", "b"}
}

func (b *backend) provision(id tenancy.ID) {
	b.Helper()
	if p, ok := b.strategy.(tenancy.Provisioner); ok && !b.alone {
		must(b, p.Provision(context.Background(), id))
	}
}

// first is the first id of a tenant's rows: where keys can overlap they do.
func (b *backend) first(id tenancy.ID) uint {
	if b.shared && id != "a" {
		return 100
	}
	return 1
}

func (b *backend) fill() *backend {
	b.Helper()
	for _, id := range b.tenants() {
		fill(b, b.db, id, b.first(id))
	}
	return b
}

// dump is every row of a tenant, read past all walls; of shared join tables those with its polls.
func (b *backend) dump(id tenancy.ID) string {
	b.Helper()
	raw, in := b.raw(id)
	var out []string
	for _, table := range tables {
		where := ""
		if b.shared {
			where = " WHERE tenant_id = '" + string(id) + "'"
			if table == "poll_labels" {
				where = " WHERE poll_id IN (SELECT id FROM polls" + where + ") OR label_id IN (SELECT id FROM labels" + where + ")"
			}
		}
		lines := b.lines(raw, "SELECT * FROM "+in+table+where)
		for _, l := range lines {
			out = append(out, table+" "+l)
		}
	}
	return strings.Join(out, "\n")
}

func (b *backend) lines(raw *sql.DB, query string) (lines []string) {
	b.Helper()
	rows, err := raw.Query(query)
	must(b, err)
	defer rows.Close()
	names, err := rows.Columns()
	must(b, err)
	for rows.Next() {
		values := make([]any, len(names))
		places := make([]any, len(names))
		for i := range values {
			places[i] = &values[i]
		}
		must(b, rows.Scan(places...))
		for i, v := range values {
			if text, ok := v.([]byte); ok {
				values[i] = string(text)
			}
			if names[i] == "meta" || names[i] == "raw" { // the same JSON may be written otherwise
				values[i] = nil
			}
		}
		lines = append(lines, fmt.Sprintf("%v", values))
	}
	must(b, rows.Err())
	sort.Strings(lines)
	return lines
}

// in is the backend in another test.
func (b *backend) in(t testing.TB) *backend {
	other := *b
	other.TB = t
	return &other
}

// unchanged runs f and fails when it changed a row of b.
func (b *backend) unchanged(f func()) {
	b.Helper()
	if b.alone {
		f()
		return
	}
	before := b.dump("b")
	if strings.Count(before, "of b") < 10 {
		b.Fatalf("b has no rows, so that nothing is shown:\n%s", before)
	}
	f()
	if after := b.dump("b"); after != before {
		b.Errorf("b had\n%s\nand has\n%s", before, after)
	}
}

// eachBackend runs a test on all of them.
func eachBackend(t *testing.T, f func(*testing.T, *backend)) {
	t.Helper()
	names := make([]string, 0, len(backends))
	for name := range backends {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, backends[name](t))
		})
	}
}
