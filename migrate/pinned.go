package migrate

import (
	"context"
	"database/sql"
	"fmt"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
)

// pinned is what a function of a step has under its GORM: a transaction or pool that takes no statement for anybody but the
// step's tenant. Where tenants share tables nothing below would refuse another tenant's context, or a bypass.
type pinned struct {
	gorm.ConnPool
	tenant tenancy.ID
}

// pinnedTx is pinned in a transaction: GORM then makes savepoints.
type pinnedTx struct {
	pinned
	gorm.TxCommitter
}

// pinnedPool is pinned outside of one: GORM begins its own.
type pinnedPool struct {
	pinned
	pool *sql.DB
}

var (
	_ gorm.TxCommitter      = pinnedTx{}
	_ gorm.ConnPoolBeginner = pinnedPool{}
)

// BeginTx is called by GORM.
func (p pinnedPool) BeginTx(ctx context.Context, opts *sql.TxOptions) (gorm.ConnPool, error) {
	if err := p.admit(ctx); err != nil {
		return nil, err
	}
	tx, err := p.pool.BeginTx(ctx, opts)
	if err != nil {
		return nil, err
	}
	return pinnedTx{pinned{tx, p.tenant}, tx}, nil
}

var errOtherTenant = fmt.Errorf("%w: a step acts for its own tenant; use the context it is given", tenancy.ErrTenantMismatch)

func (p pinned) admit(ctx context.Context) error {
	reach, id, err := tenancy.ReachOf(ctx)
	if err == nil && (reach != tenancy.ReachTenant || id != p.tenant) {
		return errOtherTenant
	}
	return err
}

// PrepareContext is called by GORM.
func (p pinned) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	if err := p.admit(ctx); err != nil {
		return nil, err
	}
	return p.ConnPool.PrepareContext(ctx, query)
}

// ExecContext is called by GORM.
func (p pinned) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if err := p.admit(ctx); err != nil {
		return nil, err
	}
	return p.ConnPool.ExecContext(ctx, query, args...)
}

// QueryContext is called by GORM.
func (p pinned) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := p.admit(ctx); err != nil {
		return nil, err
	}
	return p.ConnPool.QueryContext(ctx, query, args...)
}

// QueryRowContext is called by GORM. A row cannot carry an error of ours: it is that of an ended context.
func (p pinned) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if p.admit(ctx) != nil {
		ended, end := context.WithCancel(ctx)
		end()
		ctx = ended
	}
	return p.ConnPool.QueryRowContext(ctx, query, args...)
}
