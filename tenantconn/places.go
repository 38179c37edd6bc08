package tenantconn

import (
	"context"

	"github.com/gorm-tenancy/tenancy"
)

type placeKey struct{}

// WithPlace returns a context that names which of several places of a tenant is meant. strategies/hybrid makes it from the
// tenant's record for whoever opens, makes and removes places.
func WithPlace(ctx context.Context, place string) context.Context {
	return context.WithValue(ctx, placeKey{}, place)
}

// PlaceOf returns the place that a context names, or "" where a tenant has no more than one. An Opener of
// strategies/database that serves several servers asks it.
func PlaceOf(ctx context.Context) string {
	place, _ := ctx.Value(placeKey{}).(string)
	return place
}

// PlaceKey names a tenant's place in a [Pool]: the tenant's id, followed by the place if there is one. No two tenants have one
// key, whatever their places are called: an id holds no "@".
func PlaceKey(id tenancy.ID, place string) string {
	if place == "" {
		return string(id)
	}
	return string(id) + "@" + place
}
