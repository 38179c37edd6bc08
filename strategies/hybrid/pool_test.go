package hybrid_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
	"github.com/gorm-tenancy/tenancy/strategies/hybrid"
)

// TestPool makes tenants in advance for two members, and hands each out as one of its own member.
func TestPool(t *testing.T) {
	t.Parallel()
	ctx, s := context.Background(), files(t)
	db := open(t, s.central, nil)
	var c *catalog.Catalog
	strategy := hybrid.New(func(ctx context.Context, id tenancy.ID) (string, string, error) { return c.Place(ctx, id) }, s.members)
	must(t, db.Use(tenancy.New(strategy, tenancy.OwnedModels(owned...), tenancy.CentralModels(central...),
		tenancy.CentralModels(catalog.Models()...), tenancy.Logger(slog.New(slog.DiscardHandler)))))
	c, err := catalog.New(catalog.GORM(db), catalog.Strategy(strategy), catalog.Seed(func(ctx context.Context, tenant catalog.Tenant) error {
		return db.WithContext(ctx).Save(&Poll{ID: 1, Title: "welcome to " + tenant.Strategy}).Error
	}))
	must(t, err)
	must(t, s.migrate(db.WithContext(bypass())))
	must(t, db.WithContext(bypass()).AutoMigrate(catalog.Models()...))
	for _, member := range []string{"shared", "database"} {
		for _, want := range []int{2, 0} {
			if made, err := c.FillAt(ctx, 2, member, ""); err != nil || made != want {
				t.Fatalf("made %d for %s, %v", made, member, err)
			}
		}
	}
	w := &world{TB: t, db: db, strategy: strategy, site: s}
	claim := func(id tenancy.ID, member string) tenancy.ID {
		t.Helper()
		got, err := c.Claim(ctx, catalog.Tenant{ID: id, Strategy: member})
		must(t, err)
		if got.Strategy != member || got.State != catalog.Active || id != "" && got.ID != id {
			t.Errorf("claimed %+v", got)
		}
		if sees := titles(t, w.as(got.ID)); sees != "welcome to "+member {
			t.Errorf("%s in %s sees %s", got.ID, member, sees)
		}
		return got.ID
	}
	ready := func(want int) {
		t.Helper()
		n := 0
		for _, err := range c.Store().List(ctx, catalog.Filter{States: []catalog.State{catalog.Ready}}) {
			must(t, err)
			n++
		}
		if n != want {
			t.Errorf("%d are ready, want %d", n, want)
		}
	}
	if id := claim("", "shared"); !strings.HasPrefix(string(id), "ready-") {
		t.Errorf("%s was made anew", id)
	}
	ready(3)
	claim("", "database")
	ready(2)
	claim("potter", "database") // whose file is renamed
	ready(1)
	claim("thor", "shared") // rows of shared tables are not: made anew
	ready(1)
	claim("", "other") // there is no pool for these
	ready(1)
	if rows := w.rows("potter"); rows != "potter: welcome to database" {
		t.Errorf("potter has %s", rows)
	}
}
