package catalog_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"

	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	naming "gorm.io/gorm/schema"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
	"github.com/gorm-tenancy/tenancy/catalog/storetest"
	"github.com/gorm-tenancy/tenancy/internal/servers"
	"github.com/gorm-tenancy/tenancy/strategies/database"
	"github.com/gorm-tenancy/tenancy/strategies/schema"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
)

// owned is a model of the application's.
type owned struct {
	ID       uint
	TenantID string `gorm:"size:63"`
	Text     string
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// open opens a database with the catalog's tables, under a strategy or, without one, without the plugin.
func open(t testing.TB, d gorm.Dialector, strategy tenancy.Strategy, names naming.Namer) *gorm.DB {
	t.Helper()
	db, err := gorm.Open(d, &gorm.Config{Logger: logger.Discard, NamingStrategy: names})
	must(t, err)
	t.Cleanup(func() {
		pool, err := db.DB()
		must(t, err)
		pool.Close()
	})
	if strategy != nil {
		must(t, db.Use(tenancy.New(strategy, tenancy.OwnedModels(&owned{}),
			tenancy.CentralModels(catalog.Models()...), tenancy.Logger(slog.New(slog.DiscardHandler)))))
	}
	must(t, db.WithContext(tenancy.Bypass(context.Background(), "create tables")).AutoMigrate(catalog.Models()...))
	return db
}

func sqliteFile(t testing.TB) gorm.Dialector {
	return sqlite.Open("file:" + filepath.Join(t.TempDir(), "central.db") + "?_journal_mode=WAL&_busy_timeout=60000")
}

func postgresDatabase(t testing.TB) gorm.Dialector {
	server := servers.Postgres(t)
	return postgres.Open(server.DSN(servers.App, server.Database(t)))
}

// mysqlNames puts the catalog's tables into a database, which the schema strategy needs on MySQL.
type mysqlNames struct {
	naming.NamingStrategy
	database string
}

func (n mysqlNames) TableName(table string) string {
	name := n.NamingStrategy.TableName(table)
	if len(name) > 8 && name[:8] == "tenancy_" {
		return n.database + "." + name
	}
	return name
}

// stores opens an empty store of each kind.
var stores = map[string]func(t *testing.T) catalog.Store{
	"memory": func(*testing.T) catalog.Store { return catalog.NewMemory() },
	"sqlite": func(t *testing.T) catalog.Store { return catalog.GORM(open(t, sqliteFile(t), nil, nil)) },
	"sqlite shared": func(t *testing.T) catalog.Store {
		return catalog.GORM(open(t, sqliteFile(t), shared.New(), nil))
	},
	"postgres": func(t *testing.T) catalog.Store {
		return catalog.GORM(open(t, postgresDatabase(t), nil, naming.NamingStrategy{TablePrefix: "app_", SingularTable: true}))
	},
	"postgres shared": func(t *testing.T) catalog.Store {
		return catalog.GORM(open(t, postgresDatabase(t), shared.New(), nil))
	},
	"postgres schema": func(t *testing.T) catalog.Store {
		return catalog.GORM(open(t, postgresDatabase(t), schema.New(), nil))
	},
	"mariadb": func(t *testing.T) catalog.Store {
		server := servers.MariaDB(t)
		return catalog.GORM(open(t, mysql.Open(server.DSN(servers.App, server.Database(t))), nil, nil))
	},
	"mariadb shared": func(t *testing.T) catalog.Store {
		server := servers.MariaDB(t)
		return catalog.GORM(open(t, mysql.Open(server.DSN(servers.App, server.Database(t))), shared.New(), nil))
	},
	"mariadb schema": func(t *testing.T) catalog.Store {
		server := servers.MariaDB(t)
		name := server.Database(t)
		return catalog.GORM(open(t, mysql.Open(server.DSN(servers.App, name)), schema.New(), mysqlNames{database: name}))
	},
	"sqlite database":   func(t *testing.T) catalog.Store { return catalog.GORM(open(t, sqliteFile(t), apart(), nil)) },
	"postgres database": func(t *testing.T) catalog.Store { return catalog.GORM(open(t, postgresDatabase(t), apart(), nil)) },
	"mariadb database": func(t *testing.T) catalog.Store {
		server := servers.MariaDB(t)
		return catalog.GORM(open(t, mysql.Open(server.DSN(servers.App, server.Database(t))), apart(), nil))
	},
}

// apart gives each tenant a database, so that the catalog stands in another one. No tenant is ever asked for.
func apart() *database.Strategy {
	return database.New(func(context.Context, tenancy.ID) (gorm.Dialector, error) { return nil, tenancy.ErrUnknownTenant })
}

func TestStores(t *testing.T) {
	t.Parallel()
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Run(t, open)
		})
	}
}
