package doctor_test

import (
	"context"
	"database/sql"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	gormschema "gorm.io/gorm/schema"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
	"github.com/gorm-tenancy/tenancy/doctor"
	"github.com/gorm-tenancy/tenancy/internal/servers"
	"github.com/gorm-tenancy/tenancy/migrate"
	"github.com/gorm-tenancy/tenancy/strategies/database"
	"github.com/gorm-tenancy/tenancy/strategies/hybrid"
	"github.com/gorm-tenancy/tenancy/strategies/schema"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
)

// Of the tenants' rows, the ids are those of a tenant's own tables, and of the shared ones different.
type (
	Poll struct {
		ID       uint
		TenantID string `gorm:"size:63;index"`
		Title    string `gorm:"size:100"`
		Choices  []Choice
	}
	Choice struct {
		ID       uint
		TenantID string `gorm:"size:63;index"`
		PollID   uint
		Text     string `gorm:"size:100"`
	}
	Plan struct {
		ID   uint
		Name string `gorm:"size:100"`
	}
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// clinic is a healthy database with the tenants a and b, a catalog and a ledger.
type clinic struct {
	testing.TB
	kind     string
	name     string // of the database
	dsn      string // as the application has it
	strategy tenancy.Strategy
	db       *gorm.DB
	raw      *sql.DB // past everything
	store    catalog.Store
	tenants  *catalog.Catalog
	runner   *migrate.Runner
	plugin   []tenancy.Option
	policies bool   // the shared tables of a hybrid are there already
	mixed    string // where c is, if the strategy is a hybrid
	files    string // where SQLite keeps tenants
	prefix   string
}

// qualified makes names of central tables say their database, which MySQL needs.
type qualified struct {
	gormschema.NamingStrategy
	database string
}

func (q qualified) TableName(table string) string {
	name := q.NamingStrategy.TableName(table)
	if strings.HasPrefix(name, "tenancy_") || name == "plans" {
		return q.database + "." + name
	}
	return name
}

func (c *clinic) exec(statements ...string) {
	c.Helper()
	for _, s := range statements {
		if _, err := c.raw.Exec(s); err != nil {
			c.Fatalf("%s: %v", s, err)
		}
	}
}

// options declares the models, with what the test adds.
func (c *clinic) options() []tenancy.Option {
	return append([]tenancy.Option{
		tenancy.OwnedModels(&Poll{}, &Choice{}), tenancy.CentralModels(append(catalog.Models(), &Plan{})...),
		tenancy.Logger(slog.New(slog.DiscardHandler)),
	}, c.plugin...)
}

// open opens the database once more, as another process would.
func (c *clinic) open(dsn string, s tenancy.Strategy) *gorm.DB {
	c.Helper()
	config := &gorm.Config{Logger: logger.Discard}
	var d gorm.Dialector
	switch c.kind {
	case "sqlite":
		d = sqlite.Open(dsn)
	case "postgres":
		d = postgres.Open(dsn)
	case "mysql":
		d = mysql.Open(dsn)
		if s.Name() == "schema" || s.Name() == "hybrid" {
			config.NamingStrategy = qualified{database: c.name}
		}
	}
	db, err := gorm.Open(d, config)
	must(c, err)
	if r, ok := s.(*shared.Strategy); ok && r.Isolation().Connections {
		must(c, r.Migrate(context.Background(), db, tenancy.New(s, c.options()...), append(catalog.Models(), &Plan{})...))
	}
	must(c, db.Use(tenancy.New(s, c.options()...)))
	c.Cleanup(func() {
		pool, err := db.DB()
		must(c, err)
		pool.Close()
	})
	return db
}

// settle fills a new database.
func (c *clinic) settle() *clinic {
	c.Helper()
	ctx := context.Background()
	c.db = c.open(c.dsn, c.strategy)
	shares := c.strategy.Name() == "shared" || c.mixed != ""
	if i := c.strategy.(tenancy.Isolator).Isolation(); !shares || !i.Connections || c.mixed != "" {
		models := append(catalog.Models(), &Plan{})
		if shares && !c.policies {
			models = append(models, &Poll{}, &Choice{})
		}
		must(c, c.db.WithContext(tenancy.Bypass(ctx, "create tables")).AutoMigrate(models...))
	}
	c.store = catalog.GORM(c.db)
	var err error
	c.tenants, err = catalog.New(c.store, catalog.Strategy(c.strategy))
	must(c, err)
	at := map[tenancy.ID]string{"a": "", "b": ""}
	if c.mixed != "" {
		at = map[tenancy.ID]string{"a": "shared", "b": "shared", "c": c.mixed}
	}
	for id, member := range at {
		_, err := c.tenants.Create(ctx, catalog.Tenant{ID: id, Strategy: member})
		must(c, err)
		must(c, c.db.WithContext(tenancy.WithTenant(ctx, id)).Create(&Poll{Title: string(id), Choices: []Choice{{Text: "yes"}}}).Error)
	}
	return c
}

// migrations gives the clinic a runner at head, where there can be one.
func (c *clinic) migrations(opts ...migrate.Option) *clinic {
	c.Helper()
	if c.policies { // whose role may not change the shared tables
		return c
	}
	var err error
	c.runner, err = migrate.New(c.db, migrate.List("a", "b"), []migrate.Source{step(1)}, opts...)
	must(c, err)
	_, err = c.runner.Up(context.Background())
	must(c, err)
	return c
}

func step(version int64) migrate.Step {
	return migrate.Step{Version: version, Name: "nothing", Run: func(context.Context, *gorm.DB) error { return nil }}
}

func (c *clinic) run(opts ...doctor.Option) doctor.Report {
	c.Helper()
	all := []doctor.Option{doctor.Catalog(c.store)}
	if c.runner != nil {
		all = append(all, doctor.Migrations(c.runner))
	}
	r, err := doctor.Run(context.Background(), c.db, append(all, opts...)...)
	must(c, err)
	return r
}

// find returns the findings with a code.
func find(r doctor.Report, code string) (found []doctor.Finding) {
	for _, f := range r.Findings {
		if f.Code == code {
			found = append(found, f)
		}
	}
	return found
}

// status returns what became of a check.
func status(r doctor.Report, name string) doctor.Check {
	i := slices.IndexFunc(r.Checks, func(c doctor.Check) bool { return c.Name == name })
	if i < 0 {
		return doctor.Check{}
	}
	return r.Checks[i]
}

// wards are the healthy databases.
var wards = map[string]func(t testing.TB) *clinic{
	"shared on SQLite":   func(t testing.TB) *clinic { return onSQLite(t).settle() },
	"shared on Postgres": func(t testing.TB) *clinic { return onPostgres(t, shared.New()).settle() },
	"shared on MariaDB":  func(t testing.TB) *clinic { return onMariaDB(t, shared.New()).settle() },
	"row-level security": func(t testing.TB) *clinic { return onPostgres(t, shared.New(shared.RowLevelSecurity())).settle() },
	"schema on Postgres": func(t testing.TB) *clinic { return onPostgres(t, schema.New()).settle() },
	"schema on MariaDB": func(t testing.TB) *clinic {
		c := onMariaDB(t, nil)
		c.strategy = schema.New(schema.Prefix(c.prefix))
		return c.settle()
	},
	"hybrid on SQLite": func(t testing.TB) *clinic {
		c := onSQLite(t)
		c.files = filepath.Join(t.TempDir(), "tenants")
		places := database.SQLiteFiles(c.files, sqlite.Open)
		return mixed(c, c.dsn, hybrid.Members{"shared": shared.New(), "database": database.New(places.Open, database.WithProvisioner(places))}, "database")
	},
	"hybrid on Postgres": func(t testing.TB) *clinic {
		c := onPostgres(t, nil)
		c.exec("CREATE SCHEMA central AUTHORIZATION " + servers.App)
		return mixed(c, c.dsn+"&search_path=public,central",
			hybrid.Members{"shared": shared.New(), "schema": schema.New(schema.Shared("central"))}, "schema")
	},
	"hybrid with policies": func(t testing.TB) *clinic {
		c := onPostgres(t, nil)
		c.exec("CREATE SCHEMA central AUTHORIZATION " + servers.App)
		tables := shared.New(shared.RowLevelSecurity())
		plain, err := gorm.Open(postgres.Open(c.dsn), &gorm.Config{Logger: logger.Discard, IgnoreRelationshipsWhenMigrating: true})
		must(t, err)
		must(t, tables.Migrate(context.Background(), plain, tenancy.New(tables, c.options()...)))
		pool, err := plain.DB()
		must(t, err)
		must(t, pool.Close())
		c.policies = true
		return mixed(c, c.dsn+"&search_path=public,central", hybrid.Members{"shared": tables, "schema": schema.New(schema.Shared("central"))}, "schema")
	},
	"hybrid on MariaDB": func(t testing.TB) *clinic {
		c := onMariaDB(t, nil)
		return mixed(c, c.dsn, hybrid.Members{"shared": shared.New(), "schema": schema.New(schema.Prefix(c.prefix))}, "schema")
	},
	"database on SQLite": func(t testing.TB) *clinic {
		c := onSQLite(t)
		c.files = filepath.Join(t.TempDir(), "tenants")
		places := database.SQLiteFiles(c.files, sqlite.Open)
		c.strategy = database.New(places.Open, database.WithProvisioner(places))
		return c.settle()
	},
	"database on Postgres": func(t testing.TB) *clinic {
		c := onPostgres(t, nil)
		server := servers.Postgres(t)
		c.prefix = server.Prefix(t)
		places := database.PostgresDatabases(server.DSN(servers.Superuser, "postgres"), secrets(t), database.Prefix(c.prefix))
		c.strategy = database.New(places.Open, database.WithProvisioner(places))
		return c.settle()
	},
	"database on MariaDB": func(t testing.TB) *clinic {
		c := onMariaDB(t, nil)
		places := database.MySQLDatabases(servers.MariaDB(t).DSN("root", ""), secrets(t), database.MySQLPrefix(c.prefix))
		c.strategy = database.New(places.Open, database.WithProvisioner(places))
		return c.settle()
	},
}

// mixed has a and b in shared tables and c in a place of its own.
func mixed(c *clinic, dsn string, members hybrid.Members, own string) *clinic {
	c.dsn, c.mixed = dsn, own
	c.strategy = hybrid.New(func(ctx context.Context, id tenancy.ID) (string, string, error) { return c.tenants.Place(ctx, id) }, members)
	return c.settle()
}

func secrets(t testing.TB) database.Secrets {
	t.Helper()
	s, err := database.Derived([]byte("0123456789abcdef0123456789abcdef"))
	must(t, err)
	return s
}

func onSQLite(t testing.TB, options ...tenancy.Option) *clinic {
	t.Helper()
	c := &clinic{TB: t, kind: "sqlite", strategy: shared.New(), plugin: options}
	c.dsn = "file:" + strings.ReplaceAll(filepath.Join(t.TempDir(), "app.db"), "#", "%23") + "?_busy_timeout=5000&_foreign_keys=1&_journal_mode=WAL"
	c.raw = c.connect("sqlite3", c.dsn)
	return c
}

func onPostgres(t testing.TB, s tenancy.Strategy, options ...tenancy.Option) *clinic {
	t.Helper()
	server := servers.Postgres(t)
	c := &clinic{TB: t, kind: "postgres", strategy: s, plugin: options, name: server.Database(t)}
	c.dsn = server.DSN(servers.App, c.name)
	c.raw = c.connect("pgx", server.DSN(servers.Superuser, c.name)+"&default_query_exec_mode=exec")
	return c
}

func onMariaDB(t testing.TB, s tenancy.Strategy, options ...tenancy.Option) *clinic {
	t.Helper()
	server := servers.MariaDB(t)
	c := &clinic{TB: t, kind: "mysql", strategy: s, plugin: options, name: server.Database(t)}
	c.prefix = server.Prefix(t)
	c.dsn = server.DSN(servers.App, c.name)
	c.raw = c.connect("mysql", server.DSN("root", c.name))
	c.exec("GRANT ALL ON `" + strings.ReplaceAll(c.prefix, "_", `\_`) + "%`.* TO app@'127.0.0.1'")
	return c
}

func (c *clinic) connect(driver, dsn string) *sql.DB {
	c.Helper()
	db, err := sql.Open(driver, dsn)
	must(c, err)
	c.Cleanup(func() { db.Close() })
	return db
}
