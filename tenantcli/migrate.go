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

// migrate is the command "migrate" with those below it.
func (a *mounted) migrate() *cobra.Command {
	cmd := &cobra.Command{Use: "migrate", Short: "Bring all tenants to the newest schema", Args: group, RunE: help}
	outputFlags(cmd)
	cmd.AddCommand(a.up(), a.plan(), a.status(), a.drift(), a.history(), a.resolve(), a.baseline())
	return cmd
}

// central is what the central tables are called where tenants are listed. No tenant has this id.
const central = "central"

// over makes the function of a command about migrations, with the tenants that --tenant names.
func (a *mounted) over(names *[]string, do func(ctx context.Context, c *call, ids []tenancy.ID) error) func(*cobra.Command, []string) error {
	return a.action(func(ctx context.Context, c *call, _ []string) error {
		ids, err := parseEach(*names, c.key)
		if err != nil {
			return err
		}
		if err := need(c.env.Migrations != nil, "Migrations"); err != nil {
			return err
		}
		return do(ctx, c, ids)
	})
}

// unlisted says that the first steps have to be made before the others can be known.
const unlisted = "the tenants are not known before the central steps are made: %v"

type pendingSteps struct {
	Tenant string   `json:"tenant"`
	Canary int      `json:"canary,omitempty"`
	Steps  []string `json:"steps"`
	Error  string   `json:"error,omitempty"`
}

type planned struct {
	Total   int            `json:"total"`
	AtHead  int            `json:"atHead"`
	Central []string       `json:"central,omitempty"`
	Unknown string         `json:"unknown,omitempty"` // why the tenants are not known before the central steps
	Tenants []pendingSteps `json:"tenants"`
}

func (a *mounted) plan() *cobra.Command {
	var names []string
	cmd := &cobra.Command{
		Use: "plan", Short: "Say which steps each tenant lacks", Args: none,
		RunE: a.over(&names, func(ctx context.Context, c *call, ids []tenancy.ID) error {
			doc, err := c.plan(ctx, ids)
			if err != nil {
				return err
			}
			if c.json {
				return c.document(doc)
			}
			rows := [][]string{{"TENANT", "LACKS"}}
			if len(doc.Central) > 0 {
				rows = append(rows, []string{central, strings.Join(doc.Central, ", ")})
			}
			for _, t := range doc.Tenants {
				lacks := strings.Join(t.Steps, ", ")
				if t.Canary > 0 {
					lacks += fmt.Sprintf(" (canary %d)", t.Canary)
				}
				if t.Error != "" {
					lacks = t.Error
				}
				rows = append(rows, []string{t.Tenant, lacks})
			}
			if doc.Unknown != "" {
				c.note(unlisted, doc.Unknown)
			} else {
				c.note("%d tenants: %d at head, %d behind", doc.Total, doc.AtHead, len(doc.Tenants))
			}
			if len(rows) == 1 {
				return nil
			}
			return c.table(rows)
		}),
	}
	a.tenantsFlag(cmd, &names)
	return cmd
}

func (c *call) plan(ctx context.Context, ids []tenancy.ID) (planned, error) {
	var doc planned
	if c.env.CentralMigrations != nil {
		p, err := c.env.CentralMigrations.Plan(ctx)
		if err != nil {
			return doc, err
		}
		for _, t := range p.Tenants {
			if t.Err != nil {
				return doc, t.Err
			}
			doc.Central = steps(t.Steps)
		}
	}
	doc.Tenants = []pendingSteps{}
	p, err := c.env.Migrations.Plan(ctx, ids...)
	switch {
	case err != nil && len(doc.Central) > 0 && len(ids) == 0: // the first steps make the table that lists them
		doc.Unknown = err.Error()
		return doc, nil
	case err != nil:
		return doc, err
	}
	doc.Total, doc.AtHead = p.Total, p.AtHead
	for _, t := range p.Tenants {
		lacks := pendingSteps{Tenant: string(t.Tenant), Canary: t.Canary, Steps: steps(t.Steps)}
		if t.Err != nil {
			lacks.Error = t.Err.Error()
		}
		doc.Tenants = append(doc.Tenants, lacks)
	}
	return doc, nil
}

func steps(all []migrate.Step) []string {
	names := []string{}
	for _, s := range all {
		names = append(names, label(s.Version, s.Name))
	}
	return names
}

// label is how people read a step. The version of the models' step is behind all others and says nothing.
func label(version int64, name string) string {
	if version > 1<<62 {
		return name
	}
	return fmt.Sprintf("%d %s", version, name)
}

type standing struct {
	Tenant  string   `json:"tenant"`
	Version int64    `json:"version"`
	AtHead  bool     `json:"atHead"`
	Open    []string `json:"open,omitempty"`
}

func (a *mounted) status() *cobra.Command {
	var names []string
	cmd := &cobra.Command{
		Use: "status", Short: "Say where each tenant stands", Args: none,
		RunE: a.over(&names, func(ctx context.Context, c *call, ids []tenancy.ID) error {
			all, err := c.env.Migrations.Status(ctx, ids...)
			if err != nil {
				return err
			}
			if c.env.CentralMigrations != nil && len(ids) == 0 {
				first, err := c.env.CentralMigrations.Status(ctx)
				if err != nil {
					return err
				}
				all = append(first, all...)
			}
			return c.status(all)
		}),
	}
	a.tenantsFlag(cmd, &names)
	return cmd
}

func (c *call) status(all []migrate.Status) error {
	doc, rows := []standing{}, [][]string{{"TENANT", "STANDS", "OPEN"}}
	for _, s := range all {
		row := standing{Tenant: string(s.Tenant), Version: s.Version, AtHead: s.AtHead}
		for _, e := range s.Open {
			text := label(e.Version, e.Name) + " is " + string(e.State)
			if e.Error != "" {
				text += ": " + e.Error
			}
			row.Open = append(row.Open, text)
		}
		stands := "at head"
		if !s.AtHead {
			stands = "behind"
		}
		doc, rows = append(doc, row), append(rows, []string{row.Tenant, stands, strings.Join(row.Open, "; ")})
	}
	if c.json {
		return c.document(doc)
	}
	return c.table(rows)
}

type differences struct {
	Tenant      tenancy.ID `json:"tenant"`
	Differences []string   `json:"differences"`
	Error       string     `json:"error,omitempty"`
}

func (a *mounted) drift() *cobra.Command {
	var names []string
	var from string
	cmd := &cobra.Command{
		Use: "drift", Short: "Compare tenants' tables with the models, or with one tenant's; exit code 1 if some differ",
		Args: none,
		RunE: a.over(&names, func(ctx context.Context, c *call, ids []tenancy.ID) error {
			drift := c.env.Migrations.Drift
			if from != "" {
				reference, err := parseID(from)
				if err != nil {
					return err
				}
				drift = func(ctx context.Context, ids ...tenancy.ID) ([]migrate.Drift, error) {
					return c.env.Migrations.DriftFrom(ctx, reference, ids...)
				}
			}
			found, err := drift(ctx, ids...)
			if err != nil {
				return err
			}
			return c.drift(found)
		}),
	}
	a.tenantsFlag(cmd, &names)
	cmd.Flags().StringVar(&from, "from", "", "compare with this tenant's tables; by default with the models")
	a.completeFlag(cmd, "from")
	return cmd
}

func (c *call) drift(found []migrate.Drift) error {
	doc := []differences{}
	for _, d := range found {
		one := differences{Tenant: d.Tenant, Differences: append([]string{}, d.Differences...)}
		if d.Err != nil {
			one.Error = d.Err.Error()
		}
		doc = append(doc, one)
	}
	var err error
	if c.json {
		err = c.document(doc)
	} else {
		for _, d := range doc {
			for _, line := range append(d.Differences, d.Error) {
				if line != "" {
					_, failed := fmt.Fprintf(c.out, "%s: %s\n", d.Tenant, oneLine(line))
					err = errors.Join(err, failed)
				}
			}
		}
	}
	if err == nil && len(doc) > 0 {
		return fmt.Errorf("%d tenants differ", len(doc))
	}
	return errors.Join(err, c.say("no tenant differs"))
}
