package main

import (
	"context"
	"log/slog"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
)

// tenants returns those of the catalog, deleted ones included.
func (s *settings) tenants(ctx context.Context) ([]catalog.Tenant, error) {
	environment, err := s.environment(ctx, slog.Default())
	if err != nil {
		return nil, err
	}
	defer environment.Close()
	var tenants []catalog.Tenant
	for t, err := range environment.Catalog.Store().List(tenancy.Central(ctx), catalog.Filter{}) {
		if err != nil {
			return nil, err
		}
		tenants = append(tenants, t)
	}
	return tenants, nil
}
