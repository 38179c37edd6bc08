// Package asynqjobs carries tenants through asynq, in the headers of its tasks.
package asynqjobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hibiken/asynq"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
	"github.com/gorm-tenancy/tenancy/integrations/jobs"
)

// ErrShared: the option would let one tenant's task stand for another's, because asynq does not ask for headers there.
var ErrShared = errors.New("asynqjobs: tasks of several tenants would meet")

// Client enqueues tasks for the tenant of a context. Safe for concurrent use.
type Client struct {
	client  *asynq.Client
	central jobs.Central
}

// NewClient returns a client that enqueues through another one, which stays the caller's to close. Tasks of the central types
// are enqueued without a tenant.
func NewClient(client *asynq.Client, central ...string) *Client {
	return &Client{client: client, central: central}
}

// Enqueue enqueues a task for the tenant of the context. Without a tenant the error is tenancy.ErrNoTenant, also under
// tenancy.Central and tenancy.Bypass, unless the type is a central one. asynq.TaskID becomes the tenant's own: tenants use
// the same IDs for different tasks. asynq.Unique and asynq.Group are [ErrShared]: asynq compares and groups tasks by queue,
// type and payload alone. TaskID says the same as Unique. Safe for concurrent use.
func (c *Client) Enqueue(ctx context.Context, kind string, payload []byte, opts ...asynq.Option) (*asynq.TaskInfo, error) {
	if c.central.Has(kind) {
		return c.client.EnqueueContext(ctx, asynq.NewTask(kind, payload), opts...)
	}
	headers := catalog.Map{}
	if err := catalog.Inject(ctx, headers); err != nil {
		return nil, err
	}
	own := make([]asynq.Option, len(opts))
	for i, opt := range opts {
		own[i] = opt
		switch opt.Type() {
		case asynq.UniqueOpt, asynq.GroupOpt:
			return nil, fmt.Errorf("%w with %s; use asynq.TaskID", ErrShared, optionName(opt))
		case asynq.TaskIDOpt:
			id, err := tenancy.CacheKey(ctx, fmt.Sprint(opt.Value()))
			if err != nil {
				return nil, err
			}
			own[i] = asynq.TaskID(id)
		}
	}
	return c.client.EnqueueContext(ctx, asynq.NewTaskWithHeaders(kind, payload, headers), own...)
}

func optionName(opt asynq.Option) string {
	if opt.Type() == asynq.UniqueOpt {
		return "asynq.Unique"
	}
	return "asynq.Group"
}

// Middleware returns the middleware of a worker, for asynq.ServeMux.Use. Handlers get a context that acts for the task's
// tenant, and under tenancy.Central for tasks of the central types. A task of no tenant, or of one that is gone, is not
// tried again: asynq archives it. One of a tenant that is suspended or in maintenance, or met while the catalog does not
// answer, is tried again; see [IsFailure] and [RetryDelay]. Safe for concurrent use.
func Middleware(tenants *catalog.Catalog, central ...string) asynq.MiddlewareFunc {
	return func(next asynq.Handler) asynq.Handler {
		return asynq.HandlerFunc(func(ctx context.Context, task *asynq.Task) error {
			if jobs.Central(central).Has(task.Type()) {
				return next.ProcessTask(tenancy.Central(ctx), task)
			}
			as, err := tenants.Extract(ctx, catalog.Map(task.Headers()))
			switch {
			case err == nil:
				return next.ProcessTask(as, task)
			case jobs.Hopeless(err):
				return fmt.Errorf("%w: %w", err, asynq.SkipRetry)
			default:
				return &laterError{err}
			}
		})
	}
}

// laterError is why the middleware put a task off. A handler's own error is none.
type laterError struct{ err error }

func (e *laterError) Error() string { return "asynqjobs: the task waits: " + e.err.Error() }
func (e *laterError) Unwrap() error { return e.err }

// IsFailure is for asynq.Config: what [Middleware] put off does not count as an attempt, so that a suspension outlives
// MaxRetry. Safe for concurrent use.
func IsFailure(err error) bool {
	return err != nil && !errors.As(err, new(*laterError))
}

// RetryDelay is for asynq.Config: what [Middleware] put off is tried again after the delay, all else as next says; nil is
// asynq.DefaultRetryDelayFunc. Safe for concurrent use, if next is.
func RetryDelay(delay time.Duration, next asynq.RetryDelayFunc) asynq.RetryDelayFunc {
	if next == nil {
		next = asynq.DefaultRetryDelayFunc
	}
	return func(n int, err error, task *asynq.Task) time.Duration {
		if !IsFailure(err) {
			return delay
		}
		return next(n, err, task)
	}
}
