package tenantconn

import (
	"container/list"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// pool keeps the connections to all places within one budget. It is safe for concurrent use.
//
// A connection is idle, in use or being opened, and counted in open all the time, also while it is being closed. What
// becomes free is given away under the lock (queue.go). Connections are opened and closed outside the lock.
type pool struct {
	budget Budget
	find   Finder
	now    func() time.Duration // since the pool was made

	mu       sync.Mutex
	time     time.Duration // what now was when somebody looked last; reading clocks would be a third of a hit
	places   map[string]*place
	used     list.List // of all *real, the longest unused in front; those in use stand where they last came back
	idle     int       // how many of them nobody uses
	waiting  list.List // of *place with callers that wait, the one whose turn it is in front
	counters Counters
	users    int // *sql.DBs
	closed   bool
	drained  chan struct{} // closed when nothing is open after close
	janitor  *time.Timer
}

// place is what is known of one database while there is something to know.
type place struct {
	key     string
	idle    []*real // the last used at the end
	open    int     // idle, in use and being opened
	opening bool    // one at a time: a place that is down is tried by one caller
	failure *UnreachableError
	retryAt time.Duration // when the failure is forgotten
	vacated int           // how many ask for nobody to be here (see Pool.Vacate)
	empty   chan struct{} // closed when the last connection of a vacated place is
	changed int           // how often its tables were changed, as far as known

	queue   list.List     // of *waiter, the longest waiting in front
	element *list.Element // in pool.waiting
	turns   int           // connections that went from caller to caller here while others waited elsewhere
}

// real is a connection of the driver. Its fields are guarded by the pool's lock, except for those of its user.
type real struct {
	driver.Conn
	session session // on Conn
	place   *place
	born    time.Duration
	since   time.Duration // idle since, or a sweep longer
	old     bool          // when it was taken
	element *list.Element // in pool.used, from the first use to the end
	idle    bool

	texts   bool // its user ran more than plain statements: a transaction may be open
	begun   bool // its user began one as text
	kept    kept // of its user
	changed int  // place.changed when they were prepared
}

func newPool(b Budget, find Finder) *pool {
	start := time.Now()
	return &pool{
		budget: b.withDefaults(), find: find, now: func() time.Duration { return time.Since(start) },
		places: map[string]*place{}, drained: make(chan struct{}),
	}
}

// acquire returns a connection to the route's place. It waits for one as long as ctx and the budget allow.
func (p *pool) acquire(ctx context.Context, r Route) (*real, error) {
	var connector driver.Connector
	for {
		g, ok := p.known(r.key())
		if !ok {
			// The place is looked up before anything is reserved for it: who asks for a tenant that does not exist costs
			// others no connection, and the search may use the pool itself.
			var err error
			if connector == nil {
				if connector, err = p.find(ctx, r); err != nil {
					return nil, err
				}
			}
			g = p.claim(ctx, r.key())
		}
		switch {
		case g.err != nil:
			return nil, g.err
		case g.real == nil:
			return p.open(ctx, connector, g)
		}
		if p.usable(ctx, g.real) {
			return g.real, nil
		}
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrBusy, err)
		}
	}
}

// known returns what can be had without looking the place up: an idle connection, or an error.
func (p *pool) known(key string) (grant, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pl := p.places[key]
	switch {
	case p.closed:
		return grant{err: ErrClosed}, true
	case pl == nil:
		return grant{}, false
	case pl.vacated > 0:
		return grant{err: ErrVacated}, true
	case len(pl.idle) > 0:
		return grant{real: p.take(pl.idle[len(pl.idle)-1])}, true
	case pl.failure != nil && pl.failing(p.now()):
		return grant{err: pl.failure}, true
	}
	return grant{}, false
}

// usable asks the driver whether an idle connection can be used again, and retires it otherwise, with those that are in
// the same state most likely.
func (p *pool) usable(ctx context.Context, c *real) bool {
	if c.old {
		p.expire(c)
		return false
	}
	r, ok := c.Conn.(driver.SessionResetter)
	if !ok || r.ResetSession(ctx) == nil {
		return true
	}
	if ctx.Err() != nil {
		p.retire(c)
		return false
	}
	p.retire(append(p.idlers(func(other *real) bool { return other.place == c.place }), c)...)
	return false
}

// open opens a connection for which a grant has reserved the place.
func (p *pool) open(ctx context.Context, connector driver.Connector, g grant) (*real, error) {
	p.replace(g.victim)
	limited, cancel := context.WithTimeout(ctx, p.budget.OpenTimeout)
	defer cancel()
	conn, err := connector.Connect(limited)
	if g.victim != nil {
		conn, err = connectAgain(limited, connector, conn, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	pl := g.place
	pl.opening = false
	if err != nil {
		err = p.failed(ctx, pl, err)
		p.drop(pl)
		p.dispatch()
		return nil, err
	}
	p.counters.Opened++
	pl.failure = nil
	p.dispatch() // others of this place may open now
	p.time = p.now()
	c := &real{place: pl, born: p.time, changed: pl.changed}
	c.Conn, c.session = seat(conn)
	c.element = p.used.PushBack(c)
	return c, nil
}

// connectAgain gives a PostgreSQL server the moment it needs to notice that the connection which made room is closed: until
// its process has ended it counts, and the server may say that it has too many.
func connectAgain(ctx context.Context, connector driver.Connector, conn driver.Conn, err error) (driver.Conn, error) {
	for wait := time.Millisecond; wait < time.Second && tooMany(err); wait *= 2 {
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(wait):
		}
		conn, err = connector.Connect(ctx)
	}
	return conn, err
}

// tooMany reports PostgreSQL's too_many_connections.
func tooMany(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "53300"
}

// failed remembers why a place could not be opened, unless the caller was only in a hurry. p.mu is held.
func (p *pool) failed(ctx context.Context, pl *place, err error) error {
	p.counters.Failed++
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", ErrUnreachable, ctx.Err())
	}
	pl.failure = &UnreachableError{Err: err, RetryAt: time.Now().Add(p.budget.BackOff)}
	pl.retryAt = p.now() + p.budget.BackOff
	p.schedule()
	return pl.failure
}

// release takes a connection back from its user. stale says that the server had closed it, and with it most likely those
// to the same place that lie idle.
func (p *pool) release(c *real, stale bool) {
	if stale {
		p.retire(append(p.idlers(func(other *real) bool { return other.place == c.place }), c)...)
		return
	}
	if v, ok := c.Conn.(driver.Validator); (ok && !v.IsValid()) || c.texts && unfinished(c.Conn, c.begun) {
		p.retire(c)
		return
	}
	c.texts = false
	p.mu.Lock()
	if p.closed || c.place.vacated > 0 || p.old(c) {
		p.mu.Unlock()
		p.expire(c)
		return
	}
	p.free(c)
	var excess *real
	if p.idle > p.budget.MaxIdle {
		excess = p.take(p.longest())
	}
	p.mu.Unlock()
	if excess != nil {
		p.expire(excess)
	}
}

// unfinished reports whether a connection has a transaction open that was begun as text (BEGIN, or SAVEPOINT on SQLite): the
// next user's writes would go into it. Of drivers that do not tell, begun says whether one was begun.
func unfinished(c driver.Conn, begun bool) bool {
	switch c := c.(type) {
	case *stdlib.Conn:
		return c.Conn().PgConn().TxStatus() != 'I'
	case interface{ AutoCommit() bool }: // mattn/go-sqlite3
		return !c.AutoCommit()
	}
	return begun
}

// expire retires a connection that is not wanted any more.
func (p *pool) expire(c *real) {
	p.mu.Lock()
	p.counters.Expired++
	p.mu.Unlock()
	p.retire(c)
}

// retire closes connections that were taken and that nobody uses. They count until they are closed.
func (p *pool) retire(connections ...*real) {
	for _, c := range connections {
		_ = c.close()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range connections {
		p.used.Remove(c.element)
		p.drop(c.place)
	}
	p.dispatch()
}

// idlers takes out the idle connections that are to be retired.
func (p *pool) idlers(which func(*real) bool) (out []*real) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for e := p.used.Front(); e != nil; e = e.Next() {
		if c := e.Value.(*real); c.idle && which(c) {
			out = append(out, p.take(c))
		}
	}
	return out
}

// longest returns the idle connection that was not used for the longest time, or nil. p.mu is held.
func (p *pool) longest() *real {
	for e := p.used.Front(); e != nil; e = e.Next() {
		if c := e.Value.(*real); c.idle {
			return c
		}
	}
	return nil
}

// take removes a connection from the idle ones. p.mu is held.
func (p *pool) take(c *real) *real {
	c.idle, c.old = false, p.old(c)
	p.idle--
	idle := c.place.idle
	for i := len(idle) - 1; i >= 0; i-- {
		if idle[i] == c {
			c.place.idle = append(idle[:i], idle[i+1:]...)
			break
		}
	}
	return c
}

// replace closes a connection whose place in the budget has gone to another.
func (p *pool) replace(victim *real) {
	if victim == nil {
		return
	}
	_ = victim.close()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.used.Remove(victim.element)
	p.left(victim.place)
	p.dispatch()
}

// drop uncounts a connection that is closed. p.mu is held.
func (p *pool) drop(pl *place) {
	p.counters.Open--
	p.left(pl)
	if p.closed && p.counters.Open == 0 {
		close(p.drained)
	}
}

// left uncounts a connection at its place. p.mu is held.
func (p *pool) left(pl *place) {
	pl.open--
	if pl.open == 0 && pl.empty != nil {
		close(pl.empty)
		pl.empty = nil
	}
	p.forget(pl)
}

// forget removes a place of which nothing is to be remembered. p.mu is held.
func (p *pool) forget(pl *place) {
	if pl.open == 0 && pl.queue.Len() == 0 && pl.failure == nil && pl.vacated == 0 && p.places[pl.key] == pl {
		delete(p.places, pl.key)
	}
}

// at returns the place with a key. p.mu is held.
func (p *pool) at(key string) *place {
	pl := p.places[key]
	if pl == nil {
		pl = &place{key: key}
		p.places[key] = pl
	}
	return pl
}

func (pl *place) failing(now time.Duration) bool {
	return pl.failure != nil && now < pl.retryAt
}

// old reports whether a connection is too old to be used again. p.mu is held.
func (p *pool) old(c *real) bool { return p.time-c.born > p.budget.LifeTime }

func (c *real) close() error {
	c.kept.purge()
	return c.Conn.Close()
}
