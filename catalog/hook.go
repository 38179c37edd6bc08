package catalog

import (
	"context"
	"fmt"
	"slices"

	"github.com/gorm-tenancy/tenancy"
)

// Hook takes part in the steps of a tenant's life. Its functions are called from many goroutines at once.
type Hook struct {
	// Steps are the steps it takes part in. None means all.
	Steps []Step
	// Before runs before the step changes anything, and may run again when the record is changed meanwhile. Its error
	// vetoes the step ([ErrVetoed]). Repair does not ask again. nil: nothing.
	Before func(ctx context.Context, e Event) error
	// After runs when the work of the step is done and before the tenant comes to its final state: before it is served, if
	// it will be, and when it is no longer served, if it was. Its error leaves the step under way ([ErrPending]);
	// [Catalog.Repair] calls it again, also after a crash, so it must be idempotent. nil: nothing.
	After func(ctx context.Context, e Event) error
	// Clear is called by [Catalog.Forget], whatever Steps are, before the record of a purged tenant is removed, where the
	// strategy is no tenancy.Provisioner that could do it. It removes what is left of the tenant's rows, somebody may have
	// written some after the purge, and returns nil when there are none in any table that tenants share. archive.PurgeHook has
	// one. nil: the hook knows nothing about rows.
	Clear func(ctx context.Context, id tenancy.ID) error
}

// Event says what a [Hook] is called for. It is a copy: changing it changes nothing.
type Event struct {
	// Step is the step.
	Step Step
	// Tenant is the record: before the step in Before, while it is under way in After.
	Tenant Tenant
	// Target is the new id, in StepRename and in StepClaim of a tenant with an id of its own choice.
	Target tenancy.ID
}

func (h *Hook) wants(s Step) bool { return len(h.Steps) == 0 || slices.Contains(h.Steps, s) }

// before asks whether a step may be taken. Hooks act for the central site.
func (c *Catalog) before(ctx context.Context, e Event) error {
	return c.each(ctx, e, ErrVetoed, func(h *Hook) func(context.Context, Event) error { return h.Before })
}

func (c *Catalog) after(ctx context.Context, e Event) error {
	return c.each(ctx, e, ErrPending, func(h *Hook) func(context.Context, Event) error { return h.After })
}

func (c *Catalog) each(ctx context.Context, e Event, kind error, which func(*Hook) func(context.Context, Event) error) error {
	ctx = tenancy.Central(ctx)
	for i := range c.hooks {
		f := which(&c.hooks[i])
		if f == nil || !c.hooks[i].wants(e.Step) {
			continue
		}
		var err error
		if e.Tenant, err = copied(e.Tenant); err != nil {
			return err
		}
		if err := f(ctx, e); err != nil {
			return fmt.Errorf("%w: %w", kind, err)
		}
	}
	return nil
}
