package shared_test

import (
	"errors"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/internal/servers"
)

// attacks are texts with which tenant a tries to become b. The connection wall refuses to send them.
var attacks = []string{
	"EXECUTE tenancy_settings('b')",
	"EXPLAIN ANALYZE EXECUTE tenancy_settings('b')",
	`CREATE TEMP TABLE y AS EXECUTE "tenancy_settings"('b')`,
	"UPDATE pg_settings SET setting = 'b' WHERE name = 'app.tenant_id'",
	"ALTER TABLE polls DISABLE ROW LEVEL SECURITY",
	"TRUNCATE polls",
	"SET LOCAL app.tenant_id = 'b'",
	"SET app.tenant_id TO b",
	"SET SESSION app.tenant_id = 'b'",
	"set local App.Tenant_ID = 'b'",
	"SET/**/LOCAL/**/app.tenant_id = 'b'",
	"/* x */ SET app.tenant_id = 'b'",
	"/* /* */ */ SET app.tenant_id = 'b'",
	"-- x\nSET app.tenant_id = 'b'",
	";;SET app.tenant_id = 'b'",
	`SET LOCAL "app"."tenant_id" = 'b'`,
	`SET LOCAL U&"app".tenant_id = 'b'`,
	`SET LOCAL app.U&"tenant\005Fid" = 'b'`,
	"RESET ALL",
	"RESET app.tenant_id",
	"DISCARD ALL",
	"SET ROLE postgres",
	"RESET ROLE",
	"SET LOCAL ROLE NONE",
	"SET SESSION AUTHORIZATION postgres",
	"ALTER ROLE CURRENT_USER SET app.tenant_id = 'b'",
	"ALTER DATABASE postgres SET app.tenant_id = 'b'",
	"SELECT set_config('app.tenant_id', 'b', true)",
	"SELECT pg_catalog . set_config('app.tenant_id', 'b', true)",
	`SELECT "set_config"('app.tenant_id', 'b', true)`,
	`SELECT U&"set\005Fconfig"('app.tenant_id', 'b', true)`,
	"WITH x AS MATERIALIZED (SELECT SET_CONFIG('app.tenant_id', 'b', true)) SELECT * FROM x",
	"SELECT * FROM set_config('app.tenant_id', 'b', true)",
	"SELECT * FROM notes ORDER BY set_config('app.tenant_id', 'b', true)",
	"SELECT query_to_xml('SELECT set_' || 'config(''app.tenant_id'', ''b'', true)', true, true, '')",
	"SELECT * FROM ts_stat('SELECT to_tsvector(set_' || 'config(''app.tenant_id'', ''b'', true))')",
	"DO $$BEGIN EXECUTE 'SET LOCAL app.tenant_id = ' || quote_literal('b'); END$$",
	"SELECT 1; SET app.tenant_id = 'b'",
	"SELECT ';'; SET LOCAL app.tenant_id = 'b'",
	"COMMIT; SET app.tenant_id = 'b'; BEGIN",
	"PREPARE x AS SELECT set_config('app.tenant_id', 'b', true)",
	"COPY (SELECT set_config('app.tenant_id', 'b', true)) TO STDOUT",
	"EXPLAIN ANALYZE SELECT set_config('app.tenant_id', 'b', true)",
	"DECLARE c CURSOR FOR SELECT set_config('app.tenant_id', 'b', true)",
	"CREATE TEMP TABLE x (y text DEFAULT set_config('app.tenant_id', 'b', true))",
}

// testSpoof shows that the wall refuses to send what would change the tenant, in and outside a transaction, whatever is
// read afterwards, and that the connection goes on working.
func testSpoof(t *testing.T, d database, db *gorm.DB) {
	direct := pool(t, db)
	d.unchanged(t, func() {
		for _, text := range attacks {
			if _, err := direct.ExecContext(asA, text); !errors.Is(err, tenancy.ErrUnconfined) {
				t.Errorf("%s: %v", text, err)
			}
			tx, err := direct.BeginTx(asA, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tx.ExecContext(asA, text); !errors.Is(err, tenancy.ErrUnconfined) {
				t.Errorf("in a transaction: %s: %v", text, err)
			}
			if n, err := count(asA, tx, "SELECT * FROM notes WHERE tenant_id = 'b'"); n != 0 || err != nil {
				t.Errorf("behind %s: %d rows of b and %v", text, n, err)
			}
			if n, err := count(asA, tx, "SELECT * FROM notes"); n != 3 || err != nil {
				t.Errorf("behind %s: %d rows and %v", text, n, err)
			}
			if err := tx.Commit(); err != nil {
				t.Errorf("behind %s: %v", text, err)
			}
		}
	})
}

// testHarmless shows that what is like an attack and is none runs, inside the tenant.
func testHarmless(t *testing.T, d database, db *gorm.DB) {
	tx, err := pool(t, db).BeginTx(asA, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	follow(t, tx, []step{
		{"SET LOCAL statement_timeout = '30s'", 0},
		{"SELECT current_setting('app.tenant_id') WHERE current_setting('app.tenant_id') = 'a'", 1},
		{"SELECT 'SET app.tenant_id; x' || ';'", 1},
		{"UPDATE notes SET body = 'SET ROLE postgres'", 3},
		{"PREPARE mine AS SELECT * FROM notes", 0},
		{"EXECUTE mine", 3},
		{"DEALLOCATE mine", 0},
		{"LOCK TABLE notes IN SHARE MODE", 0},
		{"SELECT * FROM notes /* set */ -- reset", 3},
		// A setting nobody showed cannot be written through the view of all settings.
		{"SELECT * FROM notes", 3},
	})
}

// TestLeastPrivilege shows what the role of docs/row-level-security.md adds: the database refuses it what the owner of the
// tables may do through database/sql, where no statement wall looks at the verb.
func TestLeastPrivilege(t *testing.T) {
	t.Parallel()
	login := role(t, "login", "LOGIN")
	d := filled(t)
	d.root("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO " + login +
		"; GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO " + login)
	t.Cleanup(func() { d.root("DROP OWNED BY " + login) })
	db := use(t, d.server.DSN(login, d.name), pluginOf(secured()))
	direct := pool(t, db)
	d.unchanged(t, func() {
		for _, text := range []string{
			"TRUNCATE notes",
			"ALTER TABLE notes DISABLE ROW LEVEL SECURITY",
			"ALTER TABLE notes NO FORCE ROW LEVEL SECURITY",
			"DROP POLICY tenancy ON notes",
			"CREATE POLICY leak ON notes USING (true)",
			"ALTER TABLE notes OWNER TO CURRENT_USER",
			"DROP TABLE notes",
			"CREATE VIEW all_notes AS SELECT * FROM notes",
			"CREATE FUNCTION leak() RETURNS SETOF notes LANGUAGE sql SET app.tenant_id = 'b' AS 'SELECT * FROM notes'",
		} {
			if _, err := direct.ExecContext(asA, text); !errors.Is(err, tenancy.ErrUnconfined) {
				t.Errorf("%s: %v", text, err)
			}
			if _, err := direct.ExecContext(tenancy.Central(nobody), text); code(err) != refusedByPolicy {
				t.Errorf("%s by the database: %v", text, err)
			}
		}
		for text, want := range map[string]int64{
			"SELECT * FROM notes": 3, "UPDATE notes SET body = 'mine'": 3, "DELETE FROM poll_labels": 1,
			"INSERT INTO labels (tenant_id, name) VALUES ('a', 'mine')": 1,
		} {
			if n, err := count(asA, direct, text); err != nil || n != want {
				t.Errorf("%s: %d rows and %v, want %d", text, n, err, want)
			}
		}
	})
}

// TestOwnerDDL shows that SQL of a tenant is no DDL even for the owner of the tables, through GORM and past it.
func TestOwnerDDL(t *testing.T) {
	t.Parallel()
	d := filled(t)
	db := use(t, d.app(), pluginOf(secured()))
	d.unchanged(t, func() {
		for _, text := range []string{
			"TRUNCATE notes", "ALTER TABLE notes DISABLE ROW LEVEL SECURITY", "DROP POLICY tenancy ON notes", "LOCK notes",
			"CREATE POLICY leak ON notes USING (true)", "SELECT 1; TRUNCATE notes", "COPY notes TO STDOUT", "GRANT ALL ON notes TO PUBLIC",
		} {
			if err := db.WithContext(asA).Exec(text).Error; !errors.Is(err, tenancy.ErrUnconfined) {
				t.Errorf("%s: %v", text, err)
			}
			if strings.HasPrefix(text, "LOCK") || strings.HasPrefix(text, "COPY") {
				continue // the database holds them to the rows of the tenant
			}
			if _, err := pool(t, db).ExecContext(asA, text); !errors.Is(err, tenancy.ErrUnconfined) {
				t.Errorf("%s past GORM: %v", text, err)
			}
		}
		if err := db.WithContext(asA).Migrator().DropTable(&Note{}); !errors.Is(err, tenancy.ErrUnconfined) {
			t.Errorf("the migrator as a tenant: %v", err)
		}
		if res := db.WithContext(asA).Exec("DELETE FROM notes"); res.Error != nil || res.RowsAffected != 3 {
			t.Errorf("a verb that is allowed: %d rows and %v", res.RowsAffected, res.Error)
		}
	})
}

// TestSpellings shows that two IDs which a column holds as one value are not one tenant.
func TestSpellings(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		column, own string
		foreign     []string // spellings of own
	}{
		{"bigint", "7", []string{"007", "07"}},
		{"integer", "7", []string{"007"}},
		{"smallint", "7", []string{"007"}},
		{"numeric(20)", "1000", []string{"1e3", "01000"}},
		{"uuid", "550e8400-e29b-41d4-a716-446655440000", []string{"550e8400e29b41d4a716446655440000"}},
		{"varchar(4)", "abcd", []string{"abcde"}},
		{"char(4)", "ab", []string{"abc"}},
		{"text", "ab", []string{"abc"}},
	} {
		t.Run(tc.column, func(t *testing.T) {
			t.Parallel()
			d := empty(t)
			d.protected("CREATE TABLE things (id int, tenant_id "+tc.column+"); ALTER TABLE things OWNER TO "+servers.App+
				"; INSERT INTO things VALUES (1, '"+tc.own+"')", tc.column)
			rows := func(id string) (n int64) {
				s := secured()
				direct := pool(t, use(t, d.app(), tenancy.New(s, tenancy.OwnedModels(things[tc.column]))))
				n, err := count(tenancy.WithTenant(nobody, tenancy.ID(id)), direct, "SELECT * FROM things")
				if err != nil && code(err) != "22P02" && code(err) != "22003" {
					t.Errorf("as %s: %v", id, err)
				}
				return n
			}
			if n := rows(tc.own); n != 1 {
				t.Errorf("%s sees %d rows, want its own", tc.own, n)
			}
			for _, id := range append(tc.foreign, "other") {
				if n := rows(id); n != 0 {
					t.Errorf("%s sees %d rows of %s", id, n, tc.own)
				}
			}
		})
	}
}
