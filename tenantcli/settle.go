package tenantcli

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/migrate"
)

type entry struct {
	Step       string        `json:"step"`
	Version    int64         `json:"version"`
	State      migrate.State `json:"state"`
	Attempts   int           `json:"attempts"`
	Error      string        `json:"error,omitempty"`
	Seconds    float64       `json:"seconds"`
	StartedAt  time.Time     `json:"startedAt"`
	FinishedAt *time.Time    `json:"finishedAt,omitempty"`
}

func (a *mounted) history() *cobra.Command {
	return &cobra.Command{
		Use: "history TENANT", Short: "Say when a tenant got each step; \"central\" is the central tables", Args: exactly("a tenant"),
		ValidArgsFunction: a.completeFirst,
		RunE: a.action(func(ctx context.Context, c *call, args []string) error {
			runner := c.env.Migrations
			id := tenancy.ID(central)
			if args[0] == central {
				runner = c.env.CentralMigrations
			} else if parsed, err := parseID(args[0]); err != nil {
				return err
			} else {
				id = parsed
			}
			if err := need(runner != nil, "Migrations"); err != nil {
				return err
			}
			entries, err := runner.History(ctx, id)
			if err != nil {
				return err
			}
			return c.history(entries)
		}),
	}
}

func (c *call) history(entries []migrate.Entry) error {
	doc, rows := []entry{}, [][]string{{"STEP", "STATE", "STARTED", "TOOK", "ATTEMPTS", "ERROR"}}
	for _, e := range entries {
		took := time.Duration(e.Milliseconds) * time.Millisecond
		one := entry{
			label(e.Version, e.Name), e.Version, e.State, e.Attempts, e.Error, took.Seconds(), e.StartedAt.UTC(), e.FinishedAt,
		}
		doc = append(doc, one)
		rows = append(rows, []string{
			one.Step, string(e.State), one.StartedAt.Format(time.RFC3339), took.String(), strconv.Itoa(e.Attempts), e.Error,
		})
	}
	if c.json {
		return c.document(doc)
	}
	return c.table(rows)
}

func (a *mounted) resolve() *cobra.Command {
	var complete, undone, dry bool
	cmd := &cobra.Command{
		Use: "resolve TENANT VERSION --complete|--undone", Short: "Say what you found of a step that was left half done",
		Args: exactly("a tenant and", "a step's version"), ValidArgsFunction: a.completeFirst,
		RunE: a.action(func(ctx context.Context, c *call, args []string) error {
			if err := need(c.env.Migrations != nil, "Migrations"); err != nil {
				return err
			}
			id, err := parseID(args[0])
			if err != nil {
				return err
			}
			version, err := strconv.ParseInt(args[1], 10, 64)
			if err != nil {
				return usagef("%q is no version", args[1])
			}
			if complete == undone {
				return usagef("say --complete if the tenant has all of it, or --undone if it has nothing of it any more")
			}
			if dry {
				return c.dryResolve(ctx, id, version)
			}
			if err := c.env.Migrations.Resolve(ctx, id, version, migrate.Outcome(complete)); err != nil {
				return err
			}
			return c.told(id, "step %d is settled; migrate up goes on", version)
		}),
	}
	cmd.Flags().BoolVar(&complete, "complete", false, "the tenant has what the step does: it is not run again")
	cmd.Flags().BoolVar(&undone, "undone", false, "the tenant has nothing of it any more: it is run again")
	dryFlag(cmd, &dry)
	return cmd
}

func (c *call) dryResolve(ctx context.Context, id tenancy.ID, version int64) error {
	entries, err := c.env.Migrations.History(ctx, id)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Version == version && e.State == migrate.StateHalf {
			return c.told(id, "would settle step %s", label(e.Version, e.Name))
		}
	}
	return named(id, errors.New("the step is not half done"))
}

// told says something about a tenant.
func (c *call) told(id tenancy.ID, format string, args ...any) error {
	if c.json {
		return c.document(struct {
			Tenant tenancy.ID `json:"tenant"`
		}{id})
	}
	return c.say(string(id)+": "+format, args...)
}

func (a *mounted) baseline() *cobra.Command {
	var names []string
	var all, yes, dry bool
	cmd := &cobra.Command{
		Use: "baseline", Short: "Say of tenants that they have all steps, and run none", Args: none,
		RunE: a.over(&names, func(ctx context.Context, c *call, ids []tenancy.ID) error {
			if all == (len(ids) > 0) {
				return usage(errNothing)
			}
			if all && !dry {
				if err := c.confirm(ctx, yes, "baseline: no step that there is now will ever run in any tenant.", "all"); err != nil {
					return err
				}
			}
			// Listed, so that a name which is no tenant's is refused before anything is written.
			plan, err := c.env.Migrations.Plan(ctx, ids...)
			if err != nil {
				return err
			}
			for _, t := range plan.Tenants {
				if dry {
					err = c.told(t.Tenant, "would be at head, without %d steps", len(t.Steps))
				} else if err = ctx.Err(); err == nil {
					err = errors.Join(c.env.Migrations.Baseline(ctx, t.Tenant), c.told(t.Tenant, "is at head"))
				}
				if err != nil {
					return err
				}
			}
			return nil
		}),
	}
	a.tenantsFlag(cmd, &names)
	cmd.Flags().BoolVar(&all, "all", false, "all tenants that are behind")
	dryFlag(cmd, &dry)
	dangerFlags(cmd, &yes)
	return cmd
}
