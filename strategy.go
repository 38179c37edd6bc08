package tenancy

import (
	"context"

	"gorm.io/gorm"
)

// Route says where a tenant's statements run and what confines them there.
type Route struct {
	// Shared reports that the tenant's rows share tables with other tenants' rows, so that every statement needs the tenant
	// predicate.
	Shared bool
	// Confined reports that the database itself holds every statement of the tenant inside it, raw SQL included: by
	// search_path, by another database, by row-level security. Raw SQL then runs unjudged.
	Confined bool
}

// Isolation says what holds for every route of a strategy.
type Isolation struct {
	// Siloed reports that tenants never share a table: owned models need no tenant column, only to be declared with
	// [OwnedModels].
	Siloed bool
	// Mixed reports that some tenants share tables and others have tables of their own, which [Route.Shared] tells. All have
	// the tenant column and the predicate. Statements under [Bypass] reach the shared tables only, and those for several
	// tenants (see [ForTenants]) only tenants in them.
	Mixed bool
	// Connections reports that the strategy confines connections, which refuse a context that says for whom it is not. The
	// plugin then runs statements on central tables, which need no tenant, under [Central].
	Connections bool
	// CentralApart reports that central tables stand in another database than the tenants'. A statement on a central table
	// then goes there, also inside a tenant: [ReachOf] its context is [ReachCentral]. A join of both kinds is refused with
	// [ErrUnconfined], and migrations make no foreign key from one to the other. It needs Connections.
	CentralApart bool
	// Sessions reports that what confines a connection stays on it after the transaction. That is wrong behind a pooler that
	// gives each transaction another connection of the server (PgBouncer, pgcat, Supavisor in transaction mode).
	Sessions bool
}

// Isolator is an optional power of a [Strategy] that does more than share tables. [New] asks it once, and package doctor
// after db.Use.
type Isolator interface {
	Isolation() Isolation
}

// Strategy is the rule that turns a tenant into a [Route]. The packages under strategies implement it; so can you.
type Strategy interface {
	// Name is a short lower-case word for logs: "shared", "schema", "database".
	Name() string
	// Attach prepares db. The plugin calls it once for every *gorm.DB it is used on, and again for the same one when another
	// plugin (dbresolver) initialises it again: it must bear that. An error makes db.Use fail.
	Attach(db *gorm.DB) error
	// Route returns the tenant's route. The plugin calls it for every statement from many goroutines: it must be safe for
	// concurrent use and do no I/O when warm. It returns [ErrUnknownTenant] or [ErrTenantSuspended] for a tenant that must
	// not be served.
	Route(ctx context.Context, id ID) (Route, error)
}

// Verifier is an optional power of a [Strategy]: a check of the database at start-up. The plugin calls it for every *gorm.DB
// it is used on, after Attach and after reading the declared models (see [Plugin.OwnedTables]), and package doctor whenever
// it is asked. An error makes db.Use fail; it names the table or the role that is wrong and the call that mends it, best in
// a [Defect] for each.
type Verifier interface {
	Verify(db *gorm.DB, p *Plugin) error
}

// Restrictor is an optional power of a [Strategy] that confines connections: to serve some tenants only.
type Restrictor interface {
	// Restrict makes connections ask allow for every statement that acts for a tenant; its error ends the statement. It is
	// called before Attach, and allow from many goroutines.
	Restrict(allow func(ID) error)
}

// Provisioner is an optional power of a [Strategy]: it makes and removes the place a tenant's rows live in.
type Provisioner interface {
	// Provision makes the place. It is idempotent: after a crash half way, calling it again finishes the work.
	Provision(ctx context.Context, id ID) error
	// Deprovision removes the place and everything in it. It refuses anything Provision did not make.
	Deprovision(ctx context.Context, id ID) error
}

// Renamer is an optional power of a [Provisioner]: it gives a tenant's place to another id, which is faster than making and
// filling a new one. Nothing in the place changes.
type Renamer interface {
	// Rename makes the place of from that of to. It is idempotent: where to has a place of its own and from has none, it did
	// its work before. It refuses a place that Provision did not make, and never overwrites one.
	Rename(ctx context.Context, from, to ID) error
}

// Cloner is an optional power of a [Provisioner]: it provisions a tenant with a copy of another tenant's rows.
type Cloner interface {
	// Clone makes the place of to and fills it with the rows of from, which stay as they are. It is idempotent: after a
	// crash half way, calling it again finishes the work. [ErrUnsupported] says that nothing was made.
	Clone(ctx context.Context, from, to ID) error
}
