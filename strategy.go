package tenancy

import (
	"context"

	"gorm.io/gorm"
)

// Route says where a tenant's statements run and what confines them there.
type Route struct {
	// Shared reports that the tenant's rows share tables with other tenants' rows, so that every statement needs the
	// tenant predicate.
	Shared bool
}

// Strategy is the rule that turns a tenant into a [Route]. The packages under strategies implement it; so can you.
type Strategy interface {
	// Name is a short lower-case word for logs: "shared", "schema", "database".
	Name() string
	// Attach prepares db. The plugin calls it once for every *gorm.DB it is used on, and again for the same one when
	// another plugin (dbresolver) initialises it again: it must bear that. An error makes db.Use fail.
	Attach(db *gorm.DB) error
	// Route returns the tenant's route. The plugin calls it for every statement from many goroutines: it must be safe
	// for concurrent use and do no I/O when warm. It returns [ErrUnknownTenant] or [ErrTenantSuspended] for a tenant
	// that must not be served.
	Route(ctx context.Context, id ID) (Route, error)
}

// Provisioner is an optional power of a [Strategy]: it makes and removes the place a tenant's rows live in.
type Provisioner interface {
	// Provision makes the place. It is idempotent: after a crash half way, calling it again finishes the work.
	Provision(ctx context.Context, id ID) error
	// Deprovision removes the place and everything in it. It refuses anything Provision did not make.
	Deprovision(ctx context.Context, id ID) error
}
