package retrofit

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gorm-tenancy/tenancy"
)

type postgres struct{ *Retrofit }

// number stands for this package among advisory locks.
const number = "7283901552311"

func (postgres) acquire(s *session) (free bool, err error) {
	err = s.QueryRowContext(s.ctx, "SELECT pg_try_advisory_lock("+number+")").Scan(&free)
	return free, err
}

func (postgres) release(s *session) error {
	return s.exec("SELECT pg_advisory_unlock(" + number + ")")
}

func (postgres) text(column string) string { return column + "::text" }

func (postgres) placeholder(n int) string { return "$" + strconv.Itoa(n) }

// locked has the table's lock first, so that the time others are held up is known, and is not spent waiting.
func (p postgres) locked(s *session, table string, statements []string) (held time.Duration, err error) {
	var start time.Time
	err = s.transaction("BEGIN", func() error {
		if err := p.patience(s); err != nil {
			return err
		}
		if err := s.exec("LOCK TABLE " + p.quote(table) + " IN ACCESS EXCLUSIVE MODE"); err != nil {
			return err
		}
		start = p.now()
		return s.all(statements)
	})
	if !start.IsZero() {
		held = p.now().Sub(start)
	}
	return held, err
}

func (p postgres) patience(s *session) error {
	return s.exec(fmt.Sprintf("SET LOCAL lock_timeout = '%dms'", max(1, p.config.lockTimeout.Milliseconds())))
}

func (p postgres) batch(s *session, query string, args ...any) error {
	return s.transaction("BEGIN", func() error { return errors.Join(p.patience(s), s.exec(query, args...)) })
}

// online waits as long as it takes: a CREATE INDEX CONCURRENTLY that gives up leaves a broken index.
func (postgres) online(s *session, statements []string) error { return s.all(statements) }

const postgresTable = `
SELECT coalesce(a.attnum > 0, false), coalesce(a.attnotnull, false), coalesce(pg_get_expr(d.adbin, d.adrelid), ''),
	coalesce((SELECT json_agg(tgname ORDER BY tgname) FROM pg_trigger
		WHERE tgrelid = c.oid AND tgname LIKE 'tenancy\_retrofit\_%'), '[]')::text,
	EXISTS (SELECT 1 FROM pg_constraint WHERE conrelid = c.oid AND conname = 'tenancy_retrofit_tenant'),
	(SELECT json_agg(attname ORDER BY attnum) FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped)::text,
	coalesce((SELECT json_agg(conname) FROM pg_constraint WHERE conrelid = c.oid AND contype = 'f' AND convalidated), '[]')::text,
	coalesce((SELECT json_agg((SELECT attname FROM pg_attribute WHERE attrelid = c.oid AND attnum = conkey[1]))
		FROM pg_constraint WHERE conrelid = c.oid AND contype = 'f' AND confdeltype = 'c'), '[]')::text,
	c.relkind::text
FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = $2 AND NOT a.attisdropped
	LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.oid = to_regclass($1)`

const postgresIndexes = `
SELECT i.relname, x.indisunique, x.indisprimary, NOT x.indisvalid, pg_get_indexdef(x.indexrelid),
	EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = x.indexrelid AND contype IN ('u', 'p', 'x')),
	EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = x.indexrelid AND contype = 'f'),
	(SELECT json_agg(coalesce(a.attname, '') ORDER BY k.n) FROM unnest(x.indkey::int2[]) WITH ORDINALITY k (attnum, n)
		LEFT JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.attnum WHERE k.n <= x.indnkeyatts)::text
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid WHERE x.indrelid = to_regclass($1) ORDER BY i.relname`

func (p postgres) read(s *session, t *table) (st state, err error) {
	var preset, triggers, columns, keys, cascading, kind string
	err = s.QueryRowContext(s.ctx, postgresTable, t.quoted, t.plain).
		Scan(&st.column, &st.notNull, &preset, &triggers, &st.checked, &columns, &keys, &cascading, &kind)
	switch {
	case err != nil:
		return st, fmt.Errorf("retrofit: read table %q: %w", t.name, err)
	case kind != "r":
		return st, fmt.Errorf("%w: %q is partitioned or no table; add the column by hand", tenancy.ErrUnsupported, t.name)
	}
	st.byDefault = t.presets(preset)
	for _, list := range []struct {
		text string
		into *[]string
	}{{triggers, &st.triggers}, {columns, &st.columns}, {keys, &st.keys}, {cascading, &st.cascading}} {
		if err := json.Unmarshal([]byte(list.text), list.into); err != nil {
			return st, err
		}
	}
	return st, s.rows(postgresIndexes, func(rows *sql.Rows) error {
		var i index
		var columns string
		if err := rows.Scan(&i.name, &i.unique, &i.primary, &i.broken, &i.text, &i.constraint, &i.referred, &columns); err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(columns), &i.columns); err != nil {
			return err
		}
		if i.primary {
			st.primary = i.columns
		}
		st.indexes = append(st.indexes, i)
		return nil
	}, t.quoted)
}

// trigger is the text of the function that stamps rows. Only one trigger is needed.
func (p postgres) trigger(t *table) (name, text string) {
	body := strings.NewReplacer("«type»", t.quoted+"."+t.column+"%TYPE", "«c»", t.column, "«zero»", t.zero, "«tell»", t.tell,
		"«row»", t.alias).Replace(`
DECLARE
	tenancy_told «type»;
	tenancy_given «type» := NULLIF(NEW.«c», «zero»);
BEGIN
	SELECT «tell» INTO tenancy_told FROM (SELECT NEW.*) AS «row»;
	tenancy_told := NULLIF(tenancy_told, «zero»);
	IF TG_OP = 'UPDATE' THEN
		IF tenancy_given <> NULLIF(OLD.«c», «zero») THEN
			RAISE EXCEPTION 'tenancy: a row does not change its tenant' USING ERRCODE = 'check_violation';
		END IF;
		tenancy_given := COALESCE(tenancy_given, NULLIF(OLD.«c», «zero»));
	END IF;
	IF tenancy_given <> tenancy_told THEN
		RAISE EXCEPTION 'tenancy: another tenant''s row' USING ERRCODE = 'check_violation';
	END IF;
	NEW.«c» := COALESCE(tenancy_given, tenancy_told);
	RETURN NEW;
END`)
	name = mark(t.name + body)
	return name, "CREATE OR REPLACE FUNCTION " + p.quote(name) + "() RETURNS trigger LANGUAGE plpgsql " +
		"SET search_path FROM CURRENT AS $tenancy$" + body + "$tenancy$"
}

func (p postgres) ready(t *table, _ state, _ bool) []string {
	name, _ := p.trigger(t)
	return []string{name}
}

func (p postgres) column(t *table) string {
	return "ALTER TABLE " + t.quoted + " ADD COLUMN " + t.definition()
}

func (p postgres) add(t *table, st state) []Change {
	name, function := p.trigger(t)
	if st.has([]string{name}) {
		return nil
	}
	on := p.quote(name) + " BEFORE INSERT OR UPDATE ON " + t.quoted + " FOR EACH ROW EXECUTE FUNCTION " + p.quote(name) + "()"
	return []Change{{Table: t.name, SQL: append([]string{
		function, "DROP TRIGGER IF EXISTS " + p.quote(name) + " ON " + t.quoted, "CREATE TRIGGER " + on,
	}, p.dropTriggers(t, st.others([]string{name}))...)}}
}

func (p postgres) dropTriggers(t *table, names []string) (drops []string) {
	for _, name := range names {
		drops = append(drops, "DROP TRIGGER "+p.quote(name)+" ON "+t.quoted, "DROP FUNCTION IF EXISTS "+p.quote(name)+"()")
	}
	return drops
}

func (p postgres) constrain(t *table, st state) (changes []Change, notes []string, err error) {
	changes = p.notNull(t, st)
	online := func(statement string) {
		changes = append(changes, Change{Table: t.name, Online: true, SQL: []string{statement}})
	}
	for _, i := range st.indexes {
		beside := func(old index) bool { return led(old.name) == i.name }
		if i.broken && (i.name == ownIndex(t) || slices.ContainsFunc(st.indexes, beside)) {
			online("DROP INDEX CONCURRENTLY " + p.beside(t, i.name))
		}
	}
	if own := ownIndex(t); !st.leads(t) {
		keys := strings.Join(append([]string{t.column}, p.quoteAll(st.primary)...), ", ")
		online(fmt.Sprintf("CREATE UNIQUE INDEX CONCURRENTLY %s ON %s (%s)", p.quote(own), t.quoted, keys))
	}
	for _, i := range p.replaced(t, st) {
		made, err := st.made(t, i)
		if err != nil {
			return nil, nil, err
		}
		if made {
			continue
		}
		_, rest, ok := strings.Cut(i.text, " USING btree (")
		if !ok || i.referred {
			notes = append(notes, fmt.Sprintf("unique index %s of table %s stays unique over all tenants: a foreign key needs it, or it "+
				"is no btree", i.name, t.name))
			continue
		}
		online("CREATE UNIQUE INDEX CONCURRENTLY " + p.quote(led(i.name)) + " ON " + t.quoted + " USING btree (" +
			t.column + ", " + rest)
	}
	return changes, notes, nil
}

// notNull lets PostgreSQL see that there is no NULL without a lock, so that it need not look when it has one.
func (p postgres) notNull(t *table, st state) []Change {
	if st.column && st.notNull && !st.checked || !st.column && t.legacy != "" {
		return nil
	}
	alter := "ALTER TABLE " + t.quoted + " "
	check := p.quote(prefix + "tenant")
	var changes []Change
	if !st.checked {
		add := alter + "ADD CONSTRAINT " + check + " CHECK (" + t.column + " IS NOT NULL) NOT VALID"
		changes = append(changes, Change{Table: t.name, SQL: []string{add}})
	}
	if !st.notNull {
		changes = append(changes, Change{Table: t.name, Online: true, SQL: []string{alter + "VALIDATE CONSTRAINT " + check}})
	}
	return append(changes, Change{Table: t.name, SQL: []string{
		alter + "ALTER COLUMN " + t.column + " SET NOT NULL", alter + "DROP CONSTRAINT " + check,
	}})
}

func (p postgres) keys(t *table, st state) (changes []Change, notes []string, err error) {
	for _, k := range p.composites(t, st) {
		alter := "ALTER TABLE " + t.quoted + " "
		changes = append(changes,
			Change{Table: t.name, SQL: []string{
				alter + "DROP CONSTRAINT IF EXISTS " + p.quote(k.name), // of a crash, not validated
				alter + "ADD " + k.text + " NOT VALID",
			}},
			Change{Table: t.name, Online: true, SQL: []string{alter + "VALIDATE CONSTRAINT " + p.quote(k.name)}})
	}
	return changes, nil, nil
}

func (p postgres) finish(t *table, st state) (changes []Change, notes []string, err error) {
	if st.complete() && len(p.replaced(t, st)) == 0 {
		return nil, nil, nil
	}
	c := Change{Table: t.name}
	for _, i := range p.replaced(t, st) {
		made, err := st.made(t, i)
		switch {
		case err != nil:
			return nil, nil, err
		case !made || i.referred:
			continue
		case i.constraint:
			c.SQL = append(c.SQL, "ALTER TABLE "+t.quoted+" DROP CONSTRAINT "+p.quote(i.name))
		default:
			c.SQL = append(c.SQL, "DROP INDEX "+p.beside(t, i.name))
		}
		c.SQL = append(c.SQL, "ALTER INDEX "+p.beside(t, led(i.name))+" RENAME TO "+p.quote(i.name))
	}
	if st.byDefault && t.legacy != "" {
		c.SQL = append(c.SQL, "ALTER TABLE "+t.quoted+" ALTER COLUMN "+t.column+" DROP DEFAULT")
	}
	c.SQL = append(c.SQL, p.dropTriggers(t, st.triggers)...)
	if len(c.SQL) == 0 {
		return nil, nil, nil
	}
	return []Change{c}, nil, nil
}

// beside is the name of something in the schema of the table.
func (p postgres) beside(t *table, name string) string {
	if i := strings.LastIndexByte(t.name, '.'); i >= 0 {
		return p.quote(t.name[:i]) + "." + p.quote(name)
	}
	return p.quote(name)
}
