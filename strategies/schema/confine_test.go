package schema_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/internal/servers"
	"github.com/gorm-tenancy/tenancy/strategies/schema"
	"github.com/gorm-tenancy/tenancy/tenantconn"
)

// TestNoTenant: without a tenant nothing owned is reached, by any route, and central tables work.
func TestNoTenant(t *testing.T) {
	t.Parallel()
	e := newEnv(t, setup{})
	pool, err := e.db.DB()
	must(t, err)
	for name, run := range map[string]func(db *gorm.DB) error{
		"find":         func(db *gorm.DB) error { return db.Find(&[]Poll{}).Error },
		"raw":          func(db *gorm.DB) error { return db.Raw("SELECT count(*) FROM polls").Scan(new(int)).Error },
		"row":          func(db *gorm.DB) error { return db.Raw("SELECT id FROM polls WHERE id = 1").Row().Scan(new(int)) },
		"create":       func(db *gorm.DB) error { return db.Create(&Poll{}).Error },
		"update":       func(db *gorm.DB) error { return db.Model(&Poll{}).Where("true").Update("title", "x").Error },
		"delete":       func(db *gorm.DB) error { return db.Delete(&Choice{}, 1).Error },
		"table":        func(db *gorm.DB) error { return db.Table("polls").Find(&[]map[string]any{}).Error },
		"begin":        func(db *gorm.DB) error { return db.Transaction(func(*gorm.DB) error { return nil }) },
		"database/sql": func(db *gorm.DB) error { return pool.QueryRowContext(db.Statement.Context, "SELECT 1").Scan(new(int)) },
		"prepare": func(db *gorm.DB) error {
			_, err := pool.PrepareContext(db.Statement.Context, "SELECT 1")
			return err
		},
		"ddl": func(db *gorm.DB) error { return db.Exec("CREATE TABLE x (id int)").Error },
	} {
		e.untouched(func() {
			if err := run(e.db.WithContext(context.Background())); !errors.Is(err, tenancy.ErrNoTenant) {
				t.Errorf("%s: %v", name, err)
			}
		})
		must(t, run(e.db.WithContext(as("a")))) // the control
	}
	for name, ctx := range map[string]context.Context{
		"nobody": context.Background(), "central": tenancy.Central(context.Background()), "bypass": bypass(), "a": as("a"),
	} {
		var plan Plan
		if err := e.db.WithContext(ctx).Take(&plan, 2).Error; err != nil || plan.Name != "gold" {
			t.Errorf("as %s: %v %v", name, plan, err)
		}
		if err := e.db.WithContext(ctx).Create(&Tag{Name: name}).Error; err != nil {
			t.Errorf("as %s: %v", name, err)
		}
	}
	if got := e.query("SELECT count(*) FROM public.tags"); got != "6" {
		t.Errorf("%s tags", got)
	}
}

// TestBypass: nobody's statements over all tenants have no schema, so that they fail instead of reaching one.
func TestBypass(t *testing.T) {
	t.Parallel()
	e := newEnv(t, setup{})
	e.untouched(func() {
		all := e.db.WithContext(bypass())
		for name, err := range map[string]error{
			"find":       all.Find(&[]Poll{}).Error,
			"create":     all.Create(&Poll{}).Error,
			"migrate":    all.AutoMigrate(&Poll{}),
			"make":       all.Migrator().CreateTable(&Poll{}),
			"raw create": all.Exec("CREATE TABLE polls (id int)").Error,
			"if not":     all.Exec(`create table if not exists "polls"(id int)`).Error,
			"second":     all.Exec("DROP TABLE IF EXISTS nothing, polls").Error,
			"several":    all.Scopes(tenancy.ForTenants("a", "b")).Find(&[]Poll{}).Error,
			"central":    e.db.WithContext(tenancy.Central(context.Background())).Find(&[]Poll{}).Error,
		} {
			if !errors.Is(err, tenancy.ErrUnconfined) && !errors.Is(err, tenancy.ErrNoTenant) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := all.Raw("SELECT title FROM polls").Scan(&[]string{}).Error; err == nil {
			t.Error("raw SQL under Bypass found some tenant's polls")
		}
	})
	var polls []Poll
	must(t, e.db.WithContext(bypass()).Scopes(tenancy.ForTenant("b")).Order("id").Find(&polls).Error)
	if len(polls) != 2 || polls[0].Title != "b-poll1" {
		t.Errorf("%+v", polls)
	}
	var n int
	must(t, e.db.WithContext(bypass()).Raw("SELECT (SELECT count(*) FROM tenant_a.polls) + (SELECT count(*) FROM tenant_b.polls)").Scan(&n).Error)
	if n != 4 {
		t.Errorf("Bypass may read qualified names: %d", n)
	}
}

// TestUnknownTenant: a schema that is not there is an error, and nothing is made or found in a shared one instead.
func TestUnknownTenant(t *testing.T) {
	t.Parallel()
	for name, mode := range modes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, mode)
			e.untouched(func() {
				db := e.db.WithContext(as("ghost"))
				for name, err := range map[string]error{
					"find":        db.Find(&[]Poll{}).Error,
					"raw":         db.Raw("SELECT * FROM polls").Scan(&[]map[string]any{}).Error,
					"create":      db.Create(&Poll{Title: "x"}).Error,
					"migrate":     db.AutoMigrate(&Poll{}),
					"make":        db.Migrator().CreateTable(&Voter{}),
					"ddl":         db.Exec("CREATE TABLE loot (id int)").Error,
					"view":        db.Exec("CREATE VIEW loot AS SELECT 1").Error,
					"type":        db.Exec("CREATE TYPE loot AS ENUM ('x')").Error,
					"function":    db.Exec("CREATE FUNCTION loot() RETURNS int LANGUAGE sql AS 'SELECT 1'").Error,
					"transaction": db.Transaction(func(tx *gorm.DB) error { return tx.Exec("CREATE TABLE loot (id int)").Error }),
				} {
					if err == nil {
						t.Errorf("%s: worked", name)
					}
				}
			})
			if got := e.query("SELECT count(*) FROM pg_class WHERE relname IN ('loot')"); got != "0" {
				t.Error("something was made")
			}
		})
	}
}

// TestOtherTenantInside: a transaction, a connection and a prepared statement keep their tenant.
func TestOtherTenantInside(t *testing.T) {
	t.Parallel()
	e := newEnv(t, setup{})
	e.untouched(func() {
		must(t, e.db.WithContext(as("a")).Transaction(func(tx *gorm.DB) error {
			for name, ctx := range map[string]context.Context{"b": as("b"), "bypass": bypass(), "central": tenancy.Central(context.Background())} {
				if err := tx.WithContext(ctx).Exec("SELECT 1").Error; !errors.Is(err, tenancy.ErrTenantMismatch) && !errors.Is(err, tenancy.ErrUnconfined) {
					t.Errorf("%s inside a: %v", name, err)
				}
			}
			return tx.Create(&Voter{Name: "a-inside"}).Error
		}))
		// A pinned connection is the caller's; each statement says for whom it is.
		must(t, e.db.WithContext(as("a")).Connection(func(tx *gorm.DB) error {
			var titles []string
			must(t, tx.WithContext(as("b")).Model(&Poll{}).Order("id").Pluck("title", &titles).Error)
			if fmt.Sprint(titles) != "[b-poll1 b-poll2]" {
				t.Error(titles)
			}
			return nil
		}))
	})
	pool, _ := e.db.DB()
	stmt, err := pool.PrepareContext(as("a"), "SELECT title FROM polls WHERE id = 1")
	must(t, err)
	defer stmt.Close()
	for _, id := range []tenancy.ID{"b", "a", "b"} {
		var title string
		must(t, stmt.QueryRowContext(as(id)).Scan(&title))
		if title != string(id)+"-poll1" {
			t.Errorf("as %s: %s", id, title)
		}
	}
}

// TestClimb tries to leave the schema by SQL text.
func TestClimb(t *testing.T) {
	t.Parallel()
	e := newEnv(t, setup{})
	e.untouched(func() {
		for _, q := range []string{
			"SET search_path = tenant_b", "SET LOCAL search_path TO tenant_b", "RESET search_path", "RESET ALL", "DISCARD ALL",
			"SELECT set_config('search_path', 'tenant_b', false)", "/* */ set /* */ SEARCH_PATH = tenant_b", "SELECT 1; SET search_path = tenant_b",
			"SET SESSION search_path = tenant_b", "ALTER ROLE app SET search_path = tenant_b", "DO $$ BEGIN PERFORM 1; END $$",
			"SET SCHEMA 'tenant_b'", "DROP TABLE plans", "DROP TABLE IF EXISTS nothing, public.plans", "truncate tags",
			"CREATE TABLE IF NOT EXISTS plans(id int)", "ALTER TABLE plans ADD x int", "CREATE TABLE plans (id int)", "TRUNCATE TABLE tags",
		} {
			if err := e.db.WithContext(as("a")).Exec(q).Error; !errors.Is(err, tenancy.ErrUnconfined) {
				t.Errorf("%s: %v", q, err)
			}
			var title string
			must(t, e.db.WithContext(as("a")).Raw("SELECT title FROM polls WHERE id = 1").Scan(&title).Error)
			if title != "a-poll1" {
				t.Fatalf("after %s: %s", q, title)
			}
		}
	})
}

// TestTemporaryTable: a temporary table of the name of a tenant's table never stands in front of it, on whichever
// connection another tenant left it.
func TestTemporaryTable(t *testing.T) {
	t.Parallel()
	e := newEnv(t, setup{})
	pool, _ := e.db.DB()
	pool.SetMaxOpenConns(1)
	_ = e.db.WithContext(as("a")).Exec("CREATE TEMP TABLE voters AS SELECT id, name, email FROM tenant_a.voters").Error // may be refused
	var names []string
	must(t, e.db.WithContext(as("b")).Model(&Voter{}).Order("id").Pluck("name", &names).Error)
	if fmt.Sprint(names) != "[b-ann b-bob]" {
		t.Errorf("b read %v", names)
	}
}

// TestUnwrapped: outside the wall a pgx connection finds no tables; InTransaction is inside.
func TestUnwrapped(t *testing.T) {
	t.Parallel()
	e := newEnv(t, setup{})
	pool, _ := e.db.DB()
	conn, err := pool.Conn(as("a"))
	must(t, err)
	defer conn.Close()
	must(t, conn.Raw(func(c any) error {
		inner := tenantconn.Unwrap(c).(*stdlib.Conn).Conn()
		for _, table := range []string{"polls", "plans"} {
			if _, err := inner.Exec(context.Background(), "SELECT * FROM "+table); err == nil {
				t.Errorf("%s was found", table)
			}
		}
		return nil
	}))
	must(t, tenantconn.InTransaction(as("b"), pool, func(c *pgx.Conn) error {
		_, err := c.CopyFrom(context.Background(), pgx.Identifier{"voters"}, []string{"name"}, pgx.CopyFromRows([][]any{{"b-copy"}}))
		return err
	}))
	if got := e.query("SELECT string_agg(name, ' ' ORDER BY id) FROM tenant_b.voters"); got != "b-ann b-bob b-copy" {
		t.Error(got)
	}
}

// TestPgBouncer runs every operation through a pooler in transaction mode that has one server connection for all.
func TestPgBouncer(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"exec", "simple_protocol"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			with := setup{
				params:  "&default_query_exec_mode=" + mode,
				options: []schema.Option{schema.Pooled()},
				through: func(dsn string) string { return servers.PgBouncer(t, dsn, 2) },
			}
			compare(t, newEnv(t, with), setup{params: with.params}, without("ddl")) // the settings end with the transaction
		})
	}
}
