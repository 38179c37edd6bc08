package tenantcli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/archive"
	"github.com/gorm-tenancy/tenancy/catalog"
	"github.com/gorm-tenancy/tenancy/migrate"
)

// mover is a strategy between whose members tenants can be moved: that of strategies/hybrid.
type mover interface {
	Members() []string
	Move(ctx context.Context, id tenancy.ID, member, place string, copy func(from, to context.Context) error) error
	Clear(ctx context.Context, id tenancy.ID, member, place string) error
}

// moving is one move.
type moving struct {
	to                        string
	renumber, clear, yes, dry bool

	*call
	mover
	member, place string
}

func (a *mounted) move() *cobra.Command {
	var m moving
	cmd := &cobra.Command{
		Use: "move TENANT --to STRATEGY[/PLACE]", Short: "Move a tenant's rows to another strategy of a hybrid, and serve it there",
		Args: exactly("a tenant"), ValidArgsFunction: a.completeFirst,
		RunE: a.action(func(ctx context.Context, c *call, args []string) error {
			m.call = c
			id, err := parseID(args[0])
			if err != nil {
				return err
			}
			return named(id, m.run(ctx, id))
		}),
	}
	cmd.Flags().StringVar(&m.to, "to", "", "where: the name that records have for the strategy and, where it needs one, a place (required)")
	cmd.Flags().BoolVar(&m.renumber, "renumber", false, "give rows new keys, where those they have are taken in shared tables")
	cmd.Flags().BoolVar(&m.clear, "clear", false, "then remove the rows that stay where the tenant was; asks")
	dryFlag(cmd, &m.dry)
	dangerFlags(cmd, &m.yes)
	return cmd
}

func (m *moving) run(ctx context.Context, id tenancy.ID) error {
	if err := m.target(); err != nil {
		return err
	}
	t, err := m.env.Catalog.Store().Get(ctx, id)
	if err == nil {
		err = t.Allows(catalog.StepRelocate)
	}
	if err == nil && t.Strategy == m.member && t.Place == m.place {
		err = fmt.Errorf("it is in %s already", m.to)
	}
	if err == nil {
		err = m.atHead(ctx, id)
	}
	if err != nil {
		return err
	}
	if m.dry {
		return m.call.dry(catalog.StepRelocate, t)
	}
	if m.clear {
		what := fmt.Sprintf("move %s: its rows in %s are removed when the copy is complete.", id, t.Strategy)
		if err := m.confirm(ctx, m.yes, what, string(id)); err != nil {
			return err
		}
	}
	moved, err := m.relocate(ctx, t)
	if err != nil {
		return err
	}
	done := "is in " + m.to
	if !m.clear {
		done += "; its old rows stay in " + t.Strategy
	}
	return m.became(id, moved, nil, done)
}

// target reads --to.
func (m *moving) target() error {
	plugin, err := m.env.plugin()
	if err != nil {
		return err
	}
	var ok bool
	if m.mover, ok = plugin.Strategy().(mover); !ok {
		return fmt.Errorf("%w: all tenants have the strategy %s; only within a hybrid one can they move", tenancy.ErrUnsupported, plugin.Strategy().Name())
	}
	m.member, m.place, _ = strings.Cut(m.to, "/")
	if !slices.Contains(m.Members(), m.member) {
		return usagef("--to is one of %s", strings.Join(m.Members(), ", "))
	}
	return nil
}

// atHead refuses to move a tenant while steps are pending: the place it gets is made as the models are now, and shared
// tables have the steps of all who share them.
func (m *moving) atHead(ctx context.Context, id tenancy.ID) error {
	if m.env.Migrations == nil {
		return nil
	}
	ids := []tenancy.ID{id}
	if m.env.mixed() {
		ids = append(ids, migrate.SharedTables)
	}
	for _, id := range ids {
		if err := m.env.Migrations.Ready(ctx, id); err != nil {
			return fmt.Errorf("%w; migrate up comes first", err)
		}
	}
	return nil
}

// relocate moves the rows, tells the ledger about the new place before anybody is served there, and cleans up.
func (m *moving) relocate(ctx context.Context, t catalog.Tenant) (catalog.Tenant, error) {
	var opts []archive.Option
	if m.renumber {
		opts = append(opts, archive.Renumber())
	}
	progress, done := m.rowMeter()
	carry := archive.Mover(m.env.DB, append(m.env.archive(progress), opts...)...)
	moved, err := m.env.Catalog.Relocate(ctx, t.ID, m.member, m.place, func(ctx context.Context) error {
		return m.Move(ctx, t.ID, m.member, m.place, func(from, to context.Context) error {
			defer done()
			if err := carry(from, to); err != nil || m.env.Migrations == nil {
				return hinted(err)
			}
			return m.env.Migrations.Baseline(to, t.ID)
		})
	})
	if err != nil {
		return moved, err
	}
	if err := errors.Join(m.forgetSteps(ctx, t.ID), m.clearOld(ctx, t)); err != nil {
		return moved, fmt.Errorf("it is in %s now, but not all is cleared: %w", m.to, err)
	}
	return moved, nil
}

// forgetSteps removes what the ledger says of a tenant that has come to shared tables, whose steps are theirs.
func (m *moving) forgetSteps(ctx context.Context, id tenancy.ID) error {
	plugin, err := m.env.plugin()
	if err != nil || m.env.Migrations == nil {
		return err
	}
	route, err := plugin.Strategy().Route(tenancy.WithTenant(ctx, id), id)
	if err != nil || !route.Shared {
		return err
	}
	return m.env.Migrations.Forget(ctx, id)
}

func (m *moving) clearOld(ctx context.Context, t catalog.Tenant) error {
	if !m.clear {
		return nil
	}
	return m.Clear(ctx, t.ID, t.Strategy, t.Place)
}

// mixed reports whether some tenants share tables and others have their own.
func (e *Environment) mixed() bool {
	plugin, err := e.plugin()
	if err != nil {
		return false
	}
	i, ok := plugin.Strategy().(tenancy.Isolator)
	return ok && i.Isolation().Mixed
}
