package httpmw

import (
	"context"
	"slices"

	"github.com/gorm-tenancy/tenancy"
)

// Directory knows which tenants may be served. The middleware asks it for every request that names a tenant, from many
// goroutines at once, so an implementation over a table wants a cache, and unknown names belong into the cache too:
// they come from anyone.
type Directory interface {
	// Lookup reports whether the tenant may be served. id is valid for [tenancy.ParseID] and comes from the client. ctx
	// is the request's context, acting for the central site ([tenancy.Central]).
	//
	// It returns nil if the tenant may be served; [tenancy.ErrUnknownTenant] if there is none (404);
	// [tenancy.ErrTenantSuspended] if it may not be served (403); [ErrMaintenance] or a [*MaintenanceError] if it is
	// not served for a while (503). Any other error means that the directory cannot say; it is logged and answered
	// with 503.
	Lookup(ctx context.Context, id tenancy.ID) error
}

// DirectoryFunc makes a function a [Directory]. It is as safe for concurrent use as the function.
type DirectoryFunc func(ctx context.Context, id tenancy.ID) error

// Lookup calls f.
func (f DirectoryFunc) Lookup(ctx context.Context, id tenancy.ID) error { return f(ctx, id) }

// Tenants returns a fixed [Directory] for tests and small sites: these tenants are served, all others are unknown. A
// malformed ID makes [New] fail. Safe for concurrent use.
func Tenants(ids ...tenancy.ID) Directory {
	for _, id := range ids {
		if _, err := tenancy.ParseID(string(id)); err != nil {
			return brokenf("Tenants: %q: %w", id, err)
		}
	}
	return tenants(slices.Clone(ids))
}

type tenants []tenancy.ID

func (t tenants) Lookup(_ context.Context, id tenancy.ID) error {
	if slices.Contains(t, id) {
		return nil
	}
	return tenancy.ErrUnknownTenant
}
