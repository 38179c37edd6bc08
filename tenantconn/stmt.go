package tenantconn

import (
	"context"
	"database/sql/driver"
	"errors"
)

// stmt is a prepared statement. It belongs to no tenant: each execution asks its own context, and is prepared again for
// another tenant where the database fixes names when it prepares (MySQL).
type stmt struct {
	conn  *conn
	query string
	inner driver.Stmt
	owner Route // whom inner was prepared for
}

var (
	_ driver.StmtExecContext   = (*stmt)(nil)
	_ driver.StmtQueryContext  = (*stmt)(nil)
	_ driver.NamedValueChecker = (*stmt)(nil)
)

// prepare prepares the statement for a route that holds already.
func (s *stmt) prepare(ctx context.Context, r Route) error {
	if s.inner != nil {
		if !s.conn.session.perTenant() || s.owner.same(r) {
			return nil
		}
		_ = s.inner.Close()
		s.inner = nil
	}
	var err error
	if p, ok := s.conn.Conn.(driver.ConnPrepareContext); ok {
		s.inner, err = p.PrepareContext(ctx, s.query)
	} else {
		s.inner, err = s.conn.Conn.Prepare(s.query)
	}
	s.owner = r
	return err
}

// run executes the statement inside the tenant of ctx.
func (s *stmt) run(ctx context.Context, call func() error) error {
	return s.conn.confine(ctx, s.query, func(r Route) error {
		if err := s.prepare(ctx, r); err != nil {
			return err
		}
		return call()
	})
}

// ExecContext executes the statement inside the tenant of ctx.
func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (res driver.Result, err error) {
	err = s.run(ctx, func() (err error) {
		if inner, ok := s.inner.(driver.StmtExecContext); ok {
			res, err = inner.ExecContext(ctx, args)
			return err
		}
		values, err := positional(args)
		if err != nil {
			return err
		}
		res, err = s.inner.Exec(values) //nolint:staticcheck // drivers without contexts have nothing else
		return err
	})
	return res, err
}

// QueryContext queries inside the tenant of ctx.
func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (rows driver.Rows, err error) {
	err = s.run(ctx, func() (err error) {
		if inner, ok := s.inner.(driver.StmtQueryContext); ok {
			rows, err = inner.QueryContext(ctx, args)
			return err
		}
		values, err := positional(args)
		if err != nil {
			return err
		}
		rows, err = s.inner.Query(values) //nolint:staticcheck // drivers without contexts have nothing else
		return err
	})
	if err != nil && rows != nil {
		_ = rows.Close()
		rows = nil
	}
	return rows, err
}

// Exec is called by nobody: without a context there is no tenant.
func (s *stmt) Exec([]driver.Value) (driver.Result, error) { return nil, errNoContext }

// Query is called by nobody: without a context there is no tenant.
func (s *stmt) Query([]driver.Value) (driver.Rows, error) { return nil, errNoContext }

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

// Close closes the statement.
func (s *stmt) Close() error {
	if s.inner == nil {
		return nil
	}
	return s.inner.Close()
}

// NumInput returns the number of arguments, or -1.
func (s *stmt) NumInput() int {
	if s.inner == nil {
		return -1
	}
	return s.inner.NumInput()
}

// CheckNamedValue leaves arguments to the driver.
func (s *stmt) CheckNamedValue(v *driver.NamedValue) error {
	if inner, ok := s.inner.(driver.NamedValueChecker); ok {
		return inner.CheckNamedValue(v)
	}
	if inner, ok := s.inner.(driver.ColumnConverter); ok { //nolint:staticcheck // as database/sql does
		value, err := inner.ColumnConverter(v.Ordinal - 1).ConvertValue(v.Value)
		if err == nil {
			v.Value = value
		}
		return err
	}
	return s.conn.CheckNamedValue(v)
}
