package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
)

// ErrForeign says that a schema, database or role of the tenant's name exists and was not made for this tenant.
var ErrForeign = errors.New("schema: it exists and was not made for this tenant")

var errUnused = errors.New("schema: call db.Use first")

// home is the database in which tenants are provisioned: the first one that was attached.
type home struct {
	db      *gorm.DB // as given to db.Use
	central string   // MySQL's central database

	sessions bool // the driver keeps the tenant on the session

	// Set by Verify:
	plugin *tenancy.Plugin

	script string // the DDL of a new schema, once it has been recorded
}

// settle keeps the plugin, which knows the models, for Provision.
func (s *Strategy) settle(p *tenancy.Plugin) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.home == nil {
		return errors.New("schema: the connections were confined by another strategy; give each *gorm.DB one")
	}
	s.home.plugin = p
	return nil
}

// find returns where to provision a tenant, and the name of its schema.
func (s *Strategy) find(id tenancy.ID) (h home, name string, err error) {
	if name, err = s.name(id); err != nil {
		return home{}, "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.home == nil || s.home.plugin == nil {
		return home{}, "", errUnused
	}
	return *s.home, name, nil
}

// Provision makes the tenant's schema with the tables of all models declared with tenancy.OwnedModels, and with [Roles]
// its role. A tenant that is there is left as it is: changing its tables is a migration.
//
// On PostgreSQL it is one transaction. The DDL is recorded from GORM's AutoMigrate when the first tenant is made and
// replayed in one round trip for those after it. On MySQL, where DDL is not transactional, a table "tenancy_tenant" in
// the tenant's database records how far it came, and calling again finishes what a crash left half done.
//
// It fails with [ErrForeign] when a schema of that name exists which was not made for this tenant, and with
// tenancy.ErrInvalidID when the id cannot name a schema. Two calls for one tenant, from any processes, wait for each other.
func (s *Strategy) Provision(ctx context.Context, id tenancy.ID) error {
	h, name, err := s.find(id)
	if err != nil {
		return err
	}
	if h.db.Name() == "mysql" {
		return h.provisionMySQL(ctx, id, name)
	}
	return s.provisionPostgres(ctx, h, id, name)
}

// Deprovision removes the tenant's schema with everything in it, and its role. A tenant that is not there is no error.
//
// It fails with [ErrForeign] when Provision did not make the schema for this tenant, and when objects outside it depend
// on it, a view in another schema for example: the error names them. Nothing is removed then. On MySQL a crash half way
// leaves a part, which calling again removes.
func (s *Strategy) Deprovision(ctx context.Context, id tenancy.ID) error {
	h, name, err := s.find(id)
	if err != nil {
		return err
	}
	if h.db.Name() == "mysql" {
		return h.deprovisionMySQL(ctx, id, name)
	}
	return s.deprovisionPostgres(ctx, h, id, name)
}

// inTransaction runs f in a transaction of the context.
func (h home) inTransaction(ctx context.Context, f func(*sql.Tx) error) error {
	pool, err := h.db.DB()
	if err != nil {
		return err
	}
	tx, err := pool.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// migrate makes the tables of the declared models over one connection that is set to the tenant already.
func (h home) migrate(ctx context.Context, id tenancy.ID, on gorm.ConnPool) error {
	models := h.plugin.OwnedModels()
	if len(models) == 0 {
		return nil
	}
	db := h.db.Session(&gorm.Session{Context: tenancy.WithTenant(ctx, id)})
	db.PrepareStmt, db.DryRun = false, false
	db.Statement.ConnPool = on
	return db.AutoMigrate(models...)
}

// foreign is ErrForeign with what to do.
func foreign(what, name, adopt string) error {
	return fmt.Errorf("%w: %s %q; choose another id, or if it holds this tenant adopt it with: %s",
		ErrForeign, what, name, adopt)
}
