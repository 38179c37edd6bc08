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

// onPostgres compares, with 2,000 rows, the predicate with row-level security (plugin) to the condition by hand on the same
// table without policies (hand), and to the predicate without policies (predicate). Each has a database of its own.
func onPostgres(b *testing.B) []comparison {
	server := servers.Postgres(b)
	byHand, predicate := filled(b, server, nil), filled(b, server, shared.New())
	secured := filled(b, server, shared.New(shared.RowLevelSecurity()))
	var all []comparison
	for i, c := range against("hand", hand, byHand, secured) {
		switch op := operations[i]; op.name {
		case "First", "Find", "Update", "Create":
			c.others = []variant{{"predicate", func() *gorm.DB { return op.plain(predicate) }}}
			all = append(all, c)
		}
	}
	return all
}

// filled opens a database with the rows; without a strategy there is no plugin.
func filled(b *testing.B, server *servers.PostgresServer, s *shared.Strategy) *gorm.DB {
	b.Helper()
	must := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	db, err := gorm.Open(postgres.Open(server.DSN(servers.App, server.Database(b))), &gorm.Config{
		Logger: logger.Discard, SkipDefaultTransaction: true,
	})
	must(err)
	b.Cleanup(func() {
		if pool, err := db.DB(); err == nil {
			_ = pool.Close()
		}
	})
	must(db.AutoMigrate(&Item{}))
	must(db.CreateInBatches(rows(), 500).Error) // before policies hold their owner
	must(db.Exec("VACUUM ANALYZE items").Error)
	if s == nil {
		return db.WithContext(ctx)
	}
	plugin := tenancy.New(s, tenancy.OwnedModels(&Item{}))
	if s.Isolation().Connections {
		must(s.Migrate(ctx, db, plugin))
	}
	must(db.Use(plugin))
	return db.WithContext(ctx)
}

func BenchmarkRowLevelSecurity(b *testing.B) { reported(b, onPostgres) }
