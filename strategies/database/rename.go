package database

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/tenantconn"
)

var (
	_ tenancy.Renamer = (*Strategy)(nil)
	_ tenancy.Cloner  = (*Strategy)(nil)
	_ tenancy.Renamer = (*Files)(nil)
	_ tenancy.Cloner  = (*Files)(nil)
	_ tenancy.Renamer = (*Postgres)(nil)
)

// Rename gives a tenant's database to another id, by the provisioner given to [WithProvisioner]: [SQLiteFiles] renames the
// file, [PostgresDatabases] the database and the role, which gets the password of the new id. MySQL has no statement that
// renames a database, and moving its tables one by one leaves triggers and views behind: it is tenancy.ErrUnsupported, as
// without a provisioner. In tables with a tenant column rows get the new id.
//
// This process's connections to both are closed first, and nobody connects meanwhile; connections of other processes are
// ended on PostgreSQL, and on SQLite make it fail. It is idempotent, and finishes what a crash left half done; until then the
// place may be under either name, and is never under both. It fails with [ErrForeign] where the provisioner did not make the
// database of from, or one of to is there, and with tenancy.ErrUnknownTenant where neither has one.
func (s *Strategy) Rename(ctx context.Context, from, to tenancy.ID) error {
	places, pool, err := s.both(from, to)
	if err != nil {
		return err
	}
	renamer, ok := places.(tenancy.Renamer)
	if !ok {
		return fmt.Errorf("%w: the provisioner cannot rename databases; MySQL has no statement for it", tenancy.ErrUnsupported)
	}
	changes, err := s.plugin.ColumnChanges(from, to)
	if err != nil {
		return err
	}
	if err := s.vacated(ctx, pool, func() error { return renamer.Rename(ctx, from, to) }, from, to); err != nil {
		return err
	}
	pool.Retry(placeOf(ctx, to))
	return s.retag(ctx, to, changes)
}

// Clone makes the database of to with a copy of the rows of from, which is served meanwhile: a copy of the file, as it was at
// one moment, by [SQLiteFiles]. PostgreSQL copies a database only while nobody is connected to it, and MySQL none: there it is
// tenancy.ErrUnsupported, and nothing was made. In tables with a tenant column the copied rows have the new id. It is
// idempotent: a database of to that is there is left as it is. It fails with [ErrForeign] where the provisioner did not make
// it, or that of from, and with tenancy.ErrUnknownTenant where from has none.
func (s *Strategy) Clone(ctx context.Context, from, to tenancy.ID) error {
	places, pool, err := s.both(from, to)
	if err != nil {
		return err
	}
	cloner, ok := places.(tenancy.Cloner)
	if !ok {
		return fmt.Errorf("%w: the provisioner cannot copy a database that is in use", tenancy.ErrUnsupported)
	}
	changes, err := s.plugin.ColumnChanges(from, to)
	if err != nil {
		return err
	}
	if err := cloner.Clone(ctx, from, to); err != nil {
		return err
	}
	pool.Retry(placeOf(ctx, to))
	return s.retag(ctx, to, changes)
}

// both returns what both need.
func (s *Strategy) both(from, to tenancy.ID) (tenancy.Provisioner, *tenantconn.Pool, error) {
	for _, id := range []tenancy.ID{from, to} {
		if _, err := tenancy.ParseID(string(id)); err != nil {
			return nil, nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case from == to:
		return nil, nil, fmt.Errorf("%w: it is the tenant's own", tenancy.ErrInvalidID)
	case s.places == nil:
		return nil, nil, errNoProvisioner
	case s.pool == nil || s.plugin == nil:
		return nil, nil, errUnused
	}
	return s.places, s.pool, nil
}

var errUnused = errors.New("database: call db.Use first")

// vacated runs f while this process has no connection to the tenants.
func (s *Strategy) vacated(ctx context.Context, pool *tenantconn.Pool, f func() error, ids ...tenancy.ID) error {
	slices.Sort(ids) // two that rename back and forth must not wait for each other
	for _, id := range ids {
		release, err := pool.Vacate(ctx, placeOf(ctx, id))
		if err != nil {
			return err
		}
		defer release()
	}
	return f()
}

// retag gives rows that name their tenant the new id.
func (s *Strategy) retag(ctx context.Context, to tenancy.ID, changes []tenancy.ColumnChange) error {
	if len(changes) == 0 {
		return nil
	}
	db := s.db.Session(&gorm.Session{NewDB: true, Context: tenancy.WithTenant(ctx, to)})
	return db.Transaction(func(tx *gorm.DB) error {
		var here []tenancy.ColumnChange
		for _, c := range changes {
			if tx.Migrator().HasTable(c.Table) { // otherwise the tenant is behind in its migrations
				c.Table, c.Column = tx.Statement.Quote(c.Table), tx.Statement.Quote(c.Column)
				here = append(here, c)
			}
		}
		if err := tenantconn.Retag(tx.Statement.Context, tx.Statement.ConnPool, tx.Name(), here); err != nil {
			return fmt.Errorf("database: give the rows the new id: %w", err)
		}
		return nil
	})
}
