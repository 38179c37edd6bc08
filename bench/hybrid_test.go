package bench

import (
	"context"
	"path/filepath"
	"testing"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	routing "github.com/gorm-tenancy/tenancy/strategies/database"
	"github.com/gorm-tenancy/tenancy/strategies/hybrid"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
)

// BenchmarkHybrid sets a tenant served by the hybrid strategy against the same tenant served by the member alone: "shared" in
// shared tables, "database" in a file of its own.
func BenchmarkHybrid(b *testing.B) {
	b.Run("shared", func(b *testing.B) { reported(b, hybridShared) })
	b.Run("database", func(b *testing.B) { reported(b, hybridDatabase) })
}

func hybridShared(b *testing.B) []comparison {
	file := sqlite.Open(fileIn(b, b.TempDir(), "central"))
	alone := open(b, file, false, owning())
	return besides(alone, open(b, file, false, mixing("shared", b.TempDir())))
}

func hybridDatabase(b *testing.B) []comparison {
	dir := b.TempDir()
	fileIn(b, dir, "tenant_"+tenant+".db")
	central := func() gorm.Dialector { return sqlite.Open(filepath.Join(b.TempDir(), "central.db")) }
	files := routing.SQLiteFiles(dir, sqlite.Open)
	alone := open(b, central(), false, tenancy.New(routing.New(files.Open), tenancy.OwnedModels(&Item{})))
	all := besides(alone, open(b, central(), false, mixing("database", dir)))
	for i, op := range operations { // alone there is no predicate, which here every tenant has
		all[i].base.run = func() *gorm.DB { return op.hand(alone) }
	}
	return all
}

// fileIn makes a file with the rows of [rows] and returns its data source.
func fileIn(b testing.TB, dir, name string) (dsn string) {
	dsn = filepath.Join(dir, name) + "?_journal_mode=WAL&_synchronous=OFF"
	db := open(b, sqlite.Open(dsn), false)
	if err := db.AutoMigrate(&Item{}); err != nil {
		b.Fatal(err)
	}
	if err := db.CreateInBatches(rows(), 500).Error; err != nil {
		b.Fatal(err)
	}
	pool, err := db.DB()
	if err != nil {
		b.Fatal(err)
	}
	if err := pool.Close(); err != nil {
		b.Fatal(err)
	}
	return dsn
}

func mixing(member, dir string) gorm.Plugin {
	files := routing.SQLiteFiles(dir, sqlite.Open)
	lookup := func(context.Context, tenancy.ID) (string, string, error) { return member, "", nil }
	return tenancy.New(hybrid.New(lookup, hybrid.Members{"shared": shared.New(), "database": routing.New(files.Open)}),
		tenancy.OwnedModels(&Item{}))
}

func besides(alone, mixed *gorm.DB) []comparison {
	var all []comparison
	for _, op := range operations {
		all = append(all, comparison{
			name:   op.name,
			base:   variant{"member", func() *gorm.DB { return op.plain(alone) }},
			plugin: variant{"plugin", func() *gorm.DB { return op.plain(mixed) }},
		})
	}
	return all
}
