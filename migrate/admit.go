package migrate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gorm-tenancy/tenancy"
)

// Admit runs the steps that a tenant lacks, like [Runner.Up], for a tenant whose place was just made, copied or renamed and
// which need not be among the tenants yet. It trusts what stands in the tenant's own place alone, not what the ledger
// remembers of an earlier tenant of that id; a step that is half done stays so. It may be called again. The error is a
// *[StepError].
func (r *Runner) Admit(ctx context.Context, id tenancy.ID) error {
	if r.keyOf(ctx, id) == SharedTables {
		return r.admit(ctx, id)
	}
	err := r.holding(ctx, id, func(ctx context.Context) error { return r.ledger.distrust(ctx, string(id)) })
	if err != nil {
		return &StepError{Tenant: id, Err: err}
	}
	return r.admit(ctx, id)
}

// admit brings one tenant to head, which need not be listed.
func (r *Runner) admit(ctx context.Context, id tenancy.ID) error {
	one := *r
	one.tenants, one.config.canary = List(id), nil
	_, err := one.Up(ctx, id)
	var partial *PartialError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &partial):
		return &StepError{Tenant: id, Err: err}
	case len(partial.Report.Failed) > 0:
		return partial.Report.Failed[0]
	}
	return &StepError{Tenant: id, Err: fmt.Errorf("%w: %w", ErrBehind, context.Cause(ctx))}
}

// Inherit says of a tenant, whose place is a copy of another one's, that it has the steps which that one has, or the shared
// tables where that one's rows are, and then runs those it lacks, as [Runner.Admit] does. A source with a step that is half
// done is [ErrHalfDone]. It may be called again. The error is a *[StepError].
func (r *Runner) Inherit(ctx context.Context, from, id tenancy.ID) error {
	if r.keyOf(ctx, id) == SharedTables { // whose steps are those of all who share them
		return r.Admit(ctx, id)
	}
	from = r.keyOf(ctx, from)
	entries, err := r.known(ctx, []tenancy.ID{from})
	if err == nil {
		err = r.holding(ctx, id, func(ctx context.Context) error { return r.inherit(ctx, entries[string(from)], string(id)) })
	}
	if err != nil {
		return &StepError{Tenant: id, Err: err}
	}
	return r.Admit(ctx, id)
}

// inherit marks the steps of entries in a tenant's place.
func (r *Runner) inherit(ctx context.Context, entries []Entry, tenant string) error {
	for _, e := range entries {
		switch e.State {
		case StateHalf:
			return fmt.Errorf("%w: step %s, in the tenant it is copied from", ErrHalfDone, label(e.Version, e.Name))
		case StateDone:
			s := Step{Version: e.Version, Name: e.Name, Checksum: e.Checksum, repeatable: e.Version == modelsVersion}
			if err := r.have(ctx, tenant, s); err != nil {
				return err
			}
		}
	}
	return nil
}

// have says of a tenant that it has a step, in its own place and then in the ledger.
func (r *Runner) have(ctx context.Context, tenant string, s Step) error {
	inside := r.context(ctx, tenant)
	at, err := r.placeOf(inside, tenant, Step{Version: s.Version, Name: s.Name, Checksum: s.Checksum, repeatable: s.repeatable})
	if err != nil {
		return err
	}
	if err := r.mark(inside, at); err != nil {
		return fmt.Errorf("migrate: mark step %s: %w", label(s.Version, s.Name), err)
	}
	now := time.Now().UTC()
	return r.ledger.write(ctx, Entry{
		Tenant: tenant, Version: s.Version, Name: s.Name, Checksum: s.Checksum, State: StateDone, StartedAt: now, FinishedAt: &now,
	})
}
