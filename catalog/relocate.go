package catalog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gorm-tenancy/tenancy"
)

// Relocate moves a tenant's rows and then changes where its record says they are. It takes the tenant into maintenance,
// waits for other processes to notice (see [Lag]), calls move, which copies the rows, saves Strategy and Place, and lets the
// tenant be what it was: active, suspended or in maintenance.
//
//	c.Relocate(ctx, "potter", "database", "", func(ctx context.Context) error {
//		return strategy.Move(ctx, "potter", "database", "", copy)
//	})
//
// While it is under way [Catalog.Place] refuses the tenant, so that nobody's statements write rows that were copied already.
// When move or a hook fails, the tenant stays where it was, and is served there again. A crash leaves the step under way:
// [Catalog.Repair] then takes it back in the same way, so do not call that while a move goes on, and have [RepairAfter]
// longer than moves take. Should it happen all the same, the move ends with [ErrConflict] and the record as it was.
//
// It fails with [ErrTransition] for tenants in other states and while another step is under way, with [ErrVetoed],
// [ErrConflict] and tenancy.ErrUnknownTenant, and otherwise with the error of move.
func (c *Catalog) Relocate(
	ctx context.Context, id tenancy.ID, strategy, place string, move func(ctx context.Context) error,
) (Tenant, error) {
	t, err := c.store.Get(ctx, id)
	if err != nil {
		return Tenant{}, err
	}
	if err := allowed(&t, StepRelocate); err != nil || t.Step != "" {
		return t, errors.Join(err, &TransitionError{StepRelocate, t.State})
	}
	target := t
	target.Strategy, target.Place = strategy, place
	if err := target.Normalize(); err != nil {
		return t, err
	}
	if err := c.before(ctx, Event{Step: StepRelocate, Tenant: t}); err != nil {
		return t, err
	}
	t.Previous, t.State, t.Step = t.State, Maintenance, StepRelocate
	if err := c.save(ctx, &t); err != nil {
		return t, err
	}
	if err := c.carry(ctx, t, move); err != nil {
		conclude(&t)
		return t, errors.Join(err, c.pending(c.save(context.WithoutCancel(ctx), &t)))
	}
	conclude(&t)
	t.Strategy, t.Place = strategy, place
	return t, c.save(context.WithoutCancel(ctx), &t) // of this very revision: nobody let the tenant be served meanwhile
}

// carry waits until nobody writes the tenant's rows, and has them moved.
func (c *Catalog) carry(ctx context.Context, t Tenant, move func(context.Context) error) error {
	timer := time.NewTimer(c.lag)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := move(ctx); err != nil {
		return err
	}
	return c.after(ctx, Event{Step: StepRelocate, Tenant: t})
}

// pending says that a tenant is left in maintenance for Repair.
func (*Catalog) pending(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrPending, err)
}
