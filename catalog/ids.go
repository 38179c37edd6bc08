package catalog

import (
	"context"
	"iter"

	"github.com/gorm-tenancy/tenancy"
)

// IDs lists the tenants of a store whose places are there, served or not: active, suspended, in maintenance, ready in the
// pool, and deleted ones whose grace period has not ended. Those that are being made, renamed or purged are not among them.
// It is what migrate.New takes for its tenants:
//
//	runner, err := migrate.New(db, catalog.IDs(store), sources)
//
// The function is safe for concurrent use. The error of the store ends the list.
func IDs(store Store) func(ctx context.Context) iter.Seq2[tenancy.ID, error] {
	return func(ctx context.Context) iter.Seq2[tenancy.ID, error] {
		return func(yield func(tenancy.ID, error) bool) {
			placed := Filter{States: []State{Ready, Active, Suspended, Maintenance, Deleting}}
			for t, err := range store.List(ctx, placed) {
				if !yield(t.ID, err) || err != nil {
					return
				}
			}
		}
	}
}
