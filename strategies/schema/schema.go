package schema

import (
	"context"
	"database/sql"
	"fmt"
	"sync"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/tenantconn"
)

// Strategy keeps each tenant in a schema of its own. It is safe for concurrent use. One Strategy serves one database and
// its replicas.
type Strategy struct {
	prefix     string
	shared     []string
	roles      bool
	privileges []string
	session    bool
	pooled     bool
	allow      func(tenancy.ID) error

	mu     sync.Mutex
	home   *home // guarded by mu; where tenants are provisioned
	beside bool  // guarded by mu; another strategy's shared tables stand in the database of the DSN
}

var (
	_ tenancy.Strategy    = (*Strategy)(nil)
	_ tenancy.Isolator    = (*Strategy)(nil)
	_ tenancy.Verifier    = (*Strategy)(nil)
	_ tenancy.Provisioner = (*Strategy)(nil)
	_ tenancy.Restrictor  = (*Strategy)(nil)
	_ tenancy.Renamer     = (*Strategy)(nil)
	_ tenancy.Inspector   = (*Strategy)(nil)
	_ tenancy.Surveyor    = (*Strategy)(nil)

	_ tenantconn.Confiner = (*Strategy)(nil)
)

// New returns the schema strategy.
func New(opts ...Option) *Strategy {
	s := &Strategy{prefix: "tenant_", shared: []string{"public"}}
	for _, opt := range opts {
		opt(s)
	}
	return s
}

// Name returns "schema".
func (*Strategy) Name() string { return "schema" }

// Isolation says that tenants share no table, that connections are confined, and whether by settings of the session: with
// [Session], on MySQL, and on PostgreSQL through another driver than pgx. The last two are known after db.Use.
func (s *Strategy) Isolation() tenancy.Isolation {
	s.mu.Lock()
	defer s.mu.Unlock()
	sessions := s.session || s.home != nil && s.home.sessions
	return tenancy.Isolation{Siloed: true, Connections: true, Sessions: sessions}
}

// Route returns the same route for every tenant, or tenancy.ErrInvalidID when the id cannot name a schema. Whether the
// schema exists is not asked.
func (s *Strategy) Route(_ context.Context, id tenancy.ID) (tenancy.Route, error) {
	if _, err := s.name(id); err != nil {
		return tenancy.Route{}, err
	}
	return tenancy.Route{Confined: true}, nil
}

// Restrict makes connections ask allow for every statement of a tenant. It is for strategies that wrap this one; call it
// before db.Use.
func (s *Strategy) Restrict(allow func(tenancy.ID) error) { s.allow = allow }

// Attach confines db's connections (see tenantconn.Attach for what that asks of db) and switches QueryFields on: GORM then
// lists the columns it reads. A prepared "SELECT *" fails on PostgreSQL when two tenants' tables have different columns,
// which they have while a migration runs.
//
// It fails with tenancy.ErrUnsupported on other databases than PostgreSQL and MySQL.
func (s *Strategy) Attach(db *gorm.DB) error {
	old, err := db.DB()
	if err != nil {
		return fmt.Errorf("schema: GORM has no *sql.DB to confine: %w", err)
	}
	if tenantconn.Confined(old) {
		return listFields(db)
	}
	side, err := s.Confine(db, false)
	if err != nil {
		return err
	}
	return tenantconn.Attach(db, side.Wall)
}

// Confine is Attach beside other strategies (see strategies/hybrid). Where shared tables are beside, they may stand where the
// DSN's search_path leads, or in MySQL's database of the DSN, but in no schema named with [Shared].
func (s *Strategy) Confine(db *gorm.DB, besideShared bool) (tenantconn.Side, error) {
	if err := s.validate(); err != nil {
		return tenantconn.Side{}, err
	}
	old, err := db.DB()
	if err != nil {
		return tenantconn.Side{}, fmt.Errorf("schema: GORM has no *sql.DB to confine: %w", err)
	}
	wall, central, err := s.wall(db.Name(), old)
	if err != nil {
		return tenantconn.Side{}, err
	}
	s.mu.Lock()
	s.beside = besideShared
	if s.home == nil { // replicas come later
		d, ok := db.Dialector.(*postgres.Dialector)
		s.home = &home{db: db, central: central, sessions: !ok || d.DriverName != ""}
	}
	s.mu.Unlock()
	return tenantconn.Side{Wall: wall}, listFields(db)
}

// wall returns the wall for a kind of database, and on MySQL the name of the central one.
func (s *Strategy) wall(kind string, old *sql.DB) (wall tenantconn.Wall, central string, err error) {
	switch {
	case kind == "postgres":
		return s.wallPostgres(), "", nil
	case kind != "mysql":
		return wall, "", fmt.Errorf("%w: %s has no schemas; use strategies/database", tenancy.ErrUnsupported, kind)
	case s.roles || s.pooled:
		return wall, "", fmt.Errorf("%w: Roles and Pooled are PostgreSQL's", tenancy.ErrUnsupported)
	}
	if central, err = centralDatabase(old); err != nil {
		return wall, "", err
	}
	return s.wallMySQL(central), central, nil
}

// wallPostgres lets search_path, and with Roles the role, ride along.
func (s *Strategy) wallPostgres() tenantconn.Wall {
	wall := tenantconn.Wall{Settings: []string{"search_path"}, Session: s.session, Pooled: s.pooled}
	tail, central := s.paths()
	centralValues := []string{central}
	if s.roles {
		wall.Settings = append(wall.Settings, "role")
		centralValues = append(centralValues, "none")
	}
	if !s.pooled {
		wall.Startup = map[string]string{"search_path": "pg_catalog, pg_temp"}
	}
	wall.Router = s.router(centralValues, func(ctx context.Context, name string) []string {
		path := `"` + name + `"` + tail
		switch {
		case !s.roles:
			return []string{path}
		case builds(ctx):
			return []string{path, "none"}
		case actsAsOwner(ctx):
			return []string{path, ownerOf(name)}
		}
		return []string{path, name}
	})
	return wall
}

// wallMySQL lets the current database ride along.
func (s *Strategy) wallMySQL(central string) tenantconn.Wall {
	return tenantconn.Wall{
		Settings: []string{"database"},
		Router:   s.router([]string{central}, func(_ context.Context, name string) []string { return []string{name} }),
	}
}

// router asks the context what it may reach. Whoever acts for no tenant reaches the central tables, also under Bypass: a
// statement over all tenants has no schema to run in.
func (s *Strategy) router(central []string, values func(context.Context, string) []string) tenantconn.Router {
	return func(ctx context.Context) (tenantconn.Route, error) {
		reach, id, err := tenancy.ReachOf(ctx)
		if err != nil {
			return tenantconn.Route{}, err
		}
		if reach != tenancy.ReachTenant {
			return tenantconn.Route{Values: central, Central: reach == tenancy.ReachCentral}, nil
		}
		if s.allow != nil {
			if err := s.allow(id); err != nil {
				return tenantconn.Route{}, err
			}
		}
		name, err := s.place(id)
		if err != nil {
			return tenantconn.Route{}, err
		}
		return tenantconn.Route{Tenant: id, Values: values(ctx, name)}, nil
	}
}

type (
	ownerKey   struct{}
	builderKey struct{}
)

// AsOwner returns a context whose statements, where the strategy has [Roles], run with the role that owns the tenant's
// tables instead of the one that reads and writes their rows, for migrations. It may create and change tables in the
// tenant's schema, refer to central ones, and nothing else: PostgreSQL refuses other tenants' schemas to it, too. Do not let
// users' input near such a statement. A transaction begun without it has the tenant's usual role to its end. Without Roles
// it changes nothing. Safe for concurrent use.
func AsOwner(ctx context.Context) context.Context { return context.WithValue(ctx, ownerKey{}, true) }

func actsAsOwner(ctx context.Context) bool { return ctx.Value(ownerKey{}) != nil }

// asBuilder is for Provision: the DSN's own role, which makes schema and roles, in the tenant's search_path.
func asBuilder(ctx context.Context) context.Context {
	return context.WithValue(ctx, builderKey{}, true)
}

func builds(ctx context.Context) bool { return ctx.Value(builderKey{}) != nil }
