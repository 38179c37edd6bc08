package bench

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/internal/servers"
	routing "github.com/gorm-tenancy/tenancy/strategies/database"
	"github.com/gorm-tenancy/tenancy/tenantconn"
)

// site is where tenants have databases of their own.
type site struct {
	places interface {
		tenancy.Provisioner
		Open(ctx context.Context, id tenancy.ID) (gorm.Dialector, error)
	}
	central gorm.Dialector
}

var sites = map[string]func(b *testing.B) site{
	"SQLite": func(b *testing.B) site {
		dir := b.TempDir()
		return site{routing.SQLiteFiles(filepath.Join(dir, "tenants"), sqlite.Open), sqlite.Open(filepath.Join(dir, "central.db"))}
	},
	"PostgreSQL": func(b *testing.B) site {
		server := servers.Postgres(b)
		prefix := strings.ToLower(fmt.Sprintf("b%x_", rand.Uint32()))
		secrets, err := routing.Derived(make([]byte, 32))
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { dropAll(b, server.DSN(servers.Superuser, "postgres"), prefix) })
		return site{
			routing.PostgresDatabases(server.DSN(servers.Superuser, "postgres"), secrets, routing.Prefix(prefix)),
			postgres.Open(server.DSN(servers.App, server.Database(b))),
		}
	},
}

// dropAll removes the databases of a prefix, so that one benchmark does not fill the disk for the next.
func dropAll(b *testing.B, dsn, prefix string) {
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("UPDATE pg_database SET datistemplate = false WHERE starts_with(datname, $1)", prefix); err != nil {
		b.Error(err)
	}
	rows, err := db.Query("SELECT datname FROM pg_database WHERE starts_with(datname, $1)", prefix)
	if err != nil {
		b.Fatal(err)
	}
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			b.Error(err)
		}
		names = append(names, name)
	}
	if err := rows.Close(); err != nil {
		b.Error(err)
	}
	for _, name := range names {
		if _, err := db.Exec(`DROP DATABASE "` + name + `" WITH (FORCE)`); err != nil {
			b.Error(err)
		}
	}
}

func quiet(prepared bool) *gorm.Config {
	return &gorm.Config{Logger: logger.Discard, SkipDefaultTransaction: true, PrepareStmt: prepared}
}

func openOrFail(b testing.TB, d gorm.Dialector, config *gorm.Config) *gorm.DB {
	b.Helper()
	db, err := gorm.Open(d, config)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if pool, err := db.DB(); err == nil {
			_ = pool.Close()
		}
	})
	return db
}

// routed opens the strategy with one connection for each tenant.
func (s site) routed(b *testing.B, tenants int, config *gorm.Config, models ...any) (*gorm.DB, *routing.Strategy) {
	b.Helper()
	strategy := routing.New(s.places.Open, routing.WithProvisioner(s.places), routing.Budget(tenantconn.Budget{
		MaxOpen: tenants + 4, MaxPerPlace: tenants + 4,
	}))
	db := openOrFail(b, s.central, config)
	err := db.Use(tenancy.New(strategy, tenancy.OwnedModels(models...), tenancy.Logger(slog.New(slog.DiscardHandler))))
	if err != nil {
		b.Fatal(err)
	}
	return db, strategy
}

// BenchmarkDatabaseWarm sets tenants that are connected, chosen at random, against one plain gorm.DB for each. With one
// tenant it is the hot one.
func BenchmarkDatabaseWarm(b *testing.B) { warmed(b, false) }

// BenchmarkDatabasePrepared is the same with PrepareStmt.
func BenchmarkDatabasePrepared(b *testing.B) { warmed(b, true) }

func warmed(b *testing.B, prepared bool) {
	for kind, open := range sites {
		for _, tenants := range []int{1, 100} {
			b.Run(fmt.Sprintf("%s/%d", kind, tenants), func(b *testing.B) { warm(b, open(b), tenants, prepared) })
		}
	}
}

func warm(b *testing.B, s site, tenants int, prepared bool) {
	db, strategy := s.routed(b, tenants, quiet(prepared), &Note{})
	plain, contexts := make([]*gorm.DB, tenants), make([]context.Context, tenants)
	for n := range tenants {
		id := tenancy.ID(fmt.Sprint("t", n))
		contexts[n] = tenancy.WithTenant(context.Background(), id)
		// The plain side has databases of its own: a write through one connection empties the page caches of all others.
		aside := tenancy.ID(fmt.Sprint("p", n))
		if err := errors.Join(strategy.Provision(context.Background(), id), strategy.Provision(context.Background(), aside)); err != nil {
			b.Fatal(err)
		}
		dialector, err := s.places.Open(context.Background(), aside)
		if err != nil {
			b.Fatal(err)
		}
		plain[n] = openOrFail(b, dialector, quiet(prepared))
		pool, _ := plain[n].DB()
		pool.SetMaxOpenConns(1)
		for _, at := range []*gorm.DB{db, plain[n]} {
			notes := make([]Note, 100)
			for i := range notes {
				notes[i] = Note{Name: "n", Votes: i}
			}
			if err := at.WithContext(contexts[n]).Create(&notes).Error; err != nil {
				b.Fatal(err)
			}
		}
	}
	for _, op := range noteOperations {
		for n := range tenants { // everything is connected and prepared
			op.run(plain[n].WithContext(contexts[n]))
			op.run(db.WithContext(contexts[n]))
		}
		c := comparison{
			base:   variant{"plain", func() *gorm.DB { n := rand.IntN(tenants); return op.run(plain[n].WithContext(contexts[n])) }},
			plugin: variant{"plugin", func() *gorm.DB { n := rand.IntN(tenants); return op.run(db.WithContext(contexts[n])) }},
		}
		b.Run(op.name, c.report)
	}
}

// Ten tables of a tenant.
type (
	T0 struct {
		ID     uint
		Name   string `gorm:"size:100;index"`
		Amount int
		Made   time.Time
	}
	T1 struct {
		ID   uint
		T0ID uint
		T0   T0
		Name string `gorm:"size:100;uniqueIndex"`
	}
	T2 T0
	T3 T0
	T4 T0
	T5 T0
	T6 T0
	T7 T0
	T8 T0
	T9 T0
)

var tenTables = []any{&T0{}, &T1{}, &T2{}, &T3{}, &T4{}, &T5{}, &T6{}, &T7{}, &T8{}, &T9{}}

// BenchmarkDatabaseProvision sets making a tenant of ten tables against plain GORM's AutoMigrate in a new database.
func BenchmarkDatabaseProvision(b *testing.B) {
	made := 0
	fresh := map[string]func(b *testing.B) gorm.Dialector{
		"SQLite": func(b *testing.B) gorm.Dialector { return sqlite.Open(filepath.Join(b.TempDir(), "x.db")) },
		"PostgreSQL": func(b *testing.B) gorm.Dialector {
			server := servers.Postgres(b)
			return postgres.Open(server.DSN(servers.App, server.Database(b)))
		},
	}
	for kind, open := range sites {
		b.Run(kind, func(b *testing.B) {
			s := open(b)
			_, strategy := s.routed(b, 4, quiet(false), tenTables...)
			if err := strategy.Provision(b.Context(), "template-made"); err != nil {
				b.Fatal(err)
			}
			var with, without []float64
			for b.Loop() {
				made++
				start := time.Now()
				if err := strategy.Provision(b.Context(), tenancy.ID(fmt.Sprint("t", made))); err != nil {
					b.Fatal(err)
				}
				with = append(with, time.Since(start).Seconds()*1000)
				start = time.Now()
				db := openOrFail(b, fresh[kind](b), quiet(false))
				if err := db.AutoMigrate(tenTables...); err != nil {
					b.Fatal(err)
				}
				without = append(without, time.Since(start).Seconds()*1000)
				if pool, err := db.DB(); err == nil {
					_ = pool.Close()
				}
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(quantile(with, 0.5), "provision-ms")
			b.ReportMetric(quantile(without, 0.5), "automigrate-ms")
			b.ReportMetric(quantile(ratios(with, without), 0.5), "ratio")
		})
	}
}
