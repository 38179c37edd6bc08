package tenantcli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/migrate"
)

// upFlags are those of migrate up.
type upFlags struct {
	tenants, canary    []string
	workers, stopAfter int
	dry                bool
}

func (a *mounted) up() *cobra.Command {
	var f upFlags
	cmd := &cobra.Command{
		Use: "up", Short: "Migrate the central tables, and then all tenants that are behind", Args: none,
	}
	cmd.RunE = a.over(&f.tenants, func(ctx context.Context, c *call, ids []tenancy.ID) error {
		if f.dry {
			return c.dryUp(ctx, ids)
		}
		options, err := f.options(cmd)
		if err != nil {
			return err
		}
		return c.up(ctx, ids, options)
	})
	a.tenantsFlag(cmd, &f.tenants)
	cmd.Flags().IntVar(&f.workers, "workers", 0, "how many tenants at a time; by default as the application says")
	cmd.Flags().IntVar(&f.stopAfter, "stop-after", 0, "begin no further tenant after this many failures; 0 goes on")
	cmd.Flags().StringArrayVar(&f.canary, "canary", nil, "tenants that go first, a,b; repeat it for further groups")
	a.completeFlag(cmd, "canary")
	cmd.Flags().BoolVarP(&f.dry, "dry-run", "n", false, "print the SQL that each tenant lacks, and change nothing")
	return cmd
}

// options are what the flags change in the application's runner.
func (f *upFlags) options(cmd *cobra.Command) (options []migrate.Option, err error) {
	if cmd.Flags().Changed("workers") {
		if f.workers < 1 {
			return nil, usagef("--workers is at least 1")
		}
		options = append(options, migrate.Workers(f.workers))
	}
	if cmd.Flags().Changed("stop-after") {
		if f.stopAfter < 0 {
			return nil, usagef("--stop-after is not negative")
		}
		options = append(options, migrate.StopAfter(f.stopAfter))
	}
	for _, group := range f.canary {
		ids, err := parseIDs(strings.Split(group, ","))
		if err != nil {
			return nil, err
		}
		options = append(options, migrate.Canary(ids...))
	}
	return options, nil
}

func (c *call) up(ctx context.Context, ids []tenancy.ID, options []migrate.Option) error {
	if c.env.CentralMigrations != nil {
		report, err := c.env.CentralMigrations.Up(ctx)
		if err != nil {
			return fmt.Errorf("the central tables; no tenant was begun: %w", err)
		}
		if err := c.centralDone(report); err != nil {
			return err
		}
	}
	m := c.meter()
	runner, err := c.env.Migrations.With(append(options, migrate.OnEvent(m.event))...)
	if err != nil {
		return err
	}
	report, err := runner.Up(ctx, ids...)
	m.end()
	var partial *migrate.PartialError
	if err != nil && !errors.As(err, &partial) {
		return err
	}
	return errors.Join(c.report(report, partial), partialError(ctx, report, partial))
}

// centralDone says what was done in the central tables.
func (c *call) centralDone(r migrate.Report) error {
	if c.json {
		return c.document(progressLine{Event: "central", Steps: r.Steps})
	}
	if r.Steps > 0 {
		return c.say("central: %d steps", r.Steps)
	}
	return nil
}

type upReport struct {
	Event   string       `json:"event"`
	Total   int          `json:"total"`
	AtHead  int          `json:"atHead"`
	Done    int          `json:"done"`
	Steps   int          `json:"steps"`
	Failed  []failure    `json:"failed"`
	Left    []tenancy.ID `json:"left"`
	Stopped string       `json:"stopped,omitempty"`
	Seconds float64      `json:"seconds"`
}

// report prints the end of a run.
func (c *call) report(r migrate.Report, partial *migrate.PartialError) error {
	if !c.json {
		if err := c.say("%s", r); err != nil {
			return err
		}
		for _, id := range r.Left {
			c.note("%s: not begun", id)
		}
		return nil
	}
	doc := upReport{
		Event: "report", Total: r.Total, AtHead: r.AtHead, Done: r.Done, Steps: r.Steps, Failed: []failure{},
		Left: append([]tenancy.ID{}, r.Left...), Seconds: r.Duration.Seconds(),
	}
	for _, f := range r.Failed {
		doc.Failed = append(doc.Failed, failure{f.Tenant, f.Error()})
	}
	if partial != nil {
		doc.Stopped = partial.Stopped
	}
	return c.document(doc)
}

// partialError is the error of a run of which something failed or is left. The failures were printed as they happened.
func partialError(ctx context.Context, r migrate.Report, partial *migrate.PartialError) error {
	if partial == nil {
		return nil
	}
	text := fmt.Sprintf("%d tenants failed, %d are left; migrate up goes on where this ended", len(r.Failed), len(r.Left))
	if cause := context.Cause(ctx); cause != nil {
		return fmt.Errorf("%s: %w", text, cause)
	}
	if partial.Stopped != "" {
		text += ": " + partial.Stopped
	}
	return errors.New(text)
}

// sqlOf is the SQL of a dry run for tenants that lack the same.
type sqlOf struct {
	Tenants []string  `json:"tenants"`
	Steps   []stepSQL `json:"steps"`
}

type stepSQL struct {
	Step       string   `json:"step"`
	Statements []string `json:"statements"`
}

// dryUp prints the SQL that tenants lack, once for all tenants that lack the same.
func (c *call) dryUp(ctx context.Context, ids []tenancy.ID) error {
	doc := []*sqlOf{}
	if c.env.CentralMigrations != nil {
		found, err := c.env.CentralMigrations.DryRun(ctx, central)
		if err != nil {
			return err
		}
		if len(found) > 0 {
			doc = append(doc, &sqlOf{[]string{central}, sqlSteps(found)})
		}
	}
	plan, err := c.env.Migrations.Plan(ctx, ids...)
	switch {
	case err != nil && len(doc) > 0 && len(ids) == 0: // the central steps make the table that lists them
		c.note(unlisted, err)
	case err != nil:
		return err
	}
	alike := map[string]*sqlOf{}
	var failed []error
	for _, t := range plan.Tenants {
		found, err := c.env.Migrations.DryRun(ctx, t.Tenant)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		key := fmt.Sprintf("%q", found)
		if alike[key] == nil {
			alike[key] = &sqlOf{Steps: sqlSteps(found)}
			doc = append(doc, alike[key])
		}
		alike[key].Tenants = append(alike[key].Tenants, string(t.Tenant))
	}
	return errors.Join(append(failed, c.sql(doc))...)
}

func sqlSteps(found []migrate.StepSQL) []stepSQL {
	all := []stepSQL{}
	for _, s := range found {
		all = append(all, stepSQL{label(s.Version, s.Name), append([]string{}, s.Statements...)})
	}
	return all
}

func (c *call) sql(doc []*sqlOf) error {
	if c.json {
		return c.document(doc)
	}
	if len(doc) == 0 {
		return c.say("all tenants are at head")
	}
	var b strings.Builder
	for _, group := range doc {
		fmt.Fprintf(&b, "-- for %s\n", strings.Join(group.Tenants, ", "))
		for _, s := range group.Steps {
			fmt.Fprintf(&b, "-- step %s\n", oneLine(s.Step))
			if len(s.Statements) == 0 {
				b.WriteString("-- a function, whose statements depend on what it reads\n")
			}
			for _, statement := range s.Statements {
				b.WriteString(strings.TrimRight(statement, "; \n") + ";\n")
			}
		}
	}
	_, err := fmt.Fprint(c.out, b.String())
	return err
}
