package retrofit

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gorm-tenancy/tenancy"
)

// Option configures [New].
type Option func(*config)

type config struct {
	legacy      tenancy.ID
	from        []mapping
	batch       int
	pause       time.Duration
	lockTimeout time.Duration
	tries       int
	progress    func(Progress)
	composite   bool
	keep        []string
}

type mapping struct {
	model any
	query string
}

// Legacy says that all rows are this tenant's, and those that old programs write, too. Until [Retrofit.Finish] the database
// refuses rows of any other tenant. It excludes [From].
func Legacy(id tenancy.ID) Option { return func(c *config) { c.legacy = id } }

// From says whose a row of the model's table is: query is a SELECT of one value that names the row by its table.
//
//	retrofit.From(&Poll{}, "SELECT slug FROM companies WHERE companies.id = polls.company_id")
//
// It runs whenever a row is written, with the writer's rights, and is text of the program, never of a request. What it gives
// must be the tenant's id as tenancy.ParseID accepts it, and stay the same until [Retrofit.Finish]. Qualify all columns.
// Owned tables without a From inherit the tenant of the owned rows they refer to.
func From(model any, query string) Option {
	return func(c *config) { c.from = append(c.from, mapping{model, strings.TrimSpace(query)}) }
}

// BatchSize is how many rows one transaction of [Retrofit.Backfill] stamps. The default is 1000.
func BatchSize(rows int) Option { return func(c *config) { c.batch = rows } }

// Pause is the time between two batches, for the sake of others. The default is none.
func Pause(d time.Duration) Option { return func(c *config) { c.pause = d } }

// LockTimeout is how long a change waits for the lock of its table, and hence how long others wait behind it. Then it steps
// back and tries again. The default is one second. MySQL knows whole seconds, at least one; SQLite's is that of its DSN.
func LockTimeout(d time.Duration) Option { return func(c *config) { c.lockTimeout = d } }

// Tries is how often a change tries to get its locks before it fails with [ErrLocked]. The pauses grow from 50 ms to 5 s. The
// default is 60: some five minutes.
func Tries(n int) Option { return func(c *config) { c.tries = n } }

// OnProgress is called after each batch of [Retrofit.Backfill], on its goroutine.
func OnProgress(f func(Progress)) Option { return func(c *config) { c.progress = f } }

// CompositeKeys lets [Retrofit.Constrain] add a foreign key (tenant, reference) beside each that refers from an owned table
// to another's primary key. SQLite cannot add one: New fails with tenancy.ErrUnsupported.
func CompositeKeys() Option { return func(c *config) { c.composite = true } }

// KeepUnique names unique indexes or constraints that stay unique over all tenants, such as those of API keys.
func KeepUnique(names ...string) Option { return func(c *config) { c.keep = append(c.keep, names...) } }

func newConfig(opts []Option) (config, error) {
	c := config{batch: 1000, lockTimeout: time.Second, tries: 60, progress: func(Progress) {}}
	for _, opt := range opts {
		opt(&c)
	}
	switch {
	case (c.legacy == "") == (len(c.from) == 0):
		return c, errors.New(`retrofit: say whose the rows are: either retrofit.Legacy("acme") or retrofit.From for each root table`)
	case c.batch < 1, c.tries < 1, c.lockTimeout <= 0, c.pause < 0, c.progress == nil:
		return c, errors.New("retrofit: BatchSize, Tries and LockTimeout are positive, Pause is not negative, OnProgress is not nil")
	}
	if c.legacy != "" {
		if _, err := tenancy.ParseID(string(c.legacy)); err != nil {
			return c, fmt.Errorf("retrofit: Legacy: %w", err)
		}
	}
	for _, m := range c.from {
		if len(m.query) < 7 || !strings.EqualFold(m.query[:6], "select") || strings.ContainsAny(m.query, ";$\\") {
			return c, fmt.Errorf("retrofit: From(%T): give one SELECT, without semicolon, $ and backslash", m.model)
		}
	}
	return c, nil
}

func (c *config) keeps(index string) bool { return slices.Contains(c.keep, index) }
