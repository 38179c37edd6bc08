package catalog_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
	"github.com/gorm-tenancy/tenancy/internal/servers"
	"github.com/gorm-tenancy/tenancy/strategies/schema"
)

// Ten models, so that making a tenant is work.
type (
	Poll struct {
		ID      uint
		Title   string `gorm:"size:200;index"`
		Choices []Choice
	}
	Choice struct {
		ID     uint
		PollID uint
		Text   string
	}
	m3  struct{ ID, A, B uint }
	m4  struct{ ID, A, B uint }
	m5  struct{ ID, A, B uint }
	m6  struct{ ID, A, B uint }
	m7  struct{ ID, A, B uint }
	m8  struct{ ID, A, B uint }
	m9  struct{ ID, A, B uint }
	m10 struct{ ID, A, B uint }
)

var tenModels = []any{&Poll{}, &Choice{}, &m3{}, &m4{}, &m5{}, &m6{}, &m7{}, &m8{}, &m9{}, &m10{}}

// schemas is a PostgreSQL database whose tenants have schemas, with a catalog in it.
type schemas struct {
	testing.TB
	db       *gorm.DB
	raw      *sql.DB // past the walls
	strategy *schema.Strategy
	catalog  *catalog.Catalog
}

func newSchemas(t testing.TB, server *servers.PostgresServer, opts ...catalog.Option) *schemas {
	t.Helper()
	name := server.Database(t)
	s := &schemas{TB: t, strategy: schema.New()}
	var err error
	s.raw, err = sql.Open("pgx", server.DSN(servers.Superuser, name))
	must(t, err)
	t.Cleanup(func() { s.raw.Close() })
	s.db, err = gorm.Open(postgres.Open(server.DSN(servers.App, name)), &gorm.Config{Logger: logger.Discard})
	must(t, err)
	must(t, s.db.Use(tenancy.New(s.strategy, tenancy.OwnedModels(tenModels...), tenancy.CentralModels(catalog.Models()...),
		tenancy.Logger(slog.New(slog.DiscardHandler)))))
	t.Cleanup(func() {
		pool, err := s.db.DB()
		must(t, err)
		pool.Close()
	})
	must(t, s.db.WithContext(tenancy.Bypass(context.Background(), "create tables")).AutoMigrate(catalog.Models()...))
	s.catalog, err = catalog.New(catalog.GORM(s.db), append([]catalog.Option{
		catalog.Strategy(s.strategy),
		catalog.Seed(func(ctx context.Context, t catalog.Tenant) error {
			return s.db.WithContext(ctx).Where(Poll{Title: "welcome"}).FirstOrCreate(&Poll{}).Error
		}),
	}, opts...)...)
	must(t, err)
	return s
}

// titles reads a tenant's polls past the walls; "-" if it has no schema.
func (s *schemas) titles(id tenancy.ID) (titles string) {
	s.Helper()
	err := s.raw.QueryRow(fmt.Sprintf(`SELECT coalesce(string_agg(title, ' ' ORDER BY id), '') FROM "tenant_%s".polls`, id)).Scan(&titles)
	if err != nil {
		return "-"
	}
	return titles
}

func (s *schemas) add(id tenancy.ID, title string) {
	s.Helper()
	must(s, s.db.WithContext(tenancy.WithTenant(context.Background(), id)).Create(&Poll{Title: title}).Error)
}

// TestSchemas takes a tenant through its life in PostgreSQL. b, which has the same ids in its tables, keeps what it has.
func TestSchemas(t *testing.T) {
	t.Parallel()
	s, ctx := newSchemas(t, servers.Postgres(t)), t.Context()
	create := func(id tenancy.ID) {
		t.Helper()
		_, err := s.catalog.Create(ctx, catalog.Tenant{ID: id, Domains: []string{string(id) + ".org"}})
		must(t, err)
	}
	want := func(rows map[tenancy.ID]string) {
		t.Helper()
		for id, titles := range rows {
			if got := s.titles(id); got != titles {
				t.Errorf("%s has %q, want %q", id, got, titles)
			}
		}
	}
	create("acme")
	create("b")
	s.add("acme", "a2")
	s.add("b", "b2")
	want(map[tenancy.ID]string{"acme": "welcome a2", "b": "welcome b2"})

	_, err := s.catalog.Rename(ctx, "acme", "zeta")
	must(t, err)
	s.add("zeta", "a3")
	want(map[tenancy.ID]string{"acme": "-", "zeta": "welcome a2 a3", "b": "welcome b2"})
	if _, err := s.catalog.Create(ctx, catalog.Tenant{ID: "acme"}); !errors.Is(err, catalog.ErrExists) {
		t.Errorf("the old id: %v", err)
	}
	if _, err := s.catalog.Rename(ctx, "zeta", "b"); !errors.Is(err, catalog.ErrExists) {
		t.Errorf("renamed to another tenant's id: %v", err)
	}
	// A schema that the catalog does not know stands in the way.
	_, err = s.raw.Exec(`CREATE SCHEMA tenant_stranger; CREATE TABLE tenant_stranger.polls AS SELECT 7 AS id, 'secret'::text AS title`)
	must(t, err)
	if _, err := s.catalog.Rename(ctx, "zeta", "stranger"); !errors.Is(err, schema.ErrForeign) || errors.Is(err, catalog.ErrPending) {
		t.Errorf("renamed over a stranger's schema: %v", err)
	}
	must(t, s.catalog.Lookup(ctx, "zeta")) // it is as before
	if owner, err := s.catalog.TenantOf(ctx, "acme.org"); owner != "zeta" || err != nil {
		t.Errorf("acme.org is of %q, %v", owner, err)
	}
	if _, err := s.catalog.Create(ctx, catalog.Tenant{ID: "stranger"}); !errors.Is(err, schema.ErrForeign) || !errors.Is(err, catalog.ErrPending) {
		t.Errorf("made in a stranger's schema: %v", err)
	}
	if err := s.catalog.Lookup(ctx, "stranger"); !errors.Is(err, tenancy.ErrUnknownTenant) {
		t.Errorf("served from a stranger's schema: %v", err)
	}
	want(map[tenancy.ID]string{"zeta": "welcome a2 a3", "b": "welcome b2", "stranger": "secret"})

	made, err := s.catalog.Fill(ctx, 2)
	must(t, err)
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Go(func() {
			id := tenancy.ID(fmt.Sprint("claimed", i))
			if _, err := s.catalog.Claim(ctx, catalog.Tenant{ID: id}); err != nil {
				t.Error(err)
			}
			s.add(id, string(id))
		})
	}
	wg.Wait()
	want(map[tenancy.ID]string{"claimed0": "welcome claimed0", "claimed1": "welcome claimed1", "claimed2": "welcome claimed2"})

	_, err = s.catalog.Delete(ctx, "zeta")
	must(t, err)
	want(map[tenancy.ID]string{"zeta": "welcome a2 a3"})
	_, err = s.catalog.PurgeNow(ctx, "zeta")
	must(t, err)
	must(t, s.catalog.Forget(ctx, "zeta"))
	must(t, s.catalog.Forget(ctx, "acme"))
	create("acme")
	want(map[tenancy.ID]string{"zeta": "-", "acme": "welcome", "b": "welcome b2"})
	if _, err := s.catalog.PurgeNow(ctx, "stranger"); !errors.Is(err, schema.ErrForeign) {
		t.Errorf("purged a stranger's schema: %v", err)
	}
	want(map[tenancy.ID]string{"stranger": "secret"})
	if made != 2 {
		t.Errorf("made %d", made)
	}

	var ids []string
	must(t, catalog.Each(ctx, s.catalog.Store(), catalog.EachOptions{Parallel: 1}, func(ctx context.Context, t catalog.Tenant) error {
		var n int64
		err := s.db.WithContext(ctx).Model(&Poll{}).Count(&n).Error
		ids = append(ids, fmt.Sprint(t.ID, n))
		return err
	}))
	slices.Sort(ids)
	if got := strings.Join(ids, " "); got != "acme1 b2 claimed02 claimed12 claimed22" {
		t.Errorf("each: %s", got)
	}
}

// TestKilledDatabase serves from the cache while PostgreSQL is gone.
func TestKilledDatabase(t *testing.T) {
	t.Parallel()
	now, server := newClock(), servers.NewPostgres(t)
	s, ctx := newSchemas(t, server, catalog.Clock(now.Now), catalog.TTL(time.Minute)), t.Context()
	for _, id := range []tenancy.ID{"acme", "b"} {
		_, err := s.catalog.Create(ctx, catalog.Tenant{ID: id})
		must(t, err)
	}
	_, err := s.catalog.Suspend(ctx, "b")
	must(t, err)
	must(t, s.catalog.Lookup(ctx, "acme"))
	want(t, s.catalog.Lookup(ctx, "b"), tenancy.ErrTenantSuspended)
	server.Kill(t)
	now.advance(59 * time.Second)
	must(t, s.catalog.Lookup(ctx, "acme"))
	want(t, s.catalog.Lookup(ctx, "b"), tenancy.ErrTenantSuspended)
	want(t, s.catalog.Lookup(ctx, "cold"), catalog.ErrUnavailable)
	now.advance(time.Minute)
	want(t, s.catalog.Lookup(ctx, "acme"), catalog.ErrUnavailable)
	server.Start(t)
	now.advance(time.Second)
	must(t, s.catalog.Lookup(ctx, "acme"))
	want(t, s.catalog.Lookup(ctx, "cold"), tenancy.ErrUnknownTenant)
}
