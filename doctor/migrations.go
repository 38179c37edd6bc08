package doctor

import (
	"context"
	"errors"
	"fmt"

	"github.com/gorm-tenancy/tenancy/migrate"
)

// migrations looks for tenants that are behind.
func migrations(ctx context.Context, e *examination) error {
	if e.runner == nil {
		return &skipped{"give doctor.Migrations(runner)"}
	}
	plan, err := e.runner.Plan(ctx)
	if err != nil {
		return err
	}
	for _, p := range plan.Tenants {
		switch {
		case errors.Is(p.Err, migrate.ErrAhead): // a newer program has migrated it
		case p.Err != nil:
			e.find(Finding{
				Code: codeBlocked, Tenant: string(p.Tenant), Message: fmt.Sprintf("migrations of %q cannot go on: %v", p.Tenant, p.Err),
				Mend: "see docs/migrations.md, and (*migrate.Runner).Resolve for a step that is half done",
			})
		case len(p.Steps) > 0:
			e.find(Finding{
				Code: codeBehind, Tenant: string(p.Tenant), Message: fmt.Sprintf("%q lacks %d migrations", p.Tenant, len(p.Steps)),
				Mend: "(*migrate.Runner).Up(ctx), or Baseline for a tenant that Provision has just made",
			})
		}
	}
	return nil
}
