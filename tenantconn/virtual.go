package tenantconn

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strings"
)

// Finder looks a place up: it returns what connects to a route's place. It is called when there is no idle connection to the
// place, from many goroutines and before anything of the budget is taken for it, so it may use the *sql.DB itself. Its error,
// for example tenancy.ErrUnknownTenant, ends the statement and is not remembered; that of the connector is, for
// Budget.BackOff.
type Finder func(ctx context.Context, r Route) (driver.Connector, error)

// Pool is one [Budget] of connections to many places. It is safe for concurrent use.
type Pool struct{ pool *pool }

// NewPool fails when the budget has negative numbers. It does not connect.
func NewPool(budget Budget, find Finder) (*Pool, error) {
	if err := budget.validate(); err != nil {
		return nil, err
	}
	return &Pool{newPool(budget, find)}, nil
}

// Open opens a *sql.DB of virtual connections: each statement runs on a real one to its route's place. Use
// it like any other. What database/sql counts as its connections are the virtual ones: set no limits on it, they are in the
// Budget. When the last *sql.DB of a pool is closed, so is the pool: Close then waits until connections in use have come
// back, so it must not be called by whoever uses one. d is what the *sql.DB says its driver is.
//
// A connection of database/sql is bound to a real one when the first statement is sent on it, and gives it back when
// database/sql does with it: a transaction, open rows and a sql.Conn keep what they have. Prepared statements are prepared
// when they are executed, not before, and stay prepared on the real connections.
//
// It fails when the wall is incomplete, and with [ErrClosed]; it does not connect.
func (p *Pool) Open(d driver.Driver, wall Wall) (*sql.DB, error) {
	wall.lone, wall.pool = true, p.pool
	if err := wall.validate(); err != nil {
		return nil, err
	}
	if err := p.pool.enter(); err != nil {
		return nil, err
	}
	db := sql.OpenDB(&connector{
		route:   wall.ungated,
		driver:  d,
		connect: func(context.Context) (session, error) { return &virtualSession{route: wall.route}, nil },
		end:     p.pool.leave,
	})
	db.SetMaxIdleConns(p.pool.budget.MaxOpen) // they hold nothing
	return db, nil
}

// Counters says what the budget is doing and has done.
func (p *Pool) Counters() Counters { return p.pool.stats() }

// Vacate closes the connections to a place, waits as long as ctx allows until those in use have come back, and lets nobody
// connect to it before release is called: callers get [ErrVacated]. It is for removing the place.
func (p *Pool) Vacate(ctx context.Context, place string) (release func(), err error) {
	return p.pool.vacate(ctx, place)
}

// Retry forgets that a place could not be opened, because it has just been made.
func (p *Pool) Retry(place string) { p.pool.retry(place) }

// virtualSession borrows real connections for one user of database/sql, one for each place, hence nearly always one.
type virtualSession struct {
	route  func(context.Context) (Route, error)
	leases []lease
	users  []*stmt // statements that have loans
	now    *lease  // of the call
	loan   *loan   // of the call, if it executes a prepared statement
	define bool    // the call changes tables, which outdates prepared statements
}

type lease struct {
	real  *real
	pool  *pool
	place string
	stale bool
}

func (s *virtualSession) lease(ctx context.Context, r Route) (*lease, error) {
	pool, place := r.wall.pool, r.key()
	for i := range s.leases {
		if l := &s.leases[i]; l.place == place && l.pool == pool {
			return l, nil
		}
	}
	c, err := pool.acquire(ctx, r)
	if err != nil {
		return nil, err
	}
	s.leases = append(s.leases, lease{real: c, pool: pool, place: place})
	return &s.leases[len(s.leases)-1], nil
}

func (s *virtualSession) apply(ctx context.Context, r Route, text string) (driver.Conn, error) {
	l, err := s.lease(ctx, r)
	if err != nil {
		return nil, err
	}
	s.now, s.loan, s.define = l, nil, false
	word, rest := firstWord(text)
	if plain(word) && strings.IndexByte(rest, ';') < 0 {
		return l.real.session.apply(ctx, r, text)
	}
	l.real.texts = true
	l.real.begun = l.real.begun || mayBegin(text)
	switch word {
	case "alter", "create", "drop", "truncate":
		s.define = true
	}
	return l.real.session.apply(ctx, r, text)
}

func (s *virtualSession) leave(ctx context.Context, failed error) error {
	err := s.now.real.session.leave(ctx, failed)
	if err != nil || errors.Is(failed, driver.ErrBadConn) {
		s.now.stale = true
	}
	if s.loan != nil && failed != nil {
		s.loan.failed = true
	}
	if s.define {
		s.now.pool.outdate(s.now.real.place)
	}
	return err
}

func (s *virtualSession) begin(ctx context.Context, r Route, opts driver.TxOptions) (driver.Tx, error) {
	l, err := s.lease(ctx, r)
	if err != nil {
		return nil, err
	}
	s.now, s.loan, s.define = l, nil, false
	l.real.texts = true // a commit that fails may leave it open
	inner, err := l.real.session.begin(ctx, r, opts)
	if errors.Is(err, driver.ErrBadConn) {
		l.stale = true
	}
	return inner, err
}

func (s *virtualSession) inTransaction() bool {
	return s.now != nil && s.now.real.session.inTransaction()
}

func (s *virtualSession) lazy() bool { return true }

// prepare takes a statement that the real connection has kept, or prepares one.
func (s *virtualSession) prepare(ctx context.Context, c driver.Conn, st *stmt, r Route) (driver.Stmt, error) {
	on, key := s.now.real, st.query
	if _, ok := on.session.(*trackedSession); ok { // MySQL binds the tables when it prepares
		key = r.Values[0] + "\x00" + key
	}
	for i := range st.loans {
		if l := &st.loans[i]; l.real == on && l.key == key {
			s.loan = l
			return l.stmt, nil
		}
	}
	s.now.pool.current(on)
	l := loan{real: on, key: key, kept: on.kept.lend(key)}
	if l.kept != nil {
		l.stmt = l.kept.stmt
	} else {
		var err error
		if l.stmt, err = prepareOn(ctx, c, st.query); err != nil {
			return nil, err
		}
	}
	if len(st.loans) == 0 {
		s.users = append(s.users, st)
	}
	st.loans = append(st.loans, l)
	s.loan = &st.loans[len(st.loans)-1]
	return l.stmt, nil
}

func (s *virtualSession) unprepare(st *stmt) error {
	var err error
	for i := range st.loans {
		l := &st.loans[i]
		err = errors.Join(err, l.real.kept.back(l))
	}
	clear(st.loans)
	st.loans, st.last = st.loans[:0], nil // a statement that is closed meanwhile says that it takes no values
	return err
}

// ping asks the place of the tenant, or the central one when the context names none.
func (s *virtualSession) ping(ctx context.Context) error {
	r, err := s.route(ctx)
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
	return s.now.real.session.bare()
}

func (s *virtualSession) reset(context.Context) error { return nil }

// valid is asked when the user has finished and database/sql is about to keep the connection (see driver.Validator). What
// was borrowed is given back then, so that the connection belongs to nobody.
func (s *virtualSession) valid() bool {
	_ = s.close()
	return true
}

func (s *virtualSession) close() error {
	var err error
	for _, st := range s.users {
		err = errors.Join(err, s.unprepare(st))
	}
	for _, l := range s.leases {
		l.pool.release(l.real, l.stale)
	}
	clear(s.leases)
	clear(s.users)
	s.leases, s.users, s.now, s.loan = s.leases[:0], s.users[:0], nil, nil
	return err
}
