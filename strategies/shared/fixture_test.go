package shared_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/internal/servers"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
)

// Poll has keys that cannot overlap: one table, one key.
type Poll struct {
	ID       uint
	TenantID string `gorm:"not null;index:idx_polls_tenant,priority:1"`
	Title    string
	Votes    int
	Labels   []Label `gorm:"many2many:poll_labels"`
}

// Label is linked to polls by a join table without tenant column.
type Label struct {
	ID       uint
	TenantID string `gorm:"not null"`
	Name     string
}

// Note has the same ids in every tenant.
type Note struct {
	TenantID string `gorm:"primaryKey"`
	ID       int    `gorm:"primaryKey;autoIncrement:false"`
	Body     string
}

// Plan is central.
type Plan struct {
	ID   uint
	Name string
}

var (
	asA     = tenancy.WithTenant(context.Background(), "a")
	asB     = tenancy.WithTenant(context.Background(), "b")
	central = tenancy.Central(context.Background())
	bypass  = tenancy.Bypass(context.Background(), "test")
	nobody  = context.Background()
)

// secured is the strategy under test.
func secured(opts ...shared.Option) *shared.Strategy {
	return shared.New(append([]shared.Option{shared.RowLevelSecurity()}, opts...)...)
}

func pluginOf(s tenancy.Strategy, opts ...tenancy.Option) *tenancy.Plugin {
	return tenancy.New(s, append([]tenancy.Option{tenancy.OwnedModels(&Poll{}, &Label{}, &Note{}), tenancy.CentralModels(&Plan{})}, opts...)...)
}

// plain opens GORM without the plugin.
func plain(tb testing.TB, dsn string, config ...*gorm.Config) *gorm.DB {
	tb.Helper()
	c := &gorm.Config{}
	for _, given := range config {
		c = given
	}
	if c.Logger == nil {
		c.Logger = logger.Discard
	}
	db, err := gorm.Open(postgres.Open(dsn), c)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if pool, err := db.DB(); err == nil {
			pool.Close()
		}
	})
	return db
}

// use opens GORM with the plugin.
func use(tb testing.TB, dsn string, p *tenancy.Plugin, config ...*gorm.Config) *gorm.DB {
	tb.Helper()
	db := plain(tb, dsn, config...)
	if err := db.Use(p); err != nil {
		tb.Fatal(err)
	}
	return db
}

func pool(tb testing.TB, db *gorm.DB) *sql.DB {
	tb.Helper()
	p, err := db.DB()
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// database is one with protected tables, in which tenants a and b have rows.
type database struct {
	testing.TB
	server *servers.PostgresServer
	name   string
	admin  *sql.DB // as the superuser, whom no policy holds
}

// filled creates a database that [servers.App] owns and connects to.
func filled(tb testing.TB) database {
	tb.Helper()
	d := empty(tb)
	d.migrate()
	d.root(seed)
	return d
}

func empty(tb testing.TB) database {
	tb.Helper()
	server := servers.Postgres(tb)
	return at(tb, server, server.Database(tb))
}

func at(tb testing.TB, server *servers.PostgresServer, name string) database {
	tb.Helper()
	admin, err := sql.Open("pgx", server.DSN(servers.Superuser, name))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { admin.Close() })
	return database{tb, server, name, admin}
}

// seed gives both tenants the same notes and the same count of everything else. Polls 1 to 3 are a's, 11 to 13 b's.
const seed = `
INSERT INTO polls (id, tenant_id, title, votes) SELECT n, 'a', 'poll ' || n, n FROM generate_series(1, 3) n;
INSERT INTO polls (id, tenant_id, title, votes) SELECT n, 'b', 'poll ' || n, n FROM generate_series(11, 13) n;
INSERT INTO labels (id, tenant_id, name) VALUES (1, 'a', 'red'), (11, 'b', 'red');
INSERT INTO poll_labels (poll_id, label_id) VALUES (1, 1), (11, 11);
INSERT INTO notes (tenant_id, id, body) SELECT t, n, t || ' note' FROM generate_series(1, 3) n, unnest('{a,b}'::text[]) t;
INSERT INTO plans (id, name) VALUES (1, 'free');
SELECT setval('polls_id_seq', 100), setval('labels_id_seq', 100), setval('plans_id_seq', 100)`

func (d database) app() string { return d.server.DSN(servers.App, d.name) }

func (d database) migrate() {
	d.Helper()
	s := secured()
	if err := s.Migrate(nobody, plain(d, d.app()), pluginOf(s), &Plan{}); err != nil {
		d.Fatal(err)
	}
}

// root runs SQL as the superuser, whom no policy holds.
func (d database) root(query string) {
	d.Helper()
	if _, err := d.admin.Exec(query); err != nil {
		d.Fatalf("%s: %v", query, err)
	}
}

// dump is every row of a tenant, read past all walls.
func (d database) dump(tenant string) string {
	d.Helper()
	var out []string
	for _, query := range []string{
		"SELECT 'poll ' || p::text FROM polls p WHERE tenant_id = $1 ORDER BY id",
		"SELECT 'label ' || l::text FROM labels l WHERE tenant_id = $1 ORDER BY id",
		"SELECT 'note ' || n::text FROM notes n WHERE tenant_id = $1 ORDER BY id",
		"SELECT 'link ' || l::text FROM poll_labels l WHERE poll_id IN (SELECT id FROM polls WHERE tenant_id = $1) " +
			"OR label_id IN (SELECT id FROM labels WHERE tenant_id = $1) ORDER BY l",
	} {
		rows, err := d.admin.Query(query, tenant)
		if err != nil {
			d.Fatal(err)
		}
		for rows.Next() {
			var line string
			if err := rows.Scan(&line); err != nil {
				d.Fatal(err)
			}
			out = append(out, line)
		}
		if err := rows.Close(); err != nil {
			d.Fatal(err)
		}
	}
	return strings.Join(out, "\n")
}

// unchanged runs f and fails when it changed a row of tenant b.
func (d database) unchanged(t *testing.T, f func()) {
	t.Helper()
	before := d.dump("b")
	if before == "" {
		t.Fatal("tenant b has no rows, so that nothing is shown")
	}
	f()
	if after := d.dump("b"); after != before {
		t.Errorf("tenant b had\n%s\nand has\n%s", before, after)
	}
}

var roleNumber atomic.Int64

// role creates a role of the cluster that ends with the test; what it is granted is up to the test. Call it before the
// database is created.
func role(tb testing.TB, kind, attributes string) string {
	tb.Helper()
	d := at(tb, servers.Postgres(tb), "postgres")
	name := fmt.Sprintf("%s%d", kind, roleNumber.Add(1))
	d.root("CREATE ROLE " + name + " " + attributes)
	tb.Cleanup(func() { d.root("DROP ROLE " + name) })
	return name
}

// code returns PostgreSQL's error code, or "".
func code(err error) string {
	if pg, ok := errorAs[*pgconn.PgError](err); ok {
		return pg.Code
	}
	return ""
}

func errorAs[T error](err error) (target T, ok bool) {
	ok = errors.As(err, &target)
	return target, ok
}

func contains(err error, text string) bool { return err != nil && strings.Contains(err.Error(), text) }
