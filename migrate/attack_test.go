package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/internal/servers"
	"github.com/gorm-tenancy/tenancy/migrate"
	"github.com/gorm-tenancy/tenancy/strategies/schema"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
)

// TestAttackUnqualified: what a step of a does without naming a schema happens in a, whatever it tries, and as nobody's
// context it is refused.
func TestAttackUnqualified(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, e *env) {
		before := e.titles("b")
		for name, run := range map[string]func(ctx context.Context, tx *gorm.DB) error{
			"another tenant's context": func(ctx context.Context, tx *gorm.DB) error {
				return shout(1).Run(ctx, tx.WithContext(tenancy.WithTenant(ctx, "b")))
			},
			"a bypass": func(ctx context.Context, tx *gorm.DB) error {
				return shout(1).Run(ctx, tx.WithContext(tenancy.Bypass(ctx, "loot")))
			},
			"a bypass for a row": func(ctx context.Context, tx *gorm.DB) error {
				var n int
				if err := tx.WithContext(tenancy.Bypass(ctx, "loot")).Raw("SELECT count(*) FROM polls").Row().Scan(&n); err == nil {
					return fmt.Errorf("it read %d", n)
				}
				return tenancy.ErrTenantMismatch
			},
			"no context": func(ctx context.Context, tx *gorm.DB) error {
				return shout(1).Run(ctx, tx.WithContext(context.Background()))
			},
			"another tenant's row": func(_ context.Context, tx *gorm.DB) error {
				if e.prefix != "" {
					return tenancy.ErrTenantMismatch // there the column means nothing
				}
				return tx.Create(&Poll{Title: "loot", TenantID: "b"}).Error
			},
			"the settings": func(_ context.Context, tx *gorm.DB) error {
				switch e.db.Name() {
				case "postgres":
					return tx.Exec("SET LOCAL search_path = tenant_b").Error
				case "mysql":
					return tx.Exec("USE " + e.prefix + "b").Error
				}
				return tx.Exec("UPDATE polls SET title = 'loot'").Error
			},
		} {
			r, err := migrate.New(e.db, migrate.List("a"), []migrate.Source{migrate.Step{Version: 1, Name: name, Run: run}})
			must(t, err)
			_, err = r.Up(t.Context())
			if !errors.Is(err, tenancy.ErrTenantMismatch) && !errors.Is(err, tenancy.ErrNoTenant) && !errors.Is(err, tenancy.ErrUnconfined) {
				t.Fatalf("%s: %v", name, err)
			}
			if e.db.Name() == "mysql" {
				must(t, r.Resolve(t.Context(), "a", 1, migrate.Undone))
			}
			if got := e.titles("b"); got != before {
				t.Errorf("%s: b has %s", name, got)
			}
		}
	})
}

// TestAttackFiles: nothing holds a SQL file inside a tenant that shares tables.
func TestAttackFiles(t *testing.T) {
	t.Parallel()
	e := sharedEnv(t, []tenancy.ID{"a", "b"})
	r, err := migrate.New(e.db, migrate.List("a"), []migrate.Source{
		migrate.Step{Version: 1, Name: "all", SQL: "-- +goose Up\nUPDATE polls SET title = 'loot';"},
	})
	must(t, err)
	if _, err := r.Up(t.Context()); !errors.Is(err, tenancy.ErrUnconfined) {
		t.Error(err)
	}
	if got := e.titles("a") + e.titles("b"); got != "a one, a twob one, b two" {
		t.Error(got)
	}
}

// TestAttackQualified: with roles the database refuses a step that names another tenant's schema, and what the step did in
// its own tenant before is rolled back.
func TestAttackQualified(t *testing.T) {
	t.Parallel()
	e := postgresEnv(t, []tenancy.ID{"a", "b"}, schema.Roles())
	other := e.prefix + "b."
	shape := func() string {
		return e.query("SELECT string_agg(concat_ws(' ', relname, attname, atttypid::regtype, relowner::regrole, relacl), ', ' ORDER BY relname, attnum) " +
			"FROM pg_class c JOIN pg_attribute ON attrelid = c.oid WHERE relnamespace = '" + e.prefix + "b'::regnamespace AND attnum > 0")
	}
	before, polls := shape(), e.titles("b")
	for i, q := range []string{
		"CREATE TABLE loot AS SELECT * FROM " + other + "polls", "ALTER TABLE " + other + "polls ADD COLUMN loot int",
		"UPDATE " + other + "polls SET title = 'loot'", "CREATE TABLE " + other + "loot (id int)", "DROP TABLE " + other + "polls",
		"TRUNCATE " + other + "polls", "DROP SCHEMA " + e.prefix + "b CASCADE", "CREATE INDEX ON " + other + "polls (title)",
		"CREATE FUNCTION " + other + "f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "GRANT SELECT ON " + other + "polls TO " + e.prefix + "a",
		"ALTER TABLE polls SET SCHEMA " + e.prefix + "b", "CREATE SCHEMA loot", "CREATE TABLE public.loot (id int)",
		"CREATE VIEW loot AS SELECT * FROM " + other + "polls; SELECT * FROM loot", "CREATE TABLE loot (LIKE " + other + "polls)",
		"ALTER TABLE polls ADD CONSTRAINT loot FOREIGN KEY (id) REFERENCES " + other + "polls (id)",
	} {
		first := fmt.Sprintf("CREATE TABLE mine%d (id int);\n", i)
		for name, opts := range map[string][]migrate.Option{"as the tenant": nil, "as the owner": {migrate.Within(schema.AsOwner)}} {
			r, err := migrate.New(e.db, migrate.List("a"), []migrate.Source{
				migrate.Step{Version: int64(i + 1), Name: "loot", SQL: "-- +goose Up\n" + first + q + ";"},
			}, opts...)
			must(t, err)
			_, err = r.Up(t.Context())
			var refused *pgconn.PgError
			if !errors.As(err, &refused) || refused.Code != "42501" {
				t.Fatalf("%s, %s: %v", q, name, err)
			}
			if shape() != before || e.titles("b") != polls {
				t.Fatalf("%s, %s: b is now %s: %s", q, name, shape(), e.titles("b"))
			}
			if got := e.query(fmt.Sprintf("SELECT count(*) FROM pg_class WHERE relname IN ('loot', 'mine%d')", i)); got != "0" {
				t.Errorf("%s, %s: something was left", q, name)
			}
		}
	}
	// The control: its own tables.
	r, err := migrate.New(e.db, migrate.List("a"), []migrate.Source{
		migrate.Step{Version: 1, Name: "mine", SQL: "-- +goose Up\nCREATE TABLE mine (id int);\nALTER TABLE " + e.prefix + "a.polls ADD COLUMN mine int;"},
		migrate.Models(),
	}, migrate.Within(schema.AsOwner))
	must(t, err)
	_, err = r.Up(t.Context())
	must(t, err)
	must(t, e.db.WithContext(tenancy.WithTenant(t.Context(), "a")).Exec("INSERT INTO mine VALUES (1)").Error)
}

// TestRowLevelSecurity: where the database holds tenants inside their rows, a file without any condition changes one
// tenant's, and DDL is refused.
func TestRowLevelSecurity(t *testing.T) {
	t.Parallel()
	server := servers.Postgres(t)
	dsn := server.DSN(servers.App, server.Database(t))
	strategy := shared.New(shared.RowLevelSecurity())
	plain, err := gorm.Open(postgres.Open(dsn), &gorm.Config{Logger: logger.Discard})
	must(t, err)
	must(t, strategy.Migrate(t.Context(), plain, plugin(strategy)))
	db := use(t, postgres.Open(dsn), strategy)
	pool, _ := plain.DB()
	pool.Close()
	titles := func(id tenancy.ID) (got []string) {
		must(t, db.WithContext(tenancy.WithTenant(t.Context(), id)).Model(&Poll{}).Order("id").Pluck("title", &got).Error)
		return got
	}
	for _, id := range []tenancy.ID{"a", "b"} {
		must(t, db.WithContext(tenancy.WithTenant(t.Context(), id)).Create(&Poll{Title: string(id)}).Error)
	}
	update := migrate.Step{Version: 1, Name: "all", SQL: "-- +goose Up\nUPDATE polls SET title = title || '!';"}
	one, err := migrate.New(db, migrate.List("a"), []migrate.Source{update})
	must(t, err)
	for range 2 {
		_, err = one.Up(t.Context())
		must(t, err)
	}
	if got := fmt.Sprint(titles("a"), titles("b")); got != "[a!] [b]" {
		t.Error(got)
	}
	for _, q := range []string{"ALTER TABLE polls DISABLE ROW LEVEL SECURITY", "CREATE TABLE loot AS SELECT * FROM polls"} {
		r, err := migrate.New(db, migrate.List("a"), []migrate.Source{update, migrate.Step{Version: 2, Name: "loot", SQL: "-- +goose Up\n" + q + ";"}})
		must(t, err)
		if _, err := r.Up(t.Context()); !errors.Is(err, tenancy.ErrUnconfined) {
			t.Errorf("%s: %v", q, err)
		}
	}
}
