package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
	"time"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/internal/servers"
	"github.com/gorm-tenancy/tenancy/internal/wire"
	"github.com/gorm-tenancy/tenancy/strategies/schema"
)

// Note is a table of a schema tenant: it needs no tenant column.
type Note struct {
	ID    uint
	Name  string
	Votes int
}

// place is a database with schemas tenant_t0 … of 100 notes each.
type place struct {
	server  *servers.PostgresServer
	name    string
	tenants []context.Context
}

func schemas(b testing.TB, tenants int) place {
	b.Helper()
	server := servers.Postgres(b)
	p := place{server: server, name: server.Database(b)}
	db := p.open(b, server.DSN(servers.App, p.name))
	for from := 0; from < tenants; from += 50 { // a transaction for all would need too many locks
		err := db.Exec(fmt.Sprintf(`DO $$ BEGIN FOR n IN %d..%d LOOP
			EXECUTE format('CREATE SCHEMA tenant_t%%s', n);
			EXECUTE format('CREATE TABLE tenant_t%%s.notes (id bigserial PRIMARY KEY, name text, votes bigint)', n);
			EXECUTE format('INSERT INTO tenant_t%%s.notes (name, votes) SELECT ''n'', g FROM generate_series(1, 100) g', n);
		END LOOP; END $$`, from, min(from+50, tenants)-1)).Error
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := db.Exec("VACUUM ANALYZE").Error; err != nil {
		b.Fatal(err)
	}
	for n := range tenants {
		p.tenants = append(p.tenants, tenancy.WithTenant(context.Background(), tenancy.ID(fmt.Sprintf("t%d", n))))
	}
	return p
}

func (place) open(b testing.TB, dsn string, plugins ...gorm.Plugin) *gorm.DB {
	b.Helper()
	db, err := gorm.Open(postgres.Open(dsn), &gorm.Config{Logger: logger.Discard, SkipDefaultTransaction: true})
	if err != nil {
		b.Fatal(err)
	}
	for _, p := range plugins {
		if err := db.Use(p); err != nil {
			b.Fatal(err)
		}
	}
	pool, err := db.DB()
	if err != nil {
		b.Fatal(err)
	}
	pool.SetMaxOpenConns(1)
	b.Cleanup(func() { _ = pool.Close() })
	return db
}

func (p place) any() context.Context { return p.tenants[rand.IntN(len(p.tenants))] }

// dsn reaches the database through a proxy that makes a round trip take this long.
func (p place) dsn(b testing.TB, roundTrip time.Duration) string {
	proxy := wire.New(b, p.server.Addr())
	proxy.Delay(roundTrip / 2)
	return strings.Replace(p.server.DSN(servers.App, p.name), p.server.Addr(), proxy.Addr(), 1)
}

func withSearchPath(dsn string) string {
	return dsn + "&search_path=" + url.QueryEscape("tenant_t0,public")
}

func confined(opts ...schema.Option) gorm.Plugin {
	return tenancy.New(schema.New(opts...), tenancy.OwnedModels(&Note{}))
}

var noteOperations = []struct {
	name string
	run  func(db *gorm.DB) *gorm.DB
}{
	{"First", func(db *gorm.DB) *gorm.DB { var n Note; return db.First(&n, 7) }},
	{"Find", func(db *gorm.DB) *gorm.DB { var n []Note; return db.Limit(100).Find(&n) }},
	{"Update", func(db *gorm.DB) *gorm.DB { return db.Model(&Note{ID: 7}).Update("votes", 3) }},
	{"Delete", func(db *gorm.DB) *gorm.DB { return db.Delete(&Note{}, 999999) }},
	{"Create", func(db *gorm.DB) *gorm.DB { return db.Create(&Note{Name: "n"}) }},
	{"Create1000", func(db *gorm.DB) *gorm.DB {
		notes := make([]Note, 1000)
		for i := range notes {
			notes[i].Name = "n"
		}
		return db.Create(&notes)
	}},
}

// compared sets confined statements of tenants chosen at random against plain GORM on the schema of one.
func (p place) compared(plainDB, with *gorm.DB) []comparison {
	var all []comparison
	for _, op := range noteOperations {
		all = append(all, comparison{
			name:   op.name,
			base:   variant{"plain", func() *gorm.DB { return op.run(plainDB.WithContext(p.tenants[0])) }},
			plugin: variant{"plugin", func() *gorm.DB { return op.run(with.WithContext(p.any())) }},
		})
	}
	return all
}

// byHand runs a statement as one writes it without the plugin where a connection serves all tenants: BEGIN, SET LOCAL
// search_path, the statement, COMMIT.
func (p place) byHand(b *testing.B, db *gorm.DB, run func(*gorm.DB) *gorm.DB) func() *gorm.DB {
	return func() (result *gorm.DB) {
		err := db.Transaction(func(tx *gorm.DB) error {
			if err := tx.Exec(fmt.Sprintf("SET LOCAL search_path = tenant_t%d, public", rand.IntN(len(p.tenants)))).Error; err != nil {
				return err
			}
			result = run(tx)
			return result.Error
		})
		if err != nil {
			b.Fatal(err)
		}
		return result
	}
}

// BenchmarkSchemaLoopback is one hot tenant, and fifty at random, without a network to speak of.
func BenchmarkSchemaLoopback(b *testing.B) {
	for _, tenants := range []int{1, 50} {
		for name, opts := range map[string][]schema.Option{"local": nil, "session": {schema.Session()}} {
			p := schemas(b, tenants) // anew: tables grow, and plans stay that were made for small ones
			dsn := p.server.DSN(servers.App, p.name)
			byHand := p.open(b, dsn)
			for i, c := range p.compared(p.open(b, withSearchPath(dsn)), p.open(b, dsn, confined(opts...))) {
				c.others = []variant{{"hand", p.byHand(b, byHand, noteOperations[i].run)}}
				b.Run(fmt.Sprintf("%s/%d/%s", name, tenants, c.name), c.report)
			}
		}
	}
}

// BenchmarkSchemaRemote is what production looks like: a round trip takes 1.2 ms.
func BenchmarkSchemaRemote(b *testing.B) {
	for _, tenants := range []int{1, 10, 1000} {
		p := schemas(b, tenants)
		dsn := p.dsn(b, 1200*time.Microsecond)
		for _, c := range p.compared(p.open(b, withSearchPath(dsn)), p.open(b, dsn, confined())) {
			b.Run(fmt.Sprintf("%d/%s", tenants, c.name), c.report)
		}
	}
}

// BenchmarkSchemaPooler compares with what one writes by hand behind PgBouncer in transaction mode.
func BenchmarkSchemaPooler(b *testing.B) {
	p := schemas(b, 10)
	dsn := servers.PgBouncer(b, p.server.DSN(servers.App, p.name), 4) + "&default_query_exec_mode=exec"
	if err := p.open(b, p.server.DSN(servers.App, p.name)).Exec("ALTER ROLE app IN DATABASE " + p.name + " SET search_path = pg_catalog").Error; err != nil {
		b.Fatal(err)
	}
	byHand, with := p.open(b, dsn), p.open(b, dsn, confined(schema.Pooled()))
	for _, op := range noteOperations {
		c := comparison{
			name:   op.name,
			base:   variant{"hand", p.byHand(b, byHand, op.run)},
			plugin: variant{"plugin", func() *gorm.DB { return op.run(with.WithContext(p.any())) }},
		}
		b.Run(c.name, c.report)
	}
}
