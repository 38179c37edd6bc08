package tenancytest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
)

// RequireScoped runs query as the tenant of db's context, in a transaction that it rolls back, and asks the database for its plan
// of each statement that came of it, preloads and hooks included. Each owned table must be reached through an index by the
// tenant: by a condition on the tenant column that the index itself answers, not by a filter behind it. A look-up by all columns
// of a unique index finds one row, and passes. Where the tenant has tables of its own there is nothing to prune; then it is
// enough that they are reached.
//
//	tenancytest.RequireScoped(t, db.WithContext(ctx), func(tx *gorm.DB) error { return tx.Where("votes > 3").Find(&polls).Error })
//
// Tables of tests are small, and databases read small tables whole. So PostgreSQL is asked for its plan with enable_seqscan off: a
// scan that is left then is one that no index could replace. Of MySQL and MariaDB the indexes count that the plan names as
// possible, whichever it takes. SQLite needs nothing. What a planner would do with your rows this does not tell.
//
// The test fails at once, naming the table and the plan; it also fails when no statement reaches an owned table. Supported are
// SQLite, PostgreSQL, MySQL and MariaDB.
func RequireScoped(t testing.TB, db *gorm.DB, query func(tx *gorm.DB) error) {
	t.Helper()
	if err := scoped(db, query); err != nil {
		t.Fatalf("tenancytest: %v", err)
	}
}

var errRollback = errors.New("roll back")

func scoped(db *gorm.DB, query func(tx *gorm.DB) error) error {
	p, err := pluginOf(db)
	if err != nil {
		return err
	}
	ctx := db.Statement.Context
	id, err := tenancy.Require(ctx)
	if err != nil {
		return fmt.Errorf("give db.WithContext(tenancy.WithTenant(…)): %w", err)
	}
	route, err := p.Strategy().Route(ctx, id)
	if err != nil {
		return err
	}
	kind, ok := explainers[db.Name()]
	if !ok {
		return fmt.Errorf("%w: no plans are read from %s", tenancy.ErrUnsupported, db.Name())
	}
	x := &examination{plugin: p, shared: route.Shared, explainer: kind, ctx: ctx}
	err = db.Session(&gorm.Session{NewDB: true, Context: ctx}).Transaction(func(tx *gorm.DB) error {
		x.pool = tx.Statement.ConnPool
		rec := &recording{ConnPool: x.pool}
		within := tx.Session(&gorm.Session{NewDB: true, Context: ctx})
		within.Statement.ConnPool = rec
		if err := query(within); err != nil {
			return fmt.Errorf("the query failed, so there is no plan: %w", err)
		}
		if err := x.all(rec.statements); err != nil {
			return err
		}
		return errRollback
	})
	if errors.Is(err, errRollback) {
		return nil
	}
	return err
}

// recording keeps what passes through a transaction.
type recording struct {
	gorm.ConnPool
	statements []statement
}

type statement struct {
	text string
	vars []any
}

func (r *recording) keep(text string, vars []any) {
	r.statements = append(r.statements, statement{text, vars})
}

// PrepareContext implements gorm.ConnPool.
func (r *recording) PrepareContext(ctx context.Context, text string) (*sql.Stmt, error) {
	return nil, errors.New("tenancytest: RequireScoped cannot look into prepared statements")
}

// ExecContext implements gorm.ConnPool.
func (r *recording) ExecContext(ctx context.Context, text string, vars ...any) (sql.Result, error) {
	r.keep(text, vars)
	return r.ConnPool.ExecContext(ctx, text, vars...)
}

// QueryContext implements gorm.ConnPool.
func (r *recording) QueryContext(ctx context.Context, text string, vars ...any) (*sql.Rows, error) {
	r.keep(text, vars)
	return r.ConnPool.QueryContext(ctx, text, vars...)
}

// QueryRowContext implements gorm.ConnPool.
func (r *recording) QueryRowContext(ctx context.Context, text string, vars ...any) *sql.Row {
	r.keep(text, vars)
	return r.ConnPool.QueryRowContext(ctx, text, vars...)
}

// Commit and Rollback make it a transaction, so that GORM takes savepoints in it.
func (r *recording) Commit() error   { return nil }
func (r *recording) Rollback() error { return nil }

// examination looks at the plans of one query.
type examination struct {
	explainer
	ctx    context.Context
	pool   gorm.ConnPool
	plugin *tenancy.Plugin
	shared bool
}

// explainer reads the plans of one kind of database.
type explainer struct {
	// before is a setting for the plans.
	before string
	// plan lists how a statement reaches tables.
	plan func(x *examination, s statement) ([]access, error)
}

// access is how a plan reaches a table.
type access struct {
	table string
	// equal are the columns on which the index itself answers a comparison.
	equal []string
	// one is that at most one row is found: the whole of a unique index is compared.
	one bool
	// possible are indexes that it could have used instead.
	possible []string
	// as is the plan's own description.
	as string
}

var explainers = map[string]explainer{
	"sqlite":   {plan: planSQLite},
	"postgres": {before: "SET LOCAL enable_seqscan = off", plan: planPostgres},
	"mysql":    {plan: planMySQL},
}

var planned = regexp.MustCompile(`(?is)^\s*(SELECT|INSERT|UPDATE|DELETE|REPLACE|WITH)\b`)

func (x *examination) all(statements []statement) error {
	ctx := tenancy.Bypass(x.ctx, "tenancytest: settings of the planner")
	if i, ok := x.plugin.Strategy().(tenancy.Isolator); ok && i.Isolation().Connections {
		ctx = x.ctx // the transaction is the tenant's
	}
	if x.before != "" {
		if _, err := x.pool.ExecContext(ctx, x.before); err != nil {
			return fmt.Errorf("%s: %w", x.before, err)
		}
	}
	reached := false
	for _, s := range statements {
		if !planned.MatchString(s.text) {
			continue // a savepoint
		}
		all, err := x.plan(x, s)
		if err != nil {
			return fmt.Errorf("the plan of %s: %w", s.text, err)
		}
		for _, a := range all {
			owned, err := x.judge(a, s)
			if err != nil {
				return err
			}
			reached = reached || owned
		}
	}
	if !reached {
		return errors.New("no statement reaches an owned table, so nothing is shown")
	}
	return nil
}

// judge reports whether a table is owned, and an error if it is reached otherwise than by its tenant.
func (x *examination) judge(a access, s statement) (owned bool, err error) {
	name := strings.ToLower(last(a.table))
	central := slices.ContainsFunc(x.plugin.CentralTables(), func(t string) bool { return strings.ToLower(last(t)) == name })
	if central {
		return false, nil
	}
	for _, t := range x.plugin.OwnedTables() {
		if strings.ToLower(last(t.Name)) != name {
			continue
		}
		if !x.shared || a.one || t.Column != "" && slices.Contains(a.equal, t.Column) {
			return true, nil
		}
		if t.Column == "" && linked(t, a.equal) {
			return true, nil
		}
		return true, fmt.Errorf("table %q is not reached by its tenant, but so: %s\n\tstatement: %s\n\tan index that begins with %q, or is unique and compared "+
			"as a whole, would do", t.Name, a.as, s.text, t.Column)
	}
	return false, fmt.Errorf("nobody knows whose table %q is, which is reached so: %s\n\tstatement: %s", a.table, a.as, s.text)
}
