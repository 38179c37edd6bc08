package catalog

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"

	"github.com/gorm-tenancy/tenancy"
)

// readyPrefix begins the ids of ready-made tenants, which are followed by random text: nobody can have them by heart.
const readyPrefix = "ready-"

func readyID() tenancy.ID { return tenancy.ID(readyPrefix + strings.ToLower(rand.Text())) }

// Fill makes tenants in advance until n of them wait in the pool or are being made, one after the other, and returns how
// many it made. Call it from a timer, and after [Catalog.Claim]. They are provisioned and seeded; hooks are told
// [StepFill]. Two that fill at the same time may make more than n.
func (c *Catalog) Fill(ctx context.Context, n int) (made int, err error) {
	return c.FillAt(ctx, n, "", "")
}

// FillAt is [Catalog.Fill] for tenants whose records have this Strategy and Place, for applications in which these say where
// a tenant is, as strategies/hybrid does. Each pair is a pool of its own, from which Claim takes tenants of that Strategy
// and Place only.
func (c *Catalog) FillAt(ctx context.Context, n int, strategy, place string) (made int, err error) {
	for t, err := range c.store.List(ctx, Filter{States: []State{Ready, Creating}}) {
		if err != nil {
			return 0, err
		}
		if (t.State == Ready || t.Step == StepFill) && t.Strategy == strategy && t.Place == place {
			n--
		}
	}
	for ; made < n; made++ {
		if _, err := c.begin(ctx, Tenant{ID: readyID(), Strategy: strategy, Place: place}, StepFill, ""); err != nil {
			return made, err
		}
	}
	return made, nil
}

// Claim is [Catalog.Create] from the pool, which takes milliseconds: a ready-made tenant of t's Strategy and Place gets t's
// Name, Domains and Metadata. Without an ID in t it keeps the one it has, which is random, and is found by its domains. With
// an ID it is renamed, if the strategy is a tenancy.Renamer that can. If the pool is empty, or renaming is not supported,
// the tenant is created. Hooks are told [StepClaim], or StepCreate. It fails as Create does.
func (c *Catalog) Claim(ctx context.Context, t Tenant) (Tenant, error) {
	wanted := fresh(t)
	if wanted.ID == "" || c.renamer != nil {
		claimed, err := c.claim(ctx, wanted)
		if !errors.Is(err, errNoneReady) && !errors.Is(err, tenancy.ErrUnsupported) {
			return claimed, err
		}
	}
	if wanted.ID == "" {
		wanted.ID = readyID()
	}
	return c.Create(ctx, wanted)
}

var errNoneReady = errors.New("catalog: no tenant is ready")

// claim takes one of the tenants that are ready. Of several who want the same one, the slower take another.
func (c *Catalog) claim(ctx context.Context, wanted Tenant) (Tenant, error) {
	if err := c.checkDomains(&wanted); err != nil {
		return Tenant{}, err
	}
	for ready, err := range c.store.List(ctx, Filter{States: []State{Ready}}) {
		if err != nil {
			return Tenant{}, err
		}
		if ready.Strategy != wanted.Strategy || ready.Place != wanted.Place {
			continue
		}
		ready.Name, ready.Domains, ready.Metadata = wanted.Name, wanted.Domains, wanted.Metadata
		claimed, err := c.take(ctx, ready, wanted.ID)
		if !lost(err) {
			return claimed, err
		}
	}
	return Tenant{}, errNoneReady
}

func (c *Catalog) take(ctx context.Context, ready Tenant, id tenancy.ID) (Tenant, error) {
	if id != "" {
		return c.move(ctx, ready, StepClaim, id)
	}
	if err := c.intend(ctx, &ready, StepClaim, nil); err != nil {
		return Tenant{}, err
	}
	return c.finish(ctx, ready)
}
