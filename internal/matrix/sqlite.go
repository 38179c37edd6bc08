package matrix

import (
	"context"
	"path/filepath"
	"testing"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/strategies/database"
	"github.com/gorm-tenancy/tenancy/strategies/hybrid"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
	"github.com/gorm-tenancy/tenancy/strategies/strategytest"
)

const sqliteOptions = "?_busy_timeout=10000&_journal_mode=WAL&_synchronous=OFF"

// files are SQLite databases of a test.
type files struct{ dir string }

func (f files) path(name string) string { return "file:" + filepath.Join(f.dir, name) + sqliteOptions }

func (f files) at(name string) func() gorm.Dialector {
	return func() gorm.Dialector { return sqlite.Open(f.path(name)) }
}

func sharedOnSQLite(t testing.TB) Harness {
	f := files{t.TempDir()}
	o := &opener{at: f.at("app.db"), make: func() tenancy.Strategy { return shared.New() }}
	return Harness{o, strategytest.Harness{
		Open: o.open, Plain: plain(f.at("plain.db")), Lacks: onWallAlone,
		Raw: pools("sqlite3", func(tenancy.ID) string { return f.path("app.db") }),
	}}
}

const inTables = "b has rows in shared tables, and no place"

var apart = map[strategytest.Capability]string{
	strategytest.CentralTables: "central tables stand in another database than the tenant's",
	strategytest.CentralJoins:  "central tables stand in another database than the tenant's",
}

func databaseOnSQLite(t testing.TB) Harness {
	f := files{t.TempDir()}
	o := &opener{at: f.at("app.db"), make: func() tenancy.Strategy {
		places := database.SQLiteFiles(f.dir, sqlite.Open)
		return database.New(places.Open, database.WithProvisioner(places))
	}}
	return Harness{o, strategytest.Harness{
		Open: o.open, Plain: plain(f.at("plain.db")), Provision: o.provision, Deprovision: o.deprovision, Lacks: apart,
		Raw: pools("sqlite3", f.placeOf("a", "b", "c")),
	}}
}

// placeOf has a file of its own for some tenants.
func (f files) placeOf(own ...tenancy.ID) func(id tenancy.ID) string {
	return func(id tenancy.ID) string {
		for _, o := range own {
			if o == id {
				return f.path("tenant_" + string(id) + ".db")
			}
		}
		return f.path("app.db")
	}
}

// hybridOnSQLite has one tenant in shared tables.
func hybridOnSQLite(sharing tenancy.ID) func(t testing.TB) Harness {
	return func(t testing.TB) Harness {
		f, other := files{t.TempDir()}, otherThan(sharing)
		o := &opener{at: f.at("app.db"), make: func() tenancy.Strategy {
			places := database.SQLiteFiles(f.dir, sqlite.Open)
			return hybrid.New(sharesTables(sharing, "database"), hybrid.Members{
				"shared": shared.New(), "database": database.New(places.Open, database.WithProvisioner(places)),
			})
		}}
		h := strategytest.Harness{
			Open: o.open, Plain: plain(f.at("plain.db")), Provision: o.provision, Deprovision: o.deprovision,
			Raw:     pools("sqlite3", f.placeOf(other, "c")),
			Prepare: tablesOf(f.at("app.db")),
			Lacks: map[strategytest.Capability]string{
				strategytest.CentralTables: "central tables stand in another database than that of some tenants",
			},
		}
		if sharing == "a" {
			h.Lacks[strategytest.SQLText] = noText
		} else {
			h.Lacks[strategytest.CentralJoins] = apart[strategytest.CentralJoins]
			h.Lacks["deprovision"] = inTables
		}
		return Harness{o, h}
	}
}

func otherThan(id tenancy.ID) tenancy.ID {
	if id == "a" {
		return "b"
	}
	return "a"
}

// sharesTables puts one tenant into shared tables, and the other where a member says.
func sharesTables(sharing tenancy.ID, member string) hybrid.Lookup {
	return func(_ context.Context, id tenancy.ID) (string, string, error) {
		if id == sharing {
			return "shared", "", nil
		}
		return member, "", nil
	}
}

// tablesOf makes all tables without a plugin.
func tablesOf(at func() gorm.Dialector) func(t testing.TB, owned, central []any) {
	return func(t testing.TB, owned, central []any) {
		db := open(t, at(), &gorm.Config{DisableForeignKeyConstraintWhenMigrating: true})
		must(t, db.AutoMigrate(append(central, owned...)...))
	}
}
