package migrate

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
)

// Tenants lists the tenants. It is called once for each operation over all tenants, and best reads them with one query. An
// error ends the operation before anything is changed.
type Tenants func(ctx context.Context) iter.Seq2[tenancy.ID, error]

// List returns these tenants.
func List(ids ...tenancy.ID) Tenants {
	return func(context.Context) iter.Seq2[tenancy.ID, error] {
		return func(yield func(tenancy.ID, error) bool) {
			for _, id := range ids {
				if !yield(id, nil) {
					return
				}
			}
		}
	}
}

// centralKey stands for the central tables in the ledger. It is a reserved id: no tenant has it.
const centralKey = "central"

// SharedTables stands in the ledger, in plans and events for all tenants that share tables, where others have tables of
// their own (see package hybrid): the shared tables are migrated once, as one more tenant and before all others, under
// tenancy.Bypass. It is a reserved id: no tenant has it.
const SharedTables tenancy.ID = "shared"

// Runner brings tenants to the newest step. It is safe for concurrent use, and by several processes.
type Runner struct {
	db      *gorm.DB
	plugin  *tenancy.Plugin
	central bool
	tenants Tenants
	chain   chain
	ledger  ledger
	config  config
}

// New returns a runner over all tenants. db has the plugin (db.Use). It asks the database nothing; it fails where sources
// or options have mistakes.
func New(db *gorm.DB, tenants Tenants, sources []Source, opts ...Option) (*Runner, error) {
	plugin, ok := db.Plugins[tenancy.PluginName].(*tenancy.Plugin)
	if !ok {
		return nil, errors.New("migrate: call db.Use first: without the plugin nothing keeps a step inside its tenant")
	}
	if tenants == nil {
		return nil, errors.New("migrate: New needs the tenants")
	}
	r := &Runner{db: db, plugin: plugin, tenants: tenants}
	return r, r.settle(sources, opts)
}

// NewCentral returns a runner for the central tables, whose steps run once, under tenancy.Bypass. Its versions are apart
// from those of the tenants. Run it before them.
func NewCentral(db *gorm.DB, sources []Source, opts ...Option) (*Runner, error) {
	r := &Runner{db: db, central: true, tenants: List(centralKey)}
	return r, r.settle(sources, opts)
}

// With returns a runner like r that has further options, for one run of a command, say. Groups of [Canary] take the place of
// those that r has; [OnEvent] is told beside the function that r tells. It fails where an option has a mistake.
func (r *Runner) With(opts ...Option) (*Runner, error) {
	with := *r
	with.config.canary, with.config.onEvent = nil, func(Event) {}
	for _, opt := range opts {
		opt(&with.config)
	}
	if err := with.config.check(); err != nil {
		return nil, err
	}
	if with.config.canary == nil {
		with.config.canary = r.config.canary
	}
	tell := with.config.onEvent
	with.config.onEvent = func(e Event) {
		r.config.onEvent(e)
		tell(e)
	}
	if with.config.ledger == r.config.ledger {
		return &with, nil
	}
	var err error
	with.ledger, err = newLedger(with.config.ledger)
	return &with, err
}

func (r *Runner) settle(sources []Source, opts []Option) (err error) {
	if r.config, err = newConfig(opts); err != nil {
		return err
	}
	if r.chain, err = newChain(r.db, sources); err != nil {
		return err
	}
	home := r.db
	if r.config.ledger != nil {
		home = r.config.ledger
	}
	r.ledger, err = newLedger(home)
	return err
}

// context is that of a tenant's steps.
func (r *Runner) context(ctx context.Context, tenant string) context.Context {
	if r.central {
		return tenancy.Bypass(ctx, "migrate the central tables")
	}
	if r.together(tenant) {
		return tenancy.Bypass(ctx, "migrate the shared tables")
	}
	return r.config.within(tenancy.WithTenant(ctx, tenancy.ID(tenant)))
}

// mixed reports whether some tenants share tables and others have their own.
func (r *Runner) mixed() bool {
	if r.central {
		return false
	}
	i, ok := r.plugin.Strategy().(tenancy.Isolator)
	return ok && i.Isolation().Mixed
}

// together reports whether a key of the ledger stands for all tenants that share tables.
func (r *Runner) together(tenant string) bool { return tenant == string(SharedTables) && r.mixed() }

// keyOf returns whose steps are a tenant's. A tenant without a route has its own, which are refused when they are run.
func (r *Runner) keyOf(ctx context.Context, id tenancy.ID) tenancy.ID {
	if !r.mixed() || id == SharedTables {
		return id
	}
	route, err := r.plugin.Strategy().Route(tenancy.WithTenant(ctx, id), id)
	if err == nil && route.Shared {
		return SharedTables
	}
	return id
}

// atomic reports whether a step is done as a whole or not at all.
func (r *Runner) atomic(s Step) bool { return !s.NoTransaction && r.db.Name() != "mysql" }

// fleet is all tenants at one moment.
type fleet struct {
	heads       map[string]head
	all, behind []tenancy.ID // in the order of Tenants
}

// fleet compares the tenants with the ledger, by one query of the ledger. With ids it is those tenants only. Tenants that
// share tables are one.
func (r *Runner) fleet(ctx context.Context, ids []tenancy.ID) (fleet, error) {
	keys := ids
	if len(ids) > 0 && r.mixed() { // those that share tables have that head
		keys = append(slices.Clone(ids), SharedTables)
	}
	heads, err := r.ledger.heads(ctx, keys...)
	if err != nil {
		return fleet{}, err
	}
	wanted := map[tenancy.ID]bool{}
	for _, id := range ids {
		wanted[id] = true
	}
	f := fleet{heads: heads}
	add := func(id tenancy.ID) {
		f.all = append(f.all, id)
		if heads[string(id)].Chain != r.chain.hash {
			f.behind = append(f.behind, id)
		}
	}
	shared := false
	if r.mixed() && (len(ids) == 0 || wanted[SharedTables]) { // also before the first tenant that shares them
		shared = true
		delete(wanted, SharedTables)
		add(SharedTables)
	}
	for id, err := range r.tenants(ctx) {
		if err != nil {
			return fleet{}, fmt.Errorf("migrate: list the tenants: %w", err)
		}
		if len(ids) > 0 && !wanted[id] {
			continue
		}
		delete(wanted, id)
		key := r.keyOf(ctx, id)
		if key != SharedTables || !r.mixed() {
			add(id)
		} else if !shared {
			shared = true
			add(key)
		}
	}
	for id := range wanted {
		return fleet{}, fmt.Errorf("%w: %s", tenancy.ErrUnknownTenant, id)
	}
	return f, nil
}

// groups splits tenants into the canary groups and, last, all others.
func (r *Runner) groups(ids []tenancy.ID) [][]tenancy.ID {
	taken := map[tenancy.ID]bool{}
	var groups [][]tenancy.ID
	for _, canary := range r.config.canary {
		var group []tenancy.ID
		for _, id := range canary {
			if !taken[id] && slices.Contains(ids, id) {
				taken[id] = true
				group = append(group, id)
			}
		}
		groups = append(groups, group)
	}
	var rest []tenancy.ID
	for _, id := range ids {
		if !taken[id] {
			rest = append(rest, id)
		}
	}
	return append(groups, rest)
}
