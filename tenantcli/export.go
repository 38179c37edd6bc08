package tenantcli

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/archive"
)

func (a *mounted) exportTenant() *cobra.Command {
	var skip bool
	cmd := &cobra.Command{
		Use: "export TENANT [FILE]", Short: "Write all rows of a tenant to a file or to stdout", Args: oneOrTwo,
		ValidArgsFunction: a.completeThenFile,
		RunE: a.action(func(ctx context.Context, c *call, args []string) error {
			t, err := c.placed(ctx, args[0])
			if err != nil {
				return err
			}
			e := &exporting{call: c, id: t.ID}
			if skip {
				e.opts = append(e.opts, archive.SkipUnknownColumns())
			}
			return named(t.ID, e.run(ctx, args[1:]))
		}),
	}
	cmd.Flags().BoolVar(&skip, "skip-unknown-columns", false, "leave out columns that no model has")
	return cmd
}

// exporting is one export.
type exporting struct {
	*call
	id       tenancy.ID
	opts     []archive.Option
	manifest archive.Manifest
}

func (e *exporting) run(ctx context.Context, file []string) error {
	if len(file) == 1 {
		if err := writeFile(file[0], func(w io.Writer) error { return e.export(ctx, w) }); err != nil {
			return err
		}
		return e.told(file[0])
	}
	switch {
	case terminal(e.out):
		return usagef("name a file; stdout is a terminal")
	case e.json:
		return usagef("name a file for --json; stdout is the archive")
	}
	return e.export(ctx, e.out)
}

// export writes by the application's function or by package archive.
func (e *exporting) export(ctx context.Context, w io.Writer) error {
	inside := tenancy.WithTenant(ctx, e.id)
	if e.env.Export != nil {
		if len(e.opts) > 0 {
			return usage(errOwnFormat)
		}
		return e.env.Export(inside, w)
	}
	version, err := e.schemaVersion(ctx, e.id)
	if err != nil {
		return err
	}
	progress, done := e.rowMeter()
	defer done()
	opts := append(e.env.archive(progress, archive.SchemaVersion(version)), e.opts...)
	e.manifest, err = archive.Export(inside, e.env.DB, w, opts...)
	return err
}

func (e *exporting) told(file string) error {
	switch {
	case e.env.Export != nil:
		e.note("%s is exported to %s", e.id, file)
	case e.json:
		return e.document(e.manifest)
	default:
		e.note("%s is exported to %s: %s", e.id, file, sizeOf(e.manifest))
	}
	return nil
}

// schemaVersion is what the ledger says of a tenant's tables; empty where there are no migrations.
func (c *call) schemaVersion(ctx context.Context, id tenancy.ID) (string, error) {
	if c.env.Migrations == nil {
		return "", nil
	}
	return c.env.Migrations.SchemaVersion(ctx, id)
}
