package tenantcli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
)

// newcomer is what the flags say of a new tenant.
type newcomer struct {
	name, in          string
	domains, metadata []string
	dry               bool
}

func (n *newcomer) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&n.name, "name", "", "its name for people")
	cmd.Flags().StringArrayVar(&n.domains, "domain", nil, "a domain of its own; repeat it for several, the primary one first")
	placeFlag(cmd, &n.in)
	cmd.Flags().StringArrayVar(&n.metadata, "metadata", nil, "key=value, where a value may be JSON; repeat it for several")
	dryFlag(cmd, &n.dry)
}

// placeFlag is not named after the strategy: an application may have a flag of that name, which says what it runs with.
func placeFlag(cmd *cobra.Command, in *string) {
	cmd.Flags().StringVar(in, "in", "", "the strategy and, where it needs one, the place that its record names: STRATEGY[/PLACE]")
}

// placed sets what STRATEGY[/PLACE] names.
func placed(t *catalog.Tenant, in string) { t.Strategy, t.Place, _ = strings.Cut(in, "/") }

func (n *newcomer) tenant(arg string) (catalog.Tenant, error) {
	id, err := parseID(arg)
	if err != nil {
		return catalog.Tenant{}, err
	}
	t := catalog.Tenant{ID: id, Name: n.name, Domains: n.domains, State: catalog.Creating}
	placed(&t, n.in)
	if t.Metadata, err = metadata(n.metadata); err != nil {
		return t, err
	}
	if err := t.Normalize(); err != nil {
		return t, usage(err)
	}
	return t, nil
}

// free fails if the id or a domain of a new tenant is taken.
func (c *call) free(ctx context.Context, t catalog.Tenant) error {
	_, err := c.env.Catalog.Store().Get(ctx, t.ID)
	taken := catalog.ErrExists
	for _, domain := range t.Domains {
		if !errors.Is(err, tenancy.ErrUnknownTenant) {
			break
		}
		taken = fmt.Errorf("%w: %s", catalog.ErrDomainTaken, domain)
		_, err = c.env.Catalog.Store().ByDomain(ctx, domain)
	}
	switch {
	case errors.Is(err, tenancy.ErrUnknownTenant):
		return nil
	case err == nil:
		return named(t.ID, taken)
	}
	return err
}

func (a *mounted) create() *cobra.Command {
	var n newcomer
	cmd := &cobra.Command{
		Use: "create TENANT", Short: "Make a tenant and serve it", Args: exactly("a new tenant's id"),
		RunE: a.action(func(ctx context.Context, c *call, args []string) error {
			t, err := n.tenant(args[0])
			if err != nil {
				return err
			}
			if n.dry {
				if err := c.free(ctx, t); err != nil {
					return err
				}
				return c.dryCreate(catalog.StepCreate, t)
			}
			made, err := c.env.Catalog.Create(ctx, t)
			return c.became(t.ID, made, err, "is made and served")
		}),
	}
	n.flags(cmd)
	return cmd
}

func (c *call) dryCreate(step catalog.Step, t catalog.Tenant) error {
	if c.json {
		return c.dry(step, t)
	}
	return c.say("would %s %s", step, t.ID)
}

func (a *mounted) clone() *cobra.Command {
	var n newcomer
	cmd := &cobra.Command{
		Use: "clone TENANT NEW", Short: "Make a tenant with a copy of another one's rows",
		Args: exactly("a tenant and", "a new tenant's id"), ValidArgsFunction: a.completeFirst,
		RunE: a.action(func(ctx context.Context, c *call, args []string) error {
			from, err := parseID(args[0])
			if err != nil {
				return err
			}
			t, err := n.tenant(args[1])
			if err != nil {
				return err
			}
			if n.dry {
				if err := errors.Join(c.known(ctx, from), c.free(ctx, t)); err != nil {
					return err
				}
				return c.dryCreate(catalog.StepClone, t)
			}
			made, err := c.env.Catalog.Clone(ctx, from, t)
			return c.became(t.ID, made, err, "is made, with a copy of "+string(from)+", and served")
		}),
	}
	n.flags(cmd)
	return cmd
}

func (a *mounted) rename() *cobra.Command {
	var dry bool
	cmd := &cobra.Command{
		Use: "rename TENANT NEW", Short: "Give a tenant another id; the old one stays taken",
		Args: exactly("a tenant and", "its new id"), ValidArgsFunction: a.completeFirst,
		RunE: a.action(func(ctx context.Context, c *call, args []string) error {
			ids, err := parseIDs(args)
			if err != nil {
				return err
			}
			if len(ids) != 2 {
				return usagef("%s has this id", ids[0])
			}
			if dry {
				if err := c.free(ctx, catalog.Tenant{ID: ids[1]}); err != nil {
					return err
				}
				return c.would(ctx, catalog.StepRename, ids[0])
			}
			t, err := c.env.Catalog.Rename(ctx, ids[0], ids[1])
			return c.became(ids[0], t, err, "is the new id of "+string(ids[0]))
		}),
	}
	dryFlag(cmd, &dry)
	return cmd
}

// pool is the command "tenants pool fill".
func (a *mounted) pool() *cobra.Command {
	cmd := &cobra.Command{Use: "pool", Short: "Make tenants in advance", Args: group, RunE: help}
	var in string
	var dry bool
	fill := &cobra.Command{
		Use: "fill N", Short: "Make tenants until N of them wait for a sign-up", Args: exactly("a number"),
		RunE: a.action(func(ctx context.Context, c *call, args []string) error {
			var n int
			if _, err := fmt.Sscanf(args[0]+"\n", "%d\n", &n); err != nil || n < 0 {
				return usagef("%q is no number of tenants", args[0])
			}
			var kind catalog.Tenant
			placed(&kind, in)
			return c.fill(ctx, n, kind, dry)
		}),
	}
	placeFlag(fill, &in)
	dryFlag(fill, &dry)
	cmd.AddCommand(fill)
	return cmd
}

// fill fills the pool of tenants that have the strategy and the place of kind.
func (c *call) fill(ctx context.Context, n int, kind catalog.Tenant, dry bool) error {
	made, verb := 0, "made"
	var err error
	if dry {
		verb = "would make"
		made, err = c.missing(ctx, n, kind)
	} else {
		made, err = c.env.Catalog.FillAt(ctx, n, kind.Strategy, kind.Place)
	}
	result := struct {
		Made   int  `json:"made"`
		DryRun bool `json:"dryRun,omitempty"`
	}{made, dry}
	if c.json {
		return errors.Join(err, c.document(result))
	}
	return errors.Join(err, c.say("%s %d tenants for the pool of %d", verb, made, n))
}

// missing is how many tenants the pool lacks.
func (c *call) missing(ctx context.Context, n int, kind catalog.Tenant) (int, error) {
	for t, err := range c.env.Catalog.Store().List(ctx, catalog.Filter{States: []catalog.State{catalog.Ready, catalog.Creating}}) {
		if err != nil {
			return 0, err
		}
		if (t.State == catalog.Ready || t.Step == catalog.StepFill) && t.Strategy == kind.Strategy && t.Place == kind.Place {
			n--
		}
	}
	return max(n, 0), nil
}
