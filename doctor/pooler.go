package doctor

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy/tenantconn"
)

// patience bounds the questions about the pooler, which a pooler without a free connection would let wait.
const patience = 10 * time.Second

// pooler finds out whether something between here and PostgreSQL gives each transaction another connection of the server,
// and whether anything relies on having one.
func pooler(ctx context.Context, e *examination) error {
	if e.kind != "postgres" {
		return &skipped{"poolers in transaction mode are PostgreSQL's"}
	}
	beside, done, err := e.beside()
	if err != nil {
		return err
	}
	defer done()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	shared, err := sharesBackends(ctx, beside, e.simply())
	if err != nil || !shared {
		return err
	}
	relied := false
	if e.isolation.Sessions {
		relied = true
		e.find(Finding{
			Code:    codePoolerSession,
			Message: "a pooler gives each transaction another connection of the server, and the strategy leaves the tenant on the connection for the next one",
			Mend:    "leave out schema.Session() and use postgres.Open without a DriverName, or let the pooler run in session mode",
		})
	}
	if e.runner != nil && e.runner.Sessions() {
		relied = true
		e.find(Finding{
			Code:    codePoolerLocks,
			Message: "a pooler gives each transaction another connection of the server, and migrations hold tenants by locks of the session",
			Mend:    "migrate.New(…, migrate.Leases(time.Minute)), or migrate past the pooler",
		})
	}
	if !relied {
		e.find(Finding{
			Code:    codePooler,
			Message: "a pooler gives each transaction another connection of the server; the strategy relies on none",
			Mend:    "nothing; for migrations use migrate.Leases(time.Minute)",
		})
	}
	return nil
}

// postgres returns the application's dialector, which the plugin may have wrapped.
func (e *examination) postgres() (*postgres.Dialector, bool) {
	d := e.db.Dialector
	if w, ok := d.(interface{ Unwrap() gorm.Dialector }); ok {
		d = w.Unwrap()
	}
	p, ok := d.(*postgres.Dialector)
	return p, ok
}

// beside returns connections as the application has them, without the walls: a virtual connection may change by itself.
func (e *examination) beside() (pool *sql.DB, done func(), err error) {
	d, ok := e.postgres()
	switch {
	case ok && d.Conn == nil:
		c, err := tenantconn.ConnectorOf(d, nil)
		if err != nil {
			return nil, nil, err
		}
		pool = sql.OpenDB(c)
		return pool, func() { pool.Close() }, nil
	case tenantconn.Confined(e.pool):
		return nil, nil, errors.New("no connection can be opened beside the walls")
	case e.pool.Stats().MaxOpenConnections == 1:
		return nil, nil, errors.New("two connections are needed, and the application's pool has one")
	}
	return e.pool, func() {}, nil
}

// simply makes pgx send a query as text; other drivers do without arguments.
func (e *examination) simply() []any {
	if d, ok := e.postgres(); ok && d.DriverName == "" && d.Conn == nil {
		return []any{pgx.QueryExecModeSimpleProtocol}
	}
	return nil
}

// sharesBackends reports whether two connections have one backend of the server, or one has two. While the second one holds
// a transaction, the first is given another backend than it had, unless the second took that: either shows.
func sharesBackends(ctx context.Context, pool *sql.DB, mode []any) (bool, error) {
	first, err := pool.Conn(ctx)
	if err != nil {
		return false, err
	}
	defer first.Close()
	second, err := pool.Conn(ctx)
	if err != nil {
		return false, err
	}
	defer second.Close()
	for range 5 { // other clients of the pooler take and return connections meanwhile
		if shared, err := sharesNow(ctx, first, second, mode); shared || err != nil {
			return shared, err
		}
	}
	return false, nil
}

func sharesNow(ctx context.Context, first, second *sql.Conn, mode []any) (bool, error) {
	before, err := backend(ctx, first, mode)
	if err != nil {
		return false, err
	}
	tx, err := second.BeginTx(ctx, nil)
	if err != nil {
		return false, err
	}
	defer tx.Rollback()
	other, err := backend(ctx, tx, mode)
	if err != nil || other == before {
		return err == nil, err
	}
	after, err := backend(ctx, first, mode)
	return err == nil && after != before, err
}

// backend asks without preparing, which not every pooler can.
func backend(ctx context.Context, c interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}, mode []any,
) (pid int, err error) {
	err = c.QueryRowContext(ctx, "SELECT pg_catalog.pg_backend_pid()", mode...).Scan(&pid)
	return pid, err
}
