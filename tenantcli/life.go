package tenantcli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
)

// life is a command that takes an existing tenant through one step.
type life struct {
	step    catalog.Step
	short   string
	done    string // what is said of the tenant then
	confirm string // what is lost, for those that ask
	do      func(*catalog.Catalog, context.Context, tenancy.ID) (catalog.Tenant, error)
}

func lives() []life {
	return []life{
		{catalog.StepSuspend, "Refuse a tenant's requests until it is resumed", "is suspended", "", (*catalog.Catalog).Suspend},
		{catalog.StepResume, "Serve a suspended tenant, or one in maintenance, again", "is served", "", (*catalog.Catalog).Resume},
		{catalog.StepMaintain, "Answer a tenant's requests with \"in maintenance\"", "is in maintenance", "", (*catalog.Catalog).Maintain},
		{
			catalog.StepDelete, "Stop serving a tenant, and keep its rows until the grace period ends", "is deleted",
			"It is no longer served. Its rows are purged when the grace period ends; until then undelete brings it back.",
			(*catalog.Catalog).Delete,
		},
		{catalog.StepUndelete, "Bring a deleted tenant back, with all its rows", "is back", "", (*catalog.Catalog).Undelete},
	}
}

func (a *mounted) live(l life) *cobra.Command {
	var yes, dry bool
	cmd := &cobra.Command{
		Use: string(l.step) + " TENANT", Short: l.short, Args: exactly("a tenant"), ValidArgsFunction: a.completeFirst,
		RunE: a.action(func(ctx context.Context, c *call, args []string) error {
			id, err := parseID(args[0])
			if err != nil {
				return err
			}
			if dry {
				return c.would(ctx, l.step, id)
			}
			if l.confirm != "" {
				if err := c.known(ctx, id); err != nil {
					return err
				}
				if err := c.confirm(ctx, yes, fmt.Sprintf("%s %s: %s", l.step, id, l.confirm), string(id)); err != nil {
					return err
				}
			}
			t, err := l.do(c.env.Catalog, ctx, id)
			return c.became(id, t, err, l.done)
		}),
	}
	dryFlag(cmd, &dry)
	if l.confirm != "" {
		dangerFlags(cmd, &yes)
	}
	return cmd
}

func dryFlag(cmd *cobra.Command, dry *bool) {
	cmd.Flags().BoolVarP(dry, "dry-run", "n", false, "say what would be done, and change nothing")
}

// would says what a step would do to a tenant, or why its state does not allow it.
func (c *call) would(ctx context.Context, step catalog.Step, id tenancy.ID) error {
	t, err := c.env.Catalog.Store().Get(ctx, id)
	if err == nil {
		err = t.Allows(step)
	}
	if err != nil {
		return named(id, err)
	}
	return c.dry(step, t)
}

// dry prints what would be done with a tenant as it is.
func (c *call) dry(step catalog.Step, t catalog.Tenant) error {
	if c.json {
		return c.document(struct {
			DryRun catalog.Step `json:"dryRun"`
			Tenant record       `json:"tenant"`
		}{step, recordOf(t)})
	}
	return c.say("would %s %s, which is %s", step, t.ID, recordOf(t).state())
}

// known fails for tenants that are in no catalog, before somebody is asked about them.
func (c *call) known(ctx context.Context, id tenancy.ID) error {
	_, err := c.env.Catalog.Store().Get(ctx, id)
	return named(id, err)
}

// became prints a tenant after a step.
func (c *call) became(id tenancy.ID, t catalog.Tenant, err error, done string) error {
	if err != nil {
		return named(id, err)
	}
	if c.json {
		return c.document(recordOf(t))
	}
	return c.say("%s %s", t.ID, done)
}

// named puts the tenant that the command named in front of an error, and behind it the way out.
func named(id tenancy.ID, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, catalog.ErrPending):
		return fmt.Errorf("%s: %w; tenants repair %[1]s goes on", id, err)
	case errors.Is(err, catalog.ErrGrace):
		return fmt.Errorf("%s: %w; --now does not wait for it", id, err)
	}
	return fmt.Errorf("%s: %w", id, err)
}
