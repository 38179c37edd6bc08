// Package bench measures what the plugin adds to a statement, against plain GORM and against the condition one would
// write by hand. Run: make bench.
package bench

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

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

type Plan struct {
	ID    uint
	Name  string
	Votes int
}

const tenant = "acme"

var ctx = tenancy.WithTenant(context.Background(), tenant)

// operation is one statement; by is what the hand-written variant adds.
type operation struct {
	name string
	run  func(db *gorm.DB, by func(*gorm.DB) *gorm.DB) *gorm.DB
}

var operations = []operation{
	{"First", func(db *gorm.DB, by func(*gorm.DB) *gorm.DB) *gorm.DB { var i Item; return by(db).First(&i, 7) }},
	{"Find", func(db *gorm.DB, by func(*gorm.DB) *gorm.DB) *gorm.DB { var i []Item; return by(db).Find(&i) }},
	{"WhereOr", func(db *gorm.DB, by func(*gorm.DB) *gorm.DB) *gorm.DB {
		var i []Item
		return by(db).Where("votes > ?", 3).Or("name = ?", "x").Find(&i)
	}},
	{"Update", func(db *gorm.DB, by func(*gorm.DB) *gorm.DB) *gorm.DB {
		return by(db).Model(&Item{ID: 7}).Update("votes", 3)
	}},
	{"Delete", func(db *gorm.DB, by func(*gorm.DB) *gorm.DB) *gorm.DB { return by(db).Delete(&Item{}, 999999) }},
	{"Create", func(db *gorm.DB, _ func(*gorm.DB) *gorm.DB) *gorm.DB {
		return db.Create(&Item{TenantID: tenant, Name: "n"})
	}},
	{"Create1000", func(db *gorm.DB, _ func(*gorm.DB) *gorm.DB) *gorm.DB {
		items := make([]Item, 1000)
		for i := range items {
			items[i].TenantID, items[i].Name = tenant, "n"
		}
		return db.Create(&items)
	}},
}

func plain(db *gorm.DB) *gorm.DB  { return db }
func byHand(db *gorm.DB) *gorm.DB { return db.Where("tenant_id = ?", tenant) }

func open(b *testing.B, d gorm.Dialector, c *gorm.Config, plugin bool, opts ...tenancy.Option) *gorm.DB {
	b.Helper()
	c.Logger, c.SkipDefaultTransaction = logger.Discard, true
	db, err := gorm.Open(d, c)
	if err != nil {
		b.Fatal(err)
	}
	if plugin {
		if err := db.Use(tenancy.New(shared.New(), opts...)); err != nil {
			b.Fatal(err)
		}
	}
	return db.WithContext(ctx)
}

// paired runs the variants in turns, so that noise meets all of them, and reports the medians of their rounds.
func paired(b *testing.B, rounds, per int, variants map[string]func(), base string) {
	b.Helper()
	times, allocs := map[string][]float64{}, map[string]float64{}
	names := make([]string, 0, len(variants))
	for n, f := range variants {
		names = append(names, n)
		f()
		allocs[n] = testing.AllocsPerRun(min(per, 50), f)
	}
	slices.Sort(names)
	for i := 0; i < rounds; i++ {
		for k := range names {
			n := names[(i+k)%len(names)]
			f := variants[n]
			start := time.Now()
			for range per {
				f()
			}
			times[n] = append(times[n], float64(time.Since(start).Nanoseconds())/float64(per))
		}
	}
	median := func(n string) float64 { slices.Sort(times[n]); return times[n][len(times[n])/2] }
	for b.Loop() {
	}
	for _, n := range names {
		b.ReportMetric(median(n), n+"-ns")
		b.ReportMetric(allocs[n], n+"-allocs")
	}
	b.ReportMetric(median("plugin")/median(base), "ratio")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkBuild builds SQL without a database.
func BenchmarkBuild(b *testing.B) {
	without := open(b, tests.DummyDialector{}, &gorm.Config{DryRun: true}, false)
	with := open(b, tests.DummyDialector{}, &gorm.Config{DryRun: true}, true, tenancy.OwnedModels(&Item{}))
	for _, op := range operations {
		b.Run(op.name, func(b *testing.B) {
			per := 300
			if op.name == "Create1000" {
				per = 5
			}
			paired(b, 101, per, map[string]func(){
				"none":   func() { op.run(without, plain) },
				"hand":   func() { op.run(without, byHand) },
				"plugin": func() { op.run(with, plain) },
			}, "hand")
		})
	}
}

// items are 2,000 rows, 101 of them the tenant's.
func items() []Item {
	items := make([]Item, 2000)
	for i := range items {
		items[i] = Item{TenantID: fmt.Sprintf("t%d", i%20), Name: "n"}
		if i%20 == 7 || i == 6 {
			items[i].TenantID = tenant
		}
	}
	return items
}

// BenchmarkSQLite runs the statements on a file with 2,000 rows.
func BenchmarkSQLite(b *testing.B) {
	pair := func(b *testing.B) (without, with *gorm.DB) {
		for i, plugin := range []bool{false, true} {
			db := open(b, sqlite.Open(filepath.Join(b.TempDir(), fmt.Sprint(i))+"?_journal_mode=WAL&_synchronous=OFF"), &gorm.Config{}, plugin, tenancy.OwnedModels(&Item{}))
			admin := db.WithContext(tenancy.Bypass(ctx, "benchmark"))
			if err := admin.AutoMigrate(&Item{}); err != nil {
				b.Fatal(err)
			}
			if err := admin.CreateInBatches(items(), 500).Error; err != nil {
				b.Fatal(err)
			}
			if plugin {
				with = db
			} else {
				without = db
			}
		}
		return without, with
	}
	for _, op := range operations {
		b.Run(op.name, func(b *testing.B) {
			without, with := pair(b)
			per := 20
			if op.name == "Create1000" {
				per = 1
			}
			paired(b, 101, per, map[string]func(){
				"hand":   func() { op.run(without, byHand) },
				"plugin": func() { op.run(with, plain) },
			}, "hand")
		})
	}
}

// BenchmarkNothingOwned shows what an application without owned models pays.
func BenchmarkNothingOwned(b *testing.B) {
	without := open(b, tests.DummyDialector{}, &gorm.Config{DryRun: true}, false)
	with := open(b, tests.DummyDialector{}, &gorm.Config{DryRun: true}, true, tenancy.AllowUndeclared())
	for name, run := range map[string]func(db *gorm.DB){
		"Find":    func(db *gorm.DB) { var p []Plan; db.Find(&p) },
		"WhereOr": func(db *gorm.DB) { var p []Plan; db.Where("votes > ?", 3).Or("name = ?", "x").Find(&p) },
		"Create":  func(db *gorm.DB) { db.Create(&Plan{Name: "n"}) },
		"Update":  func(db *gorm.DB) { db.Model(&Plan{ID: 7}).Update("votes", 3) },
	} {
		b.Run(name, func(b *testing.B) {
			paired(b, 101, 300, map[string]func(){
				"none":   func() { run(without) },
				"plugin": func() { run(with) },
			}, "none")
		})
	}
}
