package tenantconn

import (
	"container/list"
	"context"
	"fmt"
)

// grant is what a caller gets: a connection, the right to open one, or an error.
type grant struct {
	real   *real
	place  *place // where to open one
	victim *real  // to close first
	err    error
}

type waiter struct {
	ready   chan grant // of size 1
	element *list.Element
}

// claim takes an idle connection or the right to open one, or waits in the queue for either.
func (p *pool) claim(ctx context.Context, key string) grant {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return grant{err: ErrClosed}
	}
	pl := p.at(key)
	if g, ok := p.give(pl); ok {
		p.mu.Unlock()
		return g
	}
	w := p.enqueue(pl)
	start := p.now()
	p.mu.Unlock()

	limited, cancel := context.WithTimeout(ctx, p.budget.WaitTime)
	defer cancel()
	var g grant
	select {
	case g = <-w.ready:
	case <-limited.Done():
		p.abandon(pl, w)
		g.err = fmt.Errorf("%w: %w", ErrBusy, limited.Err())
	}
	p.mu.Lock()
	p.counters.WaitDuration += p.now() - start
	p.mu.Unlock()
	return g
}

// enqueue lets a caller wait. p.mu is held.
func (p *pool) enqueue(pl *place) *waiter {
	w := &waiter{ready: make(chan grant, 1)}
	w.element = pl.queue.PushBack(w)
	if pl.element == nil {
		pl.element = p.waiting.PushBack(pl)
	}
	p.counters.Waits++
	p.counters.Waiting++
	return w
}

// dequeue takes a caller out of the queue. The place goes to the end of those that wait, or stops waiting. p.mu is held.
func (p *pool) dequeue(pl *place, w *waiter) {
	pl.queue.Remove(w.element)
	p.counters.Waiting--
	if pl.queue.Len() > 0 {
		p.waiting.MoveToBack(pl.element)
		return
	}
	p.waiting.Remove(pl.element)
	pl.element, pl.turns = nil, 0
}

// abandon takes a waiter out of the queue. What it was given in the same moment goes to somebody else.
func (p *pool) abandon(pl *place, w *waiter) {
	p.mu.Lock()
	var g grant
	select {
	case g = <-w.ready:
	default:
		p.dequeue(pl, w)
		p.forget(pl)
		p.mu.Unlock()
		return
	}
	p.mu.Unlock()
	switch {
	case g.real != nil:
		p.release(g.real, false)
	case g.err == nil: // the right to open one
		p.replace(g.victim)
		p.mu.Lock()
		pl.opening = false
		p.drop(pl)
		p.dispatch()
		p.mu.Unlock()
	}
}

// give takes what pl may have now. p.mu is held.
func (p *pool) give(pl *place) (grant, bool) {
	if pl.vacated > 0 {
		return grant{err: ErrVacated}, true
	}
	if n := len(pl.idle); n > 0 {
		return grant{real: p.take(pl.idle[n-1])}, true
	}
	if pl.failing(p.now()) {
		return grant{err: pl.failure}, true
	}
	pl.failure = nil
	if pl.opening || pl.open >= p.budget.MaxPerPlace {
		return grant{}, false
	}
	g := grant{place: pl}
	if p.counters.Open >= p.budget.MaxOpen {
		longest := p.longest()
		if longest == nil {
			return grant{}, false
		}
		// The new one takes its place in the budget, but not at its own place before it is closed.
		g.victim = p.take(longest)
		p.counters.Evicted++
		p.counters.Open--
	}
	pl.opening = true
	pl.open++
	p.counters.Open++
	return g, true
}

// mostTurns is how often connections go to another caller of their own place, which costs nothing, while callers wait for
// other places, for whom one would have to be closed.
const mostTurns = 32

// free gives away a connection that nobody uses any more. p.mu is held.
func (p *pool) free(c *real) {
	pl := c.place
	if pl.queue.Len() > 0 && (p.waiting.Len() == 1 || pl.turns < mostTurns) {
		pl.turns++
		p.serve(pl, grant{real: c})
		return
	}
	pl.turns = 0
	c.since, c.idle = p.time, true
	p.used.MoveToBack(c.element)
	p.idle++
	pl.idle = append(pl.idle, c)
	p.schedule()
	p.dispatch()
}

// dispatch gives away what has become free, one to each place in turn. p.mu is held.
func (p *pool) dispatch() {
	for again := true; again; {
		again = false
		for e := p.waiting.Front(); e != nil && (p.counters.Open < p.budget.MaxOpen || p.idle > 0); {
			pl := e.Value.(*place)
			last := e == p.waiting.Back()
			e = e.Next()
			if g, ok := p.give(pl); ok {
				p.serve(pl, g)
				again = true
			}
			if last {
				break
			}
		}
	}
}

// serve gives something to the caller of a place that has waited longest.
func (p *pool) serve(pl *place, g grant) {
	w := pl.queue.Front().Value.(*waiter)
	p.dequeue(pl, w)
	w.ready <- g
}
