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
	return sql.OpenDB(&connector{
		wall:   wall,
		driver: stdlib.GetDefaultDriver(),
		connect: func(ctx context.Context) (session, error) {
			return connectPostgres(ctx, config, wall, options)
		},
	}), nil
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
	doubt bool // a statement of this transaction may have changed the settings
}

func (s *postgresSession) inTransaction() bool { return s.pgx.Conn().PgConn().TxStatus() != 'I' }

// prepare prepares once: PostgreSQL plans a statement again when search_path changes.
func (s *postgresSession) prepare(ctx context.Context, c driver.Conn, st *stmt, _ Route) (driver.Stmt, error) {
	if st.last != nil {
		return st.last, nil
	}
	return prepareOn(ctx, c, st.query)
}

func (s *postgresSession) apply(ctx context.Context, r Route, text string) (driver.Conn, error) {
	if s.inTransaction() { // set when it began
		if s.doubt && r.Tenant != "" && !s.wall.Session { // others may change their settings
			s.rider.arm(r.Values)
		}
		s.doubt = s.doubt || !harmless(text)
		return s.conn, nil
	}
	if !refusesTransaction(text) {
		s.rider.arm(r.Values)
		return s.conn, nil
	}
	if s.wall.Pooled {
		return nil, fmt.Errorf("%w: behind a pooler the settings end with the transaction, in which this command cannot run; "+
			"run it on a direct connection", tenancy.ErrUnconfined)
	}
	s.undo = true
	var set strings.Builder
	for i, v := range r.Values {
		set.WriteString(s.rider.simple[i])
		set.WriteString(literal(v) + ", false)")
	}
	_, err := s.pgx.ExecContext(ctx, set.String(), nil)
	return s.conn, err
}

func (s *postgresSession) leave(ctx context.Context, _ error) error {
	s.rider.disarm()
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
	s.doubt = false
	s.rider.armBegin(r.Values)
	defer s.rider.disarm()
	return s.pgx.BeginTx(ctx, opts)
}
