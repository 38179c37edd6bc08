package retrofit

import (
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/gorm-tenancy/tenancy"
)

type sqlite struct{ *Retrofit }

func (sqlite) acquire(*session) (bool, error) { return true, nil } // a writer excludes the others

func (sqlite) release(*session) error { return nil }

func (sqlite) text(column string) string { return "CAST(" + column + " AS TEXT)" }

func (sqlite) placeholder(int) string { return "?" }

func (q sqlite) locked(s *session, _ string, statements []string) (held time.Duration, err error) {
	var start time.Time
	err = s.transaction("BEGIN IMMEDIATE", func() error {
		start = q.now()
		return s.all(statements)
	})
	if !start.IsZero() {
		held = q.now().Sub(start)
	}
	return held, err
}

// online is locked: SQLite's statements all hold others up, and there is one change at a time.
func (q sqlite) online(s *session, statements []string) error {
	_, err := q.locked(s, "", statements)
	return err
}

func (sqlite) batch(s *session, query string, args ...any) error { return s.exec(query, args...) }

func (q sqlite) read(s *session, t *table) (st state, err error) {
	columns := "SELECT name, pk, \"notnull\", COALESCE(dflt_value, '') FROM pragma_table_info(?) ORDER BY cid"
	err = s.rows(columns, func(rows *sql.Rows) error {
		var name, preset string
		var key int
		var notNull bool
		if err := rows.Scan(&name, &key, &notNull, &preset); err != nil {
			return err
		}
		st.columns = append(st.columns, name)
		if key > 0 {
			st.primary = append(st.primary, name)
		}
		if name == t.plain {
			st.column, st.notNull, st.byDefault = true, notNull, t.presets(preset)
		}
		return nil
	}, t.name)
	if err != nil {
		return st, err
	}
	if len(st.columns) == 0 {
		return st, fmt.Errorf("retrofit: read table %q: it does not exist", t.name)
	}
	rest := "SELECT type, name, COALESCE(sql, '') FROM sqlite_master WHERE tbl_name = ? COLLATE NOCASE ORDER BY name"
	err = s.rows(rest, func(rows *sql.Rows) error {
		var kind, name, text string
		if err := rows.Scan(&kind, &name, &text); err != nil {
			return err
		}
		switch {
		case kind == "table":
			st.create = text
		case kind == "trigger" && strings.HasPrefix(name, prefix):
			st.triggers = append(st.triggers, name)
		}
		return nil
	}, t.name)
	if err != nil {
		return st, err
	}
	return st, q.readIndexes(s, t, &st)
}

func (q sqlite) readIndexes(s *session, t *table, st *state) error {
	return s.rows("SELECT l.name, l.\"unique\", l.origin, COALESCE(i.name, ''), COALESCE(m.sql, '') FROM pragma_index_list(?) l "+
		"JOIN pragma_index_info(l.name) i LEFT JOIN sqlite_master m ON m.type = 'index' AND m.name = l.name ORDER BY l.seq, i.seqno",
		func(rows *sql.Rows) error {
			var name, origin, column, text string
			var unique bool
			if err := rows.Scan(&name, &unique, &origin, &column, &text); err != nil {
				return err
			}
			i := st.index(name)
			if i == nil {
				st.indexes = append(st.indexes, index{name: name, unique: unique, primary: origin == "pk", text: text})
				i = st.index(name)
			}
			i.columns = append(i.columns, column)
			return nil
		}, t.name)
}

// triggers are the texts of those that stamp rows, by name. They run behind the statement, since SQLite's cannot change what it
// writes; nobody sees the row before they have run. Once constrained they refuse a row without a tenant.
func (q sqlite) triggers(t *table, constrained bool) (names, texts []string) {
	keys := make([]string, len(t.keys))
	for i, k := range t.keys {
		keys[i] = t.alias + "." + q.quote(k) + " = NEW." + q.quote(k)
	}
	row, c := strings.Join(keys, " AND "), t.alias+"."+t.column
	refuse := func(why, when string) string {
		return "\n\tSELECT RAISE(ABORT, 'tenancy: " + why + "') FROM " + t.quoted + " WHERE " + row + " AND " + when + ";"
	}
	told := "NULLIF(" + t.tell + ", " + t.zero + ")"
	for _, event := range []string{"INSERT", "UPDATE"} {
		body := " AFTER " + event + " ON " + t.quoted + " FOR EACH ROW\nBEGIN"
		set := told
		if event == "UPDATE" {
			body += refuse("a row does not change its tenant", "NULLIF(OLD."+t.column+", "+t.zero+") <> NULLIF("+c+", "+t.zero+")")
			set = "COALESCE(NULLIF(OLD." + t.column + ", " + t.zero + "), " + told + ")"
		}
		body += "\n\tUPDATE " + t.quoted + " SET " + t.column + " = " + set + " WHERE " + row + " AND " + t.missing(c) +
			" AND " + set + " IS NOT NULL;"
		body += refuse("another tenant''s row", "NULLIF("+c+", "+t.zero+") <> "+told)
		if constrained {
			body += refuse("a row without a tenant", t.missing(c))
		}
		body += "\nEND"
		name := mark(t.name + body)
		names, texts = append(names, name), append(texts, "CREATE TRIGGER "+q.quote(name)+body)
	}
	return names, texts
}

func (q sqlite) ready(t *table, st state, constrained bool) []string {
	names, _ := q.triggers(q.keyedBy(t, st), constrained)
	return names
}

// keyedBy gives a table the primary key the database says it has.
func (sqlite) keyedBy(t *table, st state) *table {
	with := *t
	if with.keys = st.primary; len(with.keys) == 0 {
		with.keys = []string{"rowid"}
	}
	return &with
}

// swap replaces the triggers of a table by those of a stage.
func (q sqlite) swap(t *table, st state, constrained bool) (statements []string) {
	names, texts := q.triggers(q.keyedBy(t, st), constrained)
	if st.has(names) {
		return nil
	}
	for _, old := range st.triggers {
		statements = append(statements, "DROP TRIGGER "+q.quote(old))
	}
	return append(statements, texts...)
}

func (q sqlite) column(t *table) string {
	return "ALTER TABLE " + t.quoted + " ADD COLUMN " + t.definition()
}

func (q sqlite) add(t *table, st state) []Change {
	if st.has(q.ready(t, st, true)) {
		return nil
	}
	if swap := q.swap(t, st, false); len(swap) > 0 {
		return []Change{{Table: t.name, SQL: swap}}
	}
	return nil
}

func (q sqlite) constrain(t *table, st state) (changes []Change, notes []string, err error) {
	change := func(statements ...string) { changes = append(changes, Change{Table: t.name, SQL: statements}) }
	if !st.complete() {
		if swap := q.swap(t, st, true); len(swap) > 0 {
			change(swap...)
		}
	}
	if !st.leads(t) && len(st.primary) > 0 {
		change(fmt.Sprintf("CREATE UNIQUE INDEX %s ON %s (%s)", q.quote(ownIndex(t)), t.quoted,
			strings.Join(append([]string{t.column}, q.quoteAll(st.primary)...), ", ")))
	}
	for _, i := range q.replaced(t, st) {
		if i.text == "" {
			return nil, nil, fmt.Errorf("%w: SQLite cannot drop the unique constraint on %s of table %q, by which tenants would collide: "+
				"make the table again with a unique index (GORM's tag uniqueIndex, not unique), or name %s in retrofit.KeepUnique",
				tenancy.ErrUnsupported, strings.Join(i.columns, ", "), t.name, i.name)
		}
		made, err := st.made(t, i)
		if err != nil {
			return nil, nil, err
		}
		if !made {
			change(q.indexText(t, i, led(i.name)))
		}
	}
	return changes, notes, nil
}

// indexText is the statement of a unique index, led by the tenant and under another name.
func (q sqlite) indexText(t *table, i index, name string) string {
	_, columns, _ := strings.Cut(i.text, "(")
	return "CREATE UNIQUE INDEX " + q.quote(name) + " ON " + t.quoted + " (" + t.column + ", " + columns
}

func (sqlite) keys(*table, state) ([]Change, []string, error) { return nil, nil, nil }

// finish makes the table again where SQLite cannot alter it: for NOT NULL and for the default.
func (q sqlite) finish(t *table, st state) ([]Change, []string, error) {
	c := Change{Table: t.name}
	for _, i := range q.replaced(t, st) {
		if i.text != "" {
			c.SQL = append(c.SQL, "DROP INDEX IF EXISTS "+q.quote(led(i.name)), "DROP INDEX "+q.quote(i.name), q.indexText(t, i, i.name))
		}
	}
	for _, name := range st.triggers {
		c.SQL = append(c.SQL, "DROP TRIGGER "+q.quote(name))
	}
	if st.column && st.notNull && !st.byDefault {
		if len(c.SQL) == 0 {
			return nil, nil, nil
		}
		return []Change{c}, nil, nil
	}
	if !st.column { // in a plan before Add
		st.create = strings.TrimSuffix(strings.TrimSpace(st.create), ")") + ", " + t.definition() + ")"
	}
	rebuild, err := q.rebuild(t, st)
	if err != nil {
		return nil, nil, err
	}
	before := c.SQL
	c.SQL = append(append([]string{}, before...), rebuild...)
	c.rebuild = func(s *session) error { return q.makeAgain(s, t, before, rebuild) }
	return []Change{c}, nil, nil
}
