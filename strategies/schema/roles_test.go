package schema_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/internal/servers"
	"github.com/gorm-tenancy/tenancy/strategies/schema"
)

// roleModes are modes with a role per tenant that may write central tables.
func roleModes(t *testing.T) map[string]setup {
	all := []string{"SELECT", "INSERT", "UPDATE", "DELETE"}
	return map[string]setup{
		"cache statement": {creator: true, options: []schema.Option{schema.Roles(all...)}},
		"simple":          {creator: true, options: []schema.Option{schema.Roles(all...)}, params: "&default_query_exec_mode=simple_protocol"},
		"session":         {creator: true, options: []schema.Option{schema.Roles(all...), schema.Session()}, config: gorm.Config{PrepareStmt: true}},
		"pooled": {
			creator: true, options: []schema.Option{schema.Roles(all...), schema.Pooled()}, params: "&default_query_exec_mode=exec",
			through: func(dsn string) string { return servers.PgBouncer(t, dsn, 2) },
		},
	}
}

// TestRoles: with a role per tenant everything but DDL works as in plain GORM, and the database refuses qualified names.
func TestRoles(t *testing.T) {
	t.Parallel()
	for name, mode := range roleModes(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, mode)
			denied(t, e)
			compare(t, e, setup{params: mode.params, config: mode.config}, without("ddl", "AutoMigrate",
				"prepared session", "prepared write", "prepared in database/sql", "generics write"))
		})
	}
}

// denied asks for b's rows as a, by name.
func denied(t *testing.T, e *env) {
	t.Helper()
	a := e.db.WithContext(as("a"))
	other := e.prefix + "b."
	e.untouched(func() {
		for _, q := range []string{
			"SELECT * FROM " + other + "polls", "INSERT INTO " + other + "voters (name) VALUES ('a')", "UPDATE " + other + "polls SET title = 'a'",
			"DELETE FROM " + other + "notes", "TRUNCATE " + other + "notes", "SELECT nextval('" + other + "polls_id_seq')",
			"CREATE TABLE " + other + "loot (id int)", "CREATE TABLE loot (id int)", "CREATE TABLE public.loot (id int)",
			"DROP SCHEMA " + e.prefix + "b CASCADE", "DROP TABLE polls", "ALTER TABLE polls ADD x int",
			"SELECT 1 FROM " + other + "polls FOR UPDATE", "COMMENT ON TABLE " + other + "polls IS 'x'", "GRANT SELECT ON polls TO PUBLIC",
			"WITH x AS (SELECT * FROM " + other + "polls) SELECT * FROM x", "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
		} {
			err := a.Exec(q).Error
			tx := a.Transaction(func(tx *gorm.DB) error { return tx.Exec(q).Error })
			for _, err := range []error{err, tx} {
				var pg *pgconn.PgError
				if strings.HasPrefix(q, "GRANT") && err == nil {
					continue // PostgreSQL warns that nothing was granted
				}
				if !errors.As(err, &pg) || pg.Code != "42501" {
					t.Errorf("%s: %v", q, err)
				}
			}
		}
		for _, q := range []string{
			"RESET ROLE", "SET ROLE " + e.prefix + "b", "SET LOCAL ROLE none", "SET SESSION AUTHORIZATION DEFAULT",
			"SELECT set_config('role', 'none', false)", "SET session_authorization = DEFAULT; DELETE FROM " + other + "notes",
			"RESET session_authorization", "COMMIT; DELETE FROM " + other + "notes", "ROLLBACK; DELETE FROM " + other + "notes",
			"SELECT 1; END; DELETE FROM " + other + "notes",
		} {
			if err := a.Exec(q).Error; !errors.Is(err, tenancy.ErrUnconfined) {
				t.Errorf("%s: %v", q, err)
			}
		}
	})
	e.untouched(func() {
		for _, first := range []string{"ROLLBACK AND CHAIN", "COMMIT AND CHAIN", "COMMIT", "SET TRANSACTION READ WRITE"} {
			must(t, a.Transaction(func(tx *gorm.DB) error { // the control
				must(t, tx.Exec(first).Error)
				return tx.Exec("UPDATE polls SET title = title").Error
			}))
			if err := a.Transaction(func(tx *gorm.DB) error {
				must(t, tx.Exec(first).Error)
				return tx.Exec("DELETE FROM " + other + "notes").Error
			}); err == nil {
				t.Errorf("behind %s: worked", first)
			}
		}
	})
	if err := a.Exec("CREATE TEMP TABLE kept AS SELECT title FROM polls").Error; !errors.Is(err, tenancy.ErrUnconfined) {
		t.Errorf("a temporary table that stays on the connection: %v", err)
	}
	must(t, a.Transaction(func(tx *gorm.DB) error {
		return tx.Exec("CREATE TEMP TABLE kept ON COMMIT DROP AS SELECT title FROM polls").Error
	}))
	if err := e.db.WithContext(as("b")).Raw("SELECT title FROM kept").Scan(&[]string{}).Error; err == nil {
		t.Error("b read a's temporary table")
	}
	got := e.query("SELECT coalesce(string_agg(relacl::text, ' '), '') FROM pg_class WHERE relname = 'polls'")
	if strings.Contains(got, "{=r") || strings.Contains(got, ",=r") {
		t.Error("everybody may read: " + got)
	}
	var n int
	must(t, a.Raw("SELECT count(*) FROM "+e.prefix+"a.polls").Scan(&n).Error) // the control
	must(t, e.db.WithContext(bypass()).Raw("SELECT count(*) FROM "+other+"polls").Scan(&n).Error)
	if n != 2 {
		t.Errorf("Bypass sees %d polls of b", n)
	}
}

// TestRolesCentral: by default a tenant reads central tables and does not write them; those made later, too.
func TestRolesCentral(t *testing.T) {
	t.Parallel()
	e := newEnv(t, setup{creator: true, options: []schema.Option{schema.Roles()}})
	e.untouched(func() {
		a := e.db.WithContext(as("a"))
		var plan Plan
		must(t, a.Take(&plan, 1).Error)
		for name, err := range map[string]error{
			"create": a.Create(&Plan{Name: "x"}).Error, "update": a.Model(&plan).Update("name", "x").Error, "delete": a.Delete(&plan).Error,
		} {
			if err == nil {
				t.Errorf("%s: worked", name)
			}
		}
	})
	must(t, e.db.WithContext(bypass()).Exec("CREATE TABLE later (id int)").Error)
	must(t, e.db.WithContext(as("a")).Raw("SELECT count(*) FROM later").Scan(new(int)).Error)
}

// TestAsOwner: migrations leave the tenant's role, and not its schema; the role may use what they make.
func TestAsOwner(t *testing.T) {
	t.Parallel()
	e := newEnv(t, setup{creator: true, options: []schema.Option{schema.Roles()}})
	type Extra struct{ ID uint }
	ctx := as("a")
	if err := e.db.WithContext(ctx).Exec("CREATE TABLE extras (id bigserial)").Error; err == nil {
		t.Error("a tenant's role made a table")
	}
	e.untouched(func() {
		must(t, e.db.WithContext(schema.AsOwner(ctx)).Exec("CREATE TABLE extras (id bigserial)").Error)
		must(t, e.db.WithContext(schema.AsOwner(ctx)).AutoMigrate(ownedModels...))
	})
	e.untouched(func() {
		for _, q := range []string{
			"SELECT * FROM " + e.prefix + "b.polls", "ALTER TABLE " + e.prefix + "b.polls ADD x int", "CREATE TABLE " + e.prefix + "b.loot (id int)",
			"CREATE TABLE public.loot (id int)", "DROP SCHEMA " + e.prefix + "a CASCADE", "ALTER TABLE polls OWNER TO CURRENT_USER; SELECT * FROM " + e.prefix + "b.polls",
		} {
			var pg *pgconn.PgError
			if err := e.db.WithContext(schema.AsOwner(ctx)).Exec(q).Error; !errors.As(err, &pg) || pg.Code != "42501" {
				t.Errorf("%s: %v", q, err)
			}
		}
	})
	must(t, e.db.WithContext(schema.AsOwner(ctx)).Exec("ALTER TABLE polls ADD extra int; CREATE INDEX ON polls (extra); "+
		"CREATE TABLE billed (plan_id bigint REFERENCES plans (id))").Error)
	must(t, e.db.WithContext(ctx).Table("extras").Create(&Extra{}).Error)
	if got := e.query("SELECT count(*) FROM " + e.prefix + "a.extras"); got != "1" {
		t.Error(got)
	}
	must(t, e.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := tx.WithContext(schema.AsOwner(ctx)).Exec("SELECT 1").Error; !errors.Is(err, tenancy.ErrTenantMismatch) {
			t.Errorf("inside the role's transaction: %v", err)
		}
		return nil
	}))
	if err := e.db.WithContext(schema.AsOwner(context.Background())).Find(&[]Poll{}).Error; !errors.Is(err, tenancy.ErrNoTenant) {
		t.Error(err)
	}
}

// TestRolesProvision: roles come and go with their tenants, and nobody else's is taken.
func TestRolesProvision(t *testing.T) {
	t.Parallel()
	e := newEnv(t, setup{creator: true})
	strategy := schema.New(schema.Prefix(e.prefix), schema.Roles())
	db, err := open(t, e.dsn, gorm.Config{}, strategy)
	must(t, err)
	if err := db.WithContext(as("a")).Take(&Poll{}).Error; err == nil {
		t.Error("a tenant without a role was served")
	}
	ctx := context.Background()
	e.untouched(func() {
		for range 2 {
			must(t, strategy.Provision(ctx, "a"))
		}
		must(t, db.WithContext(as("a")).Take(&Poll{}, 1).Error)
	})
	for range 2 {
		must(t, strategy.Deprovision(ctx, "a"))
	}
	if got := e.query("SELECT count(*) FROM pg_roles WHERE rolname = '" + e.prefix + "a'"); got != "0" {
		t.Error("the role is there")
	}
	e.exec("CREATE ROLE " + e.prefix + "c")
	t.Cleanup(func() { e.exec("DROP ROLE " + e.prefix + "c") })
	for _, run := range []func(context.Context, tenancy.ID) error{strategy.Provision, strategy.Deprovision} {
		if err := run(ctx, "c"); !errors.Is(err, schema.ErrForeign) {
			t.Error(err)
		}
	}
	if got := e.tables(e.prefix + "c"); got != "" {
		t.Error("a schema was made beside a foreign role")
	}
}

// TestRolesRefused: a role that may make no roles is told what to do.
func TestRolesRefused(t *testing.T) {
	t.Parallel()
	e := bare(t, setup{})
	strategy := schema.New(schema.Prefix("nobody_"), schema.Roles())
	_, err := open(t, e.dsn, gorm.Config{}, strategy)
	must(t, err)
	if err := strategy.Provision(context.Background(), "a"); err == nil || !strings.Contains(err.Error(), "CREATEROLE") {
		t.Error(err)
	}
	if got := e.tables("nobody_a"); got != "" {
		t.Error(got)
	}
}
