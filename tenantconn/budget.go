package tenantconn

import (
	"errors"
	"fmt"
	"time"
)

// Budget limits the connections of a process to all places together. The zero value of a field means its default.
type Budget struct {
	// MaxOpen is the most connections open at one time, those being opened included. Default 100. A connection to a SQLite
	// file takes up to three file descriptors.
	MaxOpen int
	// MaxPerPlace is the most connections to one place, so that a busy tenant does not starve the rest. Default a quarter
	// of MaxOpen, at least 1.
	MaxPerPlace int
	// MaxIdle is the most connections kept without use. Default MaxOpen.
	MaxIdle int
	// IdleTime is how long a connection is kept without use, at least; at most half as long again. Default 5 minutes.
	IdleTime time.Duration
	// LifeTime is how old a connection may be when it is used again, give or take a quarter. Default 1 hour.
	LifeTime time.Duration
	// WaitTime is how long a caller waits for a connection when its context allows more. Default 1 minute.
	WaitTime time.Duration
	// OpenTimeout is how long opening a connection may take when the caller's context allows more. Default 10 seconds.
	OpenTimeout time.Duration
	// BackOff is how long a place that could not be opened is left alone: until then callers get the same error at once.
	// Default 1 second.
	BackOff time.Duration
}

func (b Budget) withDefaults() Budget {
	number := func(n *int, otherwise int) {
		if *n == 0 {
			*n = otherwise
		}
	}
	duration := func(d *time.Duration, otherwise time.Duration) {
		if *d == 0 {
			*d = otherwise
		}
	}
	number(&b.MaxOpen, 100)
	number(&b.MaxPerPlace, max(1, b.MaxOpen/4))
	number(&b.MaxIdle, b.MaxOpen)
	duration(&b.IdleTime, 5*time.Minute)
	duration(&b.LifeTime, time.Hour)
	duration(&b.WaitTime, time.Minute)
	duration(&b.OpenTimeout, 10*time.Second)
	duration(&b.BackOff, time.Second)
	return b
}

func (b Budget) validate() error {
	if min(b.MaxOpen, b.MaxPerPlace, b.MaxIdle) < 0 || min(b.IdleTime, b.LifeTime, b.WaitTime, b.OpenTimeout, b.BackOff) < 0 {
		return errors.New("tenantconn: a budget has no negative numbers; 0 means the default")
	}
	return nil
}

// Counters says what a budget is doing and has done.
type Counters struct {
	Open    int // connections now, Idle ones and those being opened included
	Idle    int // connections nobody uses
	Waiting int // callers that wait for one
	Places  int // places with a connection, a caller that waits, or a failure to remember

	Opened       int64         // connections opened since the start
	Failed       int64         // attempts to open one that failed
	Evicted      int64         // connections closed to make room for another place
	Expired      int64         // connections closed because of IdleTime, LifeTime or MaxIdle
	Waits        int64         // callers that had to wait
	WaitDuration time.Duration // of them all together
}

var (
	// ErrBusy: no connection became free before the caller's context or [Budget.WaitTime] ended. The context's error is
	// wrapped, too.
	ErrBusy = errors.New("tenantconn: no connection within the budget")
	// ErrUnreachable: the place cannot be opened. It is an [*UnreachableError], or wraps the error of a caller's context
	// that ended before the place was open.
	ErrUnreachable = errors.New("tenantconn: the tenant's database cannot be opened")
	// ErrVacated: the place is being removed (see [Pool.Vacate]).
	ErrVacated = errors.New("tenantconn: the tenant's database is being removed")
	// ErrClosed: the *sql.DB is closed.
	ErrClosed = errors.New("tenantconn: closed")
)

// UnreachableError says that a place could not be opened. It is immutable and safe for concurrent use.
type UnreachableError struct {
	// Err is the driver's error. It may name hosts and users, and is not part of the message.
	Err error
	// RetryAt is when the place is tried again; callers before get this error.
	RetryAt time.Time
}

// Error says that the place could not be opened, and not why: the driver's text names hosts and users.
func (e *UnreachableError) Error() string {
	return fmt.Sprintf("%v; it is tried again at %s", ErrUnreachable, e.RetryAt.UTC().Format(time.TimeOnly))
}

// Unwrap returns ErrUnreachable and the driver's error.
func (e *UnreachableError) Unwrap() []error { return []error{ErrUnreachable, e.Err} }
