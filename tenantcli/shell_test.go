package tenantcli_test

import (
	"strings"
	"testing"
)

// TestShell reads and, with --write, changes one tenant's rows.
func TestShell(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"database", "schema", "mariadb", "rls"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, kind)
			shell := "shell --tenant acme"
			w.script([]typed{
				{args: shell, stdin: "SELECT id, title FROM polls ORDER BY id;\n", want: result{out: "id  title\n1   acme one\n2   acme two\n", err: "2 rows\n"}},
				{args: shell + " -q", stdin: "SELECT title FROM polls p WHERE p.id = 1; -- one; two\n\n/* nothing; */ SELECT\ntitle FROM polls WHERE id = 2", want: result{out: "acme one\nacme two\n"}},
				{args: shell + " --json", stdin: "SELECT title, NULL AS empty FROM polls WHERE id = 1; SELECT id FROM polls WHERE id = 99", want: result{
					out: `{"columns":["title","empty"],"rows":[["acme one",null]]}` + "\n" + `{"columns":["id"],"rows":[]}` + "\n",
				}},
				{args: shell + " --json --limit 1", stdin: "SELECT title FROM polls ORDER BY id", want: result{out: `{"columns":["title"],"rows":[["acme one"]],"more":true}` + "\n"}},
				{args: shell, stdin: "SELECT 'it''s; ok' AS text", want: result{out: "text\nit's; ok\n"}},
				{args: shell, stdin: "SELECT nothing FROM nowhere", want: result{code: 1, err: "acme: "}},
				{args: shell, stdin: "", want: result{}},
				{args: shell, stdin: "SELECT 'open", want: result{code: 1, err: "has no end"}},
				{args: shell + " --limit 0", want: result{code: 2}},
				{args: "shell", want: result{code: 2, err: "--tenant is missing"}},
			})
			for _, sql := range []string{
				"UPDATE polls SET votes = 9", "DELETE FROM polls", "INSERT INTO polls (id, title) VALUES (3, 'x')",
				"WITH x AS (SELECT 1) DELETE FROM polls", "WITH x AS (SELECT 1) UPDATE polls SET votes = 9",
				"WITH x AS (SELECT 1) REPLACE INTO polls (id, tenant_id, title) SELECT 1, 'acme', 'x'", "EXPLAIN ANALYZE DELETE FROM polls",
			} {
				if got := w.pipe(sql, fields(shell)...); got.code == 0 {
					t.Errorf("%s: %+v", sql, got)
				}
			}
			w.untouched("acme", "globex")
			w.script([]typed{
				{args: shell + " --write", stdin: "UPDATE polls SET votes = 7 WHERE id = 1; UPDATE polls SET nothing = 1; UPDATE polls SET votes = 8", want: result{code: 1, err: "1 rows changed\n"}},
				{args: shell + " --write --json", stdin: "DELETE FROM polls WHERE id = 2", want: result{out: "{\"affected\":1}\n"}},
			})
			if got := w.polls("acme"); got != "1 acme one 7" {
				t.Errorf("acme has %q", got)
			}
			w.untouched("globex")
		})
	}
}

// TestShellAttacks try to reach the rows of globex from acme's shell, its name and the catalog of tenants.
func TestShellAttacks(t *testing.T) {
	t.Parallel()
	all := []string{
		"SELECT * FROM {globex}.polls", `SELECT * FROM "{globex}"."polls"`, "SELECT * FROM {globex} . polls", "TABLE {globex}.polls",
		"SELECT * FROM polls, {globex}.polls", "SELECT (SELECT max(title) FROM {globex}.polls)", "SELECT * FROM {GLOBEX}.POLLS",
		"SELECT * FROM /* x */ {globex} /* y */ . /* z */ polls",
		"INSERT INTO {globex}.polls (id, title) VALUES (9, 'x')", "UPDATE {globex}.polls SET title = 'x'", "DELETE FROM {globex}.polls",
		"WITH x AS (SELECT * FROM {globex}.polls) SELECT * FROM x", "EXPLAIN SELECT * FROM {globex}.polls",
		"SELECT * FROM tenancy_tenants", "SELECT * FROM tenancy_ledger", `SELECT * FROM "tenancy_domains"`, "DELETE FROM tenancy_tenants",
		"UPDATE plans SET name = 'x'", "INSERT INTO plans (name) VALUES ('x')", "DROP TABLE polls", "CREATE TABLE x (id int)", "TRUNCATE polls",
		"SELECT table_schema FROM information_schema.tables", "BEGIN", "COMMIT; SELECT * FROM polls", "ROLLBACK", "SAVEPOINT x",
		"SELECT 1; COMMIT; UPDATE polls SET votes = 9",
	}
	own := map[string][]string{
		"database": {
			"ATTACH DATABASE '{file}' AS other", "SELECT * FROM polls; ATTACH '{file}' AS o; SELECT * FROM o.polls", "VACUUM INTO 'x'",
			"PRAGMA query_only = 0", "SELECT load_extension('x')", "SELECT * FROM [globex].polls", "SELECT readfile('{file}')",
		},
		"schema": {
			"SET search_path = {globex}", "SELECT set_config('search_path', '{globex}', false)", "SELECT * FROM query_to_xml('select * from ' || 'tenant_glo' || 'bex.polls', true, true, '')",
			"DO $$ BEGIN UPDATE {globex}.polls SET title = 'x'; END $$", "SELECT * FROM pg_stats", "SELECT nspname FROM pg_namespace",
			"SELECT setval('{globex}.polls_id_seq', 99)", `SELECT * FROM U&"tenant\005fglobex".polls`, "COPY {globex}.polls TO STDOUT",
			"SELECT '{globex}.polls'::regclass", "SELECT ts_stat('select title from {globex}.polls')", "SET ROLE postgres", "RESET ALL",
			"SELECT pg_read_file('/etc/passwd')", "CALL x()", "LISTEN x", "PREPARE x AS SELECT 1", "EXECUTE x", "LOCK TABLE polls",
			"SELECT $1$, (SELECT max(title) FROM {globex}.polls), $1$", "SELECT e'\\'', (SELECT max(title) FROM {globex}.polls), e'\\''",
		},
		"mariadb": {
			"USE {globex}", "SELECT * FROM `{globex}`.polls", "SELECT /*! * FROM {globex}.polls */", "SELECT /*M! * FROM {globex}.polls */ 1",
			"SELECT 1 INTO OUTFILE '/tmp/x'", "SELECT LOAD_FILE('/etc/passwd')", "HANDLER {globex}.polls OPEN", "SHOW DATABASES", "DESCRIBE {globex}.polls",
			"EXECUTE IMMEDIATE 'USE {globex}'", "PREPARE x FROM 'SELECT 1'", "SELECT '\\', (SELECT max(title) FROM {globex}.polls), '", "SELECT 1 # \n, (SELECT max(title) FROM {globex}.polls)",
			"SELECT * FROM mysql.user", "LOAD DATA INFILE 'x' INTO TABLE polls", "SELECT 1--1, (SELECT max(title) FROM {globex}.polls)",
		},
		"rls": {
			"SELECT set_config('app.tenant_id', 'globex', false)", "SET app.tenant_id = 'globex'", "RESET ALL", "SET row_security = off",
			"UPDATE polls SET tenant_id = 'globex'", "INSERT INTO polls (id, tenant_id, title) VALUES (9, 'globex', 'x')", "SELECT * FROM pg_stats",
		},
		"shared": {
			"SELECT * FROM polls", "SELECT * FROM polls WHERE tenant_id = 'acme'", "SELECT * FROM main.polls", "SELECT count(*) FROM polls",
			"UPDATE polls SET votes = 9 WHERE tenant_id = 'acme'", "SELECT * FROM (SELECT * FROM polls) p", "SELECT * FROM polls WHERE tenant_id = ?",
			"SELECT * FROM polls WHERE tenant_id = @tenant", "SELECT * FROM \"polls\"", "ATTACH 'x' AS y",
		},
	}
	for kind, attacks := range own {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, kind)
			for _, attack := range append(attacks, all...) {
				if kind == "rls" && strings.Contains(attack, "{globex}") {
					continue // there is no such place
				}
				sql := strings.NewReplacer("{globex}", w.place("globex"), "{GLOBEX}", strings.ToUpper(w.place("globex")),
					"{file}", w.dir+"/tenant_globex.db").Replace(attack)
				for _, flags := range []string{"shell --tenant acme", "shell --tenant acme --write"} {
					got := w.pipe(sql, fields(flags)...)
					if strings.Contains(got.out, "globex") || strings.Contains(got.err, "globex one") {
						t.Errorf("%s: %s found %+v", flags, sql, got)
					}
					if got.code == 0 {
						t.Errorf("%s: %s was run: %+v", flags, sql, got)
					}
				}
				w.untouched("acme", "globex")
			}
			if kind == "shared" {
				got := w.pipe("SELECT * FROM polls", "shell", "--tenant", "acme")
				if !strings.Contains(got.err, "held by row-level security only: run a command of the application instead") {
					t.Errorf("%+v", got)
				}
				if got := w.pipe("SELECT name FROM plans", "shell", "--tenant", "acme"); got.code != 0 { // control: a central table
					t.Errorf("%+v", got)
				}
			}
		})
	}
}

// TestShellUses are statements that look like attacks and are none.
func TestShellUses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "schema")
	for _, sql := range []string{
		"SELECT p.title FROM polls AS p JOIN polls q ON q.id = p.id", "SELECT region FROM (SELECT 1 AS region) x", "SELECT 'globex.com' AS text",
		"SELECT $$a; 'b$$ AS text", "SELECT $x$a $$ ; b$x$ AS text", "SELECT '{\"a\":1}'::jsonb ? 'a' AS has", "SELECT '{\"a\":1}'::jsonb @> '{}' AS has",
		"(SELECT 1) UNION (SELECT 2)", "SELECT 1 /* a /* nested; */ comment */", "VALUES (1), (2)", "SELECT count(*) FILTER (WHERE votes > 0) FROM polls",
		"SELECT E'it\\'s; ok' AS text", "EXPLAIN SELECT * FROM polls", "SELECT name FROM plans",
	} {
		if got := w.pipe(sql+";\n", "shell", "--tenant", "acme"); got.code != 0 {
			t.Errorf("%s: %+v", sql, got)
		}
	}
}
