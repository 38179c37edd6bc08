package tenancy

import (
	"errors"
	"testing"
)

// Text that the database reads differently than the lexer does. Each must be refused.
func TestLexerDisagreements(t *testing.T) {
	for _, c := range []struct{ name, dialect, text string }{
		{"a dollar inside an identifier", "postgres", "x$$ = 1) OR (1=1 -- $$\n"},
		{"E string continued on the next line", "postgres", "name = E'a'\n'\\' ' ) OR (1=1 -- '\n"},
		{"comment before a control character", "mysql", "1=1 --\x01(\n) OR (1=1 --\x01)\n"},
		{"variable with parentheses", "sqlite", "1=1 OR 1=$x(') ) OR (1=1 --')\n"},
		{"variable with parentheses", "sqlite", "1=1 OR 1=@x(') ) OR (1=1 --')\n"},
		{"variable with parentheses", "sqlite", "1=1 OR 1=:x(') ) OR (1=1 --')\n"},
	} {
		if fr := inspect(c.text, flavorOf(c.dialect)); !fr.escapes {
			t.Errorf("%s: %s: %q is taken for closed", c.dialect, c.name, c.text)
		}
	}
}

func TestHiddenTables(t *testing.T) {
	p := &Plugin{}
	p.tables.Store("owned", &model{table: "owned", kind: kindOwned})
	p.tables.Store("central", &model{table: "central"})
	for _, c := range []struct{ name, dialect, text string }{
		{"dollar inside an identifier hides FROM", "postgres", "SELECT 1 AS a$$, o.* FROM owned o -- $$\n"},
		{"CTE of the owned table's name reads it", "postgres", "WITH owned AS (SELECT * FROM owned) SELECT * FROM owned"},
		{"CTE in a sub-select shadows the outer table", "postgres", "SELECT * FROM owned WHERE 1 IN (WITH owned AS (SELECT 1) SELECT 1)"},
		{"INSERT with columns", "postgres", "INSERT INTO owned (a) VALUES (1)"},
		{"INSERT with columns", "mysql", "INSERT INTO owned(a) VALUES (1)"},
		{"INSERT with columns, unknown", "mysql", "INSERT INTO unknown(a) VALUES (1)"},
		{"string in a table's place", "sqlite", "SELECT * FROM 'owned'"},
		{"ANSI_QUOTES", "mysql", `SELECT * FROM "owned"`},
		{"STRAIGHT_JOIN of an unknown table", "mysql", "SELECT * FROM central STRAIGHT_JOIN unknown"},
		{"UPDATE behind a CTE", "postgres", "WITH x AS (SELECT 1) UPDATE unknown SET a = 1"},
		{"UPDATE IGNORE", "mysql", "UPDATE IGNORE unknown SET a = 1"},
		{"UPDATE OR", "sqlite", "UPDATE OR REPLACE unknown SET a = 1"},
		{"multi-table UPDATE", "mysql", "UPDATE central, unknown SET unknown.a = 1"},
		{"IN table", "sqlite", "SELECT * FROM central WHERE a IN unknown"},
		{"EXPLAIN ANALYZE UPDATE", "postgres", "EXPLAIN ANALYZE UPDATE unknown SET a = 1"},
		{"quoted function name as table", "postgres", `INSERT INTO "unknown"(a) VALUES (1)`},
		{"odd spelling", "postgres", `SELECT * FROM "unk""nown"`},
	} {
		if _, err := p.judgeTables(c.text, flavorOf(c.dialect)); !errors.Is(err, ErrUnconfined) && !errors.Is(err, ErrUndeclared) {
			t.Errorf("%s: %s: %q: %v", c.dialect, c.name, c.text, err)
		}
	}
}
