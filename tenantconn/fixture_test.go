package tenantconn_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/internal/servers"
	"github.com/gorm-tenancy/tenancy/tenantconn"
)

var (
	asA     = tenancy.WithTenant(context.Background(), "a")
	asB     = tenancy.WithTenant(context.Background(), "b")
	central = tenancy.Central(context.Background())
)

// schemaRoute is the router of the fixture: tenant a lives in schema t_a; "plans" stands in shared.
func schemaRoute(ctx context.Context) (tenantconn.Route, error) {
	reach, id, err := tenancy.ReachOf(ctx)
	if err != nil {
		return tenantconn.Route{}, err
	}
	path := "shared"
	if reach == tenancy.ReachTenant {
		path = `"t_` + string(id) + `", shared`
	}
	return tenantconn.Route{Tenant: id, Values: []string{path}}, nil
}

func schemaWall() tenantconn.Wall {
	return tenantconn.Wall{Router: schemaRoute, Settings: []string{"search_path"}}
}

// tenants creates the schemas of tenants with the same ids in each, and a central table. The search_path of the database
// has no tables, so that a statement without settings fails.
func tenants(tb testing.TB, ids ...string) (server *servers.PostgresServer, name string) {
	tb.Helper()
	server = servers.Postgres(tb)
	name = server.Database(tb)
	fill(tb, server, name, ids...)
	return server, name
}

func fill(tb testing.TB, server *servers.PostgresServer, name string, ids ...string) {
	tb.Helper()
	db, err := sql.Open("pgx", server.DSN(servers.App, name))
	if err != nil {
		tb.Fatal(err)
	}
	defer db.Close()
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE SCHEMA shared; CREATE TABLE shared.plans (id int PRIMARY KEY, name text);"+
		"INSERT INTO shared.plans VALUES (1, 'free'); ALTER DATABASE %s SET search_path = pg_catalog;", name)
	for _, id := range ids {
		fmt.Fprintf(&b, "CREATE SCHEMA t_%[1]s; CREATE TABLE t_%[1]s.notes (id int PRIMARY KEY, owner text NOT NULL, body text);"+
			"INSERT INTO t_%[1]s.notes SELECT n, '%[1]s', 'note ' || n FROM generate_series(1, 3) n;", id)
	}
	if _, err := db.Exec(b.String()); err != nil {
		tb.Fatal(err)
	}
}

// dump is what a tenant's schema holds, read past the wall.
func dump(tb testing.TB, server *servers.PostgresServer, name, id string) (out string) {
	tb.Helper()
	db, err := sql.Open("pgx", server.DSN(servers.App, name))
	if err != nil {
		tb.Fatal(err)
	}
	defer db.Close()
	err = db.QueryRow("SELECT coalesce(string_agg(n::text, ' ' ORDER BY id), '') FROM t_" + id + ".notes n").Scan(&out)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// mode is one way to reach the server.
type mode struct {
	name    string
	exec    string // pgx's default_query_exec_mode
	session bool
	pooled  bool // PgBouncer stands between, with one server connection
}

var modes = []mode{
	{name: "cache_statement", exec: "cache_statement"},
	{name: "cache_describe", exec: "cache_describe"},
	{name: "describe_exec", exec: "describe_exec"},
	{name: "exec", exec: "exec"},
	{name: "simple_protocol", exec: "simple_protocol"},
	{name: "session", exec: "cache_statement", session: true},
	{name: "session simple", exec: "simple_protocol", session: true},
	{name: "pgbouncer exec", exec: "exec", pooled: true},
	{name: "pgbouncer simple", exec: "simple_protocol", pooled: true},
}

// through runs a test in every mode, each with a database of its own that has tenants a and b.
func through(t *testing.T, run func(t *testing.T, f fixture)) {
	t.Helper()
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			server, name := tenants(t, "a", "b")
			run(t, fixture{t, m, server, name})
		})
	}
}

type fixture struct {
	testing.TB
	mode   mode
	server *servers.PostgresServer
	name   string
}

// dsn reaches the database in the fixture's mode. address, when not empty, replaces the server's.
func (f fixture) dsn(address string) string {
	dsn := f.server.DSN(servers.App, f.name)
	if f.mode.pooled {
		dsn = servers.PgBouncer(f, dsn, 1)
	}
	if address != "" {
		u, err := url.Parse(dsn)
		if err != nil {
			f.Fatal(err)
		}
		u.Host = address
		dsn = u.String()
	}
	return dsn + "&default_query_exec_mode=" + f.mode.exec
}

func (f fixture) wall() tenantconn.Wall {
	w := schemaWall()
	w.Session, w.Pooled = f.mode.session, f.mode.pooled
	return w
}

// open returns a confined pool.
func (f fixture) open() *sql.DB { return f.openAt("", f.wall()) }

func (f fixture) openAt(address string, w tenantconn.Wall, options ...stdlib.OptionOpenDB) *sql.DB {
	f.Helper()
	config, err := pgx.ParseConfig(f.dsn(address))
	if err != nil {
		f.Fatal(err)
	}
	db, err := tenantconn.OpenPostgres(config, w, options...)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { db.Close() })
	return db
}

type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// owner reads whose note 1 is.
func owner(ctx context.Context, q querier) (s string, err error) {
	err = q.QueryRowContext(ctx, "SELECT owner FROM notes WHERE id = $1", 1).Scan(&s)
	return s, err
}

func (f fixture) wantOwner(ctx context.Context, q querier, want string) {
	f.Helper()
	if got, err := owner(ctx, q); err != nil || got != want {
		f.Errorf("read a note of %q (%v), want %q", got, err, want)
	}
}

func (f fixture) exec(ctx context.Context, db interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}, query string, args ...any,
) {
	f.Helper()
	if _, err := db.ExecContext(ctx, query, args...); err != nil {
		f.Fatalf("%s: %v", query, err)
	}
}

// openBehind returns a confined pool behind a pooler that the test started.
func (f fixture) openBehind(bouncer string) *sql.DB {
	f.Helper()
	config, err := pgx.ParseConfig(bouncer + "&default_query_exec_mode=" + f.mode.exec)
	if err != nil {
		f.Fatal(err)
	}
	db, err := tenantconn.OpenPostgres(config, f.wall())
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { db.Close() })
	return db
}

// plain returns a pool without the wall.
func (f fixture) plain(dsn string) *sql.DB {
	f.Helper()
	db, err := sql.Open("pgx", dsn+"&default_query_exec_mode="+f.mode.exec)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { db.Close() })
	return db
}
