package catalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gorm-tenancy/tenancy"
)

// Every step goes the same way: ask the hooks; save the intent (state during, Step); do the work; run the hooks that
// follow; save the final state. Saving compares and swaps, so that of two who begin a step one does. Work and hooks are
// idempotent, so that two who finish one do no harm, and a crash anywhere leaves what Repair can finish.

// Create makes a new tenant of t's ID, Name, Domains, Strategy, Place, Version and Metadata, and its place, fills it, and
// lets it be served. It fails with [ErrExists], [ErrDomainTaken], [ErrVetoed] and what [Tenant.Normalize] says, and nothing
// is left then. When making the place, a seed or a hook fails it is [ErrPending]: the record stays in state [Creating],
// for [Catalog.Repair] or [Catalog.Purge].
func (c *Catalog) Create(ctx context.Context, t Tenant) (Tenant, error) {
	return c.begin(ctx, t, StepCreate, "")
}

// Clone makes a new tenant as Create does, with a copy of the rows of another one. It fails with tenancy.ErrUnsupported if
// the strategy is no tenancy.Cloner, or cannot on this database, and there is no [CopyWith]; with [ErrTransition] if the
// source is not active, suspended or in maintenance; and with [ErrOccupied] if rows of the new id are there already.
// Nothing is left then.
func (c *Catalog) Clone(ctx context.Context, from tenancy.ID, t Tenant) (Tenant, error) {
	if c.cloner == nil && c.copier == nil {
		return Tenant{}, errNoCloner
	}
	source, err := c.store.Get(ctx, from)
	if err != nil {
		return Tenant{}, err
	}
	if !slices.Contains([]State{Active, Suspended, Maintenance}, source.State) {
		return Tenant{}, &TransitionError{StepClone, source.State}
	}
	t, err = c.begin(ctx, t, StepClone, from)
	if errors.Is(err, ErrOccupied) {
		return Tenant{}, errors.Join(ErrOccupied, c.remove(ctx, t)) // or else purging it would take those rows
	}
	return t, err
}

// begin saves a new record and makes what it stands for.
func (c *Catalog) begin(ctx context.Context, t Tenant, step Step, peer tenancy.ID) (Tenant, error) {
	t = fresh(t)
	t.State, t.Step, t.Peer = transitionOf(step).during, step, peer
	if err := t.Normalize(); err != nil {
		return Tenant{}, err
	}
	if err := c.checkDomains(&t); err != nil {
		return Tenant{}, err
	}
	if err := c.before(ctx, Event{Step: step, Tenant: t}); err != nil {
		return Tenant{}, err
	}
	if err := c.save(ctx, &t); err != nil {
		return Tenant{}, err
	}
	return c.finish(ctx, t)
}

// fresh keeps what a caller may choose.
func fresh(t Tenant) Tenant {
	return Tenant{
		ID: t.ID, Name: t.Name, Domains: t.Domains, Strategy: t.Strategy, Place: t.Place, Version: t.Version, Metadata: t.Metadata,
	}
}

// Suspend has an active tenant, or one in maintenance, refused until it is resumed: by this catalog from now on, by others
// after their [Poll].
//
// Like the other methods below it returns the record, fails with [ErrTransition] if the tenant's state does not allow the
// step, tenancy.ErrUnknownTenant, [ErrVetoed], [ErrPending] or [ErrConflict], and does nothing if the tenant is in the
// final state already.
func (c *Catalog) Suspend(ctx context.Context, id tenancy.ID) (Tenant, error) {
	return c.step(ctx, id, StepSuspend, nil)
}

// Maintain has an active tenant answered with "in maintenance" until it is resumed.
func (c *Catalog) Maintain(ctx context.Context, id tenancy.ID) (Tenant, error) {
	return c.step(ctx, id, StepMaintain, nil)
}

// Resume has a suspended tenant, or one in maintenance, served again.
func (c *Catalog) Resume(ctx context.Context, id tenancy.ID) (Tenant, error) {
	return c.step(ctx, id, StepResume, nil)
}

// Delete stops serving a tenant. Its rows, its place and its domains stay to the end of the grace period (see [Grace]);
// until it is purged, [Catalog.Undelete] brings it back.
func (c *Catalog) Delete(ctx context.Context, id tenancy.ID) (Tenant, error) {
	return c.step(ctx, id, StepDelete, func(t *Tenant) error {
		if t.State != Deleting { // otherwise an undeletion is under way, which this one takes back
			t.DeleteAfter = c.now().Add(c.grace)
		}
		return nil
	})
}

// Undelete takes a deleted tenant back to the state that it had before.
func (c *Catalog) Undelete(ctx context.Context, id tenancy.ID) (Tenant, error) {
	return c.step(ctx, id, StepUndelete, nil)
}

// Purge removes the place of a deleted tenant with all its rows, and its domains, name and metadata, if its grace period
// has ended ([ErrGrace] otherwise). It also removes a tenant that could not be created, and one of the pool. The record
// stays, so that nobody who has the id by heart, in a job or a cookie, meets another tenant under it: see
// [Catalog.Forget]. Where the strategy is no tenancy.Provisioner, the shared one for example, rows are the business of a
// hook on [StepPurge], such as archive.PurgeHook.
func (c *Catalog) Purge(ctx context.Context, id tenancy.ID) (Tenant, error) {
	return c.step(ctx, id, StepPurge, func(t *Tenant) error {
		if t.State == Deleting && c.now().Before(t.DeleteAfter) {
			return ErrGrace
		}
		return nil
	})
}

// PurgeNow is [Catalog.Purge] without regard to the grace period.
func (c *Catalog) PurgeNow(ctx context.Context, id tenancy.ID) (Tenant, error) {
	return c.step(ctx, id, StepPurge, nil)
}

// Forget removes the record of a purged tenant, so that its id can be used again. First it removes the place once more, in
// case somebody finished making it after the purge, or, where the strategy is no tenancy.Provisioner, has each [Hook].Clear
// remove rows from shared tables; an error leaves the record. It fails with [ErrTransition] for other tenants, and with
// tenancy.ErrUnsupported if the strategy is no tenancy.Provisioner and no hook has Clear: rows may be left that the next
// tenant of the id would have. Programs that still act for the old tenant, jobs for example, must have ended: in shared
// tables nothing else stops them from writing.
func (c *Catalog) Forget(ctx context.Context, id tenancy.ID) error {
	if c.provisioner == nil && !slices.ContainsFunc(c.hooks, func(h Hook) bool { return h.Clear != nil }) {
		return fmt.Errorf("%w: nobody can say that no row of the tenant is left; see Hook.Clear", tenancy.ErrUnsupported)
	}
	t, err := c.store.Get(ctx, id)
	if err != nil {
		return err
	}
	if t.State != Purged {
		return &TransitionError{"forget", t.State}
	}
	if err := c.clear(ctx, id); err != nil {
		return err
	}
	return c.remove(ctx, t)
}

// clear removes all that may be left of a purged tenant.
func (c *Catalog) clear(ctx context.Context, id tenancy.ID) error {
	if c.provisioner != nil {
		return c.provisioner.Deprovision(ctx, id)
	}
	for _, h := range c.hooks {
		if h.Clear == nil {
			continue
		}
		if err := h.Clear(tenancy.Central(ctx), id); err != nil {
			return err
		}
	}
	return nil
}

// remove removes a record and tells the cache.
func (c *Catalog) remove(ctx context.Context, t Tenant) error {
	if err := c.store.Delete(ctx, t.ID, t.Revision); err != nil {
		return err
	}
	c.cache.deleted(t.ID)
	return nil
}

// step takes an existing tenant through a step. prepare may refuse it, and sets what the step saves.
func (c *Catalog) step(ctx context.Context, id tenancy.ID, step Step, prepare func(*Tenant) error) (Tenant, error) {
	var err error
	for range attempts {
		var t Tenant
		if t, err = c.store.Get(ctx, id); err != nil {
			return Tenant{}, err
		}
		if settled(&t, step) {
			return t, nil
		}
		if t.Step != step {
			err = c.intend(ctx, &t, step, prepare)
		}
		if err == nil {
			return c.finish(ctx, t)
		}
		if !errors.Is(err, ErrConflict) {
			return t, err
		}
	}
	return Tenant{}, err
}

// settled reports whether a tenant is where a step leads.
func settled(t *Tenant, step Step) bool {
	final := transitionOf(step).final
	return t.Step == "" && final != "" && t.State == final
}

// intend saves that a step is under way.
func (c *Catalog) intend(ctx context.Context, t *Tenant, step Step, prepare func(*Tenant) error) error {
	if err := allowed(t, step); err != nil {
		return err
	}
	if prepare != nil {
		if err := prepare(t); err != nil {
			return err
		}
	}
	if err := c.before(ctx, Event{Step: step, Tenant: *t}); err != nil {
		return err
	}
	if step == StepDelete && t.State != Deleting {
		t.Previous = t.State
	}
	if during := transitionOf(step).during; during != "" {
		t.State = during
	}
	t.Step = step
	return c.save(ctx, t)
}

// allowed reports whether a tenant may begin a step. One that is half way between two ids may not be purged: both are of
// one place. One whose rows are being copied stays in maintenance until they are.
func allowed(t *Tenant, step Step) error {
	if slices.Contains(transitionOf(step).from, t.State) && !moving(t) && t.Step != StepRelocate {
		return nil
	}
	return &TransitionError{step, t.State}
}

// Allows returns nil if the tenant's state allows a step now, or has been reached by it already, and otherwise a
// [*TransitionError]. What else may refuse the step is not asked: hooks, the strategy, and the grace period in [StepPurge].
func (t Tenant) Allows(step Step) error {
	if settled(&t, step) {
		return nil
	}
	return allowed(&t, step)
}

// moving reports whether a tenant is one of two records between which a place moves.
func moving(t *Tenant) bool {
	return t.Peer != "" && (t.Step == StepRename || t.Step == StepClaim || t.Step == stepRevert)
}

// finish does what is left of the step under way.
func (c *Catalog) finish(ctx context.Context, t Tenant) (Tenant, error) {
	if moving(&t) {
		return c.finishMove(ctx, t)
	}
	step := t.Step
	if step == StepRelocate { // its end is to stay where it was
		return c.settle(ctx, t)
	}
	if step == stepCopy {
		step = StepClone
	}
	if err := c.work(ctx, &t); err != nil {
		if t.Step == StepClone && c.copier == nil && errors.Is(err, tenancy.ErrUnsupported) { // nothing was made
			return Tenant{}, errors.Join(err, c.remove(ctx, t))
		}
		return t, fmt.Errorf("%w: %w", ErrPending, err)
	}
	if err := c.after(ctx, Event{Step: step, Tenant: t}); err != nil {
		return t, err
	}
	return c.settle(ctx, t)
}

// work does what a step is about. It is idempotent.
func (c *Catalog) work(ctx context.Context, t *Tenant) error {
	switch t.Step {
	case StepCreate, StepFill:
		if c.provisioner != nil {
			if err := c.provisioner.Provision(ctx, t.ID); err != nil {
				return err
			}
		}
		return c.seed(ctx, t)
	case StepClone, stepCopy:
		return c.clone(ctx, t)
	case StepPurge:
		if c.provisioner != nil {
			return c.provisioner.Deprovision(ctx, t.ID)
		}
	}
	return nil
}

func (c *Catalog) seed(ctx context.Context, t *Tenant) error {
	ctx = tenancy.WithTenant(ctx, t.ID)
	for _, seed := range c.seeds {
		mine, err := copied(*t)
		if err != nil {
			return err
		}
		if err := seed(ctx, mine); err != nil {
			return err
		}
	}
	return nil
}

// settle saves the final state of the step, also when the record was edited meanwhile, and agrees with whoever was faster.
func (c *Catalog) settle(ctx context.Context, t Tenant) (Tenant, error) {
	step := t.Step
	var err error
	for range attempts {
		conclude(&t)
		final := t.State
		if err = c.save(ctx, &t); !errors.Is(err, ErrConflict) {
			return t, err
		}
		if t, err = c.store.Get(ctx, t.ID); err != nil {
			return Tenant{}, err
		}
		if t.Step == "" && t.State == final {
			return t, nil
		}
		if t.Step != step {
			return t, ErrConflict
		}
	}
	return t, err
}

// conclude takes a record to the final state of its step.
func conclude(t *Tenant) {
	final := transitionOf(t.Step).final
	if final == "" {
		final = t.Previous
	}
	t.State, t.Step, t.Peer = final, "", ""
	switch final {
	case Deleting:
		return
	case Purged: // nothing about the tenant stays but its id
		id, revision := t.ID, t.Revision
		*t = Tenant{ID: id, State: Purged, Revision: revision}
	}
	t.Previous, t.DeleteAfter = "", time.Time{}
}
