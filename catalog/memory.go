package catalog

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/gorm-tenancy/tenancy"
)

// Memory is a [Store] in memory, for tests and for tenants that are known at start-up. It is safe for concurrent use, in
// one process. Make it with [NewMemory].
type Memory struct {
	mu       sync.RWMutex // guards all below
	tenants  map[tenancy.ID]Tenant
	domains  map[string]tenancy.ID
	revision int64
	cleared  int64 // the revision of the last Delete
}

var _ Store = (*Memory)(nil)

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{tenants: map[tenancy.ID]Tenant{}, domains: map[string]tenancy.ID{}}
}

// Get implements [Store].
func (m *Memory) Get(ctx context.Context, id tenancy.ID) (Tenant, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.get(ctx, id)
}

func (m *Memory) get(ctx context.Context, id tenancy.ID) (Tenant, error) {
	if err := ctx.Err(); err != nil {
		return Tenant{}, err
	}
	t, ok := m.tenants[id]
	if !ok {
		return Tenant{}, tenancy.ErrUnknownTenant
	}
	return copied(t)
}

// ByDomain implements [Store].
func (m *Memory) ByDomain(ctx context.Context, domain string) (Tenant, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.get(ctx, m.domains[domain])
}

// List implements [Store]. The order is that of bytes.
func (m *Memory) List(ctx context.Context, f Filter) iter.Seq2[Tenant, error] {
	return func(yield func(Tenant, error) bool) {
		for _, id := range m.kept(f) {
			t, err := m.Get(ctx, id)
			if errors.Is(err, tenancy.ErrUnknownTenant) || err == nil && !f.keeps(&t) {
				continue // changed since
			}
			if !yield(t, err) || err != nil {
				return
			}
		}
	}
}

func (m *Memory) kept(f Filter) []tenancy.ID {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var ids []tenancy.ID
	for id, t := range m.tenants {
		if f.keeps(&t) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// Save implements [Store].
func (m *Memory) Save(ctx context.Context, tenants ...*Tenant) error {
	ids, err := idsOf(tenants)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	saved, err := m.check(ids, tenants)
	if err != nil {
		return err
	}
	m.revision++
	now := stamp(time.Now())
	for i, t := range tenants {
		old := m.tenants[t.ID]
		t.Revision, t.UpdatedAt, t.CreatedAt = m.revision, now, old.CreatedAt
		if old.Revision == 0 {
			t.CreatedAt = now
		}
		saved[i].Revision, saved[i].CreatedAt, saved[i].UpdatedAt = t.Revision, t.CreatedAt, t.UpdatedAt
		for _, d := range old.Domains {
			if m.domains[d] == t.ID {
				delete(m.domains, d)
			}
		}
		for _, d := range t.Domains {
			m.domains[d] = t.ID
		}
		m.tenants[t.ID] = saved[i]
	}
	return nil
}

// check returns copies of the records if all may be saved. m.mu is held.
func (m *Memory) check(ids []tenancy.ID, tenants []*Tenant) ([]Tenant, error) {
	saved := make([]Tenant, len(tenants))
	domains := map[string]bool{}
	for i, t := range tenants {
		old, exists := m.tenants[t.ID]
		if err := compare(t.Revision, old.Revision, exists); err != nil {
			return nil, err
		}
		for _, d := range t.Domains {
			owner, taken := m.domains[d]
			if domains[d] || taken && !slices.Contains(ids, owner) {
				return nil, ErrDomainTaken
			}
			domains[d] = true
		}
		var err error
		if saved[i], err = copied(*t); err != nil {
			return nil, err
		}
	}
	return saved, nil
}

// compare compares the revision of a record to be saved with that of the one which is there.
func compare(revision, is int64, exists bool) error {
	switch {
	case revision == 0 && exists:
		return ErrExists
	case revision == 0:
		return nil
	case !exists:
		return tenancy.ErrUnknownTenant
	case revision != is:
		return ErrConflict
	}
	return nil
}

// Delete implements [Store].
func (m *Memory) Delete(ctx context.Context, id tenancy.ID, revision int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, err := m.get(ctx, id)
	if err != nil {
		return err
	}
	if t.Revision != revision {
		return ErrConflict
	}
	for _, d := range t.Domains {
		delete(m.domains, d)
	}
	delete(m.tenants, id)
	m.revision++
	m.cleared = m.revision
	return nil
}

// Changes implements [Store].
func (m *Memory) Changes(ctx context.Context, since int64) (Changes, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if err := ctx.Err(); err != nil {
		return Changes{}, err
	}
	c := Changes{Revision: m.revision, All: since < 0 || since < m.cleared}
	if c.All || since == m.revision {
		return c, nil
	}
	for _, t := range m.tenants {
		if t.Revision <= since {
			continue
		}
		if len(c.Tenants) == MaxChanges {
			return Changes{Revision: m.revision, All: true}, nil
		}
		t, err := copied(t)
		if err != nil {
			return Changes{}, err
		}
		c.Tenants = append(c.Tenants, t)
	}
	return c, nil
}
