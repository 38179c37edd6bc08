package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
)

// Verify fails when an owned table stands where all tenants would reach it: in a shared schema, in the schemas of the
// DSN's own search_path, or on MySQL in the DSN's database; when the table name of an owned model names a schema; and on
// MySQL when that of a central model names none. Each of them is a tenancy.Defect. The plugin calls it at the end of db.Use.
func (s *Strategy) Verify(db *gorm.DB, p *tenancy.Plugin) error {
	var owned []string
	var wrong []error
	for _, t := range p.OwnedTables() {
		owned = append(owned, t.Name)
		if table := t.Name; strings.Contains(table, ".") {
			wrong = append(wrong, &tenancy.Defect{
				Code: "table-qualified", Table: table, Err: tenancy.ErrUnconfined,
				Message: fmt.Sprintf("%q is owned, but its name says where it is", table),
				Mend:    "take the schema out of TableName: the connection adds the tenant's",
			})
		}
	}
	if err := errors.Join(wrong...); err != nil {
		return err
	}
	if err := s.settle(p); err != nil {
		return err
	}
	pool, err := db.DB()
	if err != nil {
		return err
	}
	ctx := tenancy.Bypass(db.Statement.Context, "schema.Verify")
	tx, err := pool.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	s.mu.Lock()
	beside := s.beside
	s.mu.Unlock()
	if db.Name() != "mysql" {
		return s.verifyPostgres(ctx, tx, owned, beside)
	}
	if beside { // no name without a database leads out of a tenant's
		owned = nil
	}
	return verifyMySQL(ctx, tx, owned, p.CentralTables())
}

// separator joins names into one parameter: not every driver knows arrays.
const separator = "\x1f"

func (s *Strategy) verifyPostgres(ctx context.Context, tx *sql.Tx, owned []string, beside bool) error {
	names := strings.Join(owned, separator)
	err := none(ctx, tx, "stands in a shared schema, where every tenant would reach it", `SELECT n.nspname, c.relname
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relname = ANY (string_to_array($1, chr(31)))
	AND n.nspname = ANY (string_to_array($2, chr(31)))
ORDER BY 1, 2`, names, strings.Join(s.shared, separator))
	if err != nil || beside {
		return err
	}
	// What a connection begins with, from the DSN, the role and the database. The transaction is rolled back.
	_, err = tx.ExecContext(ctx,
		"SELECT set_config(name, reset_val, true) FROM pg_catalog.pg_settings WHERE name = 'search_path'")
	if err != nil {
		return err
	}
	return none(ctx, tx, "is found by the search_path that connections begin with (of the DSN, the role or the database)",
		`SELECT n.nspname, c.relname
FROM unnest(string_to_array($1, chr(31))) t JOIN pg_catalog.pg_class c ON c.oid = to_regclass(quote_ident(t))
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace ORDER BY 1, 2`, names)
}

// none fails for each owned table that a query finds.
func none(ctx context.Context, tx *sql.Tx, why, query string, args ...any) error {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	var wrong []error
	for rows.Next() {
		var schema, table string
		if err := rows.Scan(&schema, &table); err != nil {
			return err
		}
		from := quote(schema) + "." + quote(table)
		wrong = append(wrong, misplaced(from, why, "ALTER TABLE "+from+" SET SCHEMA that tenant's"))
	}
	return errors.Join(append(wrong, rows.Err())...)
}

func misplaced(table, why, move string) error {
	return &tenancy.Defect{
		Code: "table-misplaced", Table: table, Err: tenancy.ErrUnconfined,
		Message: "the owned table " + table + " " + why,
		Mend:    "if it holds one tenant's rows: " + move + "; if it is empty: DROP TABLE " + table,
	}
}

func verifyMySQL(ctx context.Context, tx *sql.Tx, owned, central []string) error {
	var database string
	if err := tx.QueryRowContext(ctx, "SELECT DATABASE()").Scan(&database); err != nil {
		return err
	}
	var wrong []error
	for _, table := range central {
		if !strings.Contains(table, ".") {
			wrong = append(wrong, &tenancy.Defect{
				Code: "central-unqualified", Table: table, Err: tenancy.ErrUnsupported,
				Message: fmt.Sprintf("MySQL has no search_path: the central table %q is not found inside a tenant", table),
				Mend:    fmt.Sprintf("let TableName name its database, as in %q", database+"."+table),
			})
		}
	}
	for _, table := range owned {
		var found int
		err := tx.QueryRowContext(ctx, "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?",
			database, table).Scan(&found)
		if err != nil {
			return err
		}
		if found > 0 {
			at := backquote(database) + "." + backquote(table)
			wrong = append(wrong, misplaced(at, "stands in the database of the central tables", "RENAME TABLE "+at+" TO that tenant's database"))
		}
	}
	return errors.Join(wrong...)
}
