package migrate

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pressly/goose/v3/database"

	"github.com/gorm-tenancy/tenancy"
)

// Baseline says of tenants that they have all steps, and runs none. Call it for a tenant whose place was just made with all
// tables (strategies' Provision does), and when a fleet that was migrated by other means begins to use this package. Of a
// tenant that shares tables while others do not it says nothing: those have [SharedTables].
func (r *Runner) Baseline(ctx context.Context, ids ...tenancy.ID) error {
	for _, id := range ids {
		if r.keyOf(ctx, id) != id {
			continue
		}
		err := r.holding(ctx, id, func(ctx context.Context) error {
			for _, s := range r.chain.steps {
				if err := r.have(ctx, string(id), s); err != nil {
					return err
				}
			}
			return r.ledger.advance(ctx, string(id), r.chain)
		})
		if err != nil {
			return &StepError{Tenant: id, Err: err}
		}
	}
	return nil
}

// Forget removes tenants from the ledger. Call it when a tenant's place was removed: a later tenant of that name begins
// anew. The place itself is left as it is.
func (r *Runner) Forget(ctx context.Context, ids ...tenancy.ID) error {
	for _, id := range ids {
		err := r.holding(ctx, id, func(ctx context.Context) error {
			for _, table := range []any{&head{}, &Entry{}, &mark{}} { // what makes it be passed over goes first
				if err := r.ledger.in(ctx).Where("tenant = ?", string(id)).Delete(table).Error; err != nil {
					return fmt.Errorf("migrate: write the ledger: %w", err)
				}
			}
			return nil
		})
		if err != nil {
			return &StepError{Tenant: id, Err: err}
		}
	}
	return nil
}

// Outcome says what was found in a tenant whose step was half done.
type Outcome bool

const (
	// Complete: the tenant has what the step does; it is not run again.
	Complete Outcome = true
	// Undone: the tenant has nothing of it any more; it is run again by the next Up.
	Undone Outcome = false
)

// Resolve ends an [ErrHalfDone]. It fails where the step is not half done.
func (r *Runner) Resolve(ctx context.Context, id tenancy.ID, version int64, found Outcome) error {
	err := r.holding(ctx, id, func(ctx context.Context) error {
		entries, err := r.ledger.entries(ctx, string(id))
		if err != nil {
			return err
		}
		half := slices.IndexFunc(entries[string(id)], func(e Entry) bool { return e.Version == version && e.State == StateHalf })
		step := slices.IndexFunc(r.chain.steps, func(s Step) bool { return s.Version == version })
		if half < 0 || step < 0 {
			return errors.New("migrate: Resolve: the step is not half done")
		}
		if found == Complete {
			return r.have(ctx, string(id), r.chain.steps[step])
		}
		e, now := entries[string(id)][half], time.Now().UTC()
		e.State, e.FinishedAt = StateFailed, &now
		return r.ledger.write(ctx, e)
	})
	if err != nil {
		return &StepError{Tenant: id, Version: version, Err: err}
	}
	return nil
}

// holding calls f while no other runner works on the tenant.
func (r *Runner) holding(ctx context.Context, id tenancy.ID, f func(context.Context) error) error {
	if err := r.ledger.prepare(ctx); err != nil {
		return err
	}
	locks, err := r.newLocker(ctx, rand.Text())
	if err != nil {
		return err
	}
	defer locks.close(context.WithoutCancel(ctx))
	if err := (&run{Runner: r, locks: locks}).lock(ctx, string(id)); err != nil {
		return err
	}
	return errors.Join(f(ctx), locks.release(context.WithoutCancel(ctx), string(id)))
}

// mark writes the step into the tenant's place, unless it is there.
func (r *Runner) mark(ctx context.Context, at place) error {
	pool, err := r.db.DB()
	if err != nil {
		return err
	}
	conn, err := pool.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := at.TableExists(ctx, conn); err != nil {
		return err
	}
	_, err = at.GetMigration(ctx, conn, at.step.Version)
	if errors.Is(err, database.ErrVersionNotFound) {
		return at.Insert(ctx, conn, database.InsertRequest{Version: at.step.Version})
	}
	return err
}
