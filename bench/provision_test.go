package bench

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
	"github.com/gorm-tenancy/tenancy/internal/servers"
	"github.com/gorm-tenancy/tenancy/strategies/schema"
)

// signUp is a database whose tenants have a schema of ten tables each, beside one that plain GORM migrates.
type signUp struct {
	*testing.B
	strategy *schema.Strategy
	tenants  *catalog.Catalog
	plain    *gorm.DB
	made     int
}

func newSignUp(b *testing.B) *signUp {
	server := servers.Postgres(b)
	s := &signUp{B: b, strategy: schema.New()}
	db := openOrFail(b, postgres.Open(server.DSN(servers.App, server.Database(b))), quiet(false))
	s.must(db.Use(tenancy.New(s.strategy, tenancy.OwnedModels(tenTables...), tenancy.CentralModels(catalog.Models()...),
		tenancy.Logger(slog.New(slog.DiscardHandler)))))
	s.must(db.WithContext(tenancy.Bypass(context.Background(), "create tables")).AutoMigrate(catalog.Models()...))
	var err error
	s.tenants, err = catalog.New(catalog.GORM(db), catalog.Strategy(s.strategy))
	s.must(err)
	s.plain = openOrFail(b, postgres.Open(server.DSN(servers.App, server.Database(b))), quiet(false))
	pool, err := s.plain.DB()
	s.must(err)
	pool.SetMaxOpenConns(1) // which keeps the search_path
	return s
}

func (s *signUp) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *signUp) next() tenancy.ID {
	s.made++
	return tenancy.ID(fmt.Sprint("t", s.made))
}

// migrate is what one does without the plugin.
func (s *signUp) migrate() {
	s.made++
	s.must(s.plain.Exec(fmt.Sprintf("CREATE SCHEMA s%d; SET search_path = s%[1]d", s.made)).Error)
	s.must(s.plain.AutoMigrate(tenTables...))
}

// BenchmarkSchemaProvision sets making a tenant of ten tables in a schema, and taking one from the pool, against plain GORM's
// AutoMigrate in a new schema, in turns.
func BenchmarkSchemaProvision(b *testing.B) {
	s, ctx := newSignUp(b), context.Background()
	s.must(s.strategy.Provision(ctx, s.next())) // the first one records the statements
	s.migrate()
	steps := []struct {
		name    string
		prepare func()
		run     func()
	}{
		{"automigrate", func() {}, s.migrate},
		{"provision", func() {}, func() { s.must(s.strategy.Provision(ctx, s.next())) }},
		{"create", func() {}, func() { s.claimed(s.tenants.Create(ctx, catalog.Tenant{ID: s.next()})) }},
		{"claim", s.fill, func() { s.claimed(s.tenants.Claim(ctx, catalog.Tenant{ID: s.next()})) }},
		{"claim-without-id", s.fill, func() { s.claimed(s.tenants.Claim(ctx, catalog.Tenant{})) }},
	}
	times := make([][]float64, len(steps))
	for b.Loop() {
		for i, step := range steps {
			step.prepare()
			start := time.Now()
			step.run()
			times[i] = append(times[i], time.Since(start).Seconds()*1000)
		}
	}
	b.ReportMetric(0, "ns/op")
	for i, step := range steps {
		b.ReportMetric(quantile(times[i], 0.5), step.name+"-ms")
		if i > 0 {
			b.ReportMetric(quantile(ratios(times[i], times[0]), 0.5), step.name+"-ratio")
		}
		b.ReportMetric(quantile(times[i], 1), step.name+"-worst-ms")
	}
}

func (s *signUp) fill() {
	_, err := s.tenants.Fill(context.Background(), 1)
	s.must(err)
}

func (s *signUp) claimed(_ catalog.Tenant, err error) {
	s.Helper()
	s.must(err)
}
