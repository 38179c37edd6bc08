package doctor_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/doctor"
	"github.com/gorm-tenancy/tenancy/strategies/schema"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
)

// sick is one way to break a database.
type sick struct {
	ward                string // see wards
	code                string
	breaks, mends       string // SQL; $ is the prefix of tenants' databases
	table, tenant, role string // parts of the finding
	breakIt, mendIt     func(c *clinic)
}

// TestBroken breaks a healthy database in one way, finds that, mends it, and finds nothing.
func TestBroken(t *testing.T) {
	t.Parallel()
	cases := []sick{
		{
			ward: "row-level security", code: "rls-off", table: "polls",
			breaks: "ALTER TABLE polls DISABLE ROW LEVEL SECURITY", mends: "ALTER TABLE polls ENABLE ROW LEVEL SECURITY",
		},
		{
			ward: "row-level security", code: "rls-not-forced", table: "choices",
			breaks: "ALTER TABLE choices NO FORCE ROW LEVEL SECURITY", mends: "ALTER TABLE choices FORCE ROW LEVEL SECURITY",
		},
		{ward: "row-level security", code: "policy-missing", table: "polls", breaks: "DROP POLICY tenancy ON polls", mendIt: policies},
		{
			ward: "row-level security", code: "policy-changed", table: "polls",
			breaks: "ALTER POLICY tenancy ON polls USING (true)", mendIt: policies,
		},
		{
			ward: "row-level security", code: "policy-foreign", table: "polls",
			breaks: "CREATE POLICY all_see ON polls USING (true)", mends: "DROP POLICY all_see ON polls",
		},
		{
			ward: "row-level security", code: "table-forgotten", table: "secrets",
			breaks: "CREATE TABLE secrets (tenant_id text); GRANT SELECT ON secrets TO app", mends: "REVOKE SELECT ON secrets FROM app",
		},
		{
			ward: "schema on Postgres", code: "table-misplaced", table: `"public"."polls"`,
			breaks: "CREATE TABLE public.polls (id int)", mends: "DROP TABLE public.polls",
		},
		{
			ward: "schema on Postgres", code: "central-shadowed", table: "plans", tenant: "a",
			breaks: "CREATE TABLE tenant_a.plans (id int)", mends: "DROP TABLE tenant_a.plans",
		},
		{
			ward: "schema on Postgres", code: "place-foreign", tenant: "stranger",
			breaks: "CREATE SCHEMA tenant_stranger", mends: "DROP SCHEMA tenant_stranger",
		},
		{
			ward: "schema on Postgres", code: "place-taken", tenant: "a",
			breaks: "COMMENT ON SCHEMA tenant_a IS 'somebody''s'", mends: "COMMENT ON SCHEMA tenant_a IS 'tenancy:a'",
		},
		{ward: "schema on Postgres", code: "place-collides", breaks: `CREATE SCHEMA "tenant_A"`, mends: `DROP SCHEMA "tenant_A"`},
		{ward: "schema on Postgres", code: "place-missing", tenant: "b", breaks: "DROP SCHEMA tenant_b CASCADE", mendIt: provision("b")},
		{
			ward: "schema on Postgres", code: "id-invalid", tenant: "public",
			breaks: "UPDATE tenancy_tenants SET id = 'public' WHERE id = 'b'", mends: "UPDATE tenancy_tenants SET id = 'b' WHERE id = 'public'",
		},
		{
			ward: "schema on MariaDB", code: "table-misplaced", table: "polls",
			breaks: "CREATE TABLE polls (id int)", mends: "DROP TABLE polls",
		},
		{
			ward: "schema on MariaDB", code: "place-foreign", tenant: "stranger",
			breaks: "CREATE DATABASE $stranger", mends: "DROP DATABASE $stranger",
		},
		{ward: "schema on MariaDB", code: "place-missing", tenant: "b", breaks: "DROP DATABASE $b", mendIt: provision("b")},
		{
			ward: "database on SQLite", code: "table-misplaced", table: "polls",
			breaks: "CREATE TABLE polls (id int)", mends: "DROP TABLE polls",
		},
		{ward: "database on SQLite", code: "place-missing", tenant: "b", breakIt: func(c *clinic) {
			must(c, os.Rename(filepath.Join(c.files, "tenant_b.db"), filepath.Join(c.files, "kept")))
		}, mendIt: func(c *clinic) {
			must(c, os.Rename(filepath.Join(c.files, "kept"), filepath.Join(c.files, "tenant_b.db")))
		}},
		{ward: "database on SQLite", code: "place-foreign", tenant: "stranger", breakIt: file("tenant_stranger.db"), mendIt: noFile("tenant_stranger.db")},
		{ward: "database on SQLite", code: "place-foreign", breakIt: file("tenant_gone.db-wal"), mendIt: noFile("tenant_gone.db-wal")},
		{ward: "database on SQLite", code: "place-collides", breakIt: file("tenant_A.db"), mendIt: noFile("tenant_A.db")},
		{
			ward: "database on Postgres", code: "table-misplaced", table: "polls",
			breaks: "CREATE TABLE polls (id int); GRANT SELECT ON polls TO app", mends: "DROP TABLE polls",
		},
		{
			ward: "database on Postgres", code: "place-foreign", tenant: "stranger",
			breaks: "CREATE DATABASE $stranger", mends: "DROP DATABASE $stranger",
		},
		{ward: "database on Postgres", code: "place-missing", tenant: "b", breaks: "DROP DATABASE $b WITH (FORCE)", mendIt: provision("b")},
		{
			ward: "database on MariaDB", code: "table-misplaced", table: "polls",
			breaks: "CREATE TABLE polls (id int)", mends: "DROP TABLE polls",
		},
		{
			ward: "database on MariaDB", code: "place-foreign", tenant: "stranger",
			breaks: "CREATE DATABASE $stranger", mends: "DROP DATABASE $stranger",
		},
		{ward: "database on MariaDB", code: "place-missing", tenant: "b", breaks: "DROP DATABASE $b; DROP USER $b", mendIt: provision("b")},
	}
	for ward := range wards {
		if strings.HasPrefix(ward, "shared") {
			cases = append(cases, sharedCases(ward)...)
		} else if ward != "row-level security" && !strings.HasPrefix(ward, "hybrid") {
			cases = append(cases, sick{ward: ward, code: "place-orphaned", tenant: "left", breakIt: provision("left"), mendIt: func(c *clinic) {
				must(c, c.strategy.(tenancy.Provisioner).Deprovision(context.Background(), "left"))
			}})
		}
	}
	for _, s := range append(cases, hybridCases()...) {
		t.Run(s.ward+": "+s.code, func(t *testing.T) {
			t.Parallel()
			s.check(wards[s.ward](t))
		})
	}
}

// sharedCases are those of every database.
func sharedCases(ward string) []sick {
	drop := func(index string) string {
		if ward == "shared on MariaDB" {
			return "DROP INDEX " + index + " ON polls"
		}
		return "DROP INDEX " + index
	}
	return []sick{
		{
			ward: ward, code: "unique-global", table: "polls",
			breaks: "CREATE UNIQUE INDEX titles ON polls (title)", mends: drop("titles") + "; CREATE UNIQUE INDEX titles ON polls (tenant_id, title)",
		},
		{
			ward: ward, code: "index-missing", table: "polls",
			breaks: drop("idx_polls_tenant_id") + "; CREATE INDEX other ON polls (title, tenant_id)", mends: "CREATE INDEX again ON polls (tenant_id)",
		},
		{
			ward: ward, code: "column-missing", table: "polls",
			breaks: "ALTER TABLE polls RENAME COLUMN tenant_id TO owner", mends: "ALTER TABLE polls RENAME COLUMN owner TO tenant_id",
		},
		{
			ward: ward, code: "table-missing", table: "choices",
			breaks: "ALTER TABLE choices RENAME TO old", mends: "ALTER TABLE old RENAME TO choices",
		},
		{
			ward: ward, code: "row-unowned", table: "polls",
			breaks: "UPDATE polls SET tenant_id = NULL WHERE tenant_id = 'a'", mends: "UPDATE polls SET tenant_id = 'a' WHERE tenant_id IS NULL",
		},
		{
			ward: ward, code: "row-unowned", table: "choices",
			breaks: "UPDATE choices SET tenant_id = '' WHERE tenant_id = 'a'", mends: "UPDATE choices SET tenant_id = 'a' WHERE tenant_id = ''",
		},
		{
			ward: ward, code: "row-orphaned", table: "polls", tenant: "ghost",
			breaks: "UPDATE polls SET tenant_id = 'ghost' WHERE tenant_id = 'a'", mends: "UPDATE polls SET tenant_id = 'a' WHERE tenant_id = 'ghost'",
		},
		{
			ward: ward, code: "row-orphaned", table: "polls", tenant: "a",
			breaks: "DELETE FROM choices; UPDATE tenancy_tenants SET state = 'purged' WHERE id = 'a'", mends: "UPDATE tenancy_tenants SET state = 'active' WHERE id = 'a'",
		},
		{
			ward: ward, code: "id-invalid", tenant: "B",
			breaks: "UPDATE tenancy_tenants SET id = 'B' WHERE id = 'b'", mends: "UPDATE tenancy_tenants SET id = 'b' WHERE id = 'B'",
		},
	}
}

func (s sick) check(c *clinic) {
	c.Helper()
	run := func(sql string, f func(*clinic)) {
		c.Helper()
		for statement := range strings.SplitSeq(strings.ReplaceAll(sql, "$", c.prefix), "; ") {
			if statement != "" {
				c.exec(statement)
			}
		}
		if f != nil {
			f(c)
		}
	}
	if found := find(c.run(), s.code); len(found) != 0 {
		c.Fatalf("before: %v", found)
	}
	run(s.breaks, s.breakIt)
	r := c.run()
	found := find(r, s.code)
	if len(found) != 1 {
		c.Fatalf("%d times:\n%s", len(found), r)
	}
	f := found[0]
	if !strings.Contains(f.Table, s.table) || (s.tenant != "" && f.Tenant != s.tenant) || !strings.Contains(f.Role, s.role) ||
		f.Message == "" || f.Mend == "" {
		c.Errorf("%+v", f)
	}
	if (f.Severity == doctor.Error) != (r.Err() != nil) {
		c.Errorf("the report says %v", r.Err())
	}
	run(s.mends, s.mendIt)
	if r := c.run(); len(find(r, s.code)) != 0 || r.Count(doctor.Error) != 0 {
		c.Errorf("mended:\n%s", r)
	}
}

func policies(c *clinic) {
	text, err := c.strategy.(interface {
		PolicySQL(db *gorm.DB, p *tenancy.Plugin) (string, error)
	}).PolicySQL(c.db, c.db.Plugins[tenancy.PluginName].(*tenancy.Plugin))
	must(c, err)
	for statement := range strings.SplitSeq(text, ";\n") {
		if statement != "" {
			c.exec(statement)
		}
	}
}

func provision(id tenancy.ID) func(*clinic) {
	return func(c *clinic) {
		must(c, c.strategy.(tenancy.Provisioner).Provision(context.Background(), id))
	}
}

func file(name string) func(*clinic) {
	return func(c *clinic) { must(c, os.WriteFile(filepath.Join(c.files, name), []byte("text"), 0o600)) }
}

func noFile(name string) func(*clinic) {
	return func(c *clinic) { must(c, os.Remove(filepath.Join(c.files, name))) }
}

// TestCollidingIDs finds two records that one name stands for.
func TestCollidingIDs(t *testing.T) {
	t.Parallel()
	c := onSQLite(t).settle()
	sick{
		code: "id-collides", breaks: "UPDATE tenancy_tenants SET id = 'A' WHERE id = 'b'; UPDATE polls SET tenant_id = 'a'; UPDATE choices SET tenant_id = 'a'",
		mends: "UPDATE tenancy_tenants SET id = 'b' WHERE id = 'A'",
	}.check(c)
}

// TestLongID finds an id that the database would cut or refuse.
func TestLongID(t *testing.T) {
	t.Parallel()
	sick{
		code: "id-too-long", table: "polls", tenant: "longer",
		breaks: "UPDATE tenancy_tenants SET id = 'longer' WHERE id = 'b'; DELETE FROM choices; DELETE FROM polls; ALTER TABLE polls ALTER tenant_id TYPE varchar(5)",
		mends:  "ALTER TABLE polls ALTER tenant_id TYPE varchar(63)",
	}.check(onPostgres(t, shared.New()).settle())
}

// TestNamesBehindThePrefix finds an id that fits by itself and not behind the prefix.
func TestNamesBehindThePrefix(t *testing.T) {
	t.Parallel()
	c := onPostgres(t, schema.New()).settle()
	long := strings.Repeat("x", 60)
	sick{
		code: "id-invalid", tenant: long,
		breaks: "UPDATE tenancy_tenants SET id = '" + long + "' WHERE id = 'b'", mends: "UPDATE tenancy_tenants SET id = 'b' WHERE id = '" + long + "'",
	}.check(c)
}
