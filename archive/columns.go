package archive

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"
)

// columnQueries list the columns of a table and their types, without those that the database computes.
func columnQuery(dialect string) (string, error) {
	switch dialect {
	case "postgres":
		return `SELECT a.attname, format_type(a.atttypid, NULL) FROM pg_catalog.pg_attribute a
WHERE a.attrelid = to_regclass(?) AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''`, nil
	case "mysql":
		return `SELECT c.column_name, c.data_type FROM information_schema.columns c
WHERE c.table_schema = coalesce(?, database()) AND c.table_name = ? AND coalesce(c.generation_expression, '') = ''`, nil
	case "sqlite":
		return `SELECT name, type FROM pragma_table_info(?)`, nil
	}
	return "", fmt.Errorf("archive: the database %q is not known", dialect)
}

// columnTypes returns the types of a table's columns by their names; none if there is no such table.
func columnTypes(tx *gorm.DB, table string) (map[string]string, error) {
	query, err := columnQuery(tx.Name())
	if err != nil {
		return nil, err
	}
	var args []any
	switch tx.Name() {
	case "postgres":
		args = []any{tx.Statement.Quote(table)}
	case "mysql":
		database, name, qualified := strings.Cut(table, ".")
		if !qualified {
			name = database
		}
		args = []any{sql.NullString{String: database, Valid: qualified}, name}
	default:
		args = []any{table}
	}
	rows, err := tx.Raw(query, args...).Rows()
	if err != nil {
		return nil, fmt.Errorf("columns of table %q: %w", table, err)
	}
	defer rows.Close()
	types := map[string]string{}
	for rows.Next() {
		var name, kind string
		if err := rows.Scan(&name, &kind); err != nil {
			return nil, err
		}
		types[name] = kind
	}
	return types, rows.Err()
}

// readColumns finds the columns of a table that rows are made of, by name.
func (t *table) readColumns(tx *gorm.DB, o *options) error {
	types, err := columnTypes(tx, t.name)
	if err != nil {
		return err
	}
	if len(types) == 0 {
		return fmt.Errorf("%w: the tenant has no table %q; migrate it first", ErrSchema, t.name)
	}
	for name, kind := range types {
		if strings.EqualFold(name, t.tenant) {
			continue
		}
		f := t.schema.FieldsByDBName[name]
		if f == nil {
			if o.skipColumns {
				continue
			}
			return fmt.Errorf("%w: no model knows column %q of table %q; add it, or leave it out with archive.SkipUnknownColumns",
				ErrSchema, name, t.name)
		}
		t.columns = append(t.columns, Column{name, kindOf(f, kind)})
	}
	slices.SortFunc(t.columns, func(a, b Column) int { return strings.Compare(a.Name, b.Name) })
	return t.readKeys()
}

// readKeys finds the columns that order the rows: those of the primary key, or all where there is none.
func (t *table) readKeys() error {
	for _, f := range t.schema.PrimaryFields {
		if strings.EqualFold(f.DBName, t.tenant) {
			continue
		}
		i := t.column(f.DBName)
		if i < 0 {
			return fmt.Errorf("%w: table %q has no column %q, the model's primary key", ErrSchema, t.name, f.DBName)
		}
		t.keys = append(t.keys, i)
	}
	if len(t.keys) > 0 {
		return nil
	}
	t.keyless = true
	for i := range t.columns {
		t.keys = append(t.keys, i)
	}
	return nil
}
