package migrate

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/gorm-tenancy/tenancy"
)

// Plan is what Up would do.
type Plan struct {
	// Total is how many tenants there are, and AtHead how many have nothing to do.
	Total int
	// AtHead is how many have nothing to do.
	AtHead int
	// Tenants are those behind, in the order in which Up takes them.
	Tenants []TenantPlan
}

// TenantPlan is what Up would do in one tenant.
type TenantPlan struct {
	// Tenant is the tenant.
	Tenant tenancy.ID
	// Canary is the number of its canary group, from 1; 0 for all others.
	Canary int
	// Steps are what it lacks, in order.
	Steps []Step
	// Err is why Up would refuse: [ErrChecksum], [ErrAhead], [ErrOutOfOrder] or [ErrHalfDone].
	Err error
}

// Plan says what Up would do, for all tenants or those given. It changes nothing and waits for nobody.
func (r *Runner) Plan(ctx context.Context, ids ...tenancy.ID) (Plan, error) {
	f, err := r.fleet(ctx, ids)
	if err != nil {
		return Plan{}, err
	}
	plan := Plan{Total: len(f.all), AtHead: len(f.all) - len(f.behind)}
	entries, err := r.known(ctx, f.behind)
	if err != nil {
		return Plan{}, err
	}
	groups := r.groups(f.behind)
	for i, group := range groups {
		for _, id := range group {
			p := TenantPlan{Tenant: id, Canary: (i + 1) % len(groups)}
			p.Steps, p.Err = r.chain.pending(entries[string(id)], r.config.outOfOrder)
			plan.Tenants = append(plan.Tenants, p)
		}
	}
	return plan, nil
}

// known returns the entries of tenants, of which there are none before the first Up.
func (r *Runner) known(ctx context.Context, ids []tenancy.ID) (map[string][]Entry, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = string(id)
	}
	entries, err := r.ledger.entries(ctx, names...)
	if err != nil && r.ledger.missing(ctx, &Entry{}) {
		return nil, nil
	}
	return entries, err
}

// Status is where a tenant stands.
type Status struct {
	// Tenant is the tenant.
	Tenant tenancy.ID
	// Version is the highest it has; 0 when it was never migrated.
	Version int64
	// AtHead reports that it has all steps as they are now.
	AtHead bool
	// Open are the entries of steps that are running, failed or half done.
	Open []Entry
}

// Status says where all tenants stand, or those given, by two queries of the ledger.
func (r *Runner) Status(ctx context.Context, ids ...tenancy.ID) ([]Status, error) {
	f, err := r.fleet(ctx, ids)
	if err != nil {
		return nil, err
	}
	open := map[string][]Entry{}
	var rows []Entry
	err = r.ledger.in(ctx).Where("state <> ?", StateDone).Order("tenant, version").Find(&rows).Error
	if err != nil && !r.ledger.missing(ctx, &Entry{}) {
		return nil, fmt.Errorf("migrate: read the ledger: %w", err)
	}
	for _, e := range rows {
		open[e.Tenant] = append(open[e.Tenant], e)
	}
	all := make([]Status, len(f.all))
	for i, id := range f.all {
		h := f.heads[string(id)]
		all[i] = Status{Tenant: id, Version: h.Version, AtHead: h.Chain == r.chain.hash, Open: open[string(id)]}
	}
	return all, nil
}

// History returns the entries of one tenant, in the order of versions.
func (r *Runner) History(ctx context.Context, id tenancy.ID) ([]Entry, error) {
	id = r.keyOf(ctx, id)
	entries, err := r.known(ctx, []tenancy.ID{id})
	return entries[string(id)], err
}

// SchemaVersion describes the tables that a tenant has: the version of the last step, and after a plus sign the beginning of the
// checksum of [Models], as far as there are any: "20260131+1f0c9ab27c44". It is empty for a tenant without steps. It is what
// archive.SchemaVersion takes.
func (r *Runner) SchemaVersion(ctx context.Context, id tenancy.ID) (string, error) {
	entries, err := r.History(ctx, id)
	if err != nil {
		return "", err
	}
	version := ""
	for _, e := range entries { // in the order of versions; that of the models is the last
		switch {
		case e.State != StateDone:
		case e.Version == modelsVersion:
			version += "+" + e.Checksum[:min(len(e.Checksum), 12)]
		default:
			version = strconv.FormatInt(e.Version, 10)
		}
	}
	return version, nil
}

// Ready refuses a tenant that is behind head with [ErrBehind], by one query of the ledger for a tenant at head. Ask it where
// a request's tenant is looked up, and cache the answer with the tenant. A tenant whose step was changed is
// [ErrChecksum]; one that a newer program has migrated is ready, as it has all this program knows.
func (r *Runner) Ready(ctx context.Context, id tenancy.ID) error {
	id = r.keyOf(ctx, id)
	var h head
	found := r.ledger.in(ctx).Where("tenant = ?", string(id)).Limit(1).Find(&h)
	if found.Error == nil && h.Chain == r.chain.hash {
		return nil
	}
	entries, err := r.known(ctx, []tenancy.ID{id})
	if err != nil {
		return err
	}
	steps, err := r.chain.pending(entries[string(id)], true)
	switch {
	case err != nil && !errors.Is(err, ErrAhead):
		return err
	case len(steps) > 0:
		return fmt.Errorf("%w: %d steps are pending, from %s", ErrBehind, len(steps), label(steps[0].Version, steps[0].Name))
	}
	return nil
}

// Healthy refuses with [ErrBehind] while any tenant is behind head, and says how many. Use it at start-up.
func (r *Runner) Healthy(ctx context.Context) error {
	f, err := r.fleet(ctx, nil)
	if err != nil || len(f.behind) == 0 {
		return err
	}
	entries, err := r.known(ctx, f.behind)
	if err != nil {
		return err
	}
	behind := 0
	for _, id := range f.behind {
		steps, err := r.chain.pending(entries[string(id)], true)
		if len(steps) > 0 || (err != nil && !errors.Is(err, ErrAhead)) {
			behind++
		}
	}
	if behind > 0 {
		return fmt.Errorf("%w: %d of %d", ErrBehind, behind, len(f.all))
	}
	return nil
}
