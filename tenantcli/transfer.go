package tenantcli

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
)

func (a *mounted) exportTenant() *cobra.Command {
	return &cobra.Command{
		Use: "export TENANT [FILE]", Short: "Write all rows of a tenant to a file or to stdout", Args: oneOrTwo,
		ValidArgsFunction: a.completeThenFile,
		RunE: a.action(func(ctx context.Context, c *call, args []string) error {
			if err := need(c.env.Export != nil, "Export"); err != nil {
				return err
			}
			t, err := c.placed(ctx, args[0])
			if err != nil {
				return err
			}
			ctx = tenancy.WithTenant(ctx, t.ID)
			if len(args) == 2 {
				if err := writeFile(args[1], func(w io.Writer) error { return c.env.Export(ctx, w) }); err != nil {
					return named(t.ID, err)
				}
				c.note("%s is exported to %s", t.ID, args[1])
				return nil
			}
			if terminal(c.out) {
				return usagef("name a file; stdout is a terminal")
			}
			return named(t.ID, c.env.Export(ctx, c.out))
		}),
	}
}

func (a *mounted) importTenant() *cobra.Command {
	var dry bool
	cmd := &cobra.Command{
		Use: "import TENANT [FILE]", Short: "Read rows that export wrote into a tenant, from a file or from stdin", Args: oneOrTwo,
		ValidArgsFunction: a.completeThenFile,
		RunE: a.action(func(ctx context.Context, c *call, args []string) (err error) {
			if err := need(c.env.Import != nil, "Import"); err != nil {
				return err
			}
			t, err := c.placed(ctx, args[0])
			if err != nil {
				return err
			}
			in := c.cmd.InOrStdin()
			if len(args) == 2 {
				f, err := os.Open(args[1])
				if err != nil {
					return err
				}
				defer f.Close()
				in = f
			}
			if terminal(in) {
				return usagef("name a file; stdin is a terminal")
			}
			if dry {
				return c.dry("import", t)
			}
			if err := c.env.Import(tenancy.WithTenant(ctx, t.ID), in); err != nil {
				return named(t.ID, err)
			}
			c.note("%s is imported", t.ID)
			return nil
		}),
	}
	dryFlag(cmd, &dry)
	return cmd
}

func oneOrTwo(cmd *cobra.Command, args []string) error {
	if len(args) != 1 && len(args) != 2 {
		return usagef("%s takes a tenant and, perhaps, a file", cmd.CommandPath())
	}
	return nil
}

func (a *mounted) completeThenFile(cmd *cobra.Command, args []string, prefix string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	return a.complete(cmd, args, prefix)
}

// placed returns a tenant whose place is there and that nothing is about to move or remove.
func (c *call) placed(ctx context.Context, arg string) (catalog.Tenant, error) {
	id, err := parseID(arg)
	if err != nil {
		return catalog.Tenant{}, err
	}
	t, err := c.env.Catalog.Store().Get(ctx, id)
	if err != nil {
		return t, named(id, err)
	}
	if t.Step != "" || !slices.Contains([]catalog.State{catalog.Active, catalog.Suspended, catalog.Maintenance, catalog.Deleting}, t.State) {
		return t, named(id, &catalog.TransitionError{Step: "export and import", From: t.State})
	}
	return t, nil
}

// writeFile makes a file that only its owner reads, whole or not at all.
func writeFile(name string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if err := errors.Join(write(f), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
