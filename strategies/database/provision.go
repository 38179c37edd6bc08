package database

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/tenantconn"
)

// ErrForeign says that a database, file or role of the tenant's name exists and was not made for this tenant by the
// provisioner.
var ErrForeign = errors.New("database: it exists and was not made for this tenant")

// tables is what a provisioner of this package needs to know of the tables in a new tenant's database.
type tables struct {
	// make makes them in an empty database. It leaves no connection open.
	make func(ctx context.Context, d gorm.Dialector) error
	// version is another one when make makes others.
	version string
}

// maker is a provisioner that lets the strategy make the tables.
type maker interface {
	tenancy.Provisioner
	provision(ctx context.Context, id tenancy.ID, t tables) error
}

// Provision makes the tenant's database, with tables, by the provisioner given to [WithProvisioner]; each says how, and
// which errors it has. A database that is there is left as it is: changing its tables is a migration. It is idempotent, and
// finishes what a crash left half done. Without a provisioner it is tenancy.ErrUnsupported.
func (s *Strategy) Provision(ctx context.Context, id tenancy.ID) error {
	if _, err := tenancy.ParseID(string(id)); err != nil {
		return err
	}
	s.mu.Lock()
	places, plugin, pool := s.places, s.plugin, s.pool
	s.mu.Unlock()
	if places == nil {
		return errNoProvisioner
	}
	if plugin == nil {
		return errUnused
	}
	m, ok := places.(maker)
	if !ok {
		return places.Provision(ctx, id)
	}
	as := tenancy.ID("template")
	if s.allow != nil { // only the tenant itself is served
		as = id
	}
	t := tables{func(ctx context.Context, d gorm.Dialector) error { return s.migrate(ctx, as, d) }, s.versionOf(plugin)}
	if err := m.provision(ctx, id, t); err != nil {
		return err
	}
	pool.Retry(placeOf(ctx, id))
	return nil
}

var errNoProvisioner = fmt.Errorf("%w: the strategy has no provisioner; give it one with database.WithProvisioner", tenancy.ErrUnsupported)

// Deprovision closes this process's connections to the tenant, waiting for those in use as long as ctx allows, lets nobody
// connect meanwhile, and removes the tenant's database by the provisioner, which refuses what it did not make with
// [ErrForeign]. A tenant that is not there is no error. Without a provisioner it is tenancy.ErrUnsupported.
func (s *Strategy) Deprovision(ctx context.Context, id tenancy.ID) error {
	if _, err := tenancy.ParseID(string(id)); err != nil {
		return err
	}
	s.mu.Lock()
	places, pool := s.places, s.pool
	s.mu.Unlock()
	if places == nil {
		return errNoProvisioner
	}
	if pool == nil {
		return errUnused
	}
	release, err := pool.Vacate(ctx, placeOf(ctx, id))
	if err != nil {
		return err
	}
	defer release()
	return places.Deprovision(ctx, id)
}

// placeOf is the tenant's place in the pool.
func placeOf(ctx context.Context, id tenancy.ID) string {
	return tenantconn.PlaceKey(id, tenantconn.PlaceOf(ctx))
}

// migrate makes the tables in a database that belongs to no tenant yet, with a context that names one.
func (s *Strategy) migrate(ctx context.Context, as tenancy.ID, d gorm.Dialector) error {
	connector, err := s.connector(d)
	if lone, ok := connector.(loneUser); ok {
		connector = lone.Connector // who makes databases sees them all
	}
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.sites++
	at := &site{place: "*site" + strconv.Itoa(s.sites), connector: connector}
	db, plugin, pool := s.db, s.plugin, s.pool
	s.mu.Unlock()
	run := s.migration
	if run == nil {
		run = func(db *gorm.DB) error {
			if models := plugin.OwnedModels(); len(models) > 0 {
				return db.AutoMigrate(models...)
			}
			return nil
		}
	}
	inside := context.WithValue(tenancy.WithTenant(ctx, as), siteKey{}, at)
	err = run(db.Session(&gorm.Session{NewDB: true, Context: inside}))
	release, left := pool.Vacate(ctx, at.place)
	if left == nil {
		release()
	}
	return errors.Join(err, left)
}

// versionOf names what migrate makes: the version given to Migration, or a digest of the models.
func (s *Strategy) versionOf(p *tenancy.Plugin) string {
	h := sha256.New()
	if s.migration != nil {
		fmt.Fprint(h, s.version)
		return hex.EncodeToString(h.Sum(nil)[:8])
	}
	for _, t := range p.OwnedTables() {
		fmt.Fprintf(h, "%s %s\n", t.Name, t.Schema.ModelType)
		for _, f := range t.Schema.Fields {
			fmt.Fprintf(h, "\t%s %s %s %s\n", f.Name, f.DBName, f.FieldType, f.Tag)
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}
