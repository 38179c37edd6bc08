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

// onPostgres compares the predicate, with row-level security where asked for, to the condition by hand on a table like it
// without policies and to plain GORM beside none but the tenant's rows. Each has a database of its own.
func onPostgres(b *testing.B, opts ...shared.Option) []comparison {
	server := servers.Postgres(b)
	lone := filled(b, server, nil)
	if err := lone.Exec("DELETE FROM items WHERE tenant_id <> ?", tenant).Exec("VACUUM ANALYZE items").Error; err != nil {
		b.Fatal(err)
	}
	return beside(against("hand", hand, filled(b, server, nil), filled(b, server, shared.New(opts...))), lone)
}

// filled opens a database with the rows; without a strategy there is no plugin.
func filled(b testing.TB, server *servers.PostgresServer, s *shared.Strategy) *gorm.DB {
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

func BenchmarkSharedPostgres(b *testing.B) {
	reported(b, func(b *testing.B) []comparison { return onPostgres(b) })
}

func BenchmarkRowLevelSecurity(b *testing.B) {
	reported(b, func(b *testing.B) []comparison { return onPostgres(b, shared.RowLevelSecurity()) })
}
