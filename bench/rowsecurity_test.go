package bench

import (
	"testing"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/internal/servers"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
)

// BenchmarkRowLevelSecurity compares, on PostgreSQL with 2,000 rows, the predicate with row-level security (plugin) to the
// condition by hand on a table without policies (hand), and to the predicate alone (predicate).
func BenchmarkRowLevelSecurity(b *testing.B) {
	server := servers.Postgres(b)
	must := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	open := func(b *testing.B, s *shared.Strategy) *gorm.DB {
		db, err := gorm.Open(postgres.Open(server.DSN(servers.App, server.Database(b))), &gorm.Config{
			Logger: logger.Discard, SkipDefaultTransaction: true,
		})
		must(err)
		b.Cleanup(func() {
			if pool, err := db.DB(); err == nil {
				pool.Close()
			}
		})
		must(db.AutoMigrate(&Item{}))
		must(db.CreateInBatches(items(), 500).Error) // before a policy holds the owner
		must(db.Exec("VACUUM ANALYZE items").Error)
		if s == nil {
			return db
		}
		plugin := tenancy.New(s, tenancy.OwnedModels(&Item{}))
		if s.Isolation().Connections {
			must(s.Migrate(ctx, db, plugin))
		}
		must(db.Use(plugin))
		return db.WithContext(ctx)
	}
	for _, op := range operations {
		switch op.name {
		case "First", "Find", "Create", "Update":
		default:
			continue
		}
		b.Run(op.name, func(b *testing.B) {
			hand, predicate, secured := open(b, nil), open(b, shared.New()), open(b, shared.New(shared.RowLevelSecurity()))
			paired(b, 101, 20, map[string]func(){
				"hand":      func() { op.run(hand, byHand) },
				"predicate": func() { op.run(predicate, plain) },
				"plugin":    func() { op.run(secured, plain) },
			}, "hand")
		})
	}
}
