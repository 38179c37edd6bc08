package doctor_test

import (
	"context"
	"os"
	"path/filepath"

	"github.com/gorm-tenancy/tenancy/catalog"
)

// hide takes the file of c away, or brings it back.
func hide(back bool) func(*clinic) {
	return func(c *clinic) {
		from, to := filepath.Join(c.files, "tenant_c.db"), c.files+".hidden"
		if back {
			from, to = to, from
		}
		must(c, os.Rename(from, to))
	}
}

// hybridCases break one member each; c has a place of its own.
func hybridCases() []sick {
	move := func(member string) func(*clinic) {
		return func(c *clinic) {
			_, err := c.tenants.Update(context.Background(), "c", func(t *catalog.Tenant) error { t.Strategy = member; return nil })
			must(c, err)
		}
	}
	return []sick{
		{
			ward: "hybrid on Postgres", code: "place-missing", tenant: "c",
			breaks: "DROP SCHEMA tenant_c CASCADE", mendIt: provision("c"),
		},
		{
			ward: "hybrid on Postgres", code: "place-left", tenant: "a",
			breaks: "CREATE SCHEMA tenant_a; COMMENT ON SCHEMA tenant_a IS 'tenancy:a'", mends: "DROP SCHEMA tenant_a",
		},
		{
			ward: "hybrid on Postgres", code: "place-orphaned", tenant: "left",
			breaks: "CREATE SCHEMA tenant_left; COMMENT ON SCHEMA tenant_left IS 'tenancy:left'", mends: "DROP SCHEMA tenant_left",
		},
		{
			ward: "hybrid on Postgres", code: "place-foreign", tenant: "stranger",
			breaks: "CREATE SCHEMA tenant_stranger", mends: "DROP SCHEMA tenant_stranger",
		},
		{
			ward: "hybrid on Postgres", code: "central-shadowed", table: "plans", tenant: "c",
			breaks: "CREATE TABLE tenant_c.plans (id int)", mends: "DROP TABLE tenant_c.plans",
		},
		{
			ward: "hybrid on Postgres", code: "table-missing", table: "choices",
			breaks: "ALTER TABLE public.choices RENAME TO old", mends: "ALTER TABLE public.old RENAME TO choices",
		},
		{
			ward: "hybrid on Postgres", code: "row-left", table: "polls", tenant: "c",
			breaks: "INSERT INTO public.polls (tenant_id, title) VALUES ('c', 'left')", mends: "DELETE FROM public.polls WHERE tenant_id = 'c'",
		},
		{
			ward: "hybrid with policies", code: "rls-off", table: "polls",
			breaks: "ALTER TABLE public.polls DISABLE ROW LEVEL SECURITY", mends: "ALTER TABLE public.polls ENABLE ROW LEVEL SECURITY",
		},
		{
			ward: "hybrid with policies", code: "table-forgotten", table: "secrets",
			breaks: "CREATE TABLE secrets (tenant_id text); GRANT SELECT ON secrets TO app", mends: "DROP TABLE secrets",
		},
		{ward: "hybrid on SQLite", code: "place-missing", tenant: "c", breakIt: hide(false), mendIt: hide(true)},
		{ward: "hybrid on SQLite", code: "tenant-unplaced", tenant: "c", breakIt: move("elsewhere"), mendIt: move("database")},
		{ward: "hybrid on SQLite", code: "place-left", tenant: "c", breakIt: move("shared"), mendIt: move("database")},
		{
			ward: "hybrid on SQLite", code: "index-missing", table: "polls",
			breaks: "DROP INDEX idx_polls_tenant_id; CREATE INDEX other ON polls (title, tenant_id)", mends: "CREATE INDEX again ON polls (tenant_id)",
		},
		{
			ward: "hybrid on MariaDB", code: "place-missing", tenant: "c", breaks: "DROP DATABASE $c", mendIt: provision("c"),
		},
	}
}
