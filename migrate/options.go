package migrate

import (
	"context"
	"errors"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
)

type config struct {
	ledger      *gorm.DB
	within      func(context.Context) context.Context
	workers     int
	canary      [][]tenancy.ID
	stopAfter   int
	outOfOrder  bool
	attempts    int
	backoff     time.Duration
	lockTimeout time.Duration
	wait        time.Duration
	lease       time.Duration
	onEvent     func(Event)
}

// Option configures a [Runner]. A mistake in one makes [New] fail.
type Option func(*config)

// Ledger keeps the ledger in another database, opened without a plugin. The default is the central tables of the one that
// is migrated.
func Ledger(db *gorm.DB) Option { return func(c *config) { c.ledger = db } }

// Within changes the context of each step of a tenant, for example to schema.AsOwner where tenants' roles may not change
// tables. It must keep the context's tenant. By default nothing is changed.
func Within(f func(context.Context) context.Context) Option { return func(c *config) { c.within = f } }

// Workers is how many tenants are migrated at a time. The default is 4; where the pool has a limit, at most that minus 2.
func Workers(n int) Option { return func(c *config) { c.workers = n } }

// Canary names a group of tenants that are migrated before all others. Given several times, the groups follow each other.
// When a tenant of a group fails, no tenant behind the group is touched. By default there is none.
func Canary(ids ...tenancy.ID) Option {
	return func(c *config) { c.canary = append(c.canary, slices.Clone(ids)) }
}

// StopAfter begins no further tenant once n have failed. The default, 0, goes on to the end.
func StopAfter(n int) Option { return func(c *config) { c.stopAfter = n } }

// OutOfOrder runs steps below one that the tenant has already, as branches of development leave them. By default they are
// [ErrOutOfOrder].
func OutOfOrder() Option { return func(c *config) { c.outOfOrder = true } }

// LockTimeout is how long a step waits for a lock of the database before it gives up and everybody behind it goes on; 0 is
// the database's own. It holds on PostgreSQL inside transactions, and on MySQL for functions: for SQL files there put
// lock_wait_timeout into the DSN. The default is 3 seconds.
func LockTimeout(d time.Duration) Option { return func(c *config) { c.lockTimeout = d } }

// Retry is how often a step is tried that lost a lock or a deadlock, and how long the first pause is; the following double,
// up to 30 seconds, and vary by a fifth. The default is 5 attempts and 200 milliseconds. Other failures, and steps without
// transaction, are not tried again within a run.
func Retry(attempts int, pause time.Duration) Option {
	return func(c *config) { c.attempts, c.backoff = attempts, pause }
}

// Wait is how long a tenant that another runner holds is waited for, before it is [ErrLocked]. The default is a minute.
func Wait(d time.Duration) Option { return func(c *config) { c.wait = d } }

// Leases uses rows of the ledger instead of the database's advisory locks, and is needed where the ledger is reached through
// a pooler in transaction mode. A runner that dies holds its tenants until its leases run out, after life; clocks of
// different machines differ by less. SQLite always has leases, of 30 seconds by default. The shortest is a second.
func Leases(life time.Duration) Option { return func(c *config) { c.lease = life } }

// OnEvent is told what happens, for example to draw it. Calls come one at a time, from several goroutines, and hold up
// the run.
func OnEvent(f func(Event)) Option { return func(c *config) { c.onEvent = f } }

func newConfig(opts []Option) (config, error) {
	c := config{
		within:  func(ctx context.Context) context.Context { return ctx },
		workers: 4, attempts: 5, backoff: 200 * time.Millisecond, lockTimeout: 3 * time.Second, wait: time.Minute,
		onEvent: func(Event) {},
	}
	for _, opt := range opts {
		opt(&c)
	}
	return c, c.check()
}

func (c *config) check() error {
	switch {
	case c.workers < 1:
		return errors.New("migrate: Workers: at least 1")
	case c.attempts < 1, c.backoff <= 0:
		return errors.New("migrate: Retry: at least 1 attempt and a pause")
	case c.stopAfter < 0, c.wait < 0, c.lockTimeout < 0:
		return errors.New("migrate: StopAfter, Wait and LockTimeout are not negative")
	case c.lease != 0 && c.lease < time.Second:
		return errors.New("migrate: Leases: at least a second")
	case c.within == nil, c.onEvent == nil:
		return errors.New("migrate: Within and OnEvent need a function")
	}
	return nil
}
