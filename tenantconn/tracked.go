package tenantconn

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strings"
)

// OpenTracked opens a *sql.DB over any driver whose every statement is confined by the wall. statement makes, from a
// route's values, the SQL that confines the connection; it is sent as a round trip of its own whenever the route differs
// from the one the connection has. UseDatabase is that of MySQL and MariaDB. It fails when the wall is incomplete; it does
// not connect. The *sql.DB is safe for concurrent use. It is not for poolers that change the server connection between
// transactions.
func OpenTracked(base driver.Connector, wall Wall, statement func(values []string) string) (*sql.DB, error) {
	if err := trackable(&wall); err != nil {
		return nil, err
	}
	return sql.OpenDB(&connector{route: wall.ungated, driver: base.Driver(), connect: tracking(base, statement)}), nil
}

func trackable(wall *Wall) error {
	if wall.Pooled {
		return errors.New("tenantconn: only PostgreSQL through pgx works behind a pooler")
	}
	return wall.validate()
}

// tracking opens connections that remember what they were set to.
func tracking(base driver.Connector, statement func([]string) string) connecting {
	return func(ctx context.Context) (session, error) {
		inner, err := base.Connect(ctx)
		if err != nil {
			return nil, err
		}
		return &trackedSession{fixed: fixed{inner}, statement: statement}, nil
	}
}

// UseDatabase returns the USE statement of MySQL and MariaDB for a route whose only value is the name of a database.
func UseDatabase(values []string) string {
	return "USE `" + strings.ReplaceAll(values[0], "`", "``") + "`"
}

// trackedSession remembers what the connection was set to.
type trackedSession struct {
	fixed
	statement func([]string) string
	current   *Route // nil: not known
	doubt     bool   // the statement may change it
	begun     bool   // a statement may have begun a transaction
}

func (s *trackedSession) apply(ctx context.Context, r Route, text string) (driver.Conn, error) {
	s.doubt = text != "" && !harmless(text)
	s.begun = s.begun || s.doubt && mayBegin(text)
	if s.current != nil && s.current.same(r) {
		return s.conn, nil
	}
	s.current = nil // until the database has said yes
	if err := execText(ctx, s.conn, s.statement(r.Values)); err != nil {
		return nil, err
	}
	s.current = &r
	return s.conn, nil
}

// leave forgets what the connection is set to behind a statement that may have changed it: MariaDB takes
// EXECUTE IMMEDIATE 'USE …', also from procedures.
func (s *trackedSession) leave(context.Context, error) error {
	if s.doubt {
		s.current = nil
	}
	return nil
}

func (s *trackedSession) inTransaction() bool { return false } // drivers do not tell

// valid keeps a connection from the next tenant on which a transaction may be open: its writes would go into it.
func (s *trackedSession) valid() bool { return !s.begun && s.fixed.valid() }

// prepare prepares again for another tenant: MySQL binds the tables of a prepared statement to the database it was
// prepared in.
func (s *trackedSession) prepare(ctx context.Context, c driver.Conn, st *stmt, r Route) (driver.Stmt, error) {
	if st.last != nil && st.owner.same(r) {
		return st.last, nil
	}
	if st.last != nil {
		_ = st.last.Close()
		st.last = nil
	}
	st.owner = r
	return prepareOn(ctx, c, st.query)
}

func (s *trackedSession) begin(ctx context.Context, r Route, opts driver.TxOptions) (driver.Tx, error) {
	c, err := s.apply(ctx, r, "")
	if err != nil {
		return nil, err
	}
	return beginOn(ctx, c, opts)
}

// execText runs a statement without arguments on a driver's connection.
func execText(ctx context.Context, c driver.Conn, text string) error {
	if e, ok := c.(driver.ExecerContext); ok {
		if _, err := e.ExecContext(ctx, text, nil); !errors.Is(err, driver.ErrSkip) {
			return err
		}
	}
	s, err := c.Prepare(text)
	if err != nil {
		return err
	}
	defer s.Close()
	if e, ok := s.(driver.StmtExecContext); ok {
		_, err = e.ExecContext(ctx, nil)
		return err
	}
	//lint:ignore SA1019 the driver has nothing else
	_, err = s.Exec(nil)
	return err
}
