package migrate

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"strings"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
)

// StepSQL is what a step would send.
type StepSQL struct {
	// Version is the step's.
	Version int64
	// Name is the step's.
	Name string
	// Statements are its SQL. It is empty for a function, whose statements depend on what it reads.
	Statements []string
}

// DryRun returns the SQL of the steps that a tenant lacks, and changes nothing: files as they are, and what AutoMigrate
// would send to the tenant's tables as they are now, before the other pending steps. It fails as Up would.
func (r *Runner) DryRun(ctx context.Context, id tenancy.ID) ([]StepSQL, error) {
	plan, err := r.Plan(ctx, id)
	if err != nil {
		return nil, err
	}
	var all []StepSQL
	for _, t := range plan.Tenants {
		if t.Err != nil {
			return nil, &StepError{Tenant: id, Err: t.Err}
		}
		for _, s := range t.Steps {
			statements, err := r.statements(ctx, string(id), s)
			if err != nil {
				return nil, &StepError{Tenant: id, Version: s.Version, Name: s.Name, Err: err}
			}
			all = append(all, StepSQL{Version: s.Version, Name: s.Name, Statements: statements})
		}
	}
	return all, nil
}

func (r *Runner) statements(ctx context.Context, tenant string, s Step) ([]string, error) {
	switch {
	case s.SQL != "":
		return []string{upward(s.SQL)}, nil
	case s.repeatable:
		return r.record(r.context(ctx, tenant), s)
	}
	return nil, nil
}

// upward is the part of a file that is run.
func upward(text string) string {
	var b strings.Builder
	up := false
	for line := range strings.Lines(text) {
		switch {
		case annotated(line, "Up"):
			up = true
		case annotated(line, "Down"):
			up = false
		case up:
			b.WriteString(line)
		}
	}
	return strings.TrimSpace(b.String())
}

// record runs AutoMigrate over a connection that reads and does not write.
func (r *Runner) record(ctx context.Context, s Step) ([]string, error) {
	pool, err := r.db.DB()
	if err != nil {
		return nil, err
	}
	tx, err := pool.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer tx.Rollback()
	rec := &recorder{Tx: tx, explain: r.db.Dialector.Explain}
	err = s.Run(ctx, r.session(ctx, rec))
	return rec.statements, err
}

// recorder is a transaction under GORM that writes down what it is told to execute, and does not.
type recorder struct {
	*sql.Tx
	explain    func(sql string, vars ...any) string
	statements []string
}

var _ gorm.Tx = (*recorder)(nil)

// ExecContext is called by GORM.
func (r *recorder) ExecContext(_ context.Context, query string, args ...any) (sql.Result, error) {
	if !strings.HasPrefix(query, "SAVEPOINT") && !strings.HasPrefix(query, "ROLLBACK TO") {
		r.statements = append(r.statements, r.explain(query, args...))
	}
	return driver.RowsAffected(0), nil
}
