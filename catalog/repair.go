package catalog

import (
	"context"

	"github.com/gorm-tenancy/tenancy"
)

// Repair finishes the step that a tenant has under way after an error or a crash: it does the work and runs the After
// hooks again, and is harmless while the step is still being taken elsewhere. A tenant without one is returned as it is.
// It fails with [ErrPending] if the step cannot be finished now either, [ErrConflict] and tenancy.ErrUnknownTenant.
func (c *Catalog) Repair(ctx context.Context, id tenancy.ID) (Tenant, error) {
	t, err := c.store.Get(ctx, id)
	if err != nil || t.Step == "" {
		return t, err
	}
	return c.finish(ctx, t)
}

// RepairAll repairs all tenants whose step has been under way for longer than [RepairAfter]. It returns nil or a
// [*PartialError]. The filter of the options is not used.
func (c *Catalog) RepairAll(ctx context.Context, opts EachOptions) error {
	opts.Filter = Filter{Pending: true}
	opts.keep = func(t *Tenant) bool {
		target := moving(t) && t.State == Creating // the source repairs both
		return !target && c.now().Sub(t.UpdatedAt) >= c.repairAfter
	}
	return Each(ctx, c.store, opts, func(ctx context.Context, t Tenant) error {
		_, err := c.Repair(tenancy.Central(ctx), t.ID)
		return err
	})
}

// PurgeAll purges all deleted tenants whose grace period has ended. Call it from a timer. It returns nil or a
// [*PartialError]. The filter of the options is not used.
func (c *Catalog) PurgeAll(ctx context.Context, opts EachOptions) error {
	opts.Filter = Filter{States: []State{Deleting}}
	opts.keep = func(t *Tenant) bool { return !c.now().Before(t.DeleteAfter) }
	return Each(ctx, c.store, opts, func(ctx context.Context, t Tenant) error {
		_, err := c.Purge(tenancy.Central(ctx), t.ID)
		return err
	})
}
