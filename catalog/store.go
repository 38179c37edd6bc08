package catalog

import (
	"context"
	"iter"
	"slices"

	"github.com/gorm-tenancy/tenancy"
)

// Store keeps the records. [Memory] and [GORM] are stores; so is whatever passes the suite in package storetest.
//
// All methods are called from many goroutines, and from many processes for one set of records. Every change takes the
// next number of one counter, its revision, and is visible to others no later than a higher number: who has seen revision
// 7 has seen all changes up to 7. Records that are returned share no memory with the store. A store that cannot answer
// returns any error that is none of the sentinels named here; it never answers by a default.
type Store interface {
	// Get returns a tenant in whatever state, or tenancy.ErrUnknownTenant.
	Get(ctx context.Context, id tenancy.ID) (Tenant, error)
	// ByDomain returns the tenant that has the domain, or tenancy.ErrUnknownTenant. domain has the form that [ParseDomain]
	// returns.
	ByDomain(ctx context.Context, domain string) (Tenant, error)
	// List returns the tenants that the filter keeps, ordered by id in some order of the store's own. It reads them in
	// pages, so that a tenant which is saved meanwhile may be in the list or not. After an error it ends.
	List(ctx context.Context, f Filter) iter.Seq2[Tenant, error]
	// Save keeps all records or, if it fails, none. A record whose Revision is zero is new: [ErrExists] if there is one.
	// Others replace the one of that revision: [ErrConflict] if it has another one now, tenancy.ErrUnknownTenant if there
	// is none. It normalizes them (see [Tenant.Normalize]). [ErrDomainTaken] if, after all were saved, two tenants would
	// have one domain. It sets Revision, the same one for all, CreatedAt of new ones, and UpdatedAt. No two records have
	// one ID.
	Save(ctx context.Context, tenants ...*Tenant) error
	// Delete removes the record of that revision: [ErrConflict] if it has another one, tenancy.ErrUnknownTenant if there
	// is none.
	Delete(ctx context.Context, id tenancy.ID, revision int64) error
	// Changes returns what changed after a revision. A cache calls it every second: it should cost one small read when
	// nothing did. A negative revision asks for the number only.
	Changes(ctx context.Context, since int64) (Changes, error)
}

// Changes is what changed in a [Store].
type Changes struct {
	// Revision is the last one that is contained.
	Revision int64
	// Tenants are the records that were saved, as they are now.
	Tenants []Tenant
	// All says that more changed than Tenants holds: records were deleted, or too many saved.
	All bool
}

// MaxChanges is the number of changed records up to which stores list them.
const MaxChanges = 500

// Filter chooses tenants for [Store.List]. The zero value keeps all. It is immutable and safe for concurrent use.
type Filter struct {
	// States keeps tenants in one of these states; none means all states.
	States []State
	// Pending keeps tenants with a step under way.
	Pending bool
	// After keeps tenants behind this one in the store's order, to go on where a list ended.
	After tenancy.ID
}

func (f Filter) keeps(t *Tenant) bool {
	if len(f.States) > 0 && !slices.Contains(f.States, t.State) {
		return false
	}
	return (!f.Pending || t.Step != "") && t.ID > f.After
}

// idsOf returns the id of each record, checked and normalized.
func idsOf(tenants []*Tenant) ([]tenancy.ID, error) {
	ids := make([]tenancy.ID, len(tenants))
	for i, t := range tenants {
		if err := t.Normalize(); err != nil {
			return nil, err
		}
		if slices.Contains(ids[:i], t.ID) {
			return nil, ErrConflict
		}
		ids[i] = t.ID
	}
	return ids, nil
}
