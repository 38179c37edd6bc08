package tenantconn

import (
	"context"
	"database/sql/driver"
	"errors"
)

// stmt is a prepared statement. It belongs to no tenant: each execution asks its own context, and the session says which
// statement of the driver that means.
type stmt struct {
	conn  *conn
	query string
	last  driver.Stmt // that was prepared or executed last
	owner Route       // whom last was prepared for
	loans []loan      // of sessions that borrow connections
}

var (
	_ driver.StmtExecContext   = (*stmt)(nil)
	_ driver.StmtQueryContext  = (*stmt)(nil)
	_ driver.NamedValueChecker = (*stmt)(nil)
)

// run executes the statement inside the tenant of ctx.
func (s *stmt) run(ctx context.Context, args []driver.NamedValue, call func(driver.Stmt, []driver.NamedValue) error) error {
	return s.conn.confine(ctx, s.query, func(c driver.Conn, r Route) (err error) {
		inner, err := s.conn.session.prepare(ctx, c, s, r)
		if err != nil {
			return err
		}
		s.last = inner
		if args, err = checked(c, inner, args); err != nil {
			return err
		}
		return call(inner, args)
	})
}

// ExecContext executes the statement inside the tenant of ctx.
func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (res driver.Result, err error) {
	err = s.run(ctx, args, func(inner driver.Stmt, args []driver.NamedValue) (err error) {
		if e, ok := inner.(driver.StmtExecContext); ok {
			res, err = e.ExecContext(ctx, args)
			return err
		}
		values, err := positional(args)
		if err != nil {
			return err
		}
		//lint:ignore SA1019 drivers without contexts have nothing else
		res, err = inner.Exec(values)
		return err
	})
	return res, err
}

// QueryContext queries inside the tenant of ctx.
func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (rows driver.Rows, err error) {
	err = s.run(ctx, args, func(inner driver.Stmt, args []driver.NamedValue) (err error) {
		if q, ok := inner.(driver.StmtQueryContext); ok {
			rows, err = q.QueryContext(ctx, args)
			return err
		}
		values, err := positional(args)
		if err != nil {
			return err
		}
		//lint:ignore SA1019 drivers without contexts have nothing else
		rows, err = inner.Query(values)
		return err
	})
	return rowsOrError(rows, err)
}

// Exec is called by nobody: without a context there is no tenant.
func (s *stmt) Exec([]driver.Value) (driver.Result, error) { return nil, errNoContext }

// Query is called by nobody: without a context there is no tenant.
func (s *stmt) Query([]driver.Value) (driver.Rows, error) { return nil, errNoContext }

// Close closes the statement.
func (s *stmt) Close() error { return s.conn.session.unprepare(s) }

// NumInput returns the number of arguments, or -1.
func (s *stmt) NumInput() int {
	if s.last == nil {
		return -1
	}
	return s.last.NumInput()
}

// CheckNamedValue takes every argument; see checked.
func (s *stmt) CheckNamedValue(*driver.NamedValue) error { return nil }

var (
	errNoContext = errors.New("tenantconn: use ExecContext and QueryContext: the tenant is in the context")
	errNamed     = errors.New("tenantconn: the driver does not know named arguments")
)

func positional(args []driver.NamedValue) ([]driver.Value, error) {
	values := make([]driver.Value, len(args))
	for i, a := range args {
		if a.Name != "" {
			return nil, errNamed
		}
		values[i] = a.Value
	}
	return values, nil
}

// prepareOn prepares a statement on a driver's connection.
func prepareOn(ctx context.Context, c driver.Conn, query string) (driver.Stmt, error) {
	if p, ok := c.(driver.ConnPrepareContext); ok {
		return p.PrepareContext(ctx, query)
	}
	return c.Prepare(query)
}
