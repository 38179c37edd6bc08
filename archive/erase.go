package archive

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
)

// Erase deletes all rows of the tenant of ctx from the owned tables, soft-deleted ones included, in one transaction, and
// says how many from which table. Rows that others refer to go last. Hooks of models do not run. All owned models must be
// declared with tenancy.OwnedModels: a table that the plugin has not seen keeps its rows. It fails with
// tenancy.ErrNoTenant, with [ErrSchema] for a table that is missing or not declared (see [SkipUndeclaredTables]), and when a
// row that does not belong to the tenant, of a central table for example, refers to one of these by a foreign key. Nothing
// is erased then. Safe for concurrent use.
func Erase(ctx context.Context, db *gorm.DB, opts ...Option) ([]Count, error) {
	session, plugin, id, err := session(ctx, db)
	if err != nil {
		return nil, err
	}
	var counts []Count
	err = locked(ctx, session, plugin, id, func(tx *gorm.DB) error {
		tables, err := loadTables(tx, plugin, &options{skipColumns: true, skipTables: newOptions(opts).skipTables})
		if err != nil {
			return err
		}
		counts, err = eraseAll(tx, tables)
		return err
	})
	if err != nil {
		return nil, err
	}
	return counts, nil
}

// eraseAll deletes the rows of the tables, which are in the order of their references.
func eraseAll(tx *gorm.DB, tables []*table) ([]Count, error) {
	for _, t := range tables {
		for _, r := range t.refs {
			if !r.deferred {
				continue
			}
			row := map[string]any{}
			for _, p := range r.pairs {
				row[p.child] = nil
			}
			if err := tx.Table(t.name).Updates(row).Error; err != nil {
				return nil, fmt.Errorf("table %q: %w", t.name, err)
			}
		}
	}
	var counts []Count
	for i := len(tables) - 1; i >= 0; i-- {
		deleted := tx.Table(tables[i].name).Delete(nil)
		if deleted.Error != nil {
			return nil, fmt.Errorf("table %q: %w", tables[i].name, deleted.Error)
		}
		counts = append(counts, Count{tables[i].name, deleted.RowsAffected})
	}
	return counts, nil
}

// PurgeHook erases the rows of a tenant when the catalog purges it, where tenants share tables:
//
//	catalog.New(store, catalog.Hooks(archive.PurgeHook(db)))
//
// Where they do not, the strategy has removed the tenant's place, and the hook does nothing. It is idempotent. Options are those
// of [Erase].
func PurgeHook(db *gorm.DB, opts ...Option) catalog.Hook {
	return catalog.Hook{
		Steps: []catalog.Step{catalog.StepPurge},
		After: func(ctx context.Context, e catalog.Event) error {
			ctx = tenancy.WithTenant(ctx, e.Tenant.ID)
			if shares, err := sharesTables(ctx, db); err != nil || !shares {
				return err
			}
			_, err := Erase(ctx, db, opts...)
			return err
		},
	}
}

// sharesTables reports whether the rows of the tenant of ctx stand in the tables of all tenants.
func sharesTables(ctx context.Context, db *gorm.DB) (bool, error) {
	_, plugin, id, err := session(ctx, db)
	if err != nil {
		return false, err
	}
	if i, ok := plugin.Strategy().(tenancy.Isolator); ok && i.Isolation().Siloed {
		return false, nil
	}
	route, err := plugin.Strategy().Route(ctx, id)
	return route.Shared, err
}
