package catalog

import (
	"context"
	"errors"
	"fmt"

	"github.com/gorm-tenancy/tenancy"
)

// A place moves from one id to another between two records. The source, in state Renaming, is what the tenant was; the
// target, in state Creating, keeps the new id from everybody else. They are saved together at the beginning and at the end,
// so that no domain is free in between, and neither is served meanwhile.

// Rename gives a tenant, its place and its domains another id. Until it is done the tenant is answered with "in
// maintenance". The old id stays taken, see [Catalog.Forget]. The tenant must be active, suspended or in maintenance
// ([ErrTransition]), with no step under way. It fails with [ErrExists] if the new id is taken, and with
// tenancy.ErrUnsupported if the strategy is no tenancy.Renamer. If the place cannot be renamed the tenant goes back to
// where it was, and the error is the strategy's.
func (c *Catalog) Rename(ctx context.Context, from, to tenancy.ID) (Tenant, error) {
	if c.renamer == nil {
		return Tenant{}, fmt.Errorf("%w: the strategy cannot rename tenants", tenancy.ErrUnsupported)
	}
	t, err := c.store.Get(ctx, from)
	if err != nil {
		return Tenant{}, err
	}
	if t.Step == StepRename && t.State == Renaming && t.Peer == to {
		return c.finish(ctx, t)
	}
	if err := allowed(&t, StepRename); err != nil || t.Step != "" {
		return t, errors.Join(err, &TransitionError{StepRename, t.State})
	}
	return c.move(ctx, t, StepRename, to)
}

// move begins a move of a tenant, whose record may have been edited, to a new id.
func (c *Catalog) move(ctx context.Context, t Tenant, step Step, to tenancy.ID) (Tenant, error) {
	// Hooks may act for the new id before the move is done: its record says where the place is.
	target := Tenant{ID: to, State: Creating, Step: step, Peer: t.ID, Strategy: t.Strategy, Place: t.Place}
	if err := target.Normalize(); err != nil {
		return t, err
	}
	if err := c.before(ctx, Event{Step: step, Tenant: t, Target: to}); err != nil {
		return t, err
	}
	t.Previous, t.State, t.Step, t.Peer = t.State, Renaming, step, to
	if err := c.save(ctx, &t, &target); err != nil {
		return t, err
	}
	return c.finishMove(ctx, t)
}

// finishMove does what is left of a move, given either of the records.
func (c *Catalog) finishMove(ctx context.Context, t Tenant) (Tenant, error) {
	if c.renamer == nil {
		return t, fmt.Errorf("%w: %w: the strategy cannot rename tenants", ErrPending, tenancy.ErrUnsupported)
	}
	source, target, err := c.pair(ctx, t)
	if err != nil {
		return t, err
	}
	switch {
	case source.Step == stepRevert:
		return c.revert(ctx, source, target)
	case source.State != Renaming || source.Peer != target.ID: // finished, or taken back, since t was read
		return t, ErrConflict
	}
	if err := c.renamer.Rename(ctx, source.ID, target.ID); err != nil {
		return c.giveUp(ctx, source, target, err)
	}
	if err := c.after(ctx, Event{Step: source.Step, Tenant: source, Target: target.ID}); err != nil {
		return source, err
	}
	return c.settleMove(ctx, source, target)
}

// pair returns both records of a move.
func (c *Catalog) pair(ctx context.Context, t Tenant) (source, target Tenant, err error) {
	peer, err := c.store.Get(ctx, t.Peer)
	if err != nil {
		return t, peer, err
	}
	if t.State == Renaming {
		return t, peer, nil
	}
	return peer, t, nil
}

// settleMove makes the target what the source was.
func (c *Catalog) settleMove(ctx context.Context, source, target Tenant) (Tenant, error) {
	step := source.Step
	var err error
	for range attempts {
		gone := Tenant{ID: source.ID, State: Purged, Revision: source.Revision}
		moved := source
		moved.Step = step
		conclude(&moved)
		moved.ID, moved.Revision = target.ID, target.Revision
		if err = c.save(ctx, &gone, &moved); err == nil {
			return moved, c.forgetReady(ctx, step, gone)
		}
		if !lost(err) {
			return source, err
		}
		if target, err = c.store.Get(ctx, target.ID); err != nil {
			return source, err
		}
		if target.Step == "" && target.State != Purged {
			return target, nil // somebody else was faster
		}
		if source, err = c.store.Get(ctx, source.ID); err != nil {
			return source, err
		}
		if source.Step != step || source.Peer != target.ID {
			return source, ErrConflict
		}
	}
	return source, err
}

// forgetReady removes what is left of a tenant of the pool: nobody ever knew its id.
func (c *Catalog) forgetReady(ctx context.Context, step Step, gone Tenant) error {
	if step != StepClaim {
		return nil
	}
	if err := c.remove(ctx, gone); err != nil && !lost(err) {
		return err
	}
	return nil
}

// lost reports whether somebody else was faster, who may even have removed the record.
func lost(err error) bool {
	return errors.Is(err, ErrConflict) || errors.Is(err, tenancy.ErrUnknownTenant)
}

// giveUp takes a tenant whose place could not be renamed back to where it was. Whether the place was renamed all the same
// is not known: it is renamed back.
func (c *Catalog) giveUp(ctx context.Context, source, target Tenant, cause error) (Tenant, error) {
	if ctx.Err() != nil {
		return source, fmt.Errorf("%w: %w", ErrPending, cause)
	}
	source.Step = stepRevert
	if err := c.save(ctx, &source); err != nil {
		return source, fmt.Errorf("%w: %w: %w", ErrPending, cause, err)
	}
	t, err := c.revert(ctx, source, target)
	if err != nil {
		return t, fmt.Errorf("%w: %w", err, cause)
	}
	return t, cause
}

func (c *Catalog) revert(ctx context.Context, source, target Tenant) (Tenant, error) {
	err := c.renamer.Rename(ctx, target.ID, source.ID)
	if err != nil && !errors.Is(err, tenancy.ErrUnsupported) {
		return source, fmt.Errorf("%w: %w", ErrPending, err)
	}
	if source.Previous == Ready { // as it was in the pool
		source = Tenant{
			ID: source.ID, Strategy: source.Strategy, Place: source.Place, Version: source.Version,
			Previous: Ready, Revision: source.Revision,
		}
	}
	source.State, source.Previous, source.Step, source.Peer = source.Previous, "", "", ""
	gone := Tenant{ID: target.ID, State: Purged, Revision: target.Revision}
	if err := c.save(ctx, &source, &gone); err != nil {
		return source, fmt.Errorf("%w: %w", ErrPending, err)
	}
	return source, c.remove(ctx, gone)
}
