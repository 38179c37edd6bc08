package tenantcli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
)

func (a *mounted) purge() *cobra.Command {
	var yes, dry, now bool
	cmd := &cobra.Command{
		Use: "purge TENANT", Short: "Remove a deleted tenant with all its rows, for ever", Args: exactly("a tenant"),
		ValidArgsFunction: a.completeFirst,
		RunE: a.action(func(ctx context.Context, c *call, args []string) error {
			id, err := parseID(args[0])
			if err != nil {
				return err
			}
			t, err := c.env.Catalog.Store().Get(ctx, id)
			if err == nil {
				err = t.Allows(catalog.StepPurge)
			}
			if err == nil && !now && t.State == catalog.Deleting && time.Now().Before(t.DeleteAfter) {
				err = fmt.Errorf("%w; it ends at %s", catalog.ErrGrace, t.DeleteAfter.Format(time.RFC3339))
			}
			if err != nil {
				return named(id, err)
			}
			if dry {
				return c.dry(catalog.StepPurge, t)
			}
			if err := c.confirm(ctx, yes, fmt.Sprintf("purge %s: all its rows are removed, and nothing brings them back.", id), string(id)); err != nil {
				return err
			}
			purge := c.env.Catalog.Purge
			if now {
				purge = c.env.Catalog.PurgeNow
			}
			t, err = purge(ctx, id)
			return c.became(id, t, err, "is purged")
		}),
	}
	cmd.Flags().BoolVar(&now, "now", false, "do not wait for the end of the grace period")
	dryFlag(cmd, &dry)
	dangerFlags(cmd, &yes)
	return cmd
}

func (a *mounted) forget() *cobra.Command {
	var yes, dry bool
	cmd := &cobra.Command{
		Use: "forget TENANT", Short: "Free the id of a purged tenant for another one", Args: exactly("a tenant"),
		RunE: a.action(func(ctx context.Context, c *call, args []string) error {
			id, err := parseID(args[0])
			if err != nil {
				return err
			}
			t, err := c.env.Catalog.Store().Get(ctx, id)
			if err == nil && t.State != catalog.Purged {
				err = &catalog.TransitionError{Step: "forget", From: t.State}
			}
			if err != nil {
				return named(id, err)
			}
			if dry {
				return c.dry("forget", t)
			}
			what := fmt.Sprintf("forget %s: who has this id in a job, a cookie or an address will meet the next tenant of it.", id)
			if err := c.confirm(ctx, yes, what, string(id)); err != nil {
				return err
			}
			return c.became(id, t, c.env.Catalog.Forget(ctx, id), "is forgotten; its id is free")
		}),
	}
	dryFlag(cmd, &dry)
	dangerFlags(cmd, &yes)
	return cmd
}

func (a *mounted) repair() *cobra.Command {
	var all, dry bool
	cmd := &cobra.Command{
		Use: "repair [TENANT...]", Short: "Finish steps that an error or a crash left under way", ValidArgsFunction: a.complete,
		RunE: a.action(func(ctx context.Context, c *call, args []string) error {
			ids, err := parseIDs(args)
			switch {
			case err != nil:
				return err
			case all == (len(ids) > 0):
				return usage(errNothing)
			case dry:
				return c.dryRepair(ctx, ids)
			case all:
				return c.repairAll(ctx)
			}
			var failed []error
			for _, id := range ids {
				t, err := c.env.Catalog.Repair(ctx, id)
				failed = append(failed, c.became(id, t, err, "is "+string(t.State)))
			}
			return errors.Join(failed...)
		}),
	}
	cmd.Flags().BoolVar(&all, "all", false, "all tenants whose step has been under way for longer than the catalog's RepairAfter")
	dryFlag(cmd, &dry)
	return cmd
}

func (c *call) dryRepair(ctx context.Context, ids []tenancy.ID) error {
	var found []tenancy.ID
	for t, err := range c.env.Catalog.Store().List(ctx, catalog.Filter{Pending: true}) {
		if err != nil {
			return err
		}
		if len(ids) > 0 && len(without(ids, []tenancy.ID{t.ID})) == len(ids) {
			continue
		}
		found = append(found, t.ID)
		if err := c.dry("repair", t); err != nil {
			return err
		}
	}
	if len(found) == 0 {
		return c.say("no step is under way")
	}
	return nil
}

func (c *call) repairAll(ctx context.Context) error {
	o := outcome{Done: []tenancy.ID{}}
	err := c.env.Catalog.RepairAll(ctx, catalog.EachOptions{Finished: func(t catalog.Tenant, err error) {
		o.add(t.ID, err)
		if err == nil {
			_ = c.say("%s: its %s is finished", t.ID, t.Step) // the summary fails, too, where stdout is gone
		} else {
			c.note("%s: %v", t.ID, err)
		}
	}})
	return c.finish(ctx, &o, err)
}
