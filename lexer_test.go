package tenancy

import (
	"database/sql"
	"errors"
	"fmt"
	"sort"
	"strings"
	"testing"

	_ "github.com/mattn/go-sqlite3"
)

func TestInspect(t *testing.T) {
	const (
		ok      = "ok"
		escapes = "escapes"
		open    = "open"
	)
	for _, c := range []struct{ text, mysql, postgres, sqlite string }{
		{"a = 1", ok, ok, ok},
		{"a = 1) OR (b = 2", escapes, escapes, escapes},
		{"a = ')'", ok, ok, ok},
		{"a = ''')'", ok, ok, ok},
		{"a = '", escapes, escapes, escapes},
		{"a = 1;", escapes, escapes, escapes},
		{"a = ';'", ok, ok, ok},
		{"a = 1 -- x", open, open, open},
		{"a = 1 -- x\n", ok, ok, ok},
		{"a = 1 --x", ok, open, open},
		{"a = 1 --", open, open, open},
		{"a = 1 # )", open, escapes, escapes},
		{"a = 1 # x\n", ok, ok, ok},
		{"a /* ) */ = 1", ok, ok, ok},
		{"a /* /* */ = 1", escapes, escapes, escapes},
		{"a /*! ) */ = 1", escapes, escapes, escapes},
		{"a /*M! ) */ = 1", escapes, escapes, escapes},
		{"a /* ", escapes, escapes, escapes},
		{`a = '\'`, escapes, ok, ok},
		{`a = '\\'`, ok, ok, ok},
		{`a = "\"`, escapes, ok, ok},
		{`a = E'\''`, escapes, escapes, escapes},
		{`a = E'\n)'`, ok, ok, ok},
		{"a = $$)$$", escapes, ok, escapes},
		{"a = $x$)$x$", escapes, ok, escapes},
		{"a = $x$)$y$", escapes, escapes, escapes},
		{"a = $1", ok, ok, ok},
		{`U&"\0061" = 1`, ok, escapes, ok},
		{"[a)] = 1", escapes, escapes, ok},
		{"[a = 1", ok, ok, escapes},
		{"`a)` = 1", ok, ok, ok},
		{`"a)" = 1`, ok, ok, ok},
		{"a = 1\x00", escapes, escapes, escapes},
		{"ä = 'ß)'", ok, ok, ok},
	} {
		for dialect, want := range map[string]string{"mysql": c.mysql, "postgres": c.postgres, "sqlite": c.sqlite} {
			fr := inspect(c.text, flavorOf(dialect))
			got := ok
			switch {
			case fr.escapes:
				got = escapes
			case fr.openComment:
				got = open
			}
			if got != want {
				t.Errorf("%s %q: %s, want %s", dialect, c.text, got, want)
			}
		}
	}
}

func TestInspectComma(t *testing.T) {
	for text, want := range map[string]bool{"a, b": true, "f(a, b)": false, "'a,b'": false, "a /* , */": false, "(a), b": true} {
		if got := inspect(text, flavorOf("sqlite")).comma; got != want {
			t.Errorf("%q: comma %v, want %v", text, got, want)
		}
	}
}

func TestTableRefs(t *testing.T) {
	for _, c := range []struct{ text, want string }{ // the names in a table's place, common tables among them
		{"SELECT a FROM t", "t"},
		{"select a from T", "T"},
		{"SELECT a FROM s.t", "t"},
		{"SELECT a FROM c.s.t x", "t"},
		{`SELECT a FROM "t" AS x`, "t"},
		{"SELECT a FROM `t`", "t"},
		{"SELECT a FROM[t]", "t"},
		{"SELECT a FROM/**/t", "t"},
		{"SELECT a FROM t -- , u\n", "t"},
		{"SELECT a FROM t, u", "t u"},
		{"SELECT a FROM t x, u AS y WHERE z = 1", "t u"},
		{"SELECT a FROM t JOIN u ON t.a = u.a LEFT JOIN v USING (a)", "t u v"},
		{"SELECT a FROM (t JOIN u ON t.a = u.a), v", "t u v"},
		{"SELECT a FROM t UNION ALL SELECT b FROM u", "t u"},
		{"SELECT a FROM t EXCEPT (SELECT b FROM u)", "t u"},
		{"WITH x AS (SELECT a FROM t) SELECT a FROM x", "t x"},
		{"WITH x (a) AS MATERIALIZED (SELECT a FROM t), y AS (SELECT 1) SELECT a FROM x, y, u", "t u x y"},
		{"WITH RECURSIVE x AS (SELECT 1 UNION SELECT a FROM x) SELECT a FROM x", "x x"},
		{"DELETE FROM t USING u WHERE t.a = u.a", "t u"},
		{"UPDATE t SET a = 1 FROM u WHERE t.a = u.a", "t u"},
		{"UPDATE ONLY t SET a = 1", "t"},
		{"INSERT INTO t SELECT a FROM u", "t u"},
		{"SELECT extract(year FROM a) FROM t", "t"},
		{"SELECT trim(both ' ' from a), substring(a from 1 for 2) FROM t", "t"},
		{"SELECT a IS DISTINCT FROM b FROM t", "t"},
		{"SELECT a IS NOT DISTINCT FROM b FROM t", "t"},
		{"SELECT (SELECT max(a) FROM u) FROM t", "t u"},
		{"SELECT a FROM (SELECT a FROM u) x, t", "t u"},
		{"(TABLE t)", "t"},
		{"SELECT a FROM t, LATERAL (SELECT b FROM u) x", "t u"},
		{"SELECT a FROM generate_series(1, 2) g, t", "t"},
		{"SELECT a FROM t WHERE EXISTS (SELECT 1 FROM u)", "t u"},
		{"SELECT a FROM t WHERE b IN (SELECT 1 FROM u WHERE c = (SELECT 2 FROM v))", "t u v"},
		{"SELECT a FROM t ORDER BY b, c", "t"},
		{"SELECT a FROM t GROUP BY b, c HAVING d > 1", "t"},
		{"SELECT a FROM t FOR UPDATE", "t"},
	} {
		refs, ok := tableRefs(c.text, flavorOf("sqlite"))
		if !ok {
			t.Errorf("%q: unreadable", c.text)
			continue
		}
		var got []string
		for _, r := range refs {
			if r.position {
				got = append(got, r.name)
			}
		}
		sort.Strings(got)
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%q: %q, want %q", c.text, s, c.want)
		}
	}
}

func TestJudgeTables(t *testing.T) {
	p := &Plugin{}
	p.tables.Store("owned", &model{table: "owned", kind: kindOwned})
	p.tables.Store("links", &model{table: "links", kind: kindLink})
	p.tables.Store("central", &model{table: "central"})
	for _, c := range []struct {
		text string
		want error
	}{
		{"SELECT 1", nil},
		{"SELECT a FROM central", nil},
		{"SELECT a FROM CENTRAL c JOIN sqlite_master m ON 1=1", nil},
		{"SELECT a FROM Owned", ErrUnconfined},
		{`SELECT a FROM "OWNED"`, ErrUnconfined},
		{"SELECT a FROM [owned]", ErrUnconfined},
		{"SELECT a FROM main.owned", ErrUnconfined},
		{"SELECT a FROM main.`links`", ErrUnconfined},
		{"SELECT a FROM central UNION SELECT b FROM owned", ErrUnconfined},
		{"SELECT a FROM central, owned", ErrUnconfined},
		{"SELECT a FROM (central), (owned)", ErrUnconfined},
		{"DELETE FROM central USING owned", ErrUnconfined},
		{"UPDATE central SET a = b FROM owned", ErrUnconfined},
		{"INSERT INTO central SELECT * FROM owned", ErrUnconfined},
		{"WITH x AS (SELECT * FROM owned) SELECT * FROM x", ErrUnconfined},
		{"SELECT a FROM central STRAIGHT_JOIN owned", ErrUnconfined},
		{"SELECT a FROM unknown", ErrUndeclared},
		{"SELECT a FROM main.central JOIN unknown", ErrUndeclared},
		{"SELECT a FROM (unknown)", ErrUndeclared},
		{"SELECT extract(year FROM b) FROM central", nil},
		{"SELECT a FROM information_schema.tables", nil},
		{"SELECT info FROM information_schema.processlist", ErrUndeclared},
		{"SELECT 'owned' FROM central", nil},
		{"SELECT 1 FROM central -- owned\n", nil},
		{"SELECT a FROM 'central", ErrUnconfined},
	} {
		if _, err := p.judgeTables(c.text, flavorOf("sqlite")); !errors.Is(err, c.want) {
			t.Errorf("%q: %v, want %v", c.text, err, c.want)
		}
	}
}

func memory(tb testing.TB) *sql.DB {
	db, err := sql.Open("sqlite3", ":memory:")
	if err != nil {
		tb.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("CREATE TABLE t (a, b)"); err != nil {
		tb.Fatal(err)
	}
	if _, err := db.Exec("INSERT INTO t VALUES (1, 2)"); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { db.Close() })
	return db
}

// holds runs a condition behind one that is never true. Any row is an escape.
func holds(db *sql.DB, text string) error {
	fr := inspect(text, flavorOf("sqlite"))
	if fr.escapes {
		return nil
	}
	if fr.openComment {
		text += "\n"
	}
	for args := range 3 { // GORM binds values nobody asked for, too
		rows, err := db.Query("SELECT 1 FROM t WHERE 0 AND ("+text+")", make([]any, args)...)
		if err != nil {
			continue
		}
		found := rows.Next()
		rows.Close()
		if found {
			return fmt.Errorf("%q escapes with %d values", text, args)
		}
	}
	return nil
}

var tricks = []string{
	"1=1", "1=1) OR (1=1", "1=1 -- )", "1=1 --\n", "1=1 /* ) OR ( */", "1=1 /* /* */ ) OR (1 */", "1=1 /*", "1 # )\n OR 1",
	"'", "''", "''')'", "\"a)\" OR 1", "`a)` OR 1", "[a)] OR 1", "[a]]) OR (1", "'\\' OR 1) OR (1 --'", "\\'", "$$)$$ OR 1", "$x$)$x$",
	"a\x00) OR (1", "'\x00') OR (1", "\ufeff1", "\u00a01) OR (1", "ä) OR (1", "\u2028--\n1", "--\r) OR (1\n", "1\v) OR (1", "1\f OR 1",
	"x'41' OR 1", "E'\\'' OR 1", "U&'\\0027' OR 1", "1 UNION SELECT 1", "(1) OR (1)", "NOT 1 OR 1", "CASE WHEN 1 THEN 1 END",
	"(SELECT 1) OR 1", "1 ORDER BY 1", "1;", "?", "?1", ":a", "@a", "$a", "?) OR (?", "1 -- \n -- \n", "1 /**/ -- */ \n", "1 - -1 -- x\n",
	"'' '' OR 1", "\"\" OR 1", "a IN () OR 1", "1 /*! ) */", "0x1 OR 1", "1e1 OR 1", "1.) OR (1.", "{)}", "~1", "|| 1", "1 ISNULL",
	"1=$x(a)", "1=@x(a)", "1=:x::y(a)",
}

func TestTricks(t *testing.T) {
	db := memory(t)
	for _, text := range tricks {
		if err := holds(db, text); err != nil {
			t.Error(err)
		}
	}
}

func FuzzInspect(f *testing.F) {
	for _, text := range tricks {
		f.Add(text)
	}
	db := memory(f)
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 4096 {
			return
		}
		if err := holds(db, text); err != nil {
			t.Error(err)
		}
	})
}
