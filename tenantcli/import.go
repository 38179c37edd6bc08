package tenantcli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/archive"
	"github.com/gorm-tenancy/tenancy/catalog"
)

// importing is what the flags say of an import.
type importing struct {
	renumber, replace, merge, skip, loss bool
	dry, yes                             bool
}

func (a *mounted) importTenant() *cobra.Command {
	var i importing
	cmd := &cobra.Command{
		Use: "import TENANT [FILE]", Short: "Read rows that export wrote into a tenant, from a file or from stdin", Args: oneOrTwo,
		ValidArgsFunction: a.completeThenFile,
		RunE: a.action(func(ctx context.Context, c *call, args []string) error {
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
			return i.run(ctx, c, t, in)
		}),
	}
	i.flags(cmd)
	return cmd
}

func (i *importing) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&i.renumber, "renumber", false, "give rows new keys, and rewrite what refers to them")
	cmd.Flags().BoolVar(&i.replace, "replace", false, "erase the rows that the tenant has, all or none; asks")
	cmd.Flags().BoolVar(&i.merge, "merge", false, "add to the rows that the tenant has")
	cmd.Flags().BoolVar(&i.skip, "skip-unknown-columns", false, "leave out columns that the tables have not")
	cmd.Flags().BoolVar(&i.loss, "allow-loss", false, "accept that columns hold less than the archive says")
	cmd.MarkFlagsMutuallyExclusive("replace", "merge")
	dryFlag(cmd, &i.dry)
	dangerFlags(cmd, &i.yes)
}

// options are those of the flags.
func (i *importing) options() (opts []archive.Option) {
	for _, o := range []struct {
		on     bool
		option archive.Option
	}{
		{i.renumber, archive.Renumber()},
		{i.replace, archive.Replace()},
		{i.merge, archive.Merge()},
		{i.skip, archive.SkipUnknownColumns()},
		{i.loss, archive.AllowLoss()},
	} {
		if o.on {
			opts = append(opts, o.option)
		}
	}
	return opts
}

// errOwnFormat: the flags are those of package archive.
var errOwnFormat = errors.New("this application has an export and import of its own, without these flags")

func (i *importing) run(ctx context.Context, c *call, t catalog.Tenant, in io.Reader) error {
	if c.env.Import != nil {
		return i.own(ctx, c, t, in)
	}
	if i.replace && !i.dry {
		what := fmt.Sprintf("import --replace: the rows that %s has are removed, and nothing brings them back.", t.ID)
		if err := c.confirm(ctx, i.yes, what, string(t.ID)); err != nil {
			return err
		}
	}
	progress, done := c.rowMeter()
	load := archive.Import
	if i.dry {
		load = archive.Check
	}
	report, err := load(tenancy.WithTenant(ctx, t.ID), c.env.DB, in, append(c.env.archive(progress), i.options()...)...)
	done()
	if err != nil {
		return named(t.ID, hinted(err))
	}
	return i.told(ctx, c, t, report)
}

// own imports by the application's function.
func (i *importing) own(ctx context.Context, c *call, t catalog.Tenant, in io.Reader) error {
	switch {
	case len(i.options()) > 0:
		return usage(errOwnFormat)
	case i.dry:
		return c.dry("import", t)
	}
	if err := c.env.Import(tenancy.WithTenant(ctx, t.ID), in); err != nil {
		return named(t.ID, err)
	}
	c.note("%s is imported", t.ID)
	return nil
}

func (i *importing) told(ctx context.Context, c *call, t catalog.Tenant, report archive.Report) error {
	version, err := c.schemaVersion(ctx, t.ID)
	if err != nil {
		return named(t.ID, err)
	}
	if theirs := report.Manifest.SchemaVersion; theirs != "" && version != "" && theirs != version {
		c.note("the archive is of schema version %s, and %s has %s", theirs, t.ID, version)
	}
	switch {
	case c.json && i.dry:
		return c.document(struct {
			DryRun catalog.Step   `json:"dryRun"`
			Tenant record         `json:"tenant"`
			Report archive.Report `json:"report"`
		}{"import", recordOf(t), report})
	case c.json:
		return c.document(report)
	case i.dry:
		return c.say("would import %s into %s, which is %s", sizeOf(report.Manifest), t.ID, recordOf(t).state())
	}
	c.note("%s is imported: %s", t.ID, sizeOf(report.Manifest))
	return nil
}

// hinted names the flag in place of the option that an error speaks of.
func hinted(err error) error {
	switch {
	case errors.Is(err, archive.ErrNotEmpty):
		return fmt.Errorf("%w; here --replace or --merge", err)
	case errors.Is(err, archive.ErrKeyTaken):
		return fmt.Errorf("%w; here --renumber", err)
	case errors.Is(err, archive.ErrChanged):
		return fmt.Errorf("%w; here --allow-loss", err)
	}
	return err
}
