package tenantconn

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
)

// OpenGuarded opens a *sql.DB over any driver that asks the router for every statement whether it may run, and sets
// nothing: for a database that belongs to one tenant. The routes have no values. It fails without a router; it does not
// connect. The *sql.DB is safe for concurrent use.
func OpenGuarded(base driver.Connector, router Router) (*sql.DB, error) {
	if router == nil {
		return nil, errors.New("tenantconn: the wall needs a router")
	}
	wall := &Wall{Router: router, lone: true}
	return sql.OpenDB(&connector{
		route:  wall.ungated,
		driver: base.Driver(),
		connect: func(ctx context.Context) (session, error) {
			c, err := base.Connect(ctx)
			if err != nil {
				return nil, err
			}
			return &guardedSession{fixed{c}}, nil
		},
	}), nil
}

// guardedSession leaves its connection as it is.
type guardedSession struct{ fixed }

func (s *guardedSession) apply(context.Context, Route, string) (driver.Conn, error) {
	return s.conn, nil
}

func (s *guardedSession) leave(context.Context, error) error { return nil }

func (s *guardedSession) inTransaction() bool { return unfinished(s.conn, false) }

func (s *guardedSession) prepare(ctx context.Context, c driver.Conn, st *stmt, _ Route) (driver.Stmt, error) {
	if st.last != nil {
		return st.last, nil
	}
	return prepareOn(ctx, c, st.query)
}

func (s *guardedSession) begin(ctx context.Context, _ Route, opts driver.TxOptions) (driver.Tx, error) {
	return beginOn(ctx, s.conn, opts)
}
