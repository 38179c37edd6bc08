package tenantconn

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/gorm-tenancy/tenancy"
)

// Execer runs a statement: a *sql.Tx, a *sql.Conn, or a transaction of GORM's.
type Execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// Retag gives the rows of a place that has another name now, or is a copy, the id that belongs to it, for strategies that are a
// tenancy.Renamer or a tenancy.Cloner. In the changes (see tenancy.Plugin.ColumnChanges) tables and columns are quoted, and the
// tables are there. dialect is what GORM calls it, and tx a transaction.
//
// Foreign keys that hold the tenant's column have to be right when all tables are written, not in between: PostgreSQL looks at
// them when a statement is done (manual, CREATE TABLE), so there is one; SQLite, asked so, when the transaction is
// done. MySQL looks row by row: the error is the database's.
func Retag(ctx context.Context, tx Execer, dialect string, changes []tenancy.ColumnChange) error {
	if len(changes) == 0 {
		return nil
	}
	if dialect == "sqlite" {
		if _, err := tx.ExecContext(ctx, "PRAGMA defer_foreign_keys = ON"); err != nil {
			return err
		}
	}
	if dialect == "postgres" {
		statement, args := together(changes)
		_, err := tx.ExecContext(ctx, statement, args...)
		return err
	}
	for _, c := range changes {
		if _, err := tx.ExecContext(ctx, "UPDATE "+c.Table+" SET "+c.Column+" = ? WHERE "+c.Column+" = ?", c.To, c.From); err != nil {
			return err
		}
	}
	return nil
}

// together is one statement of PostgreSQL for all tables.
func together(changes []tenancy.ColumnChange) (statement string, args []any) {
	parts := make([]string, len(changes))
	for i, c := range changes {
		update := fmt.Sprintf("UPDATE %s SET %s = $%d WHERE %[2]s = $%[4]d", c.Table, c.Column, 2*i+1, 2*i+2)
		args = append(args, c.To, c.From)
		parts[i] = fmt.Sprintf("t%d AS (%s)", i, update)
		if i == len(changes)-1 {
			parts[i] = update
		}
	}
	last := len(parts) - 1
	if last == 0 {
		return parts[0], args
	}
	return "WITH " + strings.Join(parts[:last], ", ") + " " + parts[last], args
}
