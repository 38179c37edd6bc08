package tenantconn

import (
	"errors"
	"testing"

	"github.com/gorm-tenancy/tenancy"
)

func TestScreen(t *testing.T) {
	t.Parallel()
	w := Wall{Settings: []string{"search_path", "app.tenant_id"}}
	for text, refused := range map[string]bool{
		"SELECT 1": false,
		"UPDATE notes SET body = 'x' WHERE id = 1":            false,
		"INSERT INTO settings (role) VALUES ('x')":            false,
		"SET LOCAL lock_timeout = '1s'":                       false,
		"SET statement_timeout = 0":                           false,
		"SET TIME ZONE 'UTC'":                                 false,
		"SET TRANSACTION ISOLATION LEVEL SERIALIZABLE":        false,
		"SET CONSTRAINTS ALL DEFERRED":                        false,
		"SET LOCAL app.user_id = '7'":                         false,
		"RESET lock_timeout":                                  false,
		"ALTER TABLE notes ADD COLUMN role text":              false,
		"":                                                    false,
		"VACUUM":                                              false,
		"vacuum main":                                         false,
		"ATTACH 'b.db' AS b":                                  true,
		"\ufeffattach database 'b.db' as b":                   true,
		"SELECT 1; -- x\n;ATTACH 'b.db' AS b":                 true,
		"DETACH main":                                         true,
		"VACUUM INTO 'b.db'":                                  true,
		"VACUUM /* ; */ main /*;*/ INTO 'b.db'":               true,
		"-- only a comment":                                   false,
		"/* unclosed":                                         false,
		"SET app.tenant_id = 'b'":                             true,
		"SET LOCAL app.tenant_id TO 'b'":                      true,
		`SET app."tenant_id" = 'b'`:                           true,
		"SET app . tenant_id = 'b'":                           true,
		`SET U&"search\005fpath" = b`:                         true,
		`SELECT U&"set\005fconfig"('search_path', 'b', true)`: true,
		"SELECT query_to_xml('SELECT set' || '_config(...)', true, true, '')": true,
		"SELECT * FROM ts_stat('SELECT ...')":                                 true,
		"SELECT 1ts_stat('SELECT ...')":                                       true,
		"SELECT tenants_state, offset_config FROM events_stats":               false,
		"EXPLAIN ANALYZE EXECUTE tenancy_settings('b')":                       true,
		`CREATE TEMP TABLE y AS EXECUTE "tenancy_settings"('b')`:              true,
		"UPDATE pg_settings SET setting = 'b' WHERE name = 'search_path'":     true,
		"CREATE TEMP TABLE t AS SELECT 1":                                     true, "create temporary table t (a int)": true, "CREATE LOCAL TEMP TABLE t (a int)": true,
		"CREATE OR REPLACE TEMP VIEW notes AS SELECT 1": true, "SELECT * INTO pg_temp_3.notes FROM notes": true,
		"EXPLAIN (ANALYZE) CREATE TEMP TABLE t AS SELECT 1": true, "EXPLAIN SELECT created_at, my_create, pg_temperature FROM notes": false,
		"CREATE TEMP TABLE t ON COMMIT DROP AS SELECT 1": false, "CREATE TABLE t (a int)": false,
		"SELECT * INTO TEMP t FROM notes": true, "SELECT 1 INTO/**/TEMPORARY TABLE t": true, "INSERT INTO temp (a) VALUES (1)": false,
		"INSERT INTO temp VALUES (1)": false, "INSERT INTO notes VALUES (1)": false,
		"DECLARE c CURSOR WITH HOLD FOR SELECT 'without hold'": true, "DECLARE c CURSOR FOR SELECT 1": false,
		"SET app = 'x'":                       true,
		"RESET app.tenant_id":                 true,
		"set search_path = b":                 true,
		"SET LOCAL search_path = b":           true,
		"SET SCHEMA 'b'":                      true,
		"SET SESSION AUTHORIZATION b":         true,
		"SET ROLE b":                          true,
		"RESET ROLE":                          true,
		"SET session_authorization = DEFAULT": true,
		"RESET session_authorization":         true,
		"DEALLOCATE ALL":                      true, "DEALLOCATE PREPARE ALL": true, "DEALLOCATE p": false,
		"RESET ALL":                            true,
		`SET "search_path" = b`:                true,
		"SET @a = 1":                           true,
		"DISCARD TEMP":                         true,
		"USE b":                                true,
		"DO $$ BEGIN END $$":                   true,
		"LOAD 'x'":                             true,
		"ALTER ROLE app SET search_path = b":   true,
		"ALTER DATABASE x SET search_path = b": true,
		"ALTER SYSTEM SET search_path = b":     true,
		"SELECT set_config('search_path', 'b', true)":  true,
		"select Set_Config ('search_path', 'b', true)": true,
		"SELECT 'a; SET ROLE b'":                       false, `SELECT "x;reset all", 'it''s; use x' FROM t`: false, "SELECT $1, '; do'": false,
		`SELECT E'\'; SET ROLE b; --'`: true, "SELECT $$'$$; SET ROLE b; --'": true, "SELECT '/*'; SET ROLE b --*/'": true,
		"SELECT '-- ' ; SET ROLE b": true, "SELECT 'x' ; SET ROLE b": true,
		"SELECT 1; SET ROLE b":          true,
		"/* a */ -- b\n ( ; SET ROLE b": true,
		"/* /* */ SET ROLE b -- */":     true,
		"/* /* */ */ SET ROLE b":        true,
		"/*!50000 SET ROLE b */":        true,
	} {
		if err := w.screen(text); errors.Is(err, tenancy.ErrUnconfined) != refused {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestRefusesTransaction(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"VACUUM": true, "vacuum full notes": true, "-- c\nVACUUM notes": true,
		"CREATE INDEX CONCURRENTLY i ON t (a)": true, "create unique index concurrently i on t (a)": true,
		"CREATE INDEX i ON t (a)": false, "DROP INDEX CONCURRENTLY i": true, "DROP INDEX i": false,
		"REINDEX TABLE CONCURRENTLY t": true, "REINDEX TABLE t": false, "REINDEX DATABASE d": true, "CREATE DATABASE d": true,
		"DROP DATABASE d": true, "CREATE TABLE t (a int)": false, "ALTER SYSTEM SET x = 1": true, "ALTER TABLE t ADD a int": false,
		"REFRESH MATERIALIZED VIEW CONCURRENTLY v": false, "CLUSTER": true, "CLUSTER t": false, "SELECT 'VACUUM'": false,
		"CREATE TABLESPACE x LOCATION 'y'": true,
	} {
		if got := refusesTransaction(text); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func FuzzScreen(f *testing.F) {
	f.Add("/* x", "search_path")
	f.Add("-- \n;(", "role")
	f.Fuzz(func(t *testing.T, junk, name string) {
		w := Wall{Settings: []string{"search_path"}}
		_ = w.screen(junk)
		_ = refusesTransaction(junk)
		if w.screen("SET search_path = b; "+junk) == nil {
			t.Errorf("what follows hides the statement: %q", junk)
		}
	})
}

func TestRowsOnly(t *testing.T) {
	t.Parallel()
	w := Wall{Settings: []string{"app.tenant_id"}, RowsOnly: true}
	for text, refused := range map[string]bool{
		"SELECT 1": false, "WITH x AS (SELECT 1) SELECT * FROM x": false, "(SELECT 1) UNION SELECT 2": false, "-- c\nTABLE t": false,
		"SAVEPOINT s": false, "COPY t TO STDOUT": false, "EXPLAIN SELECT 1": false, "SET LOCAL lock_timeout = 1": false, "SELECT 1;": false,
		"ALTER TABLE t DISABLE ROW LEVEL SECURITY": true, "TRUNCATE t": true, "CREATE POLICY p ON t": true, "SELECT 1; DROP TABLE t": true,
		"GRANT ALL ON t TO x": true, "CREATE TEMP TABLE t AS SELECT 1": true, "VACUUM t": true, "COMMENT ON TABLE t IS 'x'": true,
	} {
		if err := w.screen(text); errors.Is(err, tenancy.ErrUnconfined) != refused {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestOutlives(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"COMMIT; SELECT 1": true, "rollback; SELECT 1": true, "END; SELECT 1": true, "ABORT WORK; SELECT 1": true,
		"SELECT 1; COMMIT AND CHAIN; SELECT 2": true, "ROLLBACK AND CHAIN; x": true, "COMMIT/**/;\n-- c\nBEGIN": true,
		"PREPARE TRANSACTION 'x'; SELECT 1": true, "END TRANSACTION; SELECT 1": true, "ROLLBACK WORK; SELECT 1": true,
		"BEGIN; SELECT 1; COMMIT;": false, "COMMIT": false, "ROLLBACK TO s; SELECT 1": false, "ROLLBACK WORK TO s; SELECT 1": false,
		"SELECT 'COMMIT; x'": false, "PREPARE p AS SELECT 1; EXECUTE p": false, "BEGIN; UPDATE t SET a = 1; COMMIT; -- done": false,
		"DO $$ BEGIN IF a THEN b; END IF; c; END $$": false,
	} {
		if got := outlives(text); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}
