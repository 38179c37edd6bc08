// Package shared is the strategy with one database and one schema for all tenants: every owned table has a tenant
// column, and the plugin adds it to every statement. It is the cheapest strategy per tenant (a tenant is a value, not
// a schema or a server) and works on every database GORM does.
//
// On PostgreSQL the option [RowLevelSecurity] lets the database hold every tenant inside its rows as well, raw SQL and
// users of db.DB() included: see rowsecurity.go (options and connections), policy.go (what the policies say), migrate.go
// (writing them) and verify.go (the check at start-up).
package shared

import (
	"context"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/tenantconn"
)

// Strategy keeps all tenants in the same tables. It is safe for concurrent use.
type Strategy struct {
	rowSecurity bool
	bypassRole  string
	pooled      bool
	allow       func(tenancy.ID) error
}

var (
	_ tenancy.Strategy   = (*Strategy)(nil)
	_ tenancy.Isolator   = (*Strategy)(nil)
	_ tenancy.Verifier   = (*Strategy)(nil)
	_ tenancy.Restrictor = (*Strategy)(nil)

	_ tenantconn.Confiner = (*Strategy)(nil)
)

// Option configures the strategy.
type Option func(*Strategy)

// New returns the shared strategy. Without options it asks nothing of the database. Mistakes in the options make db.Use
// fail.
func New(opts ...Option) *Strategy {
	s := new(Strategy)
	for _, opt := range opts {
		opt(s)
	}
	return s
}

// Name returns "shared".
func (*Strategy) Name() string { return "shared" }

// Isolation says that tenants share tables, and that [RowLevelSecurity] confines connections.
func (s *Strategy) Isolation() tenancy.Isolation {
	return tenancy.Isolation{Connections: s.rowSecurity}
}

// Attach does nothing without [RowLevelSecurity]: the tables are the application's own. With it, db's connections are
// replaced by confined ones; see tenantconn.Attach for what that needs. It fails with tenancy.ErrUnsupported on another
// database than PostgreSQL.
func (s *Strategy) Attach(db *gorm.DB) error {
	if err := s.validate(); err != nil || !s.rowSecurity {
		return err
	}
	return s.confine(db)
}

// Confine is Attach beside other strategies (see strategies/hybrid). Without [RowLevelSecurity] the connections are as the
// dialector makes them, and the plugin's predicate alone holds the tenant.
func (s *Strategy) Confine(db *gorm.DB, _ bool) (tenantconn.Side, error) {
	if err := s.validate(); err != nil {
		return tenantconn.Side{}, err
	}
	if !s.rowSecurity {
		return tenantconn.Side{Wall: tenantconn.Wall{Router: s.plain}}, nil
	}
	return tenantconn.Side{Wall: s.wall()}, supported(db)
}

// plain is the tenantconn.Router of connections without settings.
func (s *Strategy) plain(ctx context.Context) (tenantconn.Route, error) {
	reach, id, err := tenancy.ReachOf(ctx)
	if err == nil && reach == tenancy.ReachTenant && s.allow != nil {
		err = s.allow(id)
	}
	return tenantconn.Route{Tenant: id, Central: reach == tenancy.ReachCentral}, err
}

// Restrict makes connections ask allow for every statement of a tenant, with [RowLevelSecurity]; without it the strategy
// confines none. It is for strategies that wrap this one; call it before db.Use.
func (s *Strategy) Restrict(allow func(tenancy.ID) error) { s.allow = allow }

// Route returns the same route for every tenant. It never fails.
func (s *Strategy) Route(context.Context, tenancy.ID) (tenancy.Route, error) {
	return tenancy.Route{Shared: true, Confined: s.rowSecurity}, nil
}
