package tenantcli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/doctor"
)

// examine asks the application's doctor, or that of package doctor. A check that failed is a finding.
func (e *Environment) examine(ctx context.Context) (found []Finding, err error) {
	if e.Doctor != nil {
		return e.Doctor(ctx)
	}
	options := []doctor.Option{doctor.Catalog(e.Catalog.Store())}
	if e.Migrations != nil {
		options = append(options, doctor.Migrations(e.Migrations))
	}
	report, err := doctor.Run(ctx, e.DB, options...)
	if err != nil {
		return nil, err
	}
	for _, f := range report.Findings {
		found = append(found, Finding{Check: f.Code, Tenant: tenancy.ID(f.Tenant), Problem: f.Message, Remedy: f.Mend})
	}
	for _, c := range report.Checks {
		if c.Status == doctor.Failed {
			found = append(found, Finding{Check: c.Name, Problem: c.Why})
		}
	}
	return found, nil
}

func (a *mounted) doctor() *cobra.Command {
	cmd := &cobra.Command{
		Use: "doctor", Short: "Look for what is wrong, and change nothing; exit code 1 if something was found", Args: none,
		RunE: a.action(func(ctx context.Context, c *call, _ []string) error {
			found, err := c.env.examine(ctx)
			if err != nil {
				return err
			}
			return c.findings(found)
		}),
	}
	outputFlags(cmd)
	return cmd
}

func (c *call) findings(found []Finding) error {
	if c.json {
		if err := c.document(append([]Finding{}, found...)); err != nil {
			return err
		}
	}
	for _, f := range found {
		text := f.Check + ": "
		if f.Tenant != "" {
			text += string(f.Tenant) + ": "
		}
		text += f.Problem
		if f.Remedy != "" {
			text += "; " + f.Remedy
		}
		if c.json {
			continue
		}
		if _, err := fmt.Fprintln(c.out, oneLine(text)); err != nil {
			return err
		}
	}
	if len(found) > 0 {
		return fmt.Errorf("%d findings", len(found))
	}
	return c.say("nothing is wrong")
}
