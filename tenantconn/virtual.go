package tenantconn

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"math"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// Pool is a *sql.DB whose connections are virtual: each statement runs on a real connection to the place its route names,
// taken from one [Budget]. It is safe for concurrent use.
type Pool struct {
	// DB is to be used like any other. What database/sql counts as its connections are the virtual ones: set no limits on
	// it, they are in the Budget. Close waits until connections in use have come back.
	DB   *sql.DB
	pool *pool
}

// Counters says what the budget is doing and has done.
func (p *Pool) Counters() Counters { return p.pool.stats() }

// OpenRouted opens a *sql.DB of virtual connections. The first of a route's values names its place; connect opens a
// connection to it, is called for one place at a time once, and reports a place that does not exist as an error. It fails
// when the wall or the budget is incomplete; it does not connect.
//
// A connection of database/sql is bound to a real one when the first statement is sent on it, and gives it back when
// database/sql does with it: a transaction, open rows and a sql.Conn keep what they have.
func OpenRouted(d driver.Driver, wall Wall, budget Budget, connect func(ctx context.Context, r Route) (driver.Conn, error)) (*Pool, error) {
	if err := errors.Join(wall.validate(), budget.validate()); err != nil {
		return nil, err
	}
	if wall.Session || wall.Pooled {
		return nil, errors.New("tenantconn: Session and Pooled are for settings, and places have none")
	}
	p := newPool(budget, connect)
	return &Pool{
		pool: p,
		DB: sql.OpenDB(&connector{
			wall:    wall,
			driver:  d,
			connect: func(context.Context) (session, error) { return &virtualSession{pool: p, wall: wall}, nil },
			end:     p.close,
		}),
	}, nil
}

// virtualSession borrows real connections for one user of database/sql, one for each place, hence nearly always one.
type virtualSession struct {
	pool   *pool
	wall   Wall
	leases []lease
	now    *lease // of the call
}

type lease struct {
	real  *real
	place string
	stale bool
}

func (s *virtualSession) lease(ctx context.Context, r Route) (*lease, error) {
	for i := range s.leases {
		if s.leases[i].place == r.Values[0] {
			return &s.leases[i], nil
		}
	}
	c, err := s.pool.acquire(ctx, r)
	if err != nil {
		return nil, err
	}
	s.leases = append(s.leases, lease{real: c, place: r.Values[0]})
	return &s.leases[len(s.leases)-1], nil
}

func (s *virtualSession) apply(ctx context.Context, r Route, _ string) (driver.Conn, error) {
	l, err := s.lease(ctx, r)
	if err != nil {
		return nil, err
	}
	s.now = l
	return l.real.Conn, nil
}

func (s *virtualSession) leave(_ context.Context, failed error) error {
	if errors.Is(failed, driver.ErrBadConn) {
		s.now.stale = true
	}
	return nil
}

func (s *virtualSession) begin(ctx context.Context, r Route, opts driver.TxOptions) (driver.Tx, error) {
	c, err := s.apply(ctx, r, "")
	if err != nil {
		return nil, err
	}
	inner, err := beginOn(ctx, c, opts)
	_ = s.leave(ctx, err)
	return inner, err
}

func (s *virtualSession) inTransaction() bool { return false } // drivers do not tell

// mostStatements is how many prepared statements a real connection keeps from one user to the next.
const mostStatements = 128

// prepare keeps statements with the real connection: the virtual one is gone with its user.
func (s *virtualSession) prepare(ctx context.Context, c driver.Conn, st *stmt, _ Route) (driver.Stmt, error) {
	kept := s.now.real.statements
	if kept == nil {
		// Its size is no limit: rows may be open on the oldest. See close.
		kept, _ = simplelru.NewLRU(math.MaxInt, func(_ string, old driver.Stmt) { _ = old.Close() })
		s.now.real.statements = kept
	}
	if known, ok := kept.Get(st.query); ok {
		return known, nil
	}
	prepared, err := prepareOn(ctx, c, st.query)
	if err == nil {
		kept.Add(st.query, prepared)
	}
	return prepared, err
}

func (s *virtualSession) unprepare(driver.Stmt) error { return nil }

// ping asks the place of the tenant, or the central one when the context names none.
func (s *virtualSession) ping(ctx context.Context) error {
	r, err := s.wall.route(ctx)
	if err != nil {
		return nil
	}
	c, err := s.apply(ctx, r, "")
	if err != nil {
		return err
	}
	if p, ok := c.(driver.Pinger); ok {
		err = p.Ping(ctx)
	}
	return errors.Join(err, s.leave(ctx, err))
}

func (s *virtualSession) bare() driver.Conn {
	if s.now == nil {
		return nil
	}
	return s.now.real.Conn
}

func (s *virtualSession) reset(context.Context) error { return nil }

// valid: a virtual connection serves one user. database/sql then closes it, and close gives back what it borrowed.
func (s *virtualSession) valid() bool { return false }

func (s *virtualSession) close() error {
	for _, l := range s.leases {
		for kept := l.real.statements; kept != nil && kept.Len() > mostStatements; {
			kept.RemoveOldest()
		}
		s.pool.release(l.real, l.stale)
	}
	s.leases, s.now = nil, nil
	return nil
}
