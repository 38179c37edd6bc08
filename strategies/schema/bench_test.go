package schema_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/internal/servers"
	"github.com/gorm-tenancy/tenancy/internal/wire"
	"github.com/gorm-tenancy/tenancy/strategies/schema"
)

// BenchmarkProvision compares a tenant whose tables AutoMigrate makes with one from the recorded DDL, and both with an
// AutoMigrate that finds nothing to do. trips are round trips to the server.
func BenchmarkProvision(b *testing.B) {
	var proxy *wire.Proxy
	e := bare(b, setup{through: func(dsn string) string {
		proxy = wire.New(b, servers.Postgres(b).Addr())
		return strings.Replace(dsn, servers.Postgres(b).Addr(), proxy.Addr(), 1)
	}})
	n := 0
	var delay time.Duration
	measure := func(name string, strategy func() *schema.Strategy, run func(*schema.Strategy, tenancy.ID) error) {
		b.Run(name, func(b *testing.B) {
			trips := 0
			for b.Loop() {
				b.StopTimer()
				s := strategy()
				n++
				proxy.Reset()
				proxy.Delay(delay)
				b.StartTimer()
				must(b, run(s, tenancy.ID(fmt.Sprint("t", n))))
				proxy.Delay(0)
				trips += proxy.Trips()
			}
			b.ReportMetric(float64(trips)/float64(b.N), "trips/op")
		})
	}
	nothing := func(*schema.Strategy, tenancy.ID) error {
		return e.db.WithContext(as("first")).AutoMigrate(ownedModels...)
	}
	known := func() *schema.Strategy { return e.strategy }
	provision := func(s *schema.Strategy, id tenancy.ID) error { return s.Provision(context.Background(), id) }
	fresh := func() *schema.Strategy {
		s := schema.New()
		_, err := open(b, e.dsn, gorm.Config{}, s)
		must(b, err)
		return s
	}
	must(b, e.strategy.Provision(context.Background(), "first"))
	for _, delay = range []time.Duration{0, 700 * time.Microsecond} {
		way := fmt.Sprint("round trip +", 2*delay, "/")
		measure(way+"AutoMigrate", fresh, provision)
		measure(way+"replay", known, provision)
		measure(way+"nothing to do", known, nothing)
	}
}
