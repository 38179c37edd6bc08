package bench

import (
	"context"
	"os"
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
	file := database(b)
	alone := open(b, file, false, owning())
	return besides(alone, open(b, file, false, mixing(b, "shared", b.TempDir())))
}

func hybridDatabase(b *testing.B) []comparison {
	dir := b.TempDir()
	file := database(b).(*sqlite.Dialector).DSN
	content, err := os.ReadFile(file)
	if err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "tenant_"+tenant+".db"), content, 0o600); err != nil {
		b.Fatal(err)
	}
	central := func() gorm.Dialector { return sqlite.Open(filepath.Join(b.TempDir(), "central.db")) }
	files := routing.SQLiteFiles(dir, sqlite.Open)
	alone := open(b, central(), false, tenancy.New(routing.New(files.Open), tenancy.OwnedModels(&Item{})))
	return besides(alone, open(b, central(), false, mixing(b, "database", dir)))
}

func mixing(b *testing.B, member, dir string) gorm.Plugin {
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
