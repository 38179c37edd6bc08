package catalog

import (
	"context"
	"errors"
	"fmt"

	"github.com/gorm-tenancy/tenancy"
)

// Copier has [Catalog.Clone] copy rows where the strategy is no tenancy.Cloner. The catalog calls it for a tenant in state
// [Creating], whose place is made and whom nobody serves. It must be safe for concurrent use.
type Copier interface {
	// Empty reports whether the tenant has no rows.
	Empty(ctx context.Context, id tenancy.ID) (bool, error)
	// Copy makes the rows of to a copy of those of from: what to has is replaced, all at once. It is called only after Empty
	// said that to has none, and again after a crash half way; two calls at the same time must do what one does.
	Copy(ctx context.Context, from, to tenancy.ID) error
}

// CopyWith has Clone copy rows with a [Copier], archive.Copier for example, where the strategy cannot clone by itself, or
// there is none. By default such a Clone is tenancy.ErrUnsupported.
func CopyWith(copier Copier) Option { return func(c *config) { c.copier = copier } }

// clone makes the place of a new tenant and fills it. A copier replaces rows, so that it can be called again; that the
// first call met none is saved before it.
func (c *Catalog) clone(ctx context.Context, t *Tenant) error {
	if c.cloner != nil && t.Step == StepClone {
		if err := c.cloner.Clone(ctx, t.Peer, t.ID); c.copier == nil || !errors.Is(err, tenancy.ErrUnsupported) {
			return err
		}
	}
	if c.copier == nil {
		return errNoCloner
	}
	if t.Step == StepClone {
		if err := c.vacate(ctx, t); err != nil {
			return err
		}
	}
	return c.copier.Copy(ctx, t.Peer, t.ID)
}

// vacate makes the place and sees to it that there is nothing in it.
func (c *Catalog) vacate(ctx context.Context, t *Tenant) error {
	if c.provisioner != nil {
		if err := c.provisioner.Provision(ctx, t.ID); err != nil {
			return err
		}
	}
	empty, err := c.copier.Empty(ctx, t.ID)
	if err != nil {
		return err
	}
	if !empty {
		if now, err := c.store.Get(ctx, t.ID); err != nil || now.Revision != t.Revision {
			return errors.Join(ErrConflict, err) // they are a copy: somebody else was faster
		}
		return ErrOccupied
	}
	t.Step = stepCopy
	return c.save(ctx, t)
}

var errNoCloner = fmt.Errorf("%w: the strategy cannot clone tenants; see catalog.CopyWith", tenancy.ErrUnsupported)
