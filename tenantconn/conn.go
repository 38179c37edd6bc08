package tenantconn

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/gorm-tenancy/tenancy"
)

// session applies routes to what stands behind one connection of database/sql. It is used by one goroutine at a time.
type session interface {
	// apply makes the route hold for the next driver call, which runs text, and returns the connection to make it on.
	apply(ctx context.Context, r Route, text string) (driver.Conn, error)
	// leave ends what apply began; failed is the error of the call. An error means that nothing is known of the connection
	// any more.
	leave(ctx context.Context, failed error) error
	// begin opens a transaction in which the route holds.
	begin(ctx context.Context, r Route, opts driver.TxOptions) (driver.Tx, error)
	// inTransaction reports whether the server has a transaction open, as far as can be known.
	inTransaction() bool
	// lazy reports whether statements are prepared when they are executed, and not before.
	lazy() bool
	// prepare returns a statement on the connection that apply returned. The session keeps it.
	prepare(ctx context.Context, c driver.Conn, s *stmt, r Route) (driver.Stmt, error)
	// unprepare is called when the statement is closed.
	unprepare(s *stmt) error
	// ping asks whether the server is there.
	ping(ctx context.Context) error
	// bare returns the driver's own connection, if there is one now.
	bare() driver.Conn
	// reset is called before the connection is used again, and valid before it is kept for that.
	reset(ctx context.Context) error
	valid() bool
	close() error
}

// conn is the connection database/sql sees. Like every driver.Conn it is used by one goroutine at a time.
type conn struct {
	route   func(ctx context.Context) (Route, *Gate, error)
	session session
	gates   gates // that the user of the connection has entered

	pin     *Route // of the open transaction
	managed bool   // the transaction was begun by BeginTx, not by text
	broken  bool   // never to be used again
}

var (
	_ driver.ConnBeginTx        = (*conn)(nil)
	_ driver.ConnPrepareContext = (*conn)(nil)
	_ driver.ExecerContext      = (*conn)(nil)
	_ driver.QueryerContext     = (*conn)(nil)
	_ driver.NamedValueChecker  = (*conn)(nil)
	_ driver.Pinger             = (*conn)(nil)
	_ driver.SessionResetter    = (*conn)(nil)
	_ driver.Validator          = (*conn)(nil)
)

// confine runs one driver call, which sends text, inside the route of its context.
func (c *conn) confine(ctx context.Context, text string, call func(driver.Conn, Route) error) error {
	r, err := c.admit(ctx, text)
	if err != nil {
		return err
	}
	inner, err := c.session.apply(ctx, r, text)
	if err != nil {
		return err
	}
	err = call(inner, r)
	if after := c.session.leave(ctx, err); after != nil {
		c.broken = true
		if err == nil {
			err = after
		}
	}
	if c.pin == nil && c.session.inTransaction() { // BEGIN as text
		pin := r // r itself stays off the heap
		c.pin = &pin
	}
	return err
}

// admit returns the route of a call, unless the open transaction or the text forbids it.
func (c *conn) admit(ctx context.Context, text string) (Route, error) {
	r, gate, err := c.route(ctx)
	if err != nil {
		return Route{}, err
	}
	if err := c.gates.hold(gate); err != nil {
		return Route{}, err
	}
	if c.pin != nil && !c.managed && !c.session.inTransaction() {
		c.pin = nil
	}
	if c.pin != nil && !r.same(*c.pin) {
		return Route{}, r.foreign(*c.pin)
	}
	if r.Tenant == "" {
		if !r.Central {
			return r, nil
		}
		w := *r.wall
		w.RowsOnly = false
		return r, w.screen(text)
	}
	if r.wall.outlived(r) && outlives(text) {
		return Route{}, errEnds
	}
	return r, r.wall.screen(text)
}

// foreign says why a call has no part in the transaction of a pin.
func (r Route) foreign(pin Route) error {
	switch {
	case r.Tenant == "":
		return errCentralTransaction
	case r.Tenant == pin.Tenant && (r.wall != pin.wall || r.wall.pool != nil):
		return errMoved
	}
	return errOtherTransaction
}

var errOtherTransaction = fmt.Errorf("%w: the open transaction was begun for somebody else; begin one with this context",
	tenancy.ErrTenantMismatch)

var errCentralTransaction = fmt.Errorf("%w: the open transaction is a tenant's, and statements on central tables or under Bypass "+
	"have no part in it; run them in front of it or after it, with the db it was begun on", tenancy.ErrTenantMismatch)

// ExecContext runs a statement inside the tenant of ctx.
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (res driver.Result, err error) {
	err = c.confine(ctx, query, func(inner driver.Conn, _ Route) (err error) {
		e, ok := inner.(driver.ExecerContext)
		if !ok {
			return driver.ErrSkip // database/sql prepares instead
		}
		if args, err = checked(inner, nil, args); err != nil {
			return err
		}
		res, err = e.ExecContext(ctx, query, args)
		return err
	})
	return res, err
}

// QueryContext runs a query inside the tenant of ctx.
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (rows driver.Rows, err error) {
	err = c.confine(ctx, query, func(inner driver.Conn, _ Route) (err error) {
		q, ok := inner.(driver.QueryerContext)
		if !ok {
			return driver.ErrSkip
		}
		if args, err = checked(inner, nil, args); err != nil {
			return err
		}
		rows, err = q.QueryContext(ctx, query, args)
		return err
	})
	return rowsOrError(rows, err)
}

// rowsOrError closes rows that nobody will get.
func rowsOrError(rows driver.Rows, err error) (driver.Rows, error) {
	if err == nil {
		return rows, nil
	}
	if rows != nil {
		_ = rows.Close()
	}
	return nil, err
}

// Prepare is called by nobody: database/sql prefers PrepareContext. Without a context there is no tenant.
func (c *conn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

// PrepareContext prepares a statement inside the tenant of ctx. Each execution asks for its own tenant again.
func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	s := &stmt{conn: c, query: query}
	if c.session.lazy() {
		_, err := c.admit(ctx, query)
		return s, err
	}
	err := c.confine(ctx, query, func(inner driver.Conn, r Route) (err error) {
		s.last, err = c.session.prepare(ctx, inner, s, r)
		return err
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Begin is called by nobody: database/sql prefers BeginTx.
func (c *conn) Begin() (driver.Tx, error) { return c.BeginTx(context.Background(), driver.TxOptions{}) }

// BeginTx opens a transaction for the tenant of ctx; every statement in it must name the same.
func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	r, err := c.admit(ctx, "")
	if err != nil {
		return nil, err
	}
	inner, err := c.session.begin(ctx, r, opts)
	if err != nil {
		return nil, err
	}
	c.pin, c.managed = &r, true
	return &tx{Tx: inner, conn: c, ctx: ctx}, nil
}

// tx releases the connection from its tenant when it ends.
type tx struct {
	driver.Tx
	conn *conn
	ctx  context.Context // of BeginTx: database/sql passes none to Commit
}

// Commit saves nothing for a tenant that was moved or may no longer be served.
func (t *tx) Commit() error {
	defer t.conn.release()
	if err := t.conn.still(t.ctx); err != nil {
		return errors.Join(err, t.Tx.Rollback())
	}
	return t.Tx.Commit()
}

// still reports whether a transaction may be committed where it was begun.
func (c *conn) still(ctx context.Context) error {
	if len(c.gates) == 0 { // of a wall that never changes its mind
		return nil
	}
	r, gate, err := c.route(ctx)
	if err != nil {
		return err
	}
	if err := c.gates.hold(gate); err != nil {
		return err
	}
	if !r.same(*c.pin) {
		return r.foreign(*c.pin)
	}
	return nil
}

func (t *tx) Rollback() error {
	defer t.conn.release()
	return t.Tx.Rollback()
}

func (c *conn) release() { c.pin, c.managed = nil, false }

// Ping asks whether the server is there. It needs no tenant, because it reaches no data.
func (c *conn) Ping(ctx context.Context) error { return c.session.ping(ctx) }

// CheckNamedValue takes every argument: what the driver says of it is known when its connection is (see checked).
func (c *conn) CheckNamedValue(*driver.NamedValue) error { return nil }

// ResetSession is the driver's own. Nothing of the wall hangs on it: database/sql ignores most of its errors and does not
// call it for fresh connections.
func (c *conn) ResetSession(ctx context.Context) error {
	if c.broken {
		return driver.ErrBadConn
	}
	c.release()
	return c.session.reset(ctx)
}

// IsValid keeps a connection out of the pool whose state is not known.
func (c *conn) IsValid() bool {
	c.release()
	ok := !c.broken && c.session.valid()
	c.gates.leave()
	return ok
}

// Close closes the connection.
func (c *conn) Close() error {
	defer c.gates.leave()
	return c.session.close()
}

// connector makes confined connections.
type connector struct {
	route   func(ctx context.Context) (Route, *Gate, error)
	driver  driver.Driver
	connect func(ctx context.Context) (session, error)
	end     func() error // of what the connections share; may be nil
}

// Connect opens a connection. It belongs to no tenant: database/sql opens connections with a context of its own.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	s, err := c.connect(ctx)
	if err != nil {
		return nil, err
	}
	return &conn{route: c.route, session: s}, nil
}

// Driver returns a driver that marks the *sql.DB as confined (see [Confined]).
func (c *connector) Driver() driver.Driver { return confinedDriver{c.driver} }

// Close is called by (*sql.DB).Close.
func (c *connector) Close() error {
	if c.end == nil {
		return nil
	}
	return c.end()
}

// confinedDriver refuses the way round the wall that (*sql.DB).Driver().Open would be.
type confinedDriver struct{ inner driver.Driver }

func (confinedDriver) Open(string) (driver.Conn, error) {
	return nil, errors.New("tenantconn: open a *sql.DB of your own; this driver only serves the confined one")
}
