package archive

import (
	"context"
	"fmt"
	"os"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
)

// Copy copies the rows of one tenant to another, whose place exists, through a temporary file: [Export] and then [Import],
// with the same options. Where the tenants share tables auto-increment keys are given anew, as [Renumber] does; elsewhere
// rows keep their keys. The tenant of ctx does not matter. from stays as it is; when Copy fails, to does, too. It fails as
// Export and Import do. Safe for concurrent use.
func Copy(ctx context.Context, db *gorm.DB, from, to tenancy.ID, opts ...Option) (Report, error) {
	if from == to {
		return Report{}, fmt.Errorf("%w: a tenant cannot be copied onto itself", ErrNotEmpty)
	}
	file, err := os.CreateTemp("", "tenancy-archive-*")
	if err != nil {
		return Report{}, err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	target := tenancy.WithTenant(ctx, to)
	shares, err := sharesTables(target, db)
	if err != nil {
		return Report{}, err
	}
	if _, err := Export(tenancy.WithTenant(ctx, from), db, file, opts...); err != nil {
		return Report{}, err
	}
	if shares {
		opts = append([]Option{Renumber()}, opts...)
	}
	return Import(target, db, file, opts...)
}

// Copier has the catalog clone tenants under every strategy:
//
//	catalog.New(store, catalog.Strategy(strategy), catalog.CopyWith(archive.Copier(db)))
//
// Options are those of [Copy].
func Copier(db *gorm.DB, opts ...Option) catalog.Copier { return copier{db, opts} }

type copier struct {
	db   *gorm.DB
	opts []Option
}

// Empty reports whether a tenant has no rows.
func (c copier) Empty(ctx context.Context, id tenancy.ID) (bool, error) {
	ctx = tenancy.WithTenant(ctx, id)
	session, plugin, _, err := session(ctx, c.db)
	if err != nil {
		return false, err
	}
	for _, owned := range plugin.OwnedTables() {
		t := table{name: owned.Name}
		if empty, err := t.empty(session); err != nil || !empty {
			return false, err
		}
	}
	return true, nil
}

// Copy replaces the rows of to by those of from.
func (c copier) Copy(ctx context.Context, from, to tenancy.ID) error {
	_, err := Copy(ctx, c.db, from, to, append(c.opts[:len(c.opts):len(c.opts)], Replace())...)
	return err
}
