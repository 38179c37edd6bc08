package catalog

import (
	"context"
	"fmt"

	"github.com/gorm-tenancy/tenancy"
)

// CarrierKey is the key under which [Inject] writes the tenant. It has the form of a header's name, so that http.Header
// and NATS headers keep it.
const CarrierKey = "Tenancy-Tenant"

// Carrier is a payload with texts by key: the headers of a message, the metadata of a job. http.Header is one; [Map] makes
// one of a map.
type Carrier interface {
	// Get returns the text of a key, or "".
	Get(key string) string
	// Set replaces the text of a key.
	Set(key, value string)
}

// Map is a [Carrier]. It is as safe for concurrent use as a map.
type Map map[string]string

// Get implements [Carrier].
func (m Map) Get(key string) string { return m[key] }

// Set implements [Carrier].
func (m Map) Set(key, value string) { m[key] = value }

// Inject writes the tenant of the context into a payload. It fails with tenancy.ErrNoTenant if the context names none, also
// under tenancy.Central and tenancy.Bypass, and with tenancy.ErrTenantMismatch if the payload names another one.
func Inject(ctx context.Context, to Carrier) error {
	id, err := tenancy.Require(ctx)
	if err != nil {
		return err
	}
	if there := to.Get(CarrierKey); there != "" && there != string(id) {
		return fmt.Errorf("%w: the payload names one already", tenancy.ErrTenantMismatch)
	}
	to.Set(CarrierKey, string(id))
	return nil
}

// Extract returns a context that acts for the tenant of a payload, whatever ctx acted for. It fails with
// tenancy.ErrNoTenant if the payload names none, together with tenancy.ErrInvalidID if what it names cannot be one; then
// the context acts for nobody. It does not ask whether the tenant may be served: see [Catalog.Extract].
//
// Trust: whoever can write into the queue chooses the tenant.
func Extract(ctx context.Context, from Carrier) (context.Context, error) {
	ctx = tenancy.WithTenant(ctx, tenancy.ID(from.Get(CarrierKey)))
	if _, err := tenancy.Require(ctx); err != nil {
		return ctx, err
	}
	return ctx, nil
}

// Extract is the function [Extract], and refuses the job of a tenant that may not be served now, as [Catalog.Lookup] does:
// tenancy.ErrUnknownTenant for one that is gone, tenancy.ErrTenantSuspended, tenancy.ErrTenantMaintenance, or
// [ErrUnavailable]. The context then acts for nobody.
func (c *Catalog) Extract(ctx context.Context, from Carrier) (context.Context, error) {
	as, err := Extract(ctx, from)
	if err != nil {
		return as, err
	}
	id, err := tenancy.Require(as)
	if err == nil {
		err = c.Lookup(ctx, id)
	}
	if err != nil {
		return tenancy.WithTenant(ctx, ""), err
	}
	return as, nil
}
