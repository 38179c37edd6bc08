// Package riverjobs carries tenants through river, in the metadata of its jobs.
//
// River's tables are central, and its workers need connections that belong to no tenant: give river a pool of its own
// (riverpgxv5) beside GORM. To enqueue in a tenant's GORM transaction, so that the job exists if and only if the transaction
// was committed, use a second client without workers over riverdatabasesql, and [InsertTx].
package riverjobs

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
	"github.com/gorm-tenancy/tenancy/integrations/jobs"
)

// Middleware is for river.Config.Middleware of clients that enqueue and of clients that work. Make it with [New].
// Safe for concurrent use.
type Middleware struct {
	river.MiddlewareDefaults

	tenants *catalog.Catalog
	snooze  time.Duration
	central jobs.Central
}

var (
	_ rivertype.JobInsertMiddleware = (*Middleware)(nil)
	_ rivertype.WorkerMiddleware    = (*Middleware)(nil)
)

// New returns the middleware. Jobs of a tenant that is not served for a while are put off by snooze; 0 is a minute. The central
// kinds, such as those of periodic jobs, belong to no tenant.
func New(tenants *catalog.Catalog, snooze time.Duration, central ...string) *Middleware {
	if snooze == 0 {
		snooze = time.Minute
	}
	return &Middleware{tenants: tenants, snooze: snooze, central: central}
}

// InsertMany writes the context's tenant into the jobs' metadata. Without a tenant nothing is enqueued and the error is
// tenancy.ErrNoTenant, also under tenancy.Central and tenancy.Bypass, unless all the kinds are central ones; metadata that name
// another tenant are tenancy.ErrTenantMismatch. Unique jobs are unique within the tenant: river would answer one tenant's job
// with the other's.
func (m *Middleware) InsertMany(
	ctx context.Context, params []*rivertype.JobInsertParams, doInner func(context.Context) ([]*rivertype.JobInsertResult, error),
) ([]*rivertype.JobInsertResult, error) {
	for _, p := range params {
		if m.central.Has(p.Kind) {
			continue
		}
		if err := inject(ctx, p); err != nil {
			return nil, err
		}
	}
	return doInner(ctx)
}

func inject(ctx context.Context, p *rivertype.JobInsertParams) error {
	data, err := metadataOf(p.Metadata)
	if err != nil {
		return err
	}
	if err := catalog.Inject(ctx, data); err != nil {
		return err
	}
	if p.Metadata, err = json.Marshal(data); err != nil || len(p.UniqueKey) == 0 {
		return err
	}
	own, err := tenancy.CacheKey(ctx, string(p.UniqueKey))
	if err != nil {
		return err
	}
	key := sha256.Sum256([]byte(own))
	p.UniqueKey = key[:]
	return nil
}

// Work runs a job with a context that acts for its tenant, and under tenancy.Central if its kind is a central one. A job of no
// tenant, or of one that is gone, is cancelled. One of a tenant that is suspended or in maintenance, or met while the catalog
// does not answer, is snoozed, which costs it no attempt.
func (m *Middleware) Work(ctx context.Context, job *rivertype.JobRow, doInner func(context.Context) error) error {
	if m.central.Has(job.Kind) {
		return doInner(tenancy.Central(ctx))
	}
	data, err := metadataOf(job.Metadata)
	if err != nil {
		return river.JobCancel(err)
	}
	as, err := m.tenants.Extract(ctx, data)
	switch {
	case err == nil:
		return doInner(as)
	case jobs.Hopeless(err):
		return river.JobCancel(err)
	default:
		return river.JobSnooze(m.snooze)
	}
}

// metadata is a job's metadata as a catalog.Carrier.
type metadata map[string]json.RawMessage

func metadataOf(text []byte) (metadata, error) {
	data := metadata{}
	if len(text) == 0 {
		return data, nil
	}
	if err := json.Unmarshal(text, &data); err != nil || data == nil {
		return nil, fmt.Errorf("riverjobs: the metadata are no JSON object: %w", tenancy.ErrNoTenant)
	}
	return data, nil
}

// Get implements catalog.Carrier. What is no text names nobody.
func (m metadata) Get(key string) string {
	var text string
	if json.Unmarshal(m[key], &text) != nil {
		return ""
	}
	return text
}

// Set implements catalog.Carrier.
func (m metadata) Set(key, value string) {
	text, _ := json.Marshal(value) // a string
	m[key] = text
}

// InsertTx enqueues a job in a transaction of GORM, for the tenant of its context: the job exists if and only if the
// transaction is committed. The client is one over riverdatabasesql; under the schema strategy its Config names the Schema
// of river's tables, or the workers are not woken. The error is gorm.ErrInvalidTransaction outside a transaction, else as
// those of [Middleware.InsertMany]. Not safe for concurrent use, as a transaction is not.
func InsertTx(
	tx *gorm.DB, client *river.Client[*sql.Tx], args river.JobArgs, opts *river.InsertOpts,
) (*rivertype.JobInsertResult, error) {
	pool := tx.Statement.ConnPool
	if prepared, ok := pool.(*gorm.PreparedStmtTX); ok {
		pool = prepared.Tx
	}
	bare, ok := pool.(*sql.Tx)
	if !ok {
		return nil, gorm.ErrInvalidTransaction
	}
	return client.InsertTx(tx.Statement.Context, bare, args, opts)
}
