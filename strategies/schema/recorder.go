package schema

import (
	"context"
	"database/sql"
	"strings"

	"gorm.io/gorm"
)

// recorder is a transaction under GORM that writes down what changes the schema. GORM acts for the tenant; the
// transaction was begun as the owner, so every statement gets its context.
type recorder struct {
	*sql.Tx
	ctx        context.Context // of the transaction
	statements []string
	bound      bool // a statement had parameters and cannot be replayed as text
}

var _ gorm.Tx = (*recorder)(nil)

func (r *recorder) PrepareContext(_ context.Context, query string) (*sql.Stmt, error) {
	return r.Tx.PrepareContext(r.ctx, query)
}

func (r *recorder) ExecContext(_ context.Context, query string, args ...any) (sql.Result, error) {
	r.statements = append(r.statements, query)
	r.bound = r.bound || len(args) > 0
	return r.Tx.ExecContext(r.ctx, query, args...)
}

func (r *recorder) QueryContext(_ context.Context, query string, args ...any) (*sql.Rows, error) {
	return r.Tx.QueryContext(r.ctx, query, args...)
}

func (r *recorder) QueryRowContext(_ context.Context, query string, args ...any) *sql.Row {
	return r.Tx.QueryRowContext(r.ctx, query, args...)
}

// script is what was recorded as one text, or empty.
func (r *recorder) script() string {
	if r.bound || len(r.statements) == 0 {
		return ""
	}
	return strings.Join(r.statements, ";\n") + ";\n"
}
