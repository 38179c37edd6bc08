package tenantconn

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/gorm-tenancy/tenancy"
)

// Gate counts the connections that work for one tenant, and can be shut, so that the tenant's rows can be moved while
// nobody writes them. The zero value is open. It is safe for concurrent use and must not be copied.
type Gate struct {
	mu     sync.Mutex // guards all below
	shut   int        // how many have shut it
	inside int
	empty  chan struct{} // closed when the last one leaves a gate that is shut
}

var errShut = fmt.Errorf("%w: it is being moved", tenancy.ErrTenantMaintenance)

var errMoved = fmt.Errorf("%w: it was moved while the transaction was open; nothing of it was saved, begin it again",
	tenancy.ErrTenantMaintenance)

// Shut lets nobody in, has the statements and the commits of those inside refused with tenancy.ErrTenantMaintenance, and
// waits as long as ctx allows until they have given their connections back: rows are read to their end, transactions rolled
// back. open takes it back; it is to be called once. When ctx ends first the gate is open again, and the context's error is
// returned.
func (g *Gate) Shut(ctx context.Context) (open func(), err error) {
	g.mu.Lock()
	g.shut++
	var empty chan struct{}
	if g.inside > 0 {
		if g.empty == nil {
			g.empty = make(chan struct{})
		}
		empty = g.empty
	}
	g.mu.Unlock()
	open = func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.shut--
	}
	if empty == nil {
		return open, nil
	}
	select {
	case <-empty:
		return open, nil
	case <-ctx.Done():
		open()
		return nil, fmt.Errorf("tenantconn: connections work for the tenant: %w", ctx.Err())
	}
}

func (g *Gate) enter() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut > 0 {
		return errShut
	}
	g.inside++
	return nil
}

func (g *Gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
	if g.inside == 0 && g.empty != nil {
		close(g.empty)
		g.empty = nil
	}
}

// open reports whether those inside may go on.
func (g *Gate) open() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut > 0 {
		return errShut
	}
	return nil
}

// gates are those that one connection has entered, nearly always one.
type gates []*Gate

// hold enters a gate, or asks whether it is still open.
func (h *gates) hold(g *Gate) error {
	if g == nil {
		return nil
	}
	if slices.Contains(*h, g) {
		return g.open()
	}
	if err := g.enter(); err != nil {
		return err
	}
	*h = append(*h, g)
	return nil
}

// leave leaves them all.
func (h *gates) leave() {
	for _, g := range *h {
		g.leave()
	}
	clear(*h)
	*h = (*h)[:0]
}
