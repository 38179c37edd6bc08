//go:build !race

package bench

import (
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/utils/tests"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/internal/servers"
	routing "github.com/gorm-tenancy/tenancy/strategies/database"
	"github.com/gorm-tenancy/tenancy/strategies/pinned"
	"github.com/gorm-tenancy/tenancy/strategies/schema"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
)

// contender is a strategy on an engine, beside plain GORM on a table of the same rows.
type contender struct {
	strategy, engine string
	tenantColumn     bool
	server           func(testing.TB) string // where it listens; nil without one
	open             func(stage) (plain, with *gorm.DB)
}

var (
	item, note = &Item{}, &Note{}

	contenders = []contender{
		{"shared", "none", true, nil, func(s stage) (*gorm.DB, *gorm.DB) {
			return open(s, tests.DummyDialector{}, true), open(s, tests.DummyDialector{}, true, owning())
		}},
		{"shared", "SQLite", true, nil, func(s stage) (*gorm.DB, *gorm.DB) {
			return s.open(s.file(item)), s.open(s.file(item), owning())
		}},
		{"shared", "PostgreSQL", true, postgresAddr, func(s stage) (*gorm.DB, *gorm.DB) {
			return s.open(s.postgres(s.database(item))), s.open(s.postgres(s.database(item)), owning())
		}},
		{"shared, row-level security", "PostgreSQL", true, postgresAddr, func(s stage) (*gorm.DB, *gorm.DB) {
			name, strategy := s.database(item), shared.New(shared.RowLevelSecurity())
			plugin := tenancy.New(strategy, tenancy.OwnedModels(item))
			s.must(strategy.Migrate(ctx, s.open(s.postgres(name)), plugin))
			return s.open(s.postgres(s.database(item))), s.open(s.postgres(name), plugin)
		}},
		{"shared", "MariaDB", true, mariaAddr, func(s stage) (*gorm.DB, *gorm.DB) {
			return s.open(s.maria(s.mariaDatabase(item))), s.open(s.maria(s.mariaDatabase(item)), owning())
		}},
		{"schema", "PostgreSQL", false, postgresAddr, func(s stage) (*gorm.DB, *gorm.DB) {
			return s.alone(), s.schema(s.postgres(servers.Postgres(s).Database(s)))
		}},
		{"schema, Session", "PostgreSQL", false, postgresAddr, func(s stage) (*gorm.DB, *gorm.DB) {
			return s.alone(), s.schema(s.postgres(servers.Postgres(s).Database(s)), schema.Session())
		}},
		{"schema", "MariaDB", false, mariaAddr, func(s stage) (*gorm.DB, *gorm.DB) {
			central := servers.MariaDB(s).Database(s)
			return s.open(s.maria(s.mariaDatabase(note))), s.schema(s.maria(central), schema.Prefix(central+"_"))
		}},
		{"database", "SQLite", false, nil, func(s stage) (*gorm.DB, *gorm.DB) {
			return s.open(s.file(note)), s.routed(s.file(), s.file(note))
		}},
		{"database", "PostgreSQL", false, postgresAddr, func(s stage) (*gorm.DB, *gorm.DB) {
			return s.open(s.postgres(s.database(note))), s.routed(s.postgres(s.database()), s.postgres(s.database(note)))
		}},
		{"database", "MariaDB", false, mariaAddr, func(s stage) (*gorm.DB, *gorm.DB) {
			with := s.routed(s.maria(s.mariaDatabase()), s.maria(s.mariaDatabase(note)), routing.SharedUser())
			return s.open(s.maria(s.mariaDatabase(note))), with
		}},
		{"hybrid, shared member", "SQLite", true, nil, func(s stage) (*gorm.DB, *gorm.DB) {
			return s.open(s.file(item)), s.open(s.file(item), mixing("shared", s.TempDir()))
		}},
		{"pinned over shared", "SQLite", true, nil, func(s stage) (*gorm.DB, *gorm.DB) {
			strategy := pinned.New(tenant, pinned.Over(shared.New()))
			return s.open(s.file(item)), s.open(s.file(item), tenancy.New(strategy, tenancy.OwnedModels(item)))
		}},
	}
)
