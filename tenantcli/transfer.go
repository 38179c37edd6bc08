package tenantcli

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/gorm-tenancy/tenancy/catalog"
)

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
