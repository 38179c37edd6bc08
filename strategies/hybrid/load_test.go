package hybrid_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/strategies/hybrid"
	"github.com/gorm-tenancy/tenancy/strategies/pinned"
	"github.com/gorm-tenancy/tenancy/strategies/schema"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
	"github.com/gorm-tenancy/tenancy/tenantconn"
)

// TestPrepared: a statement that is prepared once is the tenant's who executes it, in turns and at the same time.
func TestPrepared(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		db := w.db.Session(&gorm.Session{PrepareStmt: true})
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for range 5 {
					for _, id := range tenants {
						var polls []Poll
						err := db.WithContext(as(id)).Order("id").Find(&polls).Error
						if err != nil || len(polls) != 2 || polls[0].Title != string(id)+" 1" || polls[1].TenantID != string(id) {
							t.Errorf("%s: %v, %+v", id, err, polls)
						}
					}
				}
			})
		}
		all.Wait()
	})
}

// TestOnOneConnection: what a tenant prepared on a connection of its own runs for the next tenant in the next one's place.
func TestOnOneConnection(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		pool, err := w.db.DB()
		must(t, err)
		conn, err := pool.Conn(as("thor"))
		must(t, err)
		defer conn.Close()
		// In shared tables without row-level security nothing but the text says whose rows are meant.
		stmt, err := conn.PrepareContext(as("thor"), "SELECT max(title) FROM polls WHERE tenant_id IN (SELECT min(tenant_id) FROM polls)")
		must(t, err)
		defer stmt.Close()
		for range 3 {
			for _, id := range tenants {
				var got string
				must(t, stmt.QueryRowContext(as(id)).Scan(&got))
				if w.records.of[id].member != "shared" && got != string(id)+" 2" {
					t.Errorf("%s read %q", id, got)
				}
			}
		}
	})
}

// TestMoveUnderLoad writes without a pause while tenants are moved to and fro. Whatever was confirmed is there.
func TestMoveUnderLoad(t *testing.T) {
	t.Parallel()
	w := combinations[0].begin(t)
	const rows = 150
	var writers sync.WaitGroup
	for _, id := range []tenancy.ID{"thor", "potter"} {
		writers.Go(func() {
			for i := range uint(rows) {
				for {
					err := w.as(id).Transaction(func(tx *gorm.DB) error {
						runtime.Gosched()
						return tx.Create(&Poll{ID: 100 + i, Title: fmt.Sprint(id, i)}).Error
					})
					if err == nil {
						break
					}
					if !errors.Is(err, tenancy.ErrTenantMaintenance) {
						t.Errorf("%s: %v", id, err)
						return
					}
				}
			}
		})
	}
	for i := range 6 {
		for id, home := range map[tenancy.ID]string{"thor": "shared", "potter": "database"} {
			from, to := home, "other"
			if i%2 == 1 {
				from, to = to, from
			}
			must(t, w.move(id, at(to), w.copier))
			must(t, w.strategy.Clear(context.Background(), id, from, ""))
		}
	}
	writers.Wait()
	for _, id := range []tenancy.ID{"thor", "potter"} {
		var n int64
		must(t, w.as(id).Model(&Poll{}).Where("id >= 100").Count(&n).Error)
		if n != rows {
			t.Errorf("%s has %d rows of %d", id, n, rows)
		}
	}
}

// TestMistakes make db.Use fail.
func TestMistakes(t *testing.T) {
	t.Parallel()
	look := (&records{of: map[tenancy.ID]place{}}).look
	for what, c := range map[string]struct {
		strategy *hybrid.Strategy
		want     error
	}{
		"no look-up":          {hybrid.New(nil, hybrid.Members{"shared": shared.New()}), nil},
		"no members":          {hybrid.New(look, nil), nil},
		"a member of none":    {hybrid.New(look, hybrid.Members{"x": nil}), tenancy.ErrUnsupported},
		"a member of another": {hybrid.New(look, hybrid.Members{"x": pinned.New("thor")}), tenancy.ErrUnsupported},
		"twice shared":        {hybrid.New(look, hybrid.Members{"x": shared.New(), "y": shared.New()}), tenancy.ErrUnsupported},
		"schemas of a file":   {hybrid.New(look, hybrid.Members{"x": shared.New(), "y": schema.New()}), tenancy.ErrUnsupported},
		"no budget":           {hybrid.New(look, hybrid.Members{"x": shared.New()}, hybrid.Budget(tenantconn.Budget{MaxIdle: -1})), nil},
	} {
		err := open(t, sqlite.Open(":memory:"), nil).Use(plugin(c.strategy))
		if err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", what, err, c.want)
		}
	}
}

// TestSharedTableInReach: db.Use refuses a shared table where a tenant with a schema of its own would fall to it.
func TestSharedTableInReach(t *testing.T) {
	t.Parallel()
	s := onPostgres(false)(t)
	db := open(t, s.central, nil)
	must(t, s.prepare(db))
	must(t, db.Exec("CREATE TABLE central.polls (tenant_id text)").Error)
	strategy := hybrid.New((&records{of: map[tenancy.ID]place{}}).look, s.members)
	if err := db.Use(plugin(strategy)); !errors.Is(err, tenancy.ErrUnconfined) {
		t.Errorf("polls in a schema of all: %v", err)
	}
}
