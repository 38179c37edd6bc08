package doctor_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/doctor"
	"github.com/gorm-tenancy/tenancy/internal/servers"
	"github.com/gorm-tenancy/tenancy/migrate"
	"github.com/gorm-tenancy/tenancy/strategies/schema"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
)

// overDriver opens PostgreSQL through a driver named in the config, whose settings stay on the session.
func overDriver(c *clinic, dsn string) *gorm.DB {
	c.Helper()
	db, err := gorm.Open(postgres.New(postgres.Config{DriverName: "pgx", DSN: dsn}), &gorm.Config{Logger: logger.Discard})
	must(c, err)
	must(c, db.Use(tenancy.New(schema.New(), c.options()...)))
	c.Cleanup(func() { pool, _ := db.DB(); pool.Close() })
	return db
}

// TestPooler puts PgBouncer in transaction mode in between, with one connection to the server and with several, and asks
// over and over: the answer must not depend on luck.
func TestPooler(t *testing.T) {
	t.Parallel()
	c := onPostgres(t, schema.New()).settle()
	direct := c.dsn + "&default_query_exec_mode=exec"
	for _, size := range []int{1, 2, 5} {
		pooled := servers.PgBouncer(t, c.dsn, size) + "&default_query_exec_mode=exec"
		warm(c, pooled, size)
		for range 5 {
			c.db = overDriver(c, pooled)
			if r := c.run(); len(find(r, "pooler-session")) != 1 || !errors.Is(r.Err(), doctor.ErrUnhealthy) {
				t.Errorf("%d connections:\n%s", size, r)
			}
			c.db = c.open(pooled, schema.New(schema.Pooled()))
			if r := c.run(); len(find(r, "pooler-session")) != 0 || len(find(r, "pooler-transaction")) != 1 || r.Err() != nil {
				t.Errorf("settings of the transaction, %d connections:\n%s", size, r)
			}
		}
	}
	c.db = overDriver(c, direct)
	if r := c.run(); len(find(r, "pooler-session"))+len(find(r, "pooler-transaction")) != 0 || status(r, "pooler").Status != doctor.Done {
		t.Errorf("no pooler:\n%s", r)
	}
	c.db = c.open(direct, schema.New(schema.Session()))
	if r := c.run(); len(find(r, "pooler-session"))+len(find(r, "pooler-transaction")) != 0 || r.Err() != nil {
		t.Errorf("no pooler, settings of the session:\n%s", r)
	}
}

// warm lets the pooler open all its connections to the server, so that it has a choice.
func warm(c *clinic, dsn string, connections int) {
	c.Helper()
	db := c.connect("pgx", dsn)
	for range connections {
		tx, err := db.Begin()
		must(c, err)
		defer tx.Rollback()
		_, err = tx.Exec("SELECT 1")
		must(c, err)
	}
}

// TestPoolerLocks: migrations that lock by the session are not alone behind a pooler.
func TestPoolerLocks(t *testing.T) {
	t.Parallel()
	c := onPostgres(t, schema.New()).settle()
	c.db = c.open(servers.PgBouncer(t, c.dsn, 3)+"&default_query_exec_mode=exec", schema.New(schema.Pooled()))
	c.migrations(migrate.Leases(time.Minute))
	if r := c.run(); len(find(r, "pooler-locks")) != 0 || r.Err() != nil {
		t.Errorf("leases:\n%s", r)
	}
	var err error
	c.runner, err = migrate.New(c.db, migrate.List("a", "b"), []migrate.Source{step(1)})
	must(t, err)
	if r := c.run(); len(find(r, "pooler-locks")) != 1 {
		t.Errorf("locks:\n%s", r)
	}
}

// login gives the clinic a role of its own, so that other tests keep theirs.
func login(c *clinic) string {
	c.Helper()
	role := "login_" + c.name
	c.exec("CREATE ROLE "+role+" LOGIN", "ALTER DATABASE "+c.name+" OWNER TO "+role, "ALTER SCHEMA public OWNER TO "+role)
	c.Cleanup(func() { c.exec("REASSIGN OWNED BY "+role+" TO postgres", "DROP OWNED BY "+role, "DROP ROLE "+role) })
	c.dsn = servers.Postgres(c).DSN(role, c.name)
	return role
}

// TestRoles: roles that policies do not hold.
func TestRoles(t *testing.T) {
	t.Parallel()
	for _, attribute := range []string{"SUPERUSER", "BYPASSRLS"} {
		t.Run(attribute, func(t *testing.T) {
			t.Parallel()
			c := onPostgres(t, shared.New(shared.RowLevelSecurity()))
			role := login(c)
			sick{
				code: "role-above-policies", role: role,
				breaks: "ALTER ROLE " + role + " " + attribute, mends: "ALTER ROLE " + role + " NO" + attribute,
			}.check(c.settle())
		})
	}
}

// TestBypassRole: rows are looked at by the role that sees all, and the check fails where that is not certain.
func TestBypassRole(t *testing.T) {
	t.Parallel()
	c := onPostgres(t, nil)
	reporting := "reporting_" + c.name
	role := login(c)
	c.exec("CREATE ROLE "+reporting+" BYPASSRLS NOLOGIN", "GRANT "+reporting+" TO "+role)
	t.Cleanup(func() { c.exec("DROP OWNED BY "+reporting, "DROP ROLE "+reporting) })
	c.strategy = shared.New(shared.RowLevelSecurity(), shared.BypassRole(reporting))
	c.exec("ALTER DEFAULT PRIVILEGES FOR ROLE " + role + " GRANT SELECT ON TABLES TO " + reporting)
	c.settle()
	sick{
		code: "row-orphaned", tenant: "ghost", table: "polls",
		breaks: "UPDATE polls SET tenant_id = 'ghost' WHERE tenant_id = 'a'", mends: "UPDATE polls SET tenant_id = 'a' WHERE tenant_id = 'ghost'",
	}.check(c)
	sick{code: "bypass-role", role: reporting, breaks: "ALTER ROLE " + reporting + " NOBYPASSRLS", mends: "ALTER ROLE " + reporting + " BYPASSRLS"}.check(c)
	c.exec("UPDATE polls SET tenant_id = 'ghost' WHERE tenant_id = 'a'", "ALTER ROLE "+reporting+" NOBYPASSRLS")
	pool, err := c.db.DB()
	must(t, err)
	pool.SetMaxIdleConns(0) // a cached plan survives ALTER ROLE
	if r := c.run(); status(r, "rows").Status != doctor.Failed || len(find(r, "row-orphaned")) != 0 {
		t.Errorf("a role that sees nothing says that nothing is there:\n%s", r)
	}
}

// TestHiddenRows: without a role that sees all rows, they are not looked at, and the report says so.
func TestHiddenRows(t *testing.T) {
	t.Parallel()
	r := wards["row-level security"](t).run()
	if s := status(r, "rows"); s.Status != doctor.Skipped || !strings.Contains(s.Why, "BypassRole") {
		t.Error(s)
	}
}

// Board is a table in the tests of views.
type Board struct {
	TenantID string `gorm:"size:63;index"`
	Title    string `gorm:"size:100"`
}

// TestViews: a view that stands for a table must be held by policies, too.
func TestViews(t *testing.T) {
	t.Parallel()
	for code, kind := range map[string]string{"view-above-policies": "VIEW", "policy-impossible": "MATERIALIZED VIEW"} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			c := onPostgres(t, shared.New(shared.RowLevelSecurity()), tenancy.OwnedModels(&Board{})).settle()
			sick{
				code: code, table: "boards",
				breaks: "ALTER TABLE boards RENAME TO old; CREATE " + kind + " boards AS SELECT tenant_id, title FROM polls; GRANT SELECT ON boards TO app",
				mends:  "DROP " + kind + " boards; ALTER TABLE old RENAME TO boards",
			}.check(c)
		})
	}
}

// TestUnreachable: a check that cannot look has failed, and the report is no success.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	server := servers.NewPostgres(t)
	name := server.Database(t)
	c := &clinic{TB: t, kind: "postgres", name: name, strategy: schema.New(), dsn: server.DSN(servers.App, name)}
	c.raw = c.connect("pgx", server.DSN(servers.Superuser, name))
	c.settle().migrations()
	server.Kill(t)
	r := c.run()
	for _, name := range []string{"pooler", "strategy", "places", "catalog", "names", "migrations"} {
		if status(r, name).Status != doctor.Failed {
			t.Errorf("%s", status(r, name))
		}
	}
	if !errors.Is(r.Err(), doctor.ErrUnhealthy) || strings.Contains(r.String(), "127.0.0.1") {
		t.Errorf("%s", r)
	}
	server.Start(t)
	if r := c.run(); r.Err() != nil {
		t.Errorf("it is back:\n%s", r)
	}
}

// TestRefused: what makes db.Use fail has a report, too.
func TestRefused(t *testing.T) {
	t.Parallel()
	for code, tc := range map[string]struct {
		ward   func(t testing.TB) *clinic
		breaks string
		models []any
	}{
		"table-misplaced":     {ward: func(t testing.TB) *clinic { return onPostgres(t, schema.New()) }, breaks: "CREATE TABLE public.polls (id int); CREATE TABLE public.choices (id int)"},
		"table-qualified":     {ward: func(t testing.TB) *clinic { return onPostgres(t, schema.New()) }, models: []any{&elsewhere{}}},
		"central-unqualified": {ward: func(t testing.TB) *clinic { return onMariaDB(t, nil) }},
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			c := tc.ward(t)
			if tc.breaks != "" {
				c.exec(strings.Split(tc.breaks, "; ")...)
			}
			c.plugin = append(c.plugin, tenancy.OwnedModels(tc.models...))
			s := schema.New()
			d := postgres.Open(c.dsn)
			if c.kind == "mysql" {
				d = openMySQL(c.dsn)
			}
			db, err := gorm.Open(d, &gorm.Config{Logger: logger.Discard})
			must(t, err)
			err = db.Use(tenancy.New(s, c.options()...))
			r, ok := doctor.Refused(err)
			if !ok || len(find(r, code)) == 0 || r.Err() == nil || status(r, "strategy").Status != doctor.Done {
				t.Errorf("%v: %s", err, r)
			}
			if code == "table-misplaced" && len(find(r, code)) != 2 {
				t.Errorf("not all:\n%s", r)
			}
			if _, err := doctor.Run(context.Background(), db); err == nil {
				t.Error("examined without the plugin")
			}
		})
	}
	if _, ok := doctor.Refused(errors.New("no such host")); ok {
		t.Error("any error is a report")
	}
}

type elsewhere struct {
	ID int
}

func (elsewhere) TableName() string { return "legacy.elsewhere" }
