package tenantcli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/spf13/cobra"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
)

func (a *mounted) each() *cobra.Command {
	var parallel, most int
	var dry bool
	cmd := &cobra.Command{
		Use: "each -- COMMAND [ARG...]", Short: "Run another command of this program for each tenant that is served",
		Long: "Run another command of this program for each tenant that is served. What it prints through its cobra.Command " +
			"has the tenant in front of each line. One tenant's failure does not stop the others.",
		Args: someCommand,
		RunE: a.action(func(ctx context.Context, c *call, args []string) error {
			if parallel < 1 || most < 0 {
				return usagef("--parallel is at least 1, and --max-failures is not negative")
			}
			ids, err := c.active(ctx)
			if err != nil {
				return err
			}
			if dry {
				return c.dryEach(ids, args)
			}
			e := &everyone{call: c, mounted: a, args: args}
			return e.run(ctx, ids, catalog.EachOptions{Parallel: parallel, MaxFailures: most})
		}),
	}
	outputFlags(cmd)
	cmd.Flags().IntVar(&parallel, "parallel", 1, "how many tenants at a time")
	cmd.Flags().IntVar(&most, "max-failures", 0, "begin no further tenant after this many failures; 0 goes on")
	dryFlag(cmd, &dry)
	return cmd
}

// active lists the tenants that are served.
func (c *call) active(ctx context.Context) (ids []tenancy.ID, err error) {
	for t, err := range c.env.Catalog.Store().List(ctx, catalog.Filter{States: []catalog.State{catalog.Active}}) {
		if err != nil {
			return nil, err
		}
		ids = append(ids, t.ID)
	}
	return ids, nil
}

func (c *call) dryEach(ids []tenancy.ID, args []string) error {
	if c.json {
		return c.document(struct {
			DryRun  []string     `json:"dryRun"`
			Tenants []tenancy.ID `json:"tenants"`
		}{args, append([]tenancy.ID{}, ids...)})
	}
	for _, id := range ids {
		if err := c.say("would run %q for %s", args, id); err != nil {
			return err
		}
	}
	return nil
}

// everyone is one run over all tenants.
type everyone struct {
	*call
	mounted *mounted
	args    []string

	mu sync.Mutex // guards stdout and stderr
}

func (e *everyone) run(ctx context.Context, ids []tenancy.ID, opts catalog.EachOptions) error {
	if _, err := e.mounted.fresh(e.cmd); err != nil { // once for all, rather than by each tenant
		return err
	}
	o := outcome{Done: []tenancy.ID{}}
	opts.Finished = func(t catalog.Tenant, err error) {
		o.add(t.ID, err)
		if err == nil {
			return
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		if !e.json {
			fmt.Fprintf(e.err, "%s | Error: %s\n", t.ID, oneLine(err.Error()))
		}
	}
	err := catalog.Each(ctx, e.env.Catalog.Store(), opts, func(ctx context.Context, t catalog.Tenant) error { return e.one(ctx, t.ID) })
	begun := slices.Clone(o.Done)
	for _, f := range o.Failed {
		begun = append(begun, f.Tenant)
	}
	if err != nil {
		o.Left = without(ids, begun)
	}
	return e.finish(ctx, &o, err)
}

// one runs the command for one tenant.
func (e *everyone) one(ctx context.Context, id tenancy.ID) error {
	e.mu.Lock()
	root, err := e.mounted.fresh(e.cmd) // one at a time: applications do not expect to make trees in parallel
	e.mu.Unlock()
	if err != nil {
		return err
	}
	out, errs := e.stream(id, "stdout", e.out), e.stream(id, "stderr", e.call.err)
	root.SetIn(bytes.NewReader(nil)) // one stdin is not for all
	root.SetOut(out)
	root.SetErr(errs)
	err = runAs(ctx, root, id, e.args)
	return errors.Join(err, out.flush(), errs.flush())
}

type outputLine struct {
	Tenant tenancy.ID `json:"tenant"`
	Stream string     `json:"stream"`
	Line   string     `json:"line"`
}

// stream is where one tenant's command writes.
func (e *everyone) stream(id tenancy.ID, name string, to io.Writer) *prefixed {
	return &prefixed{write: func(line string) error {
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.json {
			return e.document(outputLine{id, name, line})
		}
		_, err := fmt.Fprintf(to, "%s | %s\n", id, line)
		return err
	}}
}
