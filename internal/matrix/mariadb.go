package matrix

import (
	"testing"

	"gorm.io/driver/mysql"
	"gorm.io/gorm"
	naming "gorm.io/gorm/schema"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/internal/servers"
	"github.com/gorm-tenancy/tenancy/strategies/database"
	"github.com/gorm-tenancy/tenancy/strategies/hybrid"
	"github.com/gorm-tenancy/tenancy/strategies/schema"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
	"github.com/gorm-tenancy/tenancy/strategies/strategytest"
)

// maria is a database of a test on a server of MariaDB.
type maria struct {
	server      *servers.MariaDBServer
	name, plain string
}

func onMaria(t testing.TB) maria {
	s := servers.MariaDB(t)
	return maria{s, s.Database(t), s.Database(t)}
}

func (m maria) at(user string) func() gorm.Dialector {
	return func() gorm.Dialector { return mysql.Open(m.server.DSN(user, m.name)) }
}

func (m maria) plainly() func(testing.TB, *gorm.Config) *gorm.DB {
	return plain(func() gorm.Dialector { return mysql.Open(m.server.DSN(servers.App, m.plain)) })
}

// centralNames gives central tables the database they live in, as MySQL's schema strategy asks.
type centralNames struct {
	naming.NamingStrategy
	database string
}

func (n centralNames) TableName(model string) string {
	table := n.NamingStrategy.TableName(model)
	if table == "plans" {
		return n.database + "." + table
	}
	return table
}

func sharedOnMariaDB(t testing.TB) Harness {
	m := onMaria(t)
	o := &opener{at: m.at(servers.App), make: func() tenancy.Strategy { return shared.New() }}
	return Harness{o, strategytest.Harness{
		Open: o.open, Plain: m.plainly(), Lacks: onWallAlone,
		Raw: pools("mysql", func(tenancy.ID) string { return m.server.DSN("root", m.name) }),
	}}
}

// placeOf has a database of its own for some tenants.
func (m maria) placeOf(prefix string, own ...tenancy.ID) func(id tenancy.ID) string {
	return func(id tenancy.ID) string {
		for _, o := range own {
			if o == id {
				return m.server.DSN("root", prefix+string(id))
			}
		}
		return m.server.DSN("root", m.name)
	}
}

func schemaOnMariaDB(t testing.TB) Harness {
	m := onMaria(t)
	prefix := m.server.Prefix(t)
	o := &opener{at: m.at("root"), names: centralNames{database: m.name}, make: func() tenancy.Strategy { return schema.New(schema.Prefix(prefix)) }}
	return Harness{o, strategytest.Harness{
		Open: o.open, Plain: m.plainly(), Provision: o.provision, Deprovision: o.deprovision,
		Raw: pools("mysql", m.placeOf(prefix, "a", "b", "c")),
	}}
}

func databaseOnMariaDB(t testing.TB) Harness {
	m := onMaria(t)
	prefix := m.server.Prefix(t)
	o := &opener{at: m.at(servers.App), make: func() tenancy.Strategy {
		places := database.MySQLDatabases(m.server.DSN("root", ""), secrets(t), database.MySQLPrefix(prefix))
		return database.New(places.Open, database.WithProvisioner(places))
	}}
	return Harness{o, strategytest.Harness{
		Open: o.open, Plain: m.plainly(), Provision: o.provision, Deprovision: o.deprovision, Lacks: apart,
		Raw: pools("mysql", m.placeOf(prefix, "a", "b", "c")),
	}}
}

func hybridOnMariaDB(t testing.TB) Harness {
	m := onMaria(t)
	prefix := m.server.Prefix(t)
	names := centralNames{database: m.name}
	o := &opener{at: m.at("root"), names: names, make: func() tenancy.Strategy {
		return hybrid.New(sharesTables("a", "schema"), hybrid.Members{"shared": shared.New(), "schema": schema.New(schema.Prefix(prefix))})
	}}
	return Harness{o, strategytest.Harness{
		Open: o.open, Plain: m.plainly(), Provision: o.provision, Deprovision: o.deprovision,
		Lacks: map[strategytest.Capability]string{strategytest.SQLText: noText},
		Raw:   pools("mysql", m.placeOf(prefix, "b", "c")),
		Prepare: func(t testing.TB, owned, central []any) {
			config := &gorm.Config{DisableForeignKeyConstraintWhenMigrating: true, NamingStrategy: names}
			must(t, open(t, m.at("root")(), config).AutoMigrate(append(central, owned...)...))
		},
	}}
}
