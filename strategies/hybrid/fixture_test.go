package hybrid_test

import (
	"context"
	"database/sql"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	naming "gorm.io/gorm/schema"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/internal/servers"
	"github.com/gorm-tenancy/tenancy/strategies/database"
	"github.com/gorm-tenancy/tenancy/strategies/hybrid"
	"github.com/gorm-tenancy/tenancy/strategies/schema"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
)

// The models of the tests. Tenants in shared tables have overlapping ids, too: the keys begin with the tenant.
type (
	Poll struct {
		TenantID string `gorm:"primaryKey;size:63"`
		ID       uint   `gorm:"primaryKey;autoIncrement:false"`
		Title    string
		PlanID   *uint
		Plan     *Plan
		Choices  []Choice `gorm:"foreignKey:TenantID,PollID;references:TenantID,ID"`
	}
	Choice struct {
		TenantID string `gorm:"primaryKey;size:63"`
		ID       uint   `gorm:"primaryKey;autoIncrement:false"`
		PollID   uint
		Text     string
	}
	Plan struct { // central
		ID   uint
		Name string
	}
)

var (
	owned   = []any{&Poll{}, &Choice{}}
	central = []any{&Plan{}}
)

func as(id tenancy.ID) context.Context { return tenancy.WithTenant(context.Background(), id) }

func bypass() context.Context { return tenancy.Bypass(context.Background(), "test") }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// place is a record: which member serves a tenant, and where.
type place struct {
	member, place string
	err           error
}

// records are those of a catalog.
type records struct {
	mu sync.Mutex
	of map[tenancy.ID]place // guarded by mu
}

func (r *records) look(_ context.Context, id tenancy.ID) (string, string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p, ok := r.of[id]
	if !ok {
		return "", "", tenancy.ErrUnknownTenant
	}
	return p.member, p.place, p.err
}

func (r *records) set(id tenancy.ID, p place) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.of[id] = p
}

// combination is a set of members on one kind of database.
type combination struct {
	name    string
	records map[tenancy.ID]place // of thor and loki in shared tables, or both in one member, and of potter elsewhere
	setup   func(t testing.TB) site
}

// site is a database with room for tenants.
type site struct {
	central gorm.Dialector
	again   func() gorm.Dialector // for another process
	names   naming.Namer
	members hybrid.Members
	// prepare is called before db.Use, and migrate after it, under Bypass. Either makes the shared and the central tables.
	prepare, migrate func(db *gorm.DB) error
	// raw opens the place of a tenant past everything.
	raw func(id tenancy.ID) (driver, dsn string)
}

// world is a combination in use.
type world struct {
	testing.TB
	db       *gorm.DB
	strategy *hybrid.Strategy
	records  *records
	site     site
}

func (w *world) as(id tenancy.ID) *gorm.DB { return w.db.WithContext(as(id)) }

func plugin(s tenancy.Strategy) *tenancy.Plugin {
	return tenancy.New(s, tenancy.OwnedModels(owned...), tenancy.CentralModels(central...),
		tenancy.Logger(slog.New(slog.DiscardHandler)))
}

func open(t testing.TB, d gorm.Dialector, names naming.Namer) *gorm.DB {
	t.Helper()
	db, err := gorm.Open(d, &gorm.Config{Logger: logger.Discard, NamingStrategy: names, TranslateError: true})
	must(t, err)
	t.Cleanup(func() {
		if pool, err := db.DB(); err == nil {
			pool.Close()
		}
	})
	return db
}

// begin provisions all tenants of a combination, with the same ids in each.
func (c combination) begin(t testing.TB) *world {
	t.Helper()
	w := &world{TB: t, site: c.setup(t), records: &records{of: map[tenancy.ID]place{}}}
	for id, p := range c.records {
		w.records.of[id] = p
	}
	w.db = open(t, w.site.central, w.site.names)
	if w.site.prepare != nil {
		must(t, w.site.prepare(w.db))
	}
	w.strategy = hybrid.New(w.records.look, w.site.members)
	must(t, w.db.Use(plugin(w.strategy)))
	if w.site.migrate != nil {
		must(t, w.site.migrate(w.db.WithContext(bypass())))
	}
	for id := range c.records {
		must(t, w.strategy.Provision(context.Background(), id))
		must(t, w.as(id).Create(&Poll{ID: 1, Title: string(id) + " 1", Choices: []Choice{{ID: 1, Text: string(id)}}}).Error)
		must(t, w.as(id).Create(&Poll{ID: 2, Title: string(id) + " 2"}).Error)
	}
	return w
}

// rows are the polls in a tenant's place, past everything.
func (w *world) rows(id tenancy.ID) string {
	w.Helper()
	driver, dsn := w.site.raw(id)
	db, err := sql.Open(driver, dsn)
	must(w, err)
	defer db.Close()
	rows, err := db.Query("SELECT tenant_id, title FROM polls ORDER BY tenant_id, id")
	must(w, err)
	defer rows.Close()
	var all []string
	for rows.Next() {
		var tenant, title string
		must(w, rows.Scan(&tenant, &title))
		all = append(all, tenant+": "+title)
	}
	must(w, rows.Err())
	return strings.Join(all, ", ")
}

func migrate(db *gorm.DB) error {
	return db.Session(&gorm.Session{}).AutoMigrate(append(append([]any{}, central...), owned...)...)
}

// files has thor and loki in the central file, potter in one of his own.
func files(t testing.TB) site {
	dir := t.TempDir()
	dsn := "file:" + filepath.Join(dir, "central.db") + "?_busy_timeout=5000&_foreign_keys=1&_journal_mode=WAL"
	tenants := database.SQLiteFiles(filepath.Join(dir, "tenants"), sqlite.Open)
	other := database.SQLiteFiles(filepath.Join(dir, "others"), sqlite.Open)
	return site{
		central: sqlite.Open(dsn),
		again:   func() gorm.Dialector { return sqlite.Open(dsn) },
		members: hybrid.Members{
			"shared":   shared.New(),
			"database": database.New(tenants.Open, database.WithProvisioner(tenants)),
			"other":    database.New(other.Open, database.WithProvisioner(other)),
		},
		migrate: migrate,
		raw: func(id tenancy.ID) (string, string) {
			for _, sub := range []string{"tenants", "others"} {
				name := filepath.Join(dir, sub, "tenant_"+string(id)+".db")
				if matches, _ := filepath.Glob(name); len(matches) > 0 {
					return "sqlite3", "file:" + name
				}
			}
			return "sqlite3", dsn
		},
	}
}

// onPostgres has shared tables in public, central ones in a schema of their own that every tenant's search_path ends with.
func onPostgres(rowSecurity bool) func(t testing.TB) site {
	return func(t testing.TB) site {
		server := servers.Postgres(t)
		name, pre := server.Database(t), server.Prefix(t)
		dsn := server.DSN(servers.App, name)
		secrets, err := database.Derived([]byte("0123456789abcdef0123456789abcdef"))
		must(t, err)
		places := database.PostgresDatabases(server.DSN(servers.Superuser, "postgres"), secrets, database.Prefix(pre))
		var tables *shared.Strategy
		if rowSecurity {
			tables = shared.New(shared.RowLevelSecurity())
		} else {
			tables = shared.New()
		}
		return site{
			central: postgres.Open(dsn + "&search_path=public,central"),
			again:   func() gorm.Dialector { return postgres.Open(dsn + "&search_path=public,central") },
			members: hybrid.Members{
				"shared":   tables,
				"schema":   schema.New(schema.Shared("central")),
				"database": database.New(places.Open, database.WithProvisioner(places)),
			},
			prepare: func(db *gorm.DB) error {
				if err := db.Exec("CREATE SCHEMA central").Error; err != nil {
					return err
				}
				if !rowSecurity {
					return nil
				}
				plain := open(t, postgres.Open(dsn), nil)
				plain.IgnoreRelationshipsWhenMigrating = true // central tables have a schema of their own
				return tables.Migrate(context.Background(), plain, plugin(tables))
			},
			migrate: func(db *gorm.DB) error {
				if rowSecurity {
					return db.AutoMigrate(central...)
				}
				return migrate(db)
			},
			raw: func(id tenancy.ID) (string, string) {
				super := server.DSN(servers.Superuser, name)
				db, err := sql.Open("pgx", super)
				must(t, err)
				defer db.Close()
				var schemas, databases int
				must(t, db.QueryRow("SELECT count(*) FROM pg_namespace WHERE nspname = 'tenant_"+string(id)+"'").Scan(&schemas))
				must(t, db.QueryRow("SELECT count(*) FROM pg_database WHERE datname = '"+pre+string(id)+"'").Scan(&databases))
				switch {
				case databases > 0:
					return "pgx", server.DSN(servers.Superuser, pre+string(id))
				case schemas > 0:
					return "pgx", super + "&search_path=tenant_" + string(id)
				}
				return "pgx", super + "&search_path=public"
			},
		}
	}
}

// centralNames gives central tables the database they live in, as MySQL's schema strategy asks.
type centralNames struct {
	naming.NamingStrategy
	database string
}

func (n centralNames) TableName(model string) string {
	if table := n.NamingStrategy.TableName(model); table != "plans" {
		return table
	}
	return n.database + ".plans"
}

func onMariaDB(t testing.TB) site {
	server := servers.MariaDB(t)
	name, pre := server.Database(t), server.Prefix(t)
	root, err := sql.Open("mysql", server.DSN("root", ""))
	must(t, err)
	t.Cleanup(func() { root.Close() })
	return site{
		central: mysql.Open(server.DSN("root", name)),
		again:   func() gorm.Dialector { return mysql.Open(server.DSN("root", name)) },
		names:   centralNames{database: name},
		members: hybrid.Members{"shared": shared.New(), "schema": schema.New(schema.Prefix(pre))},
		migrate: migrate,
		raw: func(id tenancy.ID) (string, string) {
			var n int
			must(t, root.QueryRow("SELECT count(*) FROM information_schema.schemata WHERE schema_name = ?", pre+string(id)).Scan(&n))
			if n > 0 {
				return "mysql", server.DSN("root", pre+string(id))
			}
			return "mysql", server.DSN("root", name)
		},
	}
}

func at(member string) place { return place{member: member} }

var (
	inShared = map[tenancy.ID]place{"thor": at("shared"), "loki": at("shared"), "potter": at("database")}
	inSchema = map[tenancy.ID]place{"thor": at("shared"), "loki": at("shared"), "potter": at("schema")}
	inThree  = map[tenancy.ID]place{"thor": at("shared"), "loki": at("schema"), "potter": at("database")}

	combinations = []combination{
		{"shared and files", inShared, files},
		{"two sets of files", map[tenancy.ID]place{"thor": at("shared"), "loki": at("database"), "potter": at("other")}, files},
		{"postgres shared and schema", inSchema, onPostgres(false)},
		{"postgres all", inThree, onPostgres(false)},
		{"postgres all with row-level security", inThree, onPostgres(true)},
		{"mariadb shared and schema", map[tenancy.ID]place{"thor": at("shared"), "loki": at("schema"), "potter": at("schema")}, onMariaDB},
	}
)

// onEach runs a test on every combination.
func onEach(t *testing.T, test func(t *testing.T, w *world)) {
	for _, c := range combinations {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			test(t, c.begin(t))
		})
	}
}
