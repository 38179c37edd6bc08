// Package shared is the strategy with one database and one schema for all tenants: every owned table has a tenant
// column, and the plugin adds it to every statement. It is the cheapest strategy per tenant (a tenant is a value, not
// a schema or a server) and works on every database GORM does.
package shared

import (
	"context"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
)

// Strategy keeps all tenants in the same tables. It is immutable and safe for concurrent use.
type Strategy struct{}

var _ tenancy.Strategy = (*Strategy)(nil)

// New returns the shared strategy.
func New() *Strategy { return &Strategy{} }

// Name returns "shared".
func (*Strategy) Name() string { return "shared" }

// Attach does nothing: the tables are the application's own. It never fails.
func (*Strategy) Attach(*gorm.DB) error { return nil }

// Route returns the same route for every tenant. It never fails.
func (*Strategy) Route(context.Context, tenancy.ID) (tenancy.Route, error) {
	return tenancy.Route{Shared: true}, nil
}
