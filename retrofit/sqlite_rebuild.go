package retrofit

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/gorm-tenancy/tenancy"
)

// rebuild is SQLite's own way to alter a table: another one takes its rows and its name.
func (q sqlite) rebuild(t *table, st state) ([]string, error) {
	added, again := ", "+t.definition(), ", "+t.column+" "+t.kind+" NOT NULL"
	if strings.Count(st.create, added) != 1 || !strings.HasPrefix(strings.ToUpper(st.create), "CREATE TABLE ") {
		return nil, fmt.Errorf("%w: column %s of table %q was not made by this package, and SQLite cannot make it NOT NULL; make the "+
			"table again as https://sqlite.org/lang_altertable.html describes, with the column NOT NULL and without a default",
			tenancy.ErrUnsupported, t.plain, t.name)
	}
	_, definition, ok := strings.Cut(strings.Replace(st.create, added, again, 1), "(")
	if !ok {
		return nil, fmt.Errorf("%w: the text of table %q is not understood", tenancy.ErrUnsupported, t.name)
	}
	made, columns := q.quote(prefix+t.name), strings.Join(q.quoteAll(st.columns), ", ") // without generated ones
	return []string{
		"CREATE TABLE " + made + " (" + definition,
		"INSERT INTO " + made + " (" + columns + ") SELECT " + columns + " FROM " + t.quoted,
		"DROP TABLE " + t.quoted,
		"ALTER TABLE " + made + " RENAME TO " + t.quoted,
	}, nil
}

// makeAgain rebuilds a table with its indexes and triggers, in one transaction. Foreign keys are off meanwhile, or those of
// other tables would act when this one is dropped; at the end all must refer to a row as before.
func (q sqlite) makeAgain(s *session, t *table, before, rebuild []string) (err error) {
	var enforced, legacy bool
	if err := errors.Join(s.QueryRowContext(s.ctx, "PRAGMA foreign_keys").Scan(&enforced),
		s.QueryRowContext(s.ctx, "PRAGMA legacy_alter_table").Scan(&legacy)); err != nil {
		return err
	}
	pragma := func(name string, on bool) error { return s.exec(fmt.Sprintf("PRAGMA %s = %t", name, on)) }
	if err := errors.Join(pragma("foreign_keys", false), pragma("legacy_alter_table", true)); err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, pragma("foreign_keys", enforced), pragma("legacy_alter_table", legacy))
	}()
	return s.transaction("BEGIN IMMEDIATE", func() error {
		broken, err := s.count(dangling)
		if err != nil {
			return err
		}
		if err := q.remake(s, t, before, rebuild); err != nil {
			return err
		}
		after, err := s.count(dangling)
		if err == nil && after != broken {
			err = fmt.Errorf("retrofit: %d rows would refer to no row, %d did before", after, broken)
		}
		return err
	})
}

const dangling = "SELECT count(*) FROM pragma_foreign_key_check"

func (q sqlite) remake(s *session, t *table, before, rebuild []string) error {
	if err := s.all(before); err != nil {
		return err
	}
	last, others, err := q.remember(s, t)
	if err != nil {
		return err
	}
	if err := s.all(rebuild); err != nil {
		return err
	}
	if last.Valid {
		err := errors.Join(s.exec("DELETE FROM sqlite_sequence WHERE name = ?", t.name),
			s.exec("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", t.name, last.Int64))
		if err != nil {
			return err
		}
	}
	return s.all(others)
}

// remember returns the last key that the table gave, which it must not give again, and what goes with the table.
func (q sqlite) remember(s *session, t *table) (last sql.NullInt64, others []string, err error) {
	counted, err := s.count("SELECT count(*) FROM sqlite_master WHERE name = 'sqlite_sequence'")
	if err == nil && counted > 0 {
		err = s.QueryRowContext(s.ctx, "SELECT max(seq) FROM sqlite_sequence WHERE name = ?", t.name).Scan(&last)
	}
	if err != nil {
		return last, nil, err
	}
	query := "SELECT sql FROM sqlite_master WHERE tbl_name = ? COLLATE NOCASE AND type <> 'table' AND sql IS NOT NULL"
	err = s.rows(query, func(rows *sql.Rows) error {
		var text string
		err := rows.Scan(&text)
		others = append(others, text)
		return err
	}, t.name)
	return last, others, err
}
