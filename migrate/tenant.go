package migrate

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/sethvargo/go-retry"

	"github.com/gorm-tenancy/tenancy"
)

// advance makes a tenant's pending steps while it holds the tenant.
func (r *run) advance(ctx context.Context, id tenancy.ID) *StepError {
	tenant := string(id)
	if err := r.lock(ctx, tenant); err != nil {
		return &StepError{Tenant: id, Err: err}
	}
	failed := r.steps(ctx, id)
	if err := r.locks.release(context.WithoutCancel(ctx), tenant); err != nil && failed == nil {
		return &StepError{Tenant: id, Err: err}
	}
	return failed
}

// lock waits for a tenant that another runner holds.
func (r *run) lock(ctx context.Context, tenant string) error {
	pause := retry.WithCappedDuration(time.Second, retry.NewExponential(20*time.Millisecond))
	pause = retry.WithMaxDuration(max(r.config.wait, time.Nanosecond), retry.WithJitterPercent(20, pause))
	return retry.Do(ctx, pause, func(ctx context.Context) error {
		ok, err := r.locks.acquire(ctx, tenant)
		if err == nil && !ok {
			return retry.RetryableError(ErrLocked)
		}
		return err
	})
}

func (r *run) steps(ctx context.Context, id tenancy.ID) *StepError {
	tenant := string(id)
	entries, err := r.ledger.entries(ctx, tenant)
	if err != nil {
		return &StepError{Tenant: id, Err: err}
	}
	pending, err := r.chain.pending(entries[tenant], r.config.outOfOrder)
	if err != nil {
		return &StepError{Tenant: id, Err: err}
	}
	for _, s := range pending {
		if err := ctx.Err(); err != nil {
			return &StepError{Tenant: id, Err: err}
		}
		began := time.Now()
		if err := r.step(ctx, tenant, s); err != nil {
			return &StepError{Tenant: id, Version: s.Version, Name: s.Name, Err: err}
		}
		r.tell(Event{Kind: Stepped, Tenant: id, Version: s.Version, Name: s.Name, Duration: time.Since(began)})
	}
	if err := r.ledger.advance(context.WithoutCancel(ctx), tenant, r.chain); err != nil {
		return &StepError{Tenant: id, Err: err}
	}
	return nil
}

// step makes one step, between two rows of the ledger: it says that the step is running before, and how it went after. A
// process that dies leaves the first.
func (r *run) step(ctx context.Context, tenant string, s Step) error {
	lasting := context.WithoutCancel(ctx)
	began := time.Now()
	e := Entry{
		Tenant: tenant, Version: s.Version, Name: s.Name, Checksum: s.Checksum, State: StateRunning, StartedAt: began.UTC(),
	}
	if !r.atomic(s) {
		e.State = StateHalf
		ctx = lasting
	}
	inside := r.context(ctx, tenant)
	at, refused := r.placeOf(inside, tenant, s)
	if refused != nil {
		e.State = StateFailed
	}
	if err := r.ledger.write(lasting, e); err != nil {
		return err
	}
	failed := refused
	if refused == nil {
		failed = r.attempts(inside, at)
	}
	now := time.Now().UTC()
	e.FinishedAt, e.Milliseconds = &now, now.Sub(began).Milliseconds()
	switch {
	case failed == nil:
		e.State = StateDone
	case r.atomic(s):
		e.State = StateFailed
	}
	if failed != nil {
		e.Error = shorten(failed.Error(), 2000)
	}
	return errors.Join(failed, r.ledger.write(lasting, e))
}

// attempts tries a step that lost a lock again, where nothing is left of the first attempt. ctx is the tenant's.
func (r *run) attempts(ctx context.Context, at place) error {
	s := at.step
	pause := retry.WithCappedDuration(30*time.Second, retry.NewExponential(r.config.backoff))
	pause = retry.WithMaxRetries(uint64(r.config.attempts-1), retry.WithJitterPercent(20, pause))
	attempt := 0
	return retry.Do(ctx, pause, func(ctx context.Context) error {
		attempt++
		err := r.apply(ctx, at)
		if !retryable(err) || !r.atomic(s) && !s.Idempotent {
			return err
		}
		if attempt < r.config.attempts {
			r.tell(Event{
				Kind: Retried, Tenant: tenancy.ID(at.owner), Version: s.Version, Name: s.Name, Attempt: attempt, Err: err,
			})
		}
		return retry.RetryableError(err)
	})
}

// shorten makes an error's text fit a column: cut between two characters, and without what PostgreSQL takes in no text.
func shorten(text string, n int) string {
	text = strings.ReplaceAll(text, "\x00", "")
	return strings.ToValidUTF8(text[:min(len(text), n)], "")
}
