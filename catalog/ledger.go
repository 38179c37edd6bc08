package catalog

import (
	"context"

	"github.com/gorm-tenancy/tenancy"
)

// Ledger knows which steps of a migration each tenant has. A *migrate.Runner is one. [Baselining] and [Migrating] call it
// from many goroutines, and again after an error or a crash: all methods are idempotent.
type Ledger interface {
	// Baseline says that tenants have all steps.
	Baseline(ctx context.Context, ids ...tenancy.ID) error
	// Admit runs the steps that a tenant's place lacks.
	Admit(ctx context.Context, id tenancy.ID) error
	// Inherit says that a tenant has the steps of another one, whose copy it is, and runs those that it lacks.
	Inherit(ctx context.Context, from, id tenancy.ID) error
	// Forget removes tenants from the ledger.
	Forget(ctx context.Context, ids ...tenancy.ID) error
}

// Baselining returns a hook for tenants whose places are made with all tables, as the strategies' Provision does from the
// models: a new tenant, or one for the pool, is told to the ledger without running a step. A clone gets the steps of its
// source, a renamed tenant keeps its own, and a purged one is forgotten. It is the first of [Hooks], so that others find
// tables at head.
func Baselining(l Ledger) Hook {
	return ledgerHook(l, func(ctx context.Context, id tenancy.ID) error { return l.Baseline(ctx, id) })
}

// Migrating returns the hook that [Baselining] does, and runs all steps in a new tenant: for steps that make what the
// models do not tell, or that fill in rows. They must bear the tables that Provision and seeds left.
func Migrating(l Ledger) Hook { return ledgerHook(l, l.Admit) }

func ledgerHook(l Ledger, made func(context.Context, tenancy.ID) error) Hook {
	return Hook{
		Steps: []Step{StepCreate, StepFill, StepClone, StepClaim, StepRename, StepPurge},
		After: func(ctx context.Context, e Event) error {
			switch e.Step {
			case StepClone:
				return l.Inherit(ctx, e.Tenant.Peer, e.Tenant.ID)
			case StepPurge:
				return l.Forget(ctx, e.Tenant.ID)
			case StepClaim, StepRename:
				if e.Target == "" { // claimed under the id that it has
					return nil
				}
				if err := l.Admit(ctx, e.Target); err != nil {
					return err
				}
				return l.Forget(ctx, e.Tenant.ID)
			}
			return made(ctx, e.Tenant.ID)
		},
	}
}
