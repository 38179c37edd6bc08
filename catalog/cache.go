package catalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"github.com/gorm-tenancy/tenancy"
)

// cache answers look-ups from memory. It is kept true by asking the store every poll what changed. Nothing runs in the
// background: look-ups do it. It is safe for concurrent use.
type cache struct {
	store        Store
	now          func() time.Time
	ttl, poll    time.Duration
	storeTimeout time.Duration

	found   *lru.Cache[tenancy.ID, entry]
	domains *lru.Cache[string, tenancy.ID] // a hint: the tenant's record has the last word
	// Names that do not exist come from anyone: apart, so that they do not drive tenants out.
	missing *lru.Cache[string, time.Time]

	flights singleflight.Group
	due     atomic.Int64 // when to ask for changes again, in ns since 1970

	mu       sync.Mutex // guards all below, and writing into found and missing
	epoch    uint64     // grows with every change: what was read before one is not kept after it
	revision int64      // changes up to here are known
	verified time.Time  // when a question began that the store answered
	asking   chan struct{}
	failing  bool
}

type entry struct {
	tenant *Tenant // must not be changed
	read   time.Time
}

func newCache(store Store, size int, ttl, poll, timeout time.Duration, now func() time.Time) (*cache, error) {
	c := &cache{store: store, now: now, ttl: ttl, poll: poll, storeTimeout: timeout, revision: -1}
	var errs [3]error
	c.found, errs[0] = lru.New[tenancy.ID, entry](size)
	c.domains, errs[1] = lru.New[string, tenancy.ID](size)
	c.missing, errs[2] = lru.New[string, time.Time](size)
	return c, errors.Join(errs[:]...)
}

// tenant returns a record that must not be changed.
func (c *cache) tenant(ctx context.Context, id tenancy.ID) (*Tenant, error) {
	if err := c.catchUp(ctx); err != nil {
		return nil, err
	}
	e, cached := c.found.Get(id)
	if cached && (c.fresh(e) || c.mayServe(false)) {
		return e.tenant, nil
	}
	key := "id " + string(id)
	if c.isMissing(key) {
		return nil, tenancy.ErrUnknownTenant
	}
	t, err := c.load(ctx, key, func() *Tenant {
		if e, ok := c.found.Get(id); ok && c.fresh(e) {
			return e.tenant
		}
		return nil
	}, func(ctx context.Context) (Tenant, error) { return c.store.Get(ctx, id) })
	if cached && errors.Is(err, ErrUnavailable) && c.mayServe(true) {
		return e.tenant, nil
	}
	return t, err
}

// owner returns the tenant that has a domain.
func (c *cache) owner(ctx context.Context, domain string) (tenancy.ID, error) {
	if err := c.catchUp(ctx); err != nil {
		return "", err
	}
	if id, ok := c.domains.Get(domain); ok {
		t, err := c.tenant(ctx, id)
		if err == nil && slices.Contains(t.Domains, domain) {
			return id, nil
		}
		if err != nil && !errors.Is(err, tenancy.ErrUnknownTenant) {
			return "", err
		}
	}
	key := "domain " + domain
	if c.isMissing(key) {
		return "", tenancy.ErrUnknownTenant
	}
	t, err := c.load(ctx, key, func() *Tenant {
		if id, ok := c.domains.Get(domain); ok {
			if e, ok := c.found.Get(id); ok && c.fresh(e) && slices.Contains(e.tenant.Domains, domain) {
				return e.tenant
			}
		}
		return nil
	}, func(ctx context.Context) (Tenant, error) { return c.store.ByDomain(ctx, domain) })
	if err != nil {
		return "", err
	}
	c.domains.Add(domain, t.ID)
	return t.ID, nil
}

func (c *cache) fresh(e entry) bool { return c.now().Sub(e.read) < c.ttl }

func (c *cache) isMissing(key string) bool {
	read, ok := c.missing.Get(key)
	return ok && c.now().Sub(read) < c.ttl
}

// mayServe reports whether an old record may be served because the store does not answer, which failing says that the
// caller has just seen: it answered not long ago, so that the record was right then.
func (c *cache) mayServe(failing bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return (failing || c.failing) && c.now().Sub(c.verified) < c.ttl
}

// load asks the store, once for all who want the same. known is what has come into the cache since the caller looked, when
// the flight of those before it had just landed. It fails with tenancy.ErrUnknownTenant or [ErrUnavailable].
func (c *cache) load(ctx context.Context, key string, known func() *Tenant, ask func(context.Context) (Tenant, error)) (*Tenant, error) {
	c.mu.Lock()
	epoch := c.epoch
	c.mu.Unlock()
	// Who comes after a change must not be given what was read before it.
	flight := strconv.FormatUint(epoch, 36) + " " + key
	answer := c.flights.DoChan(flight, func() (any, error) {
		if t := known(); t != nil {
			return t, nil
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.storeTimeout)
		defer cancel()
		read := c.now()
		t, err := ask(ctx)
		c.keep(epoch, key, entry{&t, read}, err)
		return &t, err
	})
	select {
	case <-ctx.Done():
		return nil, unavailable(ctx.Err())
	case r := <-answer:
		if r.Err != nil && !errors.Is(r.Err, tenancy.ErrUnknownTenant) {
			return nil, unavailable(r.Err)
		}
		return r.Val.(*Tenant), r.Err
	}
}

func unavailable(cause error) error { return fmt.Errorf("%w: %w", ErrUnavailable, cause) }

// keep keeps an answer, unless something changed since the question.
func (c *cache) keep(epoch uint64, key string, e entry, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case epoch != c.epoch:
	case err == nil:
		c.found.Add(e.tenant.ID, e)
		c.missing.Remove(key)
	case errors.Is(err, tenancy.ErrUnknownTenant):
		c.missing.Add(key, e.read)
	}
}

// catchUp asks what changed, if that was not done within poll. Others wait for the one who asks, unless the store failed to
// answer the last time: then they go on with what there is. It fails only when ctx ends.
func (c *cache) catchUp(ctx context.Context) error {
	if c.now().UnixNano() < c.due.Load() {
		return nil
	}
	c.mu.Lock()
	if c.now().UnixNano() < c.due.Load() {
		c.mu.Unlock()
		return nil
	}
	if asking := c.asking; asking != nil {
		failing := c.failing
		c.mu.Unlock()
		if failing {
			return nil
		}
		select {
		case <-asking:
			return nil
		case <-ctx.Done():
			return unavailable(ctx.Err())
		}
	}
	c.asking = make(chan struct{})
	since := c.revision
	c.mu.Unlock()
	c.ask(ctx, since)
	return nil
}

func (c *cache) ask(ctx context.Context, since int64) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.storeTimeout)
	defer cancel()
	began := c.now()
	changes, err := c.store.Changes(ctx, since)

	c.mu.Lock()
	defer c.mu.Unlock()
	c.failing = err != nil
	if err == nil {
		c.apply(changes, began)
		c.verified = began
		c.due.Store(began.Add(c.poll).UnixNano())
	} else {
		c.due.Store(c.now().Add(c.poll).UnixNano())
	}
	close(c.asking)
	c.asking = nil
}

// apply makes the cache forget what changed. c.mu is held.
func (c *cache) apply(changes Changes, read time.Time) {
	c.revision = max(c.revision, changes.Revision)
	if changes.All {
		c.epoch++
		c.found.Purge()
		c.domains.Purge()
		c.missing.Purge()
		return
	}
	for _, t := range changes.Tenants {
		c.replace(t, read)
	}
}

// replace makes the cache know a record. c.mu is held.
func (c *cache) replace(t Tenant, read time.Time) {
	c.epoch++
	// Answers may overtake each other.
	if old, cached := c.found.Peek(t.ID); cached && old.tenant.Revision <= t.Revision {
		c.found.Add(t.ID, entry{&t, read})
	}
	c.missing.Remove("id " + string(t.ID))
	for _, d := range t.Domains {
		c.missing.Remove("domain " + d)
	}
}

// saved tells the cache what this process saved.
func (c *cache) saved(tenants ...*Tenant) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range tenants {
		mine, err := copied(*t)
		if err != nil {
			return err
		}
		c.replace(mine, c.now())
	}
	return nil
}

// deleted tells the cache what this process deleted.
func (c *cache) deleted(id tenancy.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	c.found.Remove(id)
}
