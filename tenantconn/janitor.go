package tenantconn

import (
	"context"
	"fmt"
	"time"
)

// schedule makes sure that what grows old is looked at. p.mu is held.
func (p *pool) schedule() {
	if p.janitor != nil || p.closed {
		return
	}
	p.janitor = time.AfterFunc(p.sweep(), p.clean)
}

// sweep is how often ages are looked at.
func (p *pool) sweep() time.Duration {
	return max(min(p.budget.IdleTime, p.budget.LifeTime)/4, time.Millisecond)
}

// clean retires what has been idle for too long and forgets old failures. It runs again while anything is left.
func (p *pool) clean() {
	now, sweep := p.now(), p.sweep()
	old := p.idlers(func(c *real) bool {
		return now-c.since >= p.budget.IdleTime+sweep || now-c.born > p.budget.LifeTime
	})
	p.mu.Lock()
	p.time = now
	p.counters.Expired += int64(len(old))
	for _, pl := range p.places {
		if pl.failure != nil && !pl.failing(now) {
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

// vacate closes the connections to a place and keeps new ones away until release is called.
func (p *pool) vacate(ctx context.Context, key string) (release func(), err error) {
	p.mu.Lock()
	pl := p.at(key)
	pl.vacated++
	for pl.queue.Len() > 0 {
		p.serve(pl, grant{err: ErrVacated})
	}
	var empty chan struct{}
	if pl.open > 0 {
		if pl.empty == nil {
			pl.empty = make(chan struct{})
		}
		empty = pl.empty
	}
	p.mu.Unlock()
	release = func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		pl.vacated--
		p.forget(pl)
	}
	p.retire(p.idlers(func(c *real) bool { return c.place == pl })...)
	if empty == nil {
		return release, nil
	}
	select {
	case <-empty:
		return release, nil
	case <-ctx.Done():
		release()
		return nil, fmt.Errorf("tenantconn: connections of the tenant are in use: %w", ctx.Err())
	}
}

func (p *pool) retry(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if pl := p.places[key]; pl != nil {
		pl.failure = nil
		p.forget(pl)
	}
}

// outdate makes the place's kept statements be prepared again: a statement changed its tables.
func (p *pool) outdate(pl *place) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pl.changed++
}

// current purges the statements of a connection that were prepared before the place's tables changed.
func (p *pool) current(c *real) {
	p.mu.Lock()
	changed := c.place.changed
	p.mu.Unlock()
	if c.changed != changed {
		c.kept.purge()
	}
	c.changed = changed
}

// enter counts a *sql.DB that uses the pool.
func (p *pool) enter() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return ErrClosed
	}
	p.users++
	return nil
}

// leave closes the pool when the last *sql.DB is closed.
func (p *pool) leave() error {
	p.mu.Lock()
	p.users--
	last := p.users == 0
	p.mu.Unlock()
	if last {
		p.close()
	}
	return nil
}

// close refuses new callers, closes the idle connections, and waits until those in use have come back.
func (p *pool) close() {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		<-p.drained
		return
	}
	p.closed = true
	if p.janitor != nil {
		p.janitor.Stop()
	}
	for e := p.waiting.Front(); e != nil; e = p.waiting.Front() {
		p.serve(e.Value.(*place), grant{err: ErrClosed})
	}
	if p.counters.Open == 0 {
		close(p.drained)
	}
	p.mu.Unlock()
	p.retire(p.idlers(func(*real) bool { return true })...)
	<-p.drained
}

func (p *pool) stats() Counters {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.counters
	c.Idle, c.Places = p.idle, len(p.places)
	return c
}
