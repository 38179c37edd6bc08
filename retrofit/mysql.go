package retrofit

import (
	"database/sql"
	badconn "database/sql/driver"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	driver "github.com/go-sql-driver/mysql"
)

// mysql is MySQL 8 and MariaDB 10.5 or later.
type mysql struct{ *Retrofit }

// lockName is of this database: names of locks are the server's.
const lockName = "CONCAT('tenancy-retrofit-', LEFT(SHA2(DATABASE(), 256), 40))"

func (m mysql) acquire(s *session) (bool, error) {
	free, err := s.count("SELECT COALESCE(GET_LOCK(" + lockName + ", 0), 0)")
	if err != nil || free == 0 {
		return false, err
	}
	// Batches lock the rows they change and none between.
	wait := max(1, int(m.config.lockTimeout.Seconds()))
	return true, errors.Join(
		s.exec(fmt.Sprintf("SET SESSION lock_wait_timeout = %d, SESSION innodb_lock_wait_timeout = %[1]d", wait)),
		s.exec("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"))
}

// release ends the connection, and with it the lock and all settings.
func (mysql) release(s *session) error {
	if err := s.Raw(func(any) error { return badconn.ErrBadConn }); !errors.Is(err, badconn.ErrBadConn) {
		return err
	}
	return nil
}

func (mysql) text(column string) string { return "CAST(" + column + " AS BINARY)" }

func (mysql) placeholder(int) string { return "?" }

// locked runs one statement after the other: each commits.
func (m mysql) locked(s *session, _ string, statements []string) (held time.Duration, err error) {
	for _, statement := range statements {
		start := m.now()
		err := s.exec(statement)
		var no *driver.MySQLError
		if errors.As(err, &no) && (no.Number == 1845 || no.Number == 1846) && strings.HasSuffix(statement, instant) {
			err = s.exec(strings.TrimSuffix(statement, instant) + inplace)
		}
		if err != nil {
			return held, err
		}
		held = max(held, m.now().Sub(start))
	}
	return held, nil
}

func (m mysql) online(s *session, statements []string) error {
	_, err := m.locked(s, "", statements)
	return err
}

func (mysql) batch(s *session, query string, args ...any) error { return s.exec(query, args...) }

const (
	instant = ", ALGORITHM=INSTANT"
	inplace = ", ALGORITHM=INPLACE, LOCK=NONE"
)

// schemaOf is where a table stands, as an expression.
func schemaOf(t *table) (database, name string) {
	if i := strings.LastIndexByte(t.name, '.'); i >= 0 {
		return "'" + t.name[:i] + "'", t.name[i+1:]
	}
	return "DATABASE()", t.name
}

func (m mysql) read(s *session, t *table) (st state, err error) {
	database, name := schemaOf(t)
	exists := false
	in := " WHERE table_schema = " + database + " AND table_name = ?"
	err = s.rows("SELECT column_name, is_nullable, COALESCE(column_default, ''), extra FROM information_schema.columns"+in+
		" ORDER BY ordinal_position", func(rows *sql.Rows) error {
		var column, nullable, preset, extra string
		if err := rows.Scan(&column, &nullable, &preset, &extra); err != nil {
			return err
		}
		exists = true
		st.columns = append(st.columns, column)
		if strings.Contains(strings.ToLower(extra), "on update") {
			st.stamped = append(st.stamped, column)
		}
		if column == t.plain {
			st.column, st.notNull, st.byDefault = true, nullable == "NO", t.presets(preset)
		}
		return nil
	}, name)
	if err == nil && !exists {
		err = errors.New("it does not exist")
	}
	if err != nil {
		return st, fmt.Errorf("retrofit: read table %q: %w", t.name, err)
	}
	each := func(into *[]string) func(*sql.Rows) error {
		return func(rows *sql.Rows) error {
			var name string
			err := rows.Scan(&name)
			*into = append(*into, name)
			return err
		}
	}
	return st, errors.Join(
		s.rows("SELECT trigger_name FROM information_schema.triggers WHERE event_object_schema = "+database+
			" AND event_object_table = ? AND trigger_name LIKE 'tenancy\\_retrofit\\_%'", each(&st.triggers), name),
		s.rows("SELECT constraint_name FROM information_schema.table_constraints"+in+
			" AND constraint_type = 'FOREIGN KEY'", each(&st.keys), name),
		s.rows("SELECT k.column_name FROM information_schema.key_column_usage k JOIN information_schema.referential_constraints c "+
			"ON c.constraint_schema = k.constraint_schema AND c.constraint_name = k.constraint_name WHERE k.table_schema = "+database+
			" AND k.table_name = ? AND k.ordinal_position = 1 AND c.delete_rule = 'CASCADE'", each(&st.cascading), name),
		m.readIndexes(s, t, &st))
}

func (m mysql) readIndexes(s *session, t *table, st *state) error {
	return s.rows("SHOW INDEX FROM "+t.quoted, func(rows *sql.Rows) error {
		names, err := rows.Columns()
		if err != nil {
			return err
		}
		values, err := scanKey(rows, len(names))
		if err != nil {
			return err
		}
		get := func(name string) string {
			i := slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
			if i < 0 || values[i] == nil {
				return ""
			}
			return fmt.Sprint(values[i])
		}
		name, column := get("Key_name"), get("Column_name")
		i := st.index(name)
		if i == nil {
			st.indexes = append(st.indexes, index{name: name, unique: get("Non_unique") == "0", primary: name == "PRIMARY"})
			i = st.index(name)
		}
		part := m.quote(column)
		switch {
		case column == "": // an expression
			part = "(" + strings.ReplaceAll(get("Expression"), `\'`, `'`) + ")"
		case get("Sub_part") != "":
			part += "(" + get("Sub_part") + ")"
		}
		i.columns, i.text = append(i.columns, column), strings.TrimPrefix(i.text+", "+part, ", ")
		if i.primary {
			st.primary = i.columns
		}
		return nil
	})
}

// word finds names in expressions.
var word = regexp.MustCompile(`\w+`)

// triggers are the texts of those that stamp rows, by name.
func (m mysql) triggers(t *table, st state) (names, texts []string) {
	var row []string
	used := word.FindAllString(t.tell, -1)
	for _, c := range st.columns {
		if c != t.plain && slices.ContainsFunc(used, func(w string) bool { return strings.EqualFold(w, c) }) {
			row = append(row, "NEW."+m.quote(c)+" AS "+m.quote(c))
		}
	}
	told := "SELECT " + t.tell
	if t.legacy == "" && len(row) > 0 {
		told += " FROM (SELECT " + strings.Join(row, ", ") + ") " + t.alias
	}
	refuse := func(why, when string) string {
		return "\n\tIF " + when + " THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'tenancy: " + why + "'; END IF;"
	}
	for _, event := range []string{"INSERT", "UPDATE"} {
		given, moved := "NULLIF(NEW."+t.column+", "+t.zero+")", ""
		if event == "UPDATE" {
			old := "NULLIF(OLD." + t.column + ", " + t.zero + ")"
			moved = refuse("a row does not change its tenant", given+" <> "+old)
			given = "COALESCE(" + given + ", " + old + ")"
		}
		body := " BEFORE " + event + " ON " + t.quoted + " FOR EACH ROW\nBEGIN" +
			"\n\tDECLARE tenancy_told " + t.kind + ";" +
			"\n\tSET tenancy_told = NULLIF((" + told + "), " + t.zero + ");" + moved +
			refuse("another tenant''s row", given+" <> tenancy_told") +
			"\n\tSET NEW." + t.column + " = COALESCE(" + given + ", tenancy_told);\nEND"
		name := mark(t.name + body)
		names, texts = append(names, name), append(texts, "CREATE TRIGGER "+m.inSchema(t, name)+body)
	}
	return names, texts
}

func (m mysql) inSchema(t *table, name string) string {
	if i := strings.LastIndexByte(t.name, '.'); i >= 0 {
		name = t.name[:i] + "." + name
	}
	return m.quote(name)
}

func (m mysql) ready(t *table, st state, _ bool) []string {
	names, _ := m.triggers(t, st)
	return names
}

func (m mysql) column(t *table) string {
	return "ALTER TABLE " + t.quoted + " ADD COLUMN " + t.definition() + instant
}

func (m mysql) add(t *table, st state) (changes []Change) {
	change := func(text string) { changes = append(changes, Change{Table: t.name, SQL: []string{text}}) }
	names, texts := m.triggers(t, st)
	for i, name := range names {
		if !slices.Contains(st.triggers, name) {
			change(texts[i])
		}
	}
	for _, old := range st.others(names) {
		change("DROP TRIGGER " + m.inSchema(t, old))
	}
	return changes
}

func (m mysql) constrain(t *table, st state) (changes []Change, notes []string, err error) {
	alter := "ALTER TABLE " + t.quoted + " "
	if !(st.column && st.notNull) && (st.column || t.legacy == "") {
		modify := alter + "MODIFY COLUMN " + t.column + " " + t.kind + " NOT NULL" + inplace
		changes = append(changes, Change{Table: t.name, SQL: []string{modify}})
	}
	index := func(name, columns string) {
		changes = append(changes, Change{
			Table: t.name, Online: true,
			SQL: []string{alter + "ADD UNIQUE INDEX " + m.quote(name) + " (" + columns + ")" + inplace},
		})
	}
	if !st.leads(t) {
		index(ownIndex(t), strings.Join(append([]string{t.column}, m.quoteAll(st.primary)...), ", "))
	}
	for _, i := range m.replaced(t, st) {
		made, err := st.made(t, i)
		if err != nil {
			return nil, nil, err
		}
		if !made {
			index(led(i.name), t.column+", "+i.text)
		}
	}
	return changes, nil, nil
}

// keys are added without looking at the rows, which would block writes: Constrain looks at them afterwards.
func (m mysql) keys(t *table, st state) (changes []Change, notes []string, err error) {
	for _, k := range m.composites(t, st) {
		changes = append(changes, Change{Table: t.name, SQL: []string{
			"SET foreign_key_checks = 0", "ALTER TABLE " + t.quoted + " ADD " + k.text + inplace, "SET foreign_key_checks = 1",
		}})
	}
	return changes, nil, nil
}

// finish drops the triggers last: as long as one is there, the table is known not to be finished.
func (m mysql) finish(t *table, st state) (changes []Change, notes []string, err error) {
	alter := "ALTER TABLE " + t.quoted + " "
	change := func(text string) { changes = append(changes, Change{Table: t.name, SQL: []string{text}}) }
	for _, i := range m.replaced(t, st) {
		made, err := st.made(t, i)
		if err != nil {
			return nil, nil, err
		}
		if made {
			change(alter + "DROP INDEX " + m.quote(i.name) + ", RENAME INDEX " + m.quote(led(i.name)) + " TO " + m.quote(i.name))
		}
	}
	if st.byDefault {
		change(alter + "ALTER COLUMN " + t.column + " DROP DEFAULT")
	}
	for _, name := range st.triggers {
		change("DROP TRIGGER " + m.inSchema(t, name))
	}
	return changes, nil, nil
}
