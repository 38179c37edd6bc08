package tenantconn

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/gorm-tenancy/tenancy"
)

// OpenPostgres opens a *sql.DB over pgx whose every statement is confined by the wall. config is copied; options are
// those of stdlib.OpenDB. It fails when the wall is incomplete; it does not connect. The *sql.DB is safe for concurrent
// use.
func OpenPostgres(config *pgx.ConnConfig, wall Wall, options ...stdlib.OptionOpenDB) (*sql.DB, error) {
	connect, err := riding(config, wall, options)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(&connector{route: wall.ungated, driver: stdlib.GetDefaultDriver(), connect: connect}), nil
}

// riding opens connections with whose statements the settings ride.
func riding(config *pgx.ConnConfig, wall Wall, options []stdlib.OptionOpenDB) (connecting, error) {
	if err := wall.validate(); err != nil {
		return nil, err
	}
	if wall.Pooled && config.DefaultQueryExecMode != pgx.QueryExecModeExec && config.DefaultQueryExecMode != pgx.QueryExecModeSimpleProtocol {
		return nil, errors.New("tenantconn: Pooled needs default_query_exec_mode=exec or simple_protocol in the DSN")
	}
	config = config.Copy()
	for name, value := range wall.Startup {
		if _, named := config.RuntimeParams[name]; !named && !strings.Contains(config.RuntimeParams["options"], name) {
			config.RuntimeParams[name] = value
		}
	}
	return func(ctx context.Context) (session, error) {
		return connectPostgres(ctx, config, wall, options)
	}, nil
}

func connectPostgres(ctx context.Context, config *pgx.ConnConfig, wall Wall, options []stdlib.OptionOpenDB) (session, error) {
	config = config.Copy()
	var ri *rider
	var frontend *pgproto3.Frontend
	config.BuildFrontend = func(r io.Reader, w io.Writer) *pgproto3.Frontend {
		ri = newRider(r, w, wall)
		frontend = pgproto3.NewFrontend(ri, ri)
		return frontend
	}
	inner, err := stdlib.GetConnector(*config, options...).Connect(ctx)
	if err != nil {
		return nil, err
	}
	c, ok := inner.(*stdlib.Conn)
	if !ok || frontend == nil || c.Conn().PgConn().Frontend() != frontend {
		_ = inner.Close()
		return nil, errors.New("tenantconn: an option replaced pgx's frontend, through which the settings travel")
	}
	return &postgresSession{fixed: fixed{inner}, pgx: c, rider: ri, wall: wall}, nil
}

// postgresSession lets the settings ride with the statements of one connection.
type postgresSession struct {
	fixed
	pgx   *stdlib.Conn
	rider *rider
	wall  Wall
	undo  bool // the settings were made for the session and must be reset
	doubt bool // a statement, or one before in this transaction, may have changed the settings
	fresh bool // no statement was sent in this transaction
	due   bool // the settings of this transaction are still to be made
	left  bool // a statement left a setting or a temporary table for the session
}

// valid keeps a connection from the next tenant on which somebody left a setting, such as read-only transactions, or under
// Bypass a temporary table.
func (s *postgresSession) valid() bool { return !s.left && s.fixed.valid() }

func (s *postgresSession) inTransaction() bool { return s.pgx.Conn().PgConn().TxStatus() != 'I' }

// prepare prepares once: PostgreSQL plans a statement again when search_path changes.
func (s *postgresSession) prepare(ctx context.Context, c driver.Conn, st *stmt, _ Route) (driver.Stmt, error) {
	if st.last != nil {
		return st.last, nil
	}
	return prepareOn(ctx, c, st.query)
}

func (s *postgresSession) apply(ctx context.Context, r Route, text string) (driver.Conn, error) {
	s.left = s.left || leavesState(text, r.Tenant != "" || r.Central)
	if s.inTransaction() { // set when it began
		return s.conn, s.applyWithin(ctx, r, text)
	}
	s.doubt = !harmless(text)
	if !refusesTransaction(text) {
		s.rider.arm(r.Values)
		return s.conn, nil
	}
	if s.wall.Pooled {
		return nil, fmt.Errorf("%w: behind a pooler the settings end with the transaction, in which this command cannot run; "+
			"run it on a direct connection", tenancy.ErrUnconfined)
	}
	s.undo = true
	return s.conn, s.set(ctx, r, false)
}

// applyWithin makes the settings hold in an open transaction that may have lost them.
func (s *postgresSession) applyWithin(ctx context.Context, r Route, text string) error {
	if setsTransaction(text) && (s.fresh || s.due) {
		return s.withdraw(ctx)
	}
	s.fresh = false
	if s.pgx.Conn().PgConn().TxStatus() == 'E' { // only a ROLLBACK runs, and the settings would fail in front of it
		s.doubt = true
		return nil
	}
	if s.due {
		if err := s.set(ctx, r, true); err != nil {
			return err
		}
		s.due = false
	}
	if s.doubt && r.Tenant != "" { // others may change their settings
		s.rider.arm(r.Values)
	}
	s.doubt = s.doubt || !harmless(text)
	return nil
}

// withdraw begins the transaction again without settings: SET TRANSACTION is refused behind the query that makes them.
// The next statement that is another makes them.
func (s *postgresSession) withdraw(ctx context.Context) error {
	if s.due {
		return nil
	}
	_, err := s.pgx.ExecContext(ctx, "rollback and chain", nil)
	s.fresh, s.due = false, true
	return err
}

// set makes the settings in a round trip of their own.
func (s *postgresSession) set(ctx context.Context, r Route, local bool) error {
	var set strings.Builder
	for i, v := range r.Values {
		set.WriteString(s.rider.simple[i])
		fmt.Fprintf(&set, "%s, %t)", literal(v), local)
	}
	_, err := s.pgx.ExecContext(ctx, set.String(), nil)
	return err
}

func (s *postgresSession) leave(ctx context.Context, _ error) error {
	s.rider.disarm()
	if s.doubt && s.wall.Session { // it may have undone them, or the end of the transaction will
		s.rider.known = nil
	}
	if !s.undo || s.pgx.Conn().IsClosed() {
		return nil
	}
	s.undo = false
	s.rider.known = nil
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	for _, name := range s.wall.Settings {
		if _, err := s.pgx.ExecContext(ctx, "reset "+pgx.Identifier(strings.Split(name, ".")).Sanitize(), nil); err != nil {
			return fmt.Errorf("tenantconn: take the settings back: %w", err)
		}
	}
	return nil
}

func (s *postgresSession) begin(ctx context.Context, r Route, opts driver.TxOptions) (driver.Tx, error) {
	s.doubt, s.fresh, s.due = false, true, false
	s.rider.armBegin(r.Values)
	defer s.rider.disarm()
	return s.pgx.BeginTx(ctx, opts)
}

// bare gives away a connection on which a transaction may go on unseen.
func (s *postgresSession) bare() driver.Conn {
	s.fresh = false
	return s.conn
}
