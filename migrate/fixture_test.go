package migrate_test

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/internal/servers"
	"github.com/gorm-tenancy/tenancy/migrate"
	"github.com/gorm-tenancy/tenancy/strategies/schema"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
)

// Poll has the same ids in all tenants that have tables of their own.
type Poll struct {
	ID       uint
	TenantID string `gorm:"size:63"`
	Title    string `gorm:"size:100"`
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// env is a database with tenants, each with two polls.
type env struct {
	testing.TB
	db       *gorm.DB
	raw      *sql.DB // past the walls
	dsn      string
	prefix   string // of tenants' schemas
	tenants  []tenancy.ID
	strategy tenancy.Strategy
	reopen   func(t testing.TB) *gorm.DB // as another process would
}

func plugin(s tenancy.Strategy) *tenancy.Plugin {
	return tenancy.New(s, tenancy.OwnedModels(&Poll{}), tenancy.Logger(slog.New(slog.DiscardHandler)))
}

func use(t testing.TB, d gorm.Dialector, s tenancy.Strategy) *gorm.DB {
	t.Helper()
	db, err := gorm.Open(d, &gorm.Config{Logger: logger.Discard})
	must(t, err)
	must(t, db.Use(plugin(s)))
	t.Cleanup(func() { pool, _ := db.DB(); pool.Close() })
	return db
}

// postgresEnv has schemas; with roles, the database's own user may create them.
func postgresEnv(t testing.TB, tenants []tenancy.ID, options ...schema.Option) *env {
	t.Helper()
	server := servers.Postgres(t)
	name := server.Database(t)
	raw, err := sql.Open("pgx", server.DSN(servers.Superuser, name)+"&default_query_exec_mode=exec")
	must(t, err)
	t.Cleanup(func() { raw.Close() })
	e := &env{TB: t, raw: raw, tenants: tenants, prefix: "tenant_"}
	user := servers.App
	if len(options) > 0 {
		user, e.prefix = "migrator_"+name, name+"_"
		options = append(options, schema.Prefix(e.prefix))
		e.exec("CREATE ROLE " + user + " LOGIN CREATEROLE; ALTER DATABASE " + name + " OWNER TO " + user)
		t.Cleanup(func() { e.dropRoles(name, user) })
	}
	strategy := schema.New(options...)
	e.strategy = strategy
	e.dsn = server.DSN(user, name)
	e.db = use(t, postgres.Open(e.dsn), strategy)
	e.reopen = func(t testing.TB) *gorm.DB {
		return use(t, postgres.Open(e.dsn), schema.New(append(options, schema.Prefix(e.prefix))...))
	}
	for _, id := range tenants {
		must(t, strategy.Provision(context.Background(), id))
	}
	e.seed()
	return e
}

func (e *env) dropRoles(name, user string) {
	e.exec("DROP SCHEMA public CASCADE")
	roles := strings.Fields(e.query("SELECT coalesce(string_agg(rolname, ' '), '') FROM pg_roles " +
		"WHERE shobj_description(oid, 'pg_authid') LIKE 'tenancy:' || current_database() || ':%'"))
	for _, role := range append(roles, user) {
		e.exec(`DROP OWNED BY "` + role + `" CASCADE`)
	}
	e.exec("ALTER DATABASE " + name + " OWNER TO postgres")
	for _, role := range append(roles, user) {
		e.exec(`DROP ROLE "` + role + `"`)
	}
}

// mariaEnv has a database for each tenant on one server, whose DDL is not transactional.
func mariaEnv(t testing.TB, tenants []tenancy.ID) *env {
	t.Helper()
	server := servers.MariaDB(t)
	name := server.Database(t)
	raw, err := sql.Open("mysql", server.DSN("root", "")+"&multiStatements=true")
	must(t, err)
	e := &env{TB: t, raw: raw, tenants: tenants, prefix: name + "_"}
	e.exec(fmt.Sprintf("GRANT ALL ON `%s\\_%%`.* TO app@'127.0.0.1'", name))
	t.Cleanup(func() {
		for _, id := range tenants {
			e.exec("DROP DATABASE IF EXISTS " + e.prefix + string(id))
		}
		raw.Close()
	})
	strategy := schema.New(schema.Prefix(e.prefix))
	e.strategy = strategy
	e.dsn = server.DSN(servers.App, name)
	e.db = use(t, mysql.Open(e.dsn), strategy)
	e.reopen = func(t testing.TB) *gorm.DB {
		return use(t, mysql.Open(e.dsn), schema.New(schema.Prefix(e.prefix)))
	}
	for _, id := range tenants {
		must(t, strategy.Provision(context.Background(), id))
	}
	e.seed()
	return e
}

// sharedEnv has tenants that share tables, in SQLite.
func sharedEnv(t testing.TB, tenants []tenancy.ID) *env {
	t.Helper()
	file := filepath.Join(t.TempDir(), "app.db") + "?_busy_timeout=5000&_journal_mode=WAL&_txlock=immediate"
	e := &env{TB: t, tenants: tenants, strategy: shared.New(), dsn: file}
	e.db = use(t, sqlite.Open(file), e.strategy)
	e.reopen = func(t testing.TB) *gorm.DB { return use(t, sqlite.Open(file), shared.New()) }
	var err error
	e.raw, err = sql.Open("sqlite3", file)
	must(t, err)
	t.Cleanup(func() { e.raw.Close() })
	must(t, e.db.WithContext(tenancy.Bypass(context.Background(), "test")).AutoMigrate(&Poll{}))
	for _, id := range tenants {
		for _, title := range []string{"one", "two"} {
			must(t, e.db.WithContext(tenancy.WithTenant(context.Background(), id)).Create(&Poll{Title: string(id) + " " + title}).Error)
		}
	}
	return e
}

func (e *env) seed() {
	for _, id := range e.tenants {
		e.exec(fmt.Sprintf("INSERT INTO %s.polls (id, tenant_id, title) VALUES (1, '%[2]s', '%[2]s one'), (2, '%[2]s', '%[2]s two')",
			e.prefix+string(id), id))
	}
}

// backends run a test on each kind of database.
func backends(t *testing.T, f func(t *testing.T, e *env)) {
	t.Helper()
	siloed(t, f)
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		f(t, sharedEnv(t, []tenancy.ID{"a", "b"}))
	})
}

// siloed runs a test where tenants have tables of their own.
func siloed(t *testing.T, f func(t *testing.T, e *env)) {
	t.Helper()
	two := []tenancy.ID{"a", "b"}
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		f(t, postgresEnv(t, two))
	})
	t.Run("mariadb", func(t *testing.T) {
		t.Parallel()
		f(t, mariaEnv(t, two))
	})
}

func (e *env) exec(q string) {
	e.Helper()
	if _, err := e.raw.Exec(q); err != nil {
		e.Fatalf("%s: %v", q, err)
	}
}

func (e *env) query(q string) (s string) {
	e.Helper()
	if err := e.raw.QueryRow(q).Scan(&s); err != nil {
		e.Fatalf("%s: %v", q, err)
	}
	return s
}

// titles are a tenant's polls, past the walls.
func (e *env) titles(id tenancy.ID) string {
	e.Helper()
	table := "polls WHERE tenant_id = '" + string(id) + "' ORDER BY id"
	if e.prefix != "" {
		table = e.prefix + string(id) + ".polls ORDER BY id"
	}
	rows, err := e.raw.Query("SELECT title FROM " + table)
	must(e, err)
	defer rows.Close()
	var all []string
	for rows.Next() {
		var s string
		must(e, rows.Scan(&s))
		all = append(all, s)
	}
	must(e, rows.Err())
	return strings.Join(all, ", ")
}

// runner is one over the env's tenants.
func (e *env) runner(sources []migrate.Source, opts ...migrate.Option) *migrate.Runner {
	e.Helper()
	r, err := migrate.New(e.db, migrate.List(e.tenants...), sources, opts...)
	must(e, err)
	return r
}

// shout is a step that is seen when it is made twice.
func shout(version int64) migrate.Step {
	return migrate.Step{Version: version, Name: "shout", Run: func(_ context.Context, tx *gorm.DB) error {
		return tx.Model(&Poll{}).Where("1 = 1").Update("title", gorm.Expr(concat(tx))).Error
	}}
}

func concat(tx *gorm.DB) string {
	if tx.Name() == "mysql" {
		return "CONCAT(title, '!')"
	}
	return "title || '!'"
}

// journal collects events.
type journal struct {
	mu     sync.Mutex
	events []migrate.Event
}

func (j *journal) add(e migrate.Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events = append(j.events, e)
}

func (j *journal) count(kind migrate.Kind) (n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range j.events {
		if e.Kind == kind {
			n++
		}
	}
	return n
}
