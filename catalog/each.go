package catalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/gorm-tenancy/tenancy"
)

// EachOptions says for which tenants [Each] runs, and how. The zero value is ready. It is not changed.
type EachOptions struct {
	// Filter chooses the tenants. Without States it is the active ones.
	Filter Filter
	// Parallel is how many tenants are worked on at once. Default 4.
	Parallel int
	// MaxFailures is after how many failures no further tenant is begun. Zero: all are.
	MaxFailures int
	// Finished is called after each tenant, one at a time, with the error of fn. Default nothing.
	Finished func(t Tenant, err error)

	keep func(*Tenant) bool
}

// ErrTooManyFailures is the Err of a [PartialError] when MaxFailures was reached.
var ErrTooManyFailures = errors.New("catalog: too many tenants failed")

// Failure is the error of one tenant.
type Failure struct {
	// ID is the tenant.
	ID tenancy.ID
	// Err is what fn returned.
	Err error
}

// PartialError says for which tenants [Each] did its work. errors.Is and errors.As find the failures in it. It is immutable
// and safe for concurrent use.
type PartialError struct {
	// Done are the tenants that succeeded, in the order in which they finished.
	Done []tenancy.ID
	// Failed are those that failed.
	Failed []Failure
	// Err is why not all tenants were begun: the error of the list, of the context, or [ErrTooManyFailures]. Nil: all were.
	Err error
}

// Error says how many succeeded and failed. It names no tenant.
func (e *PartialError) Error() string {
	text := fmt.Sprintf("catalog: %d tenants done, %d failed", len(e.Done), len(e.Failed))
	if e.Err != nil {
		text += ", stopped: " + e.Err.Error()
	}
	return text
}

// Unwrap returns Err and the errors of the failures.
func (e *PartialError) Unwrap() []error {
	errs := make([]error, 0, len(e.Failed)+1)
	if e.Err != nil {
		errs = append(errs, e.Err)
	}
	for _, f := range e.Failed {
		errs = append(errs, f.Err)
	}
	return errs
}

// Each runs fn for the tenants of a store, several at once, each with a context that acts for it and is done when ctx is.
// One tenant's failure does not stop the others, unless MaxFailures says so. When ctx ends, no further tenant is begun. It
// waits for those begun, and returns nil, if fn succeeded for all, or a [*PartialError]. A tenant that is suspended after
// the list was read may be among them.
func Each(ctx context.Context, store Store, opts EachOptions, fn func(ctx context.Context, t Tenant) error) error {
	filter := opts.Filter
	if len(filter.States) == 0 && !filter.Pending {
		filter.States = []State{Active}
	}
	filter.States = slices.Clone(filter.States)
	if opts.Parallel <= 0 {
		opts.Parallel = 4
	}
	r := &round{opts: opts}
	var workers errgroup.Group
	workers.SetLimit(opts.Parallel)
	for t, err := range store.List(ctx, filter) {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil && r.full() {
			err = ErrTooManyFailures
		}
		if err != nil {
			r.result.Err = err // the workers do not touch it
			break
		}
		if opts.keep != nil && !opts.keep(&t) {
			continue
		}
		workers.Go(func() error {
			if r.full() || ctx.Err() != nil { // it waited for a place
				r.skip(ctx)
				return nil
			}
			r.finish(t, fn(tenancy.WithTenant(ctx, t.ID), t))
			return nil
		})
	}
	_ = workers.Wait() // workers fail in r
	return r.err()
}

// round collects what became of the tenants. It is safe for concurrent use.
type round struct {
	opts EachOptions

	mu     sync.Mutex // guards result and held
	result PartialError
	held   error
}

func (r *round) full() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.opts.MaxFailures > 0 && len(r.result.Failed) >= r.opts.MaxFailures
}

func (r *round) skip(ctx context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held = ErrTooManyFailures
	if err := ctx.Err(); err != nil {
		r.held = err
	}
}

func (r *round) finish(t Tenant, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		r.result.Done = append(r.result.Done, t.ID)
	} else {
		r.result.Failed = append(r.result.Failed, Failure{t.ID, err})
	}
	if r.opts.Finished != nil {
		r.opts.Finished(t, err)
	}
}

func (r *round) err() error {
	if r.result.Err == nil {
		r.result.Err = r.held
	}
	if r.result.Err == nil && len(r.result.Failed) == 0 {
		return nil
	}
	return &r.result
}
