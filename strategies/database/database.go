package database

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/tenantconn"
)

// Opener returns the dialector of a tenant's database, made with a DSN as in postgres.Open(dsn). It must give every tenant a
// database of its own, of the kind GORM was opened with. It is called each time a connection is opened, from many
// goroutines. Where records name places, tenantconn.PlaceOf(ctx) is the tenant's. ctx is the statement's under
// tenancy.Central, so that a look-up in the central database needs no more. It returns tenancy.ErrUnknownTenant or
// tenancy.ErrTenantSuspended for a tenant that must not be served; its error is the statement's.
type Opener func(ctx context.Context, id tenancy.ID) (gorm.Dialector, error)

// Strategy keeps each tenant in a database of its own. It is safe for concurrent use.
type Strategy struct {
	open       Opener
	budget     tenantconn.Budget
	places     tenancy.Provisioner
	migration  func(*gorm.DB) error
	version    string
	sharedUser bool
	allow      func(tenancy.ID) error

	mu       sync.Mutex
	pool     *tenantconn.Pool            // guarded by mu, like all below
	kind     string                      // of all databases
	usual    driver.Driver               // of dialectors that name none
	centrals map[string]driver.Connector // by place
	db       *gorm.DB                    // the first one that was attached
	plugin   *tenancy.Plugin
	sites    int  // templates migrated so far
	beside   bool // another strategy's shared tables stand in the central database
}

var (
	_ tenancy.Strategy    = (*Strategy)(nil)
	_ tenancy.Isolator    = (*Strategy)(nil)
	_ tenancy.Verifier    = (*Strategy)(nil)
	_ tenancy.Provisioner = (*Strategy)(nil)
	_ tenancy.Restrictor  = (*Strategy)(nil)

	_ tenantconn.Confiner = (*Strategy)(nil)
)

// Option configures the strategy.
type Option func(*Strategy)

// Budget limits the connections to all tenants and the central database together. The default is that of
// tenantconn.Budget.
func Budget(b tenantconn.Budget) Option { return func(s *Strategy) { s.budget = b } }

// WithProvisioner lets [Strategy.Provision] and [Strategy.Deprovision] make and remove databases: [SQLiteFiles],
// [PostgresDatabases], [MySQLDatabases] or one of your own. By default they are tenancy.ErrUnsupported.
func WithProvisioner(p tenancy.Provisioner) Option { return func(s *Strategy) { s.places = p } }

// Migration makes the tables of a new tenant's database. It is called for an empty database, with db acting for no tenant
// that exists, and once for the template of many tenants: rows it inserts are every new tenant's. version names what it
// makes; change it with the function. The default is AutoMigrate of the models declared with tenancy.OwnedModels.
func Migration(version string, f func(db *gorm.DB) error) Option {
	return func(s *Strategy) { s.version, s.migration = version, f }
}

// SharedUser lets a tenant's MySQL user see other databases than the tenant's. Raw SQL inside a tenant can then reach them
// by name, and nothing stops it. By default such a connection is refused with tenancy.ErrUnconfined.
func SharedUser() Option { return func(s *Strategy) { s.sharedUser = true } }

// New returns the database strategy. A mistake in the options makes db.Use fail.
func New(open Opener, opts ...Option) *Strategy {
	s := &Strategy{open: open, centrals: map[string]driver.Connector{}}
	for _, opt := range opts {
		opt(s)
	}
	return s
}

// Name returns "database".
func (*Strategy) Name() string { return "database" }

// Isolation says that tenants share no table, that connections are confined, and that central tables stand apart.
func (*Strategy) Isolation() tenancy.Isolation {
	return tenancy.Isolation{Siloed: true, Connections: true, CentralApart: true}
}

// Route returns the same route for every tenant. Whether the tenant's database is there is not asked.
func (*Strategy) Route(context.Context, tenancy.ID) (tenancy.Route, error) {
	return tenancy.Route{Confined: true}, nil
}

// Restrict makes connections ask allow for every statement of a tenant. It is for strategies that wrap this one; call it
// before db.Use.
func (s *Strategy) Restrict(allow func(tenancy.ID) error) { s.allow = allow }

// Counters says what the budget is doing and has done. Before db.Use it is zero.
func (s *Strategy) Counters() tenantconn.Counters {
	s.mu.Lock()
	pool := s.pool
	s.mu.Unlock()
	if pool == nil {
		return tenantconn.Counters{}
	}
	return pool.Counters()
}

// Attach replaces db's connections: those to tenants and to the database GORM was opened with, the central one, then come
// from one budget. The old ones are closed, so that handles made from db before fail instead of going round. Settings of
// the old pool, such as its limits, are lost; the budget has them. Closing db.DB() closes all and waits for those in use.
//
// Several gorm.DB share the budget, and have each their own central database: that is how dbresolver's replicas work, which
// are those of the central database. It must be registered after tenancy.
//
// It fails with tenancy.ErrUnsupported on other databases than SQLite, PostgreSQL and MySQL, or on another one than the
// first, and where the connections cannot be opened again: over a Conn of the application's, or when dbresolver came first.
func (s *Strategy) Attach(db *gorm.DB) error {
	if _, ok := db.Plugins["gorm:db_resolver"]; ok {
		return errors.New("database: register dbresolver after tenancy, so that its connections are routed, too")
	}
	old, err := db.DB()
	if err != nil {
		return fmt.Errorf("database: GORM has no *sql.DB to replace: %w", err)
	}
	if tenantconn.Confined(old) {
		return nil
	}
	side, err := s.Confine(db, false)
	if err != nil {
		return err
	}
	pool, err := side.Pool.Open(old.Driver(), side.Wall)
	if err != nil {
		return err
	}
	return tenantconn.Replace(db, pool)
}

// Confine is Attach beside other strategies (see strategies/hybrid). Connections to the tenants and, where the strategy is
// asked for them, to the central database come from this strategy's own budget. Where shared tables are beside, owned tables
// in the central database are no mistake: no tenant of this strategy reaches it.
func (s *Strategy) Confine(db *gorm.DB, besideShared bool) (tenantconn.Side, error) {
	if s.open == nil {
		return tenantconn.Side{}, errors.New("database: New needs a function that opens a tenant's database")
	}
	old, err := db.DB()
	if err != nil {
		return tenantconn.Side{}, fmt.Errorf("database: GORM has no *sql.DB to replace: %w", err)
	}
	usual := old.Driver()
	connector, err := tenantconn.ConnectorOf(db.Dialector, usual)
	if err != nil {
		return tenantconn.Side{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.accept(db.Name()); err != nil {
		return tenantconn.Side{}, err
	}
	if s.pool == nil {
		if s.pool, err = tenantconn.NewPool(s.budget, s.find); err != nil {
			return tenantconn.Side{}, err
		}
	}
	central := ""
	if n := len(s.centrals); n > 0 {
		central = "*" + strconv.Itoa(n) // no tenant has this id
	}
	s.kind, s.usual, s.beside = db.Name(), usual, besideShared
	s.centrals[central] = connector
	if s.db == nil {
		s.db = db
	}
	wall := tenantconn.Wall{Router: router(central, s.allow)}
	return tenantconn.Side{Wall: wall, Pool: s.pool}, nil
}

// accept refuses a kind of database that the strategy cannot have, or has not. s.mu is held.
func (s *Strategy) accept(kind string) error {
	switch {
	case kind != "sqlite" && kind != "postgres" && kind != "mysql":
		return fmt.Errorf("%w: a database of the kind %s for each tenant", tenancy.ErrUnsupported, kind)
	case s.kind != "" && s.kind != kind:
		return fmt.Errorf("%w: the first database was opened as %s, this one as %s; all of one strategy are of one kind",
			tenancy.ErrUnsupported, s.kind, kind)
	}
	return nil
}

// router asks the context what it may reach. Whoever acts for no tenant reaches the central database, also under Bypass.
func router(central string, allow func(tenancy.ID) error) tenantconn.Router {
	apart := tenantconn.Route{Place: central}
	return func(ctx context.Context) (tenantconn.Route, error) {
		reach, id, err := tenancy.ReachOf(ctx)
		if err != nil {
			return tenantconn.Route{}, err
		}
		if reach != tenancy.ReachTenant {
			return apart, nil
		}
		if allow != nil {
			if err := allow(id); err != nil {
				return tenantconn.Route{}, err
			}
		}
		place := string(id)
		if at, ok := ctx.Value(siteKey{}).(*site); ok {
			place = at.place
		}
		return tenantconn.Route{Tenant: id, Place: place}, nil
	}
}

// site is where a template is made. No tenant is there.
type site struct {
	place     string
	connector driver.Connector
}

type siteKey struct{}

// find looks up where a route leads. It is a tenantconn.Finder.
func (s *Strategy) find(ctx context.Context, r tenantconn.Route) (driver.Connector, error) {
	if r.Tenant == "" {
		s.mu.Lock()
		central := s.centrals[r.Place]
		s.mu.Unlock()
		return central, nil
	}
	if at, ok := ctx.Value(siteKey{}).(*site); ok {
		return at.connector, nil
	}
	if _, place, several := strings.Cut(r.Place, "@"); several {
		ctx = tenantconn.WithPlace(ctx, place)
	}
	d, err := s.open(tenancy.Central(ctx), r.Tenant)
	if err != nil {
		return nil, err
	}
	c, err := s.connector(d)
	if files, ok := s.places.(*Files); ok && err == nil {
		path, err := files.path(r.Tenant)
		return present{c, path}, err
	}
	return c, err
}

// connector returns what opens connections to a tenant's database.
func (s *Strategy) connector(d gorm.Dialector) (driver.Connector, error) {
	if d == nil {
		return nil, tenancy.ErrUnknownTenant
	}
	if d.Name() != s.kind {
		return nil, fmt.Errorf("%w: GORM was opened as %s, the tenant's database as %s", tenancy.ErrUnsupported, s.kind, d.Name())
	}
	c, err := tenantconn.ConnectorOf(d, s.usual)
	if err != nil || s.kind != "mysql" || s.sharedUser {
		return c, err
	}
	return loneUser{c}, nil
}
