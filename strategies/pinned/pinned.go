// Package pinned is the strategy of a process that serves one tenant: a container for each tenant, or a customer with a
// machine of their own. Any other tenant is refused at both walls, so that a request that was routed to the wrong process
// finds nothing there.
//
//	db.Use(tenancy.New(pinned.New("acme"), tenancy.OwnedModels(&Poll{})))                          // the whole database is acme's
//	db.Use(tenancy.New(pinned.New("acme", pinned.Over(shared.New())), tenancy.OwnedModels(&Poll{}))) // acme's rows in shared tables
package pinned

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/tenantconn"
)

// Strategy serves one tenant. It is immutable and safe for concurrent use.
type Strategy struct {
	tenant tenancy.ID
	inner  tenancy.Strategy // nil: the whole database is the tenant's
}

var (
	_ tenancy.Strategy    = (*Strategy)(nil)
	_ tenancy.Isolator    = (*Strategy)(nil)
	_ tenancy.Verifier    = (*Strategy)(nil)
	_ tenancy.Inspector   = (*Strategy)(nil)
	_ tenancy.Provisioner = (*Strategy)(nil)
)

// Option configures the strategy.
type Option func(*Strategy)

// Over finds the tenant's rows by another strategy. By default the whole database GORM was opened with is the tenant's:
// models need no tenant column, and central models stand beside.
func Over(inner tenancy.Strategy) Option { return func(s *Strategy) { s.inner = inner } }

// New returns the strategy of a process that serves id. An id that tenancy.ParseID refuses makes db.Use fail.
func New(id tenancy.ID, opts ...Option) *Strategy {
	s := &Strategy{tenant: id}
	for _, opt := range opts {
		opt(s)
	}
	return s
}

// Name returns "pinned".
func (*Strategy) Name() string { return "pinned" }

// Isolation is that of the strategy within, with confined connections.
func (s *Strategy) Isolation() tenancy.Isolation {
	if s.inner == nil {
		return tenancy.Isolation{Siloed: true, Connections: true}
	}
	isolation := tenancy.Isolation{}
	if i, ok := s.inner.(tenancy.Isolator); ok {
		isolation = i.Isolation()
	}
	isolation.Connections = true
	return isolation
}

// Route returns the tenant's route, and tenancy.ErrUnknownTenant for any other tenant.
func (s *Strategy) Route(ctx context.Context, id tenancy.ID) (tenancy.Route, error) {
	if err := s.allow(id); err != nil {
		return tenancy.Route{}, err
	}
	if s.inner == nil {
		return tenancy.Route{Confined: true}, nil
	}
	return s.inner.Route(ctx, id)
}

func (s *Strategy) allow(id tenancy.ID) error {
	if id != s.tenant {
		return errOther
	}
	return nil
}

var errOther = fmt.Errorf("%w: this process serves another one", tenancy.ErrUnknownTenant)

// Attach replaces db's connections by those that refuse other tenants, unless the strategy within has its own, which then
// asks this one. The maximum of open connections is carried over. It fails where the connections cannot be opened again
// (see tenantconn.ConnectorOf), when dbresolver was registered first, and with tenancy.ErrUnsupported over a strategy that
// confines connections and is no tenancy.Restrictor.
func (s *Strategy) Attach(db *gorm.DB) error {
	if _, err := tenancy.ParseID(string(s.tenant)); err != nil {
		return err
	}
	if i, ok := s.inner.(tenancy.Isolator); ok && i.Isolation().Connections {
		r, ok := s.inner.(tenancy.Restrictor)
		if !ok {
			return fmt.Errorf("%w: the strategy %q cannot be restricted to one tenant", tenancy.ErrUnsupported, s.inner.Name())
		}
		r.Restrict(s.allow)
		return s.inner.Attach(db)
	}
	if s.inner != nil {
		if err := s.inner.Attach(db); err != nil {
			return err
		}
	}
	return s.guard(db)
}

func (s *Strategy) guard(db *gorm.DB) error {
	if _, ok := db.Plugins["gorm:db_resolver"]; ok {
		return errors.New("pinned: register dbresolver after tenancy, so that its connections are guarded, too")
	}
	old, err := db.DB()
	if err != nil {
		return fmt.Errorf("pinned: GORM has no *sql.DB to guard: %w", err)
	}
	if tenantconn.Confined(old) {
		return nil
	}
	connector, err := tenantconn.ConnectorOf(db.Dialector, old.Driver())
	if err != nil {
		return err
	}
	pool, err := tenantconn.OpenGuarded(connector, s.route)
	if err != nil {
		return err
	}
	if n := old.Stats().MaxOpenConnections; n > 0 {
		pool.SetMaxOpenConns(n)
	}
	return tenantconn.Replace(db, pool)
}

// route is a tenantconn.Router.
func (s *Strategy) route(ctx context.Context) (tenantconn.Route, error) {
	reach, id, err := tenancy.ReachOf(ctx)
	if err != nil || reach != tenancy.ReachTenant {
		return tenantconn.Route{}, err
	}
	return tenantconn.Route{Tenant: id}, s.allow(id)
}

// Verify is that of the strategy within.
func (s *Strategy) Verify(db *gorm.DB, p *tenancy.Plugin) error {
	if v, ok := s.inner.(tenancy.Verifier); ok {
		return v.Verify(db, p)
	}
	return nil
}

// Inspect is that of the strategy within.
func (s *Strategy) Inspect(ctx context.Context, db *gorm.DB, p *tenancy.Plugin) error {
	if i, ok := s.inner.(tenancy.Inspector); ok {
		return i.Inspect(ctx, db, p)
	}
	return nil
}

// Provision makes the tenant's place by the strategy within. It is tenancy.ErrUnknownTenant for another tenant, and
// tenancy.ErrUnsupported where the strategy within makes none.
func (s *Strategy) Provision(ctx context.Context, id tenancy.ID) error {
	return s.provisioner(id, func(p tenancy.Provisioner) error { return p.Provision(ctx, id) })
}

// Deprovision removes the tenant's place by the strategy within, with the errors of Provision.
func (s *Strategy) Deprovision(ctx context.Context, id tenancy.ID) error {
	return s.provisioner(id, func(p tenancy.Provisioner) error { return p.Deprovision(ctx, id) })
}

func (s *Strategy) provisioner(id tenancy.ID, do func(tenancy.Provisioner) error) error {
	if err := s.allow(id); err != nil {
		return err
	}
	p, ok := s.inner.(tenancy.Provisioner)
	if !ok {
		return fmt.Errorf("%w: the pinned tenant's place is the application's", tenancy.ErrUnsupported)
	}
	return do(p)
}
