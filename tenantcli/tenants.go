package tenantcli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gorm-tenancy/tenancy/catalog"
)

// tenants is the command "tenants" with those below it.
func (a *mounted) tenants() *cobra.Command {
	cmd := &cobra.Command{
		Use: "tenants", Aliases: []string{"tenant"}, Short: "Make, list, suspend and remove tenants",
		Args: group, RunE: help,
	}
	outputFlags(cmd)
	cmd.AddCommand(a.list(), a.show(), a.create(), a.rename(), a.clone(), a.forget(), a.purge(), a.exportTenant(),
		a.importTenant(), a.repair(), a.pool())
	for _, l := range lives() {
		cmd.AddCommand(a.live(l))
	}
	return cmd
}

// group refuses what is no command of a group, and help prints what there is.
func group(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("unknown command %q for %q", args[0], cmd.CommandPath())
	}
	return nil
}

func help(cmd *cobra.Command, _ []string) error { return cmd.Help() }

// exactly is cobra.ExactArgs with a name for each argument.
func exactly(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != len(names) {
			return usagef("%s takes %s", cmd.CommandPath(), strings.Join(names, " "))
		}
		return nil
	}
}

// none is cobra.NoArgs as wrong use.
func none(cmd *cobra.Command, args []string) error { return usage(cobra.NoArgs(cmd, args)) }

func (a *mounted) list() *cobra.Command {
	var states []string
	var pending bool
	cmd := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List tenants, all but the purged ones", Args: none,
		RunE: a.action(func(ctx context.Context, c *call, _ []string) error {
			f := catalog.Filter{Pending: pending, States: slices.DeleteFunc(catalog.States(), func(s catalog.State) bool { return s == catalog.Purged })}
			if len(states) > 0 {
				f.States = nil
			}
			for _, s := range states {
				if !slices.Contains(catalog.States(), catalog.State(s)) {
					return usagef("--state is one of %s", strings.Trim(fmt.Sprint(catalog.States()), "[]"))
				}
				f.States = append(f.States, catalog.State(s))
			}
			return c.list(ctx, f)
		}),
	}
	cmd.Flags().StringSliceVar(&states, "state", nil, "tenants in these states only")
	cmd.Flags().BoolVar(&pending, "pending", false, "tenants with a step that is not finished only")
	return cmd
}

func (c *call) list(ctx context.Context, f catalog.Filter) error {
	records, rows := []record{}, [][]string{{"TENANT", "STATE", "NAME", "DOMAINS"}}
	for t, err := range c.env.Catalog.Store().List(ctx, f) {
		if err != nil {
			return err
		}
		r := recordOf(t)
		records = append(records, r)
		rows = append(rows, []string{string(r.ID), r.state(), r.Name, strings.Join(r.Domains, " ")})
	}
	if c.json {
		return c.document(records)
	}
	return c.table(rows)
}

func (a *mounted) show() *cobra.Command {
	return &cobra.Command{
		Use: "show TENANT", Short: "Show what the catalog knows of a tenant", Args: exactly("a tenant"), ValidArgsFunction: a.completeFirst,
		RunE: a.action(func(ctx context.Context, c *call, args []string) error {
			id, err := parseID(args[0])
			if err != nil {
				return err
			}
			t, err := c.env.Catalog.Store().Get(ctx, id)
			if err != nil {
				return named(id, err)
			}
			if c.json {
				return c.document(recordOf(t))
			}
			return c.table(append([][]string{{"FIELD", "VALUE"}}, recordOf(t).lines()...))
		}),
	}
}
