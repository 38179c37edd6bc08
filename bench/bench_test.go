// Package bench measures what the plugin adds to a statement, against plain GORM and against the condition one would
// write by hand. Run: make bench.
package bench

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	"gorm.io/gorm/utils/tests"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
)

type Item struct {
	ID       uint
	TenantID string `gorm:"index"`
	Name     string
	Votes    int
}

const tenant = "acme"

var ctx = tenancy.WithTenant(context.Background(), tenant)

// operation is one statement: without a tenant, and as one would write it by hand.
type operation struct {
	name        string
	plain, hand func(db *gorm.DB) *gorm.DB
}

var operations = []operation{
	{"First", first, func(db *gorm.DB) *gorm.DB { return first(byHand(db)) }},
	{"Find", find, func(db *gorm.DB) *gorm.DB { return find(byHand(db)) }},
	{"WhereOr", either, func(db *gorm.DB) *gorm.DB {
		var i []Item
		return byHand(db).Where(db.Where("votes > ?", 3).Or("name = ?", "x")).Find(&i)
	}},
	{"Update", update, func(db *gorm.DB) *gorm.DB { return update(byHand(db)) }},
	{"Delete", remove, func(db *gorm.DB) *gorm.DB { return remove(byHand(db)) }},
	{"Create", create(1, ""), create(1, tenant)},
	{"Create1000", create(1000, ""), create(1000, tenant)},
}

func byHand(db *gorm.DB) *gorm.DB { return db.Where("tenant_id = ?", tenant) }

func first(db *gorm.DB) *gorm.DB { var i Item; return db.First(&i, 7) }
func find(db *gorm.DB) *gorm.DB  { var i []Item; return db.Find(&i) }
func either(db *gorm.DB) *gorm.DB {
	var i []Item
	return db.Where("votes > ?", 3).Or("name = ?", "x").Find(&i)
}
func update(db *gorm.DB) *gorm.DB { return db.Model(&Item{ID: 7}).Update("votes", 3) }
func remove(db *gorm.DB) *gorm.DB { return db.Delete(&Item{}, 999999) }

func create(n int, tenant string) func(*gorm.DB) *gorm.DB {
	if n == 1 {
		return func(db *gorm.DB) *gorm.DB { return db.Create(&Item{TenantID: tenant, Name: "n"}) }
	}
	return func(db *gorm.DB) *gorm.DB {
		items := make([]Item, n)
		for i := range items {
			items[i].Name = "n"
			if tenant != "" {
				items[i].TenantID = tenant
			}
		}
		return db.Create(&items)
	}
}

func open(b testing.TB, d gorm.Dialector, dryRun bool, plugins ...gorm.Plugin) *gorm.DB {
	b.Helper()
	db, err := gorm.Open(d, &gorm.Config{DryRun: dryRun, Logger: logger.Discard, SkipDefaultTransaction: true})
	if err != nil {
		b.Fatal(err)
	}
	for _, p := range plugins {
		if err := db.Use(p); err != nil {
			b.Fatal(err)
		}
	}
	return db.WithContext(ctx)
}

// against compares each operation with the plugin to the same one without it, written as base says.
func against(base string, written func(operation) func(*gorm.DB) *gorm.DB, without, with *gorm.DB) []comparison {
	var all []comparison
	for _, op := range operations {
		run := written(op)
		all = append(all, comparison{
			name:   op.name,
			base:   variant{base, func() *gorm.DB { return run(without) }},
			plugin: variant{"plugin", func() *gorm.DB { return op.plain(with) }},
		})
	}
	return all
}

func plain(op operation) func(*gorm.DB) *gorm.DB { return op.plain }
func hand(op operation) func(*gorm.DB) *gorm.DB  { return op.hand }

func owning() gorm.Plugin { return tenancy.New(shared.New(), tenancy.OwnedModels(&Item{})) }

// owningNothing is the plugin in an application without owned models: it looks for a tenant field Item does not have.
func owningNothing() gorm.Plugin {
	return tenancy.New(shared.New(), tenancy.AllowUndeclared(), tenancy.TenantField("None"))
}

// beside adds plain GORM, on a database of its own that holds the tenant's rows only, to comparisons of all operations.
func beside(all []comparison, plain *gorm.DB) []comparison {
	for i, op := range operations {
		all[i].others = append(all[i].others, variant{"plain", func() *gorm.DB { return op.plain(plain) }})
	}
	return all
}

// built builds SQL without a database.
func built(b *testing.B) []comparison {
	without := open(b, tests.DummyDialector{}, true)
	all := beside(against("hand", hand, without, open(b, tests.DummyDialector{}, true, owning())), without)
	ungrouped := all[2] // what one writes first: less work, and its Or reads the rows of all tenants
	ungrouped.name = "WhereOrUngrouped"
	ungrouped.base.run = func() *gorm.DB { return either(byHand(without)) }
	return append(all, ungrouped)
}

func builtNothingOwned(b *testing.B) []comparison {
	return against("plain", plain, open(b, tests.DummyDialector{}, true), open(b, tests.DummyDialector{}, true, owningNothing()))
}

func onSQLite(b *testing.B) []comparison {
	file, lone := database(b, ""), database(b, "DELETE FROM items WHERE tenant_id <> '"+tenant+"'")
	return beside(against("hand", hand, open(b, file, false), open(b, file, false, owning())), open(b, lone, false))
}

func onSQLiteNothingOwned(b *testing.B) []comparison {
	file := database(b, "")
	return against("plain", plain, open(b, file, false), open(b, file, false, owningNothing()))
}

// database makes a file with 2,000 rows of 20 tenants, and then what change says. All variants share one connection to it.
func database(b testing.TB, change string) gorm.Dialector {
	file := open(b, sqlite.Open(filepath.Join(b.TempDir(), "bench")+"?_journal_mode=WAL&_synchronous=OFF"), false)
	pool, err := file.DB()
	if err != nil {
		b.Fatal(err)
	}
	pool.SetMaxOpenConns(1)
	b.Cleanup(func() { _ = pool.Close() })
	if err := file.AutoMigrate(&Item{}); err != nil {
		b.Fatal(err)
	}
	if err := file.CreateInBatches(rows(), 500).Error; err != nil {
		b.Fatal(err)
	}
	if err := file.Exec(change).Error; err != nil {
		b.Fatal(err)
	}
	return sqlite.Dialector{Conn: pool}
}

// rows are 2,000, a hundred of them the tenant's.
func rows() []Item {
	items := make([]Item, 2000)
	for i := range items {
		items[i] = Item{TenantID: fmt.Sprintf("t%d", i%20), Name: "n"}
		if i%20 == 6 {
			items[i].TenantID = tenant
		}
	}
	return items
}

func BenchmarkBuild(b *testing.B)                    { reported(b, built) }
func BenchmarkBuildNothingOwned(b *testing.B)        { reported(b, builtNothingOwned) }
func BenchmarkSharedSQLite(b *testing.B)             { reported(b, onSQLite) }
func BenchmarkSharedSQLiteNothingOwned(b *testing.B) { reported(b, onSQLiteNothingOwned) }

func reported(b *testing.B, comparisons func(*testing.B) []comparison) {
	for _, c := range comparisons(b) {
		b.Run(c.name, c.report)
	}
}

// BenchmarkAlone runs one variant at a time, for profiles: -bench Alone/First/plugin -cpuprofile cpu.out.
func BenchmarkAlone(b *testing.B) {
	for _, c := range built(b) {
		for _, v := range append(c.others, c.base, c.plugin) {
			b.Run(c.name+"/"+v.name, func(b *testing.B) {
				for b.Loop() {
					v.run()
				}
			})
		}
	}
}
