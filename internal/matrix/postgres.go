package matrix

import (
	"context"
	"maps"
	"testing"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/internal/servers"
	"github.com/gorm-tenancy/tenancy/strategies/database"
	"github.com/gorm-tenancy/tenancy/strategies/hybrid"
	"github.com/gorm-tenancy/tenancy/strategies/schema"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
	"github.com/gorm-tenancy/tenancy/strategies/strategytest"
)

// cluster is a database of a test on a server of PostgreSQL.
type cluster struct {
	server      *servers.PostgresServer
	name, plain string
}

func onPostgres(t testing.TB) cluster {
	s := servers.Postgres(t)
	return cluster{s, s.Database(t), s.Database(t)}
}

func (c cluster) app() string { return c.server.DSN(servers.App, c.name) }

func (c cluster) at(params string) func() gorm.Dialector {
	return func() gorm.Dialector { return postgres.Open(c.app() + params) }
}

func (c cluster) plainly() func(testing.TB, *gorm.Config) *gorm.DB {
	return plain(func() gorm.Dialector { return postgres.Open(c.server.DSN(servers.App, c.plain)) })
}

// super reads as nobody a policy holds.
func (c cluster) super(params string) string { return c.server.DSN(servers.Superuser, c.name) + params }

// excused adds what GORM's PrepareStmt cannot do behind a pooler.
func (w way) excused(lacks map[strategytest.Capability]string) map[strategytest.Capability]string {
	if !w.pooled {
		return lacks
	}
	all := maps.Clone(lacks)
	if all == nil {
		all = map[strategytest.Capability]string{}
	}
	for _, mode := range []strategytest.Capability{"PrepareStmt", "PrepareStmt session"} {
		all[mode+"/query while rows are open"] = "two connections prepare one name on the server connection they share"
	}
	return all
}

// way is how the application reaches the server.
type way struct {
	dsn    func(t testing.TB, dsn string) string
	pooled bool
	schema []schema.Option
}

var (
	direct = way{dsn: func(_ testing.TB, dsn string) string { return dsn }}
	simple = way{dsn: func(_ testing.TB, dsn string) string { return dsn + "&default_query_exec_mode=simple_protocol" }}
	atOnce = way{dsn: func(_ testing.TB, dsn string) string { return dsn + "&default_query_exec_mode=exec" }}
	// settings stay on a connection
	session = way{dsn: direct.dsn, schema: []schema.Option{schema.Session()}}
	pooled  = way{pooled: true, dsn: func(t testing.TB, dsn string) string {
		return servers.PgBouncer(t, dsn, 8) + "&default_query_exec_mode=exec"
	}}
)

func sharedOnPostgres(w way) func(t testing.TB) Harness {
	return func(t testing.TB) Harness {
		c := onPostgres(t)
		dsn := w.dsn(t, c.app())
		o := &opener{at: func() gorm.Dialector { return postgres.Open(dsn) }, make: func() tenancy.Strategy { return shared.New() }}
		return Harness{o, strategytest.Harness{
			Open: o.open, Plain: c.plainly(), Lacks: w.excused(onWallAlone),
			Raw: pools("pgx", func(tenancy.ID) string { return c.super("") }),
		}}
	}
}

func rowSecurity(w way) func(t testing.TB) Harness {
	return func(t testing.TB) Harness {
		c := onPostgres(t)
		dsn := w.dsn(t, c.app())
		opts := []shared.Option{shared.RowLevelSecurity()}
		if w.pooled {
			opts = append(opts, shared.Pooled())
		}
		o := &opener{at: func() gorm.Dialector { return postgres.Open(dsn) }, make: func() tenancy.Strategy { return shared.New(opts...) }}
		return Harness{o, strategytest.Harness{
			Open: o.open, Plain: c.plainly(), Lacks: w.excused(nil),
			Raw: pools("pgx", func(tenancy.ID) string { return c.super("") }),
			Prepare: func(t testing.TB, owned, central []any) {
				s := shared.New(shared.RowLevelSecurity())
				p := tenancy.New(s, tenancy.OwnedModels(owned...), tenancy.CentralModels(central...))
				db := open(t, c.at("")(), &gorm.Config{DisableForeignKeyConstraintWhenMigrating: true})
				must(t, s.Migrate(context.Background(), db, p, central...))
			},
		}}
	}
}

func schemaOnPostgres(w way) func(t testing.TB) Harness {
	return func(t testing.TB) Harness {
		c := onPostgres(t)
		dsn := w.dsn(t, c.app())
		opts := w.schema
		if w.pooled {
			opts = append(opts, schema.Pooled())
		}
		o := &opener{at: func() gorm.Dialector { return postgres.Open(dsn) }, make: func() tenancy.Strategy { return schema.New(opts...) }}
		return Harness{o, strategytest.Harness{
			Open: o.open, Plain: c.plainly(), Provision: o.provision, Deprovision: o.deprovision, Lacks: w.excused(nil),
			Raw: pools("pgx", func(id tenancy.ID) string {
				if id == "" {
					return c.super("&search_path=public")
				}
				return c.super("&search_path=tenant_" + string(id))
			}),
		}}
	}
}

func secrets(t testing.TB) database.Secrets {
	t.Helper()
	s, err := database.Derived([]byte("0123456789abcdef0123456789abcdef"))
	must(t, err)
	return s
}

func databaseOnPostgres(t testing.TB) Harness {
	c := onPostgres(t)
	prefix := c.server.Prefix(t)
	o := &opener{at: c.at(""), make: func() tenancy.Strategy {
		places := database.PostgresDatabases(c.server.DSN(servers.Superuser, "postgres"), secrets(t), database.Prefix(prefix))
		return database.New(places.Open, database.WithProvisioner(places))
	}}
	return Harness{o, strategytest.Harness{
		Open: o.open, Plain: c.plainly(), Provision: o.provision, Deprovision: o.deprovision, Lacks: apart,
		Raw: pools("pgx", func(id tenancy.ID) string {
			if id == "" {
				return c.super("")
			}
			return c.server.DSN(servers.Superuser, prefix+string(id))
		}),
	}}
}

func hybridOnPostgres(sharing tenancy.ID) func(t testing.TB) Harness {
	return func(t testing.TB) Harness {
		c := onPostgres(t)
		o := &opener{at: c.at("&search_path=public,central"), make: func() tenancy.Strategy {
			return hybrid.New(sharesTables(sharing, "schema"), hybrid.Members{"shared": shared.New(), "schema": schema.New(schema.Shared("central"))})
		}}
		h := strategytest.Harness{
			Open: o.open, Plain: c.plainly(), Provision: o.provision, Deprovision: o.deprovision,
			Raw: pools("pgx", func(id tenancy.ID) string {
				switch id {
				case "":
					return c.super("&search_path=central")
				case sharing:
					return c.super("&search_path=public")
				}
				return c.super("&search_path=tenant_" + string(id))
			}),
			Prepare: func(t testing.TB, owned, central []any) {
				config := &gorm.Config{DisableForeignKeyConstraintWhenMigrating: true, IgnoreRelationshipsWhenMigrating: true}
				db := open(t, c.at("&search_path=central")(), config)
				must(t, db.Exec("CREATE SCHEMA central").Error)
				must(t, db.AutoMigrate(central...))
				db = open(t, c.at("&search_path=public,central")(), &gorm.Config{DisableForeignKeyConstraintWhenMigrating: true})
				must(t, db.AutoMigrate(owned...))
				must(t, db.Migrator().DropTable("public.plans")) // which GORM makes with them
			},
		}
		if sharing == "a" {
			h.Lacks = map[strategytest.Capability]string{strategytest.SQLText: noText}
		} else {
			h.Lacks = map[strategytest.Capability]string{"deprovision": inTables}
		}
		return Harness{o, h}
	}
}
