package catalog

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gorm-tenancy/tenancy"
)

// Catalog knows the tenants of an application: it looks them up for middleware and takes them through their life. It is
// safe for concurrent use, and so are several of them over one store, in any number of processes. Make it with [New].
type Catalog struct {
	store Store
	cache *cache

	provisioner tenancy.Provisioner // nil: tenants have no place of their own
	renamer     tenancy.Renamer
	cloner      tenancy.Cloner
	copier      Copier
	hooks       []Hook
	seeds       []func(context.Context, Tenant) error
	bases       []string // with a dot in front
	grace       time.Duration
	repairAfter time.Duration
	lag         time.Duration
	now         func() time.Time
}

type config struct {
	Catalog
	size               int
	ttl, poll, timeout time.Duration
	strategy           tenancy.Strategy
	hasStrategy        bool
	bases              []string
}

// Option configures a [Catalog].
type Option func(*config)

// Strategy names the strategy that makes, renames, clones and removes the places of tenants: those of
// tenancy.Provisioner, tenancy.Renamer and tenancy.Cloner that it is. By default tenants are records only, which is right
// for the shared strategy.
func Strategy(s tenancy.Strategy) Option {
	return func(c *config) { c.strategy, c.hasStrategy = s, true }
}

// Hooks adds hooks. They run in the order given.
func Hooks(hooks ...Hook) Option {
	return func(c *config) { c.hooks = append(c.hooks, hooks...) }
}

// Seed adds a function that fills a new tenant, after its place was made and before it is served or goes to the pool. ctx
// acts for the tenant. It must be idempotent: [Catalog.Repair] calls it again after an error or a crash. A clone is not
// seeded. It must be safe for concurrent use, for different tenants.
func Seed(seed func(ctx context.Context, t Tenant) error) Option {
	return func(c *config) { c.seeds = append(c.seeds, seed) }
}

// BaseDomains names the application's own domains, those given to httpmw.FromSubdomain or httpmw.FromDomain. A tenant may
// not register one of them, nor a domain below one, which may be another tenant's subdomain: it is [ErrDomainTaken].
// Default none.
func BaseDomains(domains ...string) Option {
	return func(c *config) { c.bases = append(c.bases, domains...) }
}

// Grace is how long a deleted tenant can be undeleted. Default 30 days.
func Grace(d time.Duration) Option { return func(c *config) { c.grace = d } }

// RepairAfter is how long a step has been under way when [Catalog.RepairAll] takes its process for dead. It must be longer
// than steps take. Default 10 minutes.
func RepairAfter(d time.Duration) Option { return func(c *config) { c.repairAfter = d } }

// CacheSize is how many tenants, how many domains and how many unknown names are cached. Default 10,000.
func CacheSize(n int) Option { return func(c *config) { c.size = n } }

// Poll is how often look-ups ask the store what changed, at most. What one process saved, others notice after this time
// at the latest. Default 1 second.
func Poll(d time.Duration) Option { return func(c *config) { c.poll = d } }

// TTL is how long a record is served without reading it again, and how long the cache serves what it knows when the store
// no longer answers. Records that were changed by other means than a [Store] are noticed after this time. Default 1 minute.
func TTL(d time.Duration) Option { return func(c *config) { c.ttl = d } }

// StoreTimeout bounds a look-up in the store. Default 2 seconds.
func StoreTimeout(d time.Duration) Option { return func(c *config) { c.timeout = d } }

// Lag is how long [Catalog.Relocate] waits, after it has taken a tenant out of service, for other processes to notice and
// for what they have under way to end. It must not be shorter than their TTL, for which they serve what they know when they
// cannot reach the store. Zero is for a single process. The default is the TTL of this catalog and 10 seconds more.
func Lag(d time.Duration) Option { return func(c *config) { c.lag = d } }

// Clock sets where the time comes from, for tests. Default time.Now.
func Clock(now func() time.Time) Option { return func(c *config) { c.now = now } }

const unset time.Duration = -1

// New returns a catalog over a store. It fails if an option is out of range.
func New(store Store, opts ...Option) (*Catalog, error) {
	c := config{size: 10_000, ttl: time.Minute, poll: time.Second, timeout: 2 * time.Second}
	c.grace, c.repairAfter, c.lag, c.now = 30*24*time.Hour, 10*time.Minute, unset, time.Now
	for _, opt := range opts {
		opt(&c)
	}
	if err := c.validate(store); err != nil {
		return nil, err
	}
	if c.lag == unset {
		c.lag = c.ttl + 10*time.Second
	}
	catalog := c.Catalog
	catalog.store = store
	catalog.provisioner, _ = c.strategy.(tenancy.Provisioner)
	catalog.renamer, _ = c.strategy.(tenancy.Renamer)
	catalog.cloner, _ = c.strategy.(tenancy.Cloner)
	for _, base := range c.bases {
		name, err := ParseDomain(base)
		if err != nil {
			return nil, fmt.Errorf("catalog: BaseDomains: %q: %w", base, err)
		}
		catalog.bases = append(catalog.bases, "."+name)
	}
	var err error
	catalog.cache, err = newCache(store, c.size, c.ttl, c.poll, c.timeout, c.now)
	return &catalog, err
}

func (c *config) validate(store Store) error {
	switch {
	case store == nil:
		return errors.New("catalog: New needs a store")
	case c.hasStrategy && c.strategy == nil:
		return errors.New("catalog: Strategy is nil")
	case c.size < 1:
		return errors.New("catalog: CacheSize must be positive")
	case c.poll <= 0, c.ttl < c.poll, c.timeout <= 0:
		return errors.New("catalog: Poll and StoreTimeout must be positive, and TTL not shorter than Poll")
	case c.grace < 0, c.repairAfter < 0, c.lag < unset:
		return errors.New("catalog: Grace, RepairAfter and Lag must not be negative")
	case c.now == nil:
		return errors.New("catalog: Clock is nil")
	}
	for _, seed := range c.seeds {
		if seed == nil {
			return errors.New("catalog: Seed is nil")
		}
	}
	return nil
}

// Store returns the store that was given to [New].
func (c *Catalog) Store() Store { return c.store }

// Lookup reports whether a tenant may be served, from the cache: it is the httpmw.Directory of the middleware. It returns
// what [Tenant.Err] does, or [ErrUnavailable]. A change that this catalog made counts at once, one of another process
// after [Poll].
func (c *Catalog) Lookup(ctx context.Context, id tenancy.ID) error {
	t, err := c.cache.tenant(ctx, id)
	if err != nil {
		return err
	}
	return t.Err()
}

// TenantOf returns the tenant that has a domain, from the cache, whatever its state: it makes a Catalog an httpmw.Domains.
// It fails with tenancy.ErrUnknownTenant or [ErrUnavailable].
func (c *Catalog) TenantOf(ctx context.Context, domain string) (tenancy.ID, error) {
	name, err := ParseDomain(domain)
	if err != nil {
		return "", tenancy.ErrUnknownTenant
	}
	return c.cache.owner(ctx, name)
}

// Place returns Strategy and Place of a tenant in whatever state, from the cache: it is the hybrid.Lookup of
// strategies/hybrid. It fails with tenancy.ErrUnknownTenant, for purged tenants too, with [ErrUnavailable], and, beside both
// names, with tenancy.ErrTenantMaintenance while the tenant is relocated. Suspended tenants have a place: who may be served
// is the middleware's question (see [Catalog.Lookup]).
func (c *Catalog) Place(ctx context.Context, id tenancy.ID) (strategy, place string, err error) {
	t, err := c.cache.tenant(ctx, id)
	switch {
	case err != nil:
		return "", "", err
	case t.State == Purged:
		return "", "", tenancy.ErrUnknownTenant
	case t.Step == StepRelocate:
		err = tenancy.ErrTenantMaintenance
	}
	return t.Strategy, t.Place, err
}

// Find returns a tenant in whatever state, from the cache: for handlers that want its name or plan. It fails with
// tenancy.ErrUnknownTenant or [ErrUnavailable].
func (c *Catalog) Find(ctx context.Context, id tenancy.ID) (Tenant, error) {
	t, err := c.cache.tenant(ctx, id)
	if err != nil {
		return Tenant{}, err
	}
	return copied(*t)
}

// attempts bounds how often a change that others overtook is tried again.
const attempts = 10

// Update changes a record: edit is given the current one and changes Name, Domains, Strategy, Place, Version or Metadata.
// Other fields keep their values. It is called again when somebody else changed the record meanwhile; its error ends
// Update. A tenant that is purged or being relocated cannot be changed ([ErrTransition]). Changing Strategy or Place moves no
// rows: see [Catalog.Relocate]. It returns the saved record.
func (c *Catalog) Update(ctx context.Context, id tenancy.ID, edit func(*Tenant) error) (Tenant, error) {
	var err error
	for range attempts {
		var t Tenant
		if t, err = c.store.Get(ctx, id); err != nil {
			return Tenant{}, err
		}
		if t.State == Purged || t.State == Purging || t.Step == StepRelocate {
			return t, &TransitionError{"update", t.State}
		}
		edited := t
		if err := edit(&edited); err != nil {
			return t, err
		}
		t.Name, t.Domains, t.Metadata = edited.Name, edited.Domains, edited.Metadata
		t.Strategy, t.Place, t.Version = edited.Strategy, edited.Place, edited.Version
		if err := c.checkDomains(&t); err != nil {
			return t, err
		}
		if err = c.save(ctx, &t); !errors.Is(err, ErrConflict) {
			return t, err
		}
	}
	return Tenant{}, err
}

// checkDomains refuses the application's own domains and what is below them.
func (c *Catalog) checkDomains(t *Tenant) error {
	for _, d := range t.Domains {
		name, err := ParseDomain(d)
		if err != nil {
			return err
		}
		for _, base := range c.bases {
			if strings.HasSuffix("."+name, base) {
				return fmt.Errorf("%w: it is at or below a domain of the application", ErrDomainTaken)
			}
		}
	}
	return nil
}

// save saves records and tells the cache.
func (c *Catalog) save(ctx context.Context, tenants ...*Tenant) error {
	if err := c.store.Save(ctx, tenants...); err != nil {
		return err
	}
	return c.cache.saved(tenants...)
}
