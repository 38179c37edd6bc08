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
	target := tenancy.WithTenant(ctx, to)
	shares, err := sharesTables(target, db)
	if err != nil {
		return Report{}, err
	}
	if shares {
		opts = append([]Option{Renumber()}, opts...)
	}
	return carry(tenancy.WithTenant(ctx, from), target, db, opts)
}

// carry exports with one context and imports with another.
func carry(from, to context.Context, db *gorm.DB, opts []Option) (Report, error) {
	file, err := os.CreateTemp("", "tenancy-archive-*")
	if err != nil {
		return Report{}, err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	if _, err := Export(from, db, file, opts...); err != nil {
		return Report{}, err
	}
	return Import(to, db, file, opts...)
}

// Mover copies the rows of one tenant to another place, for the Move of strategies/hybrid:
//
//	mixed.Move(ctx, "acme", "database", "", archive.Mover(db))
//
// Every row is compared with the original, beyond what Move counts. Rows keep their keys: where the place is shared tables
// and a key is taken there, that is [ErrKeyTaken], unless [Renumber] is given. The function fails as [Export] and [Import] do, and is
// safe for concurrent use.
func Mover(db *gorm.DB, opts ...Option) func(from, to context.Context) error {
	return func(from, to context.Context) error {
		_, err := carry(from, to, db, opts)
		return err
	}
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
