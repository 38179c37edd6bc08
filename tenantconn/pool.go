package tenantconn

import (
	"container/list"
	"context"
	"database/sql/driver"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// pool keeps the connections to all places within one budget. It is safe for concurrent use.
//
// A connection is idle, in use or being opened, and counted in open all the time. What becomes free is given away under
// the lock: to a caller that waits for the same place, or to the first that waits for another (see dispatch). Connections
// are opened and closed outside the lock.
type pool struct {
	budget  Budget
	connect func(ctx context.Context, r Route) (driver.Conn, error)
	now     func() time.Time

	mu       sync.Mutex
	places   map[string]*place
	idle     list.List // of *real, the longest unused in front
	queue    list.List // of *waiter, the longest waiting in front
	counters Counters
	closed   bool
	drained  chan struct{} // closed when nothing is open after close
	janitor  *time.Timer
}

// place is what is known of one database while there is something to know.
type place struct {
	key     string
	idle    []*real // the last used at the end
	open    int     // idle, in use and being opened
	waiting int
	opening bool // one at a time: a place that is down is tried by one caller
	failure *UnreachableError
}

// real is a connection of the driver. Its fields are guarded by the pool's lock, except for those of its user.
type real struct {
	driver.Conn
	place   *place
	born    time.Time
	since   time.Time     // idle since
	element *list.Element // in pool.idle
	turns   int           // how often it was handed on while callers waited for other places

	statements *simplelru.LRU[string, driver.Stmt] // of its user
}

// grant is what a waiter gets: a connection, the right to open one, or an error.
type grant struct {
	real   *real
	victim *real // to close first
	err    error
}

type waiter struct {
	place *place
	ready chan grant // of size 1
}

func newPool(b Budget, connect func(context.Context, Route) (driver.Conn, error)) *pool {
	return &pool{budget: b.withDefaults(), connect: connect, now: time.Now, places: map[string]*place{}, drained: make(chan struct{})}
}

// acquire returns a connection to the route's place. It waits for one as long as ctx allows.
func (p *pool) acquire(ctx context.Context, r Route) (*real, error) {
	for {
		g, pl, err := p.claim(ctx, r.Values[0])
		if err != nil {
			return nil, err
		}
		c := g.real
		if c == nil {
			return p.open(ctx, r, pl, g.victim)
		}
		if alive(ctx, c) {
			return c, nil
		}
		if err := ctx.Err(); err != nil {
			p.retire(c)
			return nil, fmt.Errorf("%w: %w", ErrBusy, err)
		}
		p.retire(append(p.idlers(func(other *real) bool { return other.place == c.place }), c)...)
	}
}

// alive asks the driver whether an idle connection can be used again.
func alive(ctx context.Context, c *real) bool {
	if r, ok := c.Conn.(driver.SessionResetter); ok {
		return r.ResetSession(ctx) == nil
	}
	return true
}

// claim takes an idle connection or the right to open one, or waits in the queue for either.
func (p *pool) claim(ctx context.Context, key string) (grant, *place, error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return grant{}, nil, ErrClosed
	}
	pl := p.places[key]
	if pl == nil {
		pl = &place{key: key}
		p.places[key] = pl
	}
	if g, ok := p.give(pl); ok {
		p.mu.Unlock()
		return g, pl, g.err
	}
	w := &waiter{place: pl, ready: make(chan grant, 1)}
	e := p.queue.PushBack(w)
	pl.waiting++
	p.counters.Waits++
	p.mu.Unlock()

	start := p.now()
	select {
	case g := <-w.ready:
		p.waited(start)
		return g, pl, g.err
	case <-ctx.Done():
	}
	p.waited(start)
	p.abandon(e)
	return grant{}, nil, fmt.Errorf("%w: %w", ErrBusy, ctx.Err())
}

// abandon takes a waiter out of the queue. What it was given in the same moment goes to somebody else.
func (p *pool) abandon(e *list.Element) {
	w := e.Value.(*waiter)
	p.mu.Lock()
	defer p.mu.Unlock()
	var g grant
	select {
	case g = <-w.ready:
	default:
		p.queue.Remove(e)
		w.place.waiting--
		p.forget(w.place)
		return
	}
	if g.real != nil {
		p.putIdle(g.real)
	} else if g.err == nil { // the right to open one
		w.place.opening = false
		p.drop(w.place)
	}
	if g.victim != nil {
		p.mu.Unlock()
		_ = g.victim.close()
		p.mu.Lock()
	}
	p.dispatch(nil)
}

func (p *pool) waited(since time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counters.WaitDuration += p.now().Sub(since)
}

// give takes what pl may have now. p.mu is held.
func (p *pool) give(pl *place) (grant, bool) {
	if n := len(pl.idle); n > 0 {
		return grant{real: p.take(pl.idle[n-1])}, true
	}
	if pl.failure != nil {
		if p.now().Before(pl.failure.RetryAt) {
			return grant{err: pl.failure}, true
		}
		pl.failure = nil
	}
	if pl.opening || pl.open >= p.budget.MaxPerPlace {
		return grant{}, false
	}
	var victim *real
	if p.counters.Open >= p.budget.MaxOpen {
		front := p.idle.Front()
		if front == nil {
			return grant{}, false
		}
		victim = p.take(front.Value.(*real))
		p.drop(victim.place)
		p.counters.Evicted++
	}
	pl.opening = true
	pl.open++
	p.counters.Open++
	return grant{victim: victim}, true
}

// take removes a connection from the idle ones. p.mu is held.
func (p *pool) take(c *real) *real {
	p.idle.Remove(c.element)
	for i, other := range c.place.idle {
		if other == c {
			c.place.idle = append(c.place.idle[:i], c.place.idle[i+1:]...)
			break
		}
	}
	c.element = nil
	return c
}

// drop uncounts a connection that is closed. p.mu is held.
func (p *pool) drop(pl *place) {
	pl.open--
	p.counters.Open--
	p.forget(pl)
	if p.closed && p.counters.Open == 0 {
		close(p.drained)
	}
}

// forget removes a place of which nothing is to be remembered. p.mu is held.
func (p *pool) forget(pl *place) {
	if pl.open == 0 && pl.waiting == 0 && pl.failure == nil && p.places[pl.key] == pl {
		delete(p.places, pl.key)
	}
}

// open opens a connection for which claim has reserved the place.
func (p *pool) open(ctx context.Context, r Route, pl *place, victim *real) (*real, error) {
	if victim != nil {
		_ = victim.close()
	}
	limited, cancel := context.WithTimeout(ctx, p.budget.OpenTimeout)
	defer cancel()
	conn, err := p.connect(limited, r)
	p.mu.Lock()
	defer p.mu.Unlock()
	pl.opening = false
	if err != nil {
		p.counters.Failed++
		if ctx.Err() == nil { // not the fault of a caller in a hurry
			pl.failure = &UnreachableError{Err: err, RetryAt: p.now().Add(p.budget.BackOff)}
			err = pl.failure
			p.schedule()
		}
		p.drop(pl)
		p.dispatch(nil)
		return nil, err
	}
	p.counters.Opened++
	pl.failure = nil
	p.dispatch(nil) // others of this place may open now
	return &real{Conn: conn, place: pl, born: p.now()}, nil
}

// release takes a connection back from its user. stale says that the server had closed it, and with it most likely those
// to the same place that lie idle.
func (p *pool) release(c *real, stale bool) {
	if stale {
		p.retire(append(p.idlers(func(other *real) bool { return other.place == c.place }), c)...)
		return
	}
	if v, ok := c.Conn.(driver.Validator); ok && !v.IsValid() {
		p.retire(c)
		return
	}
	p.mu.Lock()
	if p.closed || p.now().Sub(c.born) > p.budget.LifeTime || p.idle.Len() >= p.budget.MaxIdle {
		p.counters.Expired++
		p.mu.Unlock()
		p.retire(c)
		return
	}
	p.putIdle(c)
	p.dispatch(c)
	p.mu.Unlock()
}

// retire closes connections that nobody uses and that are not idle. They count until they are closed.
func (p *pool) retire(connections ...*real) {
	for _, c := range connections {
		_ = c.close()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range connections {
		p.drop(c.place)
	}
	p.dispatch(nil)
}

// idlers takes out the idle connections that are to be retired.
func (p *pool) idlers(which func(*real) bool) (out []*real) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for e := p.idle.Front(); e != nil; {
		next := e.Next()
		if c := e.Value.(*real); which(c) {
			out = append(out, p.take(c))
		}
		e = next
	}
	return out
}

func (p *pool) putIdle(c *real) {
	c.since = p.now()
	c.element = p.idle.PushBack(c)
	c.place.idle = append(c.place.idle, c)
	p.schedule()
}

// mostTurns is how often a connection goes to another caller of its own place, which costs nothing, while callers wait for
// other places, for whom it would have to be closed.
const mostTurns = 32

// dispatch gives away what has become free: freed, if it is a connection, first to a caller that waits for its place.
// p.mu is held.
func (p *pool) dispatch(freed *real) {
	if freed != nil && freed.place.waiting > 0 && freed.turns < mostTurns {
		for e := p.queue.Front(); e != nil; e = e.Next() {
			if w := e.Value.(*waiter); w.place == freed.place {
				freed.turns++
				p.serve(e, grant{real: p.take(freed)})
				return
			}
		}
	}
	if freed != nil {
		freed.turns = 0
	}
	for e := p.queue.Front(); e != nil && (p.counters.Open < p.budget.MaxOpen || p.idle.Len() > 0); {
		next := e.Next()
		if g, ok := p.give(e.Value.(*waiter).place); ok {
			p.serve(e, g)
		}
		e = next
	}
}

func (p *pool) serve(e *list.Element, g grant) {
	w := p.queue.Remove(e).(*waiter)
	w.place.waiting--
	w.ready <- g
}

// close refuses new callers, closes the idle connections, and waits until those in use have come back.
func (p *pool) close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	p.closed = true
	if p.janitor != nil {
		p.janitor.Stop()
	}
	for e := p.queue.Front(); e != nil; e = p.queue.Front() {
		p.serve(e, grant{err: ErrClosed})
	}
	if p.counters.Open == 0 {
		close(p.drained)
	}
	p.mu.Unlock()
	p.retire(p.idlers(func(*real) bool { return true })...)
	<-p.drained
	return nil
}

// schedule makes sure that what grows old is looked at. p.mu is held.
func (p *pool) schedule() {
	if p.janitor != nil || p.closed {
		return
	}
	p.janitor = time.AfterFunc(max(p.budget.IdleTime/2, time.Millisecond), p.clean)
}

// clean retires what has been idle for too long and forgets old failures. It runs again while anything is left.
func (p *pool) clean() {
	now := p.now()
	old := p.idlers(func(c *real) bool {
		return now.Sub(c.since) >= p.budget.IdleTime || now.Sub(c.born) > p.budget.LifeTime
	})
	p.mu.Lock()
	p.counters.Expired += int64(len(old))
	for _, pl := range p.places {
		if pl.failure != nil && !now.Before(pl.failure.RetryAt) {
			pl.failure = nil
			p.forget(pl)
		}
	}
	p.janitor = nil
	if len(p.places) > 0 {
		p.schedule()
	}
	p.mu.Unlock()
	p.retire(old...)
}

func (p *pool) stats() Counters {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.counters
	c.Idle, c.Waiting, c.Places = p.idle.Len(), p.queue.Len(), len(p.places)
	return c
}

func (c *real) close() error {
	if c.statements != nil {
		c.statements.Purge()
	}
	return c.Conn.Close()
}
