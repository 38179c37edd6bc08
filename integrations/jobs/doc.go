// Package jobs says what becomes of a job whose tenant may not be served. The packages below it carry the tenant of a context
// through the queues of asynq (Redis), river (PostgreSQL) and NATS JetStream: asynqjobs, riverjobs and natsjobs. They have a
// module of their own, so that nobody who does not use a queue inherits its client.
//
// All three follow one rule. The tenant is written when a job is enqueued, from the context, never from what the job is about;
// a context without a tenant enqueues nothing. The worker's context acts for the job's tenant alone, whatever it acted for
// before, and only if the catalog serves it. Jobs that belong to no tenant have to be named, and run under tenancy.Central.
// Whoever can write into the queue chooses the tenant: protect it as you protect the database.
package jobs

import (
	"errors"
	"slices"

	"github.com/gorm-tenancy/tenancy"
)

// Hopeless reports whether a job that was refused with err by catalog.Catalog.Extract will be refused for ever: it names no
// tenant, none that could exist, or none that is served again. Else the tenant is suspended or in maintenance, or the catalog
// does not answer: the job can run later. A tenant in its grace period, which may come back, is hopeless, too, and so is one
// that is still being created: enqueue its first jobs when catalog.Catalog.Create has returned. Safe for concurrent use.
func Hopeless(err error) bool {
	return errors.Is(err, tenancy.ErrNoTenant) || errors.Is(err, tenancy.ErrUnknownTenant)
}

// Central are the kinds of jobs that belong to no tenant, such as a timer that enqueues a job for each. Nil is none.
// Immutable, and then safe for concurrent use.
type Central []string

// Has reports whether a kind of job belongs to no tenant.
func (c Central) Has(kind string) bool { return slices.Contains(c, kind) }
