//go:build !race

package bench

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/internal/servers"
	"github.com/gorm-tenancy/tenancy/internal/wire"
	routing "github.com/gorm-tenancy/tenancy/strategies/database"
	"github.com/gorm-tenancy/tenancy/strategies/schema"
)

// stage makes databases of a hundred rows and opens them, through a proxy if there is one.
type stage struct {
	testing.TB
	proxy *counter
}

// counter is a proxy and the address it stands for.
type counter struct {
	*wire.Proxy
	target string
}

func newProxy(t testing.TB, target string) *counter { return &counter{wire.New(t, target), target} }

func postgresAddr(t testing.TB) string { return servers.Postgres(t).Addr() }
func mariaAddr(t testing.TB) string    { return servers.MariaDB(t).Addr() }

func (s stage) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// at is the data source, by way of the proxy.
func (s stage) at(dsn string) string {
	if s.proxy == nil {
		return dsn
	}
	return strings.Replace(dsn, s.proxy.target, s.proxy.Addr(), 1)
}

// trips is what the statement costs when everything is connected and prepared.
func (s stage) trips(name string, run func(*gorm.DB) error, db *gorm.DB) int {
	const warm, measured = 3, 4
	for n := range warm + measured {
		if n == warm {
			s.proxy.Reset()
		}
		if err := run(db); err != nil {
			s.Fatalf("%s: %v", name, err)
		}
	}
	trips := s.proxy.Trips()
	if trips%measured != 0 {
		s.Errorf("%s: %d round trips for %d statements", name, trips, measured)
	}
	return trips / measured
}

// open opens a database for the tenant. It is closed with the test.
func (s stage) open(d gorm.Dialector, plugins ...gorm.Plugin) *gorm.DB {
	s.Helper()
	db := open(s, d, false, plugins...)
	s.Cleanup(func() {
		if pool, err := db.DB(); err == nil {
			_ = pool.Close()
		}
	})
	return db
}

// fill makes the tables, each with a hundred rows of the tenant.
func (s stage) fill(db *gorm.DB, models ...any) {
	s.Helper()
	for _, model := range models {
		s.must(db.AutoMigrate(model))
		switch model.(type) {
		case *Item:
			s.must(create(100, tenant)(db).Error)
		case *Note:
			notes := make([]Note, 100)
			s.must(db.Create(&notes).Error)
		}
	}
}

func (s stage) file(models ...any) gorm.Dialector {
	dsn := filepath.Join(s.TempDir(), "db")
	s.fill(s.open(sqlite.Open(dsn)), models...)
	return sqlite.Open(dsn)
}

// database makes a PostgreSQL database and returns its name.
func (s stage) database(models ...any) string {
	name := servers.Postgres(s).Database(s)
	s.fill(s.open(s.postgres(name)), models...)
	return name
}

func (s stage) postgres(name string) gorm.Dialector {
	return postgres.Open(s.at(servers.Postgres(s).DSN(servers.App, name)))
}

func (s stage) mariaDatabase(models ...any) string {
	name := servers.MariaDB(s).Database(s)
	s.fill(s.open(s.maria(name)), models...)
	return name
}

func (s stage) maria(name string) gorm.Dialector {
	return mysql.Open(s.at(servers.MariaDB(s).DSN("root", name)))
}

// schema opens a database whose tenant has a schema.
func (s stage) schema(d gorm.Dialector, opts ...schema.Option) *gorm.DB {
	strategy := schema.New(opts...)
	db := s.open(d, tenancy.New(strategy, tenancy.OwnedModels(note)))
	s.must(strategy.Provision(context.Background(), tenant))
	s.Cleanup(func() { s.must(strategy.Deprovision(context.Background(), tenant)) })
	s.fill(db, note)
	return db
}

// alone is plain GORM in a schema named by its DSN.
func (s stage) alone() *gorm.DB {
	name := s.database()
	s.must(s.open(s.postgres(name)).Exec("CREATE SCHEMA alone").Error)
	db := s.open(postgres.Open(s.at(servers.Postgres(s).DSN(servers.App, name)) + "&search_path=alone"))
	s.fill(db, note)
	return db
}

// routed opens the central database and routes the tenant to its own.
func (s stage) routed(central, own gorm.Dialector, opts ...routing.Option) *gorm.DB {
	find := func(context.Context, tenancy.ID) (gorm.Dialector, error) { return own, nil }
	return s.open(central, tenancy.New(routing.New(find, opts...), tenancy.OwnedModels(note)))
}
