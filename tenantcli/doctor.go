package tenantcli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
)

func (a *mounted) doctor() *cobra.Command {
	cmd := &cobra.Command{
		Use: "doctor", Short: "Look for what is wrong, and change nothing; exit code 1 if something was found", Args: none,
		RunE: a.action(func(ctx context.Context, c *call, _ []string) error {
			if err := need(c.env.Doctor != nil, "Doctor"); err != nil {
				return err
			}
			found, err := c.env.Doctor(ctx)
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
