package hybrid_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
	"github.com/gorm-tenancy/tenancy/strategies/hybrid"
)

// copier copies by reading and writing models.
func (w *world) copier(from, to context.Context) error {
	var polls []Poll
	var choices []Choice
	if err := errors.Join(w.db.WithContext(from).Find(&polls).Error, w.db.WithContext(from).Find(&choices).Error); err != nil {
		return err
	}
	return w.db.WithContext(to).Transaction(func(tx *gorm.DB) error {
		for i := range polls {
			if err := tx.Create(&polls[i]).Error; err != nil {
				return err
			}
		}
		for i := range choices {
			if err := tx.Create(&choices[i]).Error; err != nil {
				return err
			}
		}
		return nil
	})
}

// move does what a catalog does around a move.
func (w *world) move(id tenancy.ID, to place, copier hybrid.Copier) error {
	w.records.mu.Lock()
	was := w.records.of[id]
	w.records.mu.Unlock()
	w.records.set(id, place{was.member, was.place, tenancy.ErrTenantMaintenance})
	err := w.strategy.Move(context.Background(), id, to.member, to.place, copier)
	if err != nil {
		to = was
	}
	w.records.set(id, to)
	return err
}

// TestMove takes every tenant through every member of its combination and back to where it began.
func TestMove(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		for _, id := range tenants {
			home := w.records.of[id]
			for _, next := range append(w.members(), home.member) {
				now := w.records.of[id]
				if next == now.member {
					continue
				}
				before := w.others(id)
				must(t, w.move(id, at(next), w.copier))
				if got, want := titles(t, w.as(id)), string(id)+" 1, "+string(id)+", "+string(id)+" 2"; got != want {
					t.Fatalf("%s sees %q in %s, want %q", id, got, next, want)
				}
				must(t, w.as(id).Model(&Poll{}).Where("id = 1").Update("title", "there").Error)
				must(t, w.as(id).Model(&Poll{}).Where("id = 1").Update("title", string(id)+" 1").Error)
				if err := w.move(id, now, w.copier); !errors.Is(err, hybrid.ErrOccupied) {
					t.Errorf("moved %s onto what it left: %v", id, err)
				}
				if err := w.strategy.Clear(context.Background(), id, next, ""); !errors.Is(err, hybrid.ErrOccupied) {
					t.Errorf("cleared where %s is: %v", id, err)
				}
				must(t, w.strategy.Clear(context.Background(), id, now.member, now.place))
				if after := w.others(id); after != before {
					t.Errorf("others: %s, were %s", after, before)
				}
			}
			if got, want := titles(t, w.as(id)), string(id)+" 1, "+string(id)+", "+string(id)+" 2"; got != want {
				t.Errorf("%s sees %q, want %q", id, got, want)
			}
		}
	})
}

func (w *world) members() []string {
	var names []string
	for name := range w.site.members {
		names = append(names, name)
	}
	return names
}

// TestNothingIsWrittenBehindACopy: a transaction that began before a move is not committed where the tenant was, nor is a
// statement sent there; rows that are being read are waited for.
func TestNothingIsWrittenBehindACopy(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		to := map[bool]string{true: w.records.of["potter"].member, false: "shared"}
		for _, id := range []tenancy.ID{"thor", "potter"} {
			home := w.records.of[id]
			tx := w.as(id).Begin()
			must(t, tx.Create(&Poll{ID: 9, Title: "late"}).Error)
			moved := make(chan error, 1)
			w.records.set(id, place{home.member, home.place, tenancy.ErrTenantMaintenance})
			go func() {
				moved <- w.strategy.Move(context.Background(), id, to[id == "thor"], "", w.copier)
			}()
			if err := tx.Create(&Poll{ID: 10, Title: "later"}).Error; !errors.Is(err, tenancy.ErrTenantMaintenance) {
				t.Errorf("%s wrote during its move: %v", id, err)
			}
			select {
			case err := <-moved:
				t.Fatalf("%s was moved while its transaction was open: %v", id, err)
			default:
			}
			if err := tx.Commit().Error; !errors.Is(err, tenancy.ErrTenantMaintenance) {
				t.Errorf("%s committed during its move: %v", id, err)
			}
			must(t, <-moved)
			w.records.set(id, at(to[id == "thor"]))
			if got, want := titles(t, w.as(id)), string(id)+" 1, "+string(id)+", "+string(id)+" 2"; got != want {
				t.Errorf("%s sees %q, want %q", id, got, want)
			}
			if rows := w.rows(id) + w.rows("loki"); strings.Contains(rows, "late") {
				t.Errorf("a row that came late is there: %s", rows)
			}
			must(t, w.as(id).Create(&Poll{ID: 9, Title: "in time"}).Error)
			must(t, w.strategy.Clear(context.Background(), id, home.member, ""))
		}
	})
}

// TestTransactionAcrossAMove: a process that sees the record change only after the move saves nothing where the tenant was.
func TestTransactionAcrossAMove(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		for _, id := range []tenancy.ID{"thor", "potter"} {
			home := w.records.of[id]
			to := map[bool]string{true: "potter", false: "thor"}[id == "thor"]
			tx := w.as(id).Begin()
			must(t, tx.Create(&Poll{ID: 9, Title: "late"}).Error)
			w.records.set(id, at(w.records.of[tenancy.ID(to)].member))
			if err := tx.Create(&Poll{ID: 10, Title: "later"}).Error; !errors.Is(err, tenancy.ErrTenantMaintenance) {
				t.Errorf("%s wrote in a transaction from before: %v", id, err)
			}
			if err := tx.Commit().Error; !errors.Is(err, tenancy.ErrTenantMaintenance) {
				t.Errorf("%s committed a transaction from before: %v", id, err)
			}
			w.records.set(id, home)
			if rows := w.rows(id); strings.Contains(rows, "late") {
				t.Errorf("%s has %s", id, rows)
			}
			must(t, w.as(id).Transaction(func(tx *gorm.DB) error { return tx.Create(&Poll{ID: 9, Title: "again"}).Error }))
		}
	})
}

// TestMoveRefused leaves the tenant where it was.
func TestMoveRefused(t *testing.T) {
	t.Parallel()
	w := combinations[0].begin(t)
	ctx := context.Background()
	if err := w.strategy.Move(ctx, "thor", "database", "", w.copier); !errors.Is(err, tenancy.ErrTenantMismatch) {
		t.Errorf("moved a tenant that is served: %v", err)
	}
	broken := errors.New("broken")
	for what, c := range map[string]struct {
		to   place
		copy hybrid.Copier
		want error
	}{
		"nowhere":       {at("elsewhere"), w.copier, hybrid.ErrNoMember},
		"where it is":   {at("shared"), w.copier, hybrid.ErrOccupied},
		"broken copy":   {at("database"), func(_, _ context.Context) error { return broken }, broken},
		"nothing":       {at("database"), func(_, _ context.Context) error { return nil }, hybrid.ErrIncomplete},
		"onto a tenant": {at("database"), w.copier, nil},
	} {
		if c.want == nil {
			continue
		}
		if err := w.move("thor", c.to, c.copy); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", what, err, c.want)
		}
		if got := titles(t, w.as("thor")); got != "thor 1, thor, thor 2" {
			t.Errorf("%s: thor sees %s", what, got)
		}
	}
	rows, err := w.as("thor").Model(&Poll{}).Rows()
	must(t, err)
	defer rows.Close()
	if !rows.Next() {
		t.Fatal("no rows")
	}
	w.records.set("thor", place{"shared", "", tenancy.ErrTenantMaintenance})
	short, cancel := context.WithCancel(ctx)
	cancel()
	if err := w.strategy.Move(short, "thor", "database", "", w.copier); !errors.Is(err, context.Canceled) {
		t.Errorf("did not wait for whoever reads: %v", err)
	}
	w.records.set("thor", at("shared"))
	must(t, rows.Close())
	if got := titles(t, w.as("thor")); got != "thor 1, thor, thor 2" {
		t.Errorf("thor sees %s", got)
	}
}

// TestRelocate is a move with a catalog, which keeps its records in the database that it is about.
func TestRelocate(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := files(t)
	db := open(t, s.central, nil)
	var c *catalog.Catalog
	strategy := hybrid.New(func(ctx context.Context, id tenancy.ID) (string, string, error) { return c.Place(ctx, id) }, s.members)
	must(t, db.Use(tenancy.New(strategy, tenancy.OwnedModels(owned...), tenancy.CentralModels(central...),
		tenancy.CentralModels(catalog.Models()...), tenancy.Logger(slog.New(slog.DiscardHandler)))))
	c, err := catalog.New(catalog.GORM(db), catalog.Lag(0), catalog.Strategy(strategy))
	must(t, err)
	must(t, s.migrate(db.WithContext(bypass())))
	must(t, db.WithContext(bypass()).AutoMigrate(catalog.Models()...))
	w := &world{TB: t, db: db, strategy: strategy, site: s}
	for _, id := range tenants {
		_, err := c.Create(ctx, catalog.Tenant{ID: id, Strategy: "shared"})
		must(t, err)
		must(t, w.as(id).Create(&Poll{ID: 1, Title: string(id) + " 1"}).Error)
	}
	broken := errors.New("broken")
	for _, step := range []struct {
		to   string
		fail error
	}{{"database", broken}, {"database", nil}, {"shared", hybrid.ErrOccupied}, {"other", nil}} {
		got, err := c.Relocate(ctx, "potter", step.to, "", func(ctx context.Context) error {
			if _, err := c.Suspend(ctx, "potter"); !errors.Is(err, catalog.ErrTransition) {
				t.Errorf("suspended during a move: %v", err)
			}
			if _, err := c.Update(ctx, "potter", func(*catalog.Tenant) error { return nil }); !errors.Is(err, catalog.ErrTransition) {
				t.Errorf("edited during a move: %v", err)
			}
			if err := w.as("potter").Find(&[]Poll{}).Error; !errors.Is(err, tenancy.ErrTenantMaintenance) {
				t.Errorf("served during a move: %v", err)
			}
			if errors.Is(step.fail, broken) {
				return broken
			}
			return strategy.Move(ctx, "potter", step.to, "", w.copier)
		})
		if !errors.Is(err, step.fail) || got.State != catalog.Active || got.Step != "" {
			t.Fatalf("to %s: %v, %+v", step.to, err, got)
		}
		if got := titles(t, w.as("potter")); got != "potter 1" {
			t.Errorf("potter sees %s in %s", got, step.to)
		}
	}
	if t1, err := c.Find(ctx, "potter"); err != nil || t1.Strategy != "other" {
		t.Errorf("potter is in %q, %v", t1.Strategy, err)
	}
	// A purge leaves nothing of the tenant, where moves left it either.
	_, err = c.Delete(ctx, "potter")
	must(t, err)
	_, err = c.PurgeNow(ctx, "potter")
	must(t, err)
	if rows := w.rows("potter"); rows != "loki: loki 1, thor: thor 1" { // no file of potter's: the shared tables
		t.Errorf("left: %s", rows)
	}
	must(t, c.Forget(ctx, "potter"))
}

// TestRelocateCrash: what a crash leaves, Repair takes back, and a move that goes on in spite of it changes no record.
func TestRelocateCrash(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	store := catalog.NewMemory()
	c, err := catalog.New(store, catalog.Lag(0))
	must(t, err)
	_, err = c.Create(ctx, catalog.Tenant{ID: "thor", Strategy: "shared"})
	must(t, err)
	other, err := catalog.New(store, catalog.Lag(0), catalog.Poll(time.Nanosecond), catalog.TTL(time.Second))
	must(t, err)
	_, err = c.Relocate(ctx, "thor", "database", "", func(ctx context.Context) error {
		if _, _, err := other.Place(ctx, "thor"); !errors.Is(err, tenancy.ErrTenantMaintenance) {
			t.Errorf("another process: %v", err)
		}
		repaired, err := other.Repair(ctx, "thor")
		if err != nil || repaired.State != catalog.Active || repaired.Strategy != "shared" {
			t.Errorf("repaired to %+v, %v", repaired, err)
		}
		return nil
	})
	if !errors.Is(err, catalog.ErrConflict) {
		t.Errorf("saved a move that was taken back: %v", err)
	}
	if strategy, _, err := c.Place(ctx, "thor"); err != nil || strategy != "shared" {
		t.Errorf("thor is in %q, %v", strategy, err)
	}
}
