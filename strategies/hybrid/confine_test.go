package hybrid_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/strategies/hybrid"
)

var tenants = []tenancy.ID{"thor", "loki", "potter"}

// titles are what a tenant sees.
func titles(t testing.TB, db *gorm.DB) string {
	t.Helper()
	var polls []Poll
	must(t, db.Where("1 = 1").Or("1 = 1").Order("id").Preload("Choices").Find(&polls).Error)
	var all []string
	for _, p := range polls {
		all = append(all, p.Title)
		for _, c := range p.Choices {
			all = append(all, c.Text)
		}
	}
	return strings.Join(all, ", ")
}

// others is what is in the places of all tenants but one.
func (w *world) others(id tenancy.ID) string {
	var all []string
	for _, other := range tenants {
		if other == id {
			continue
		}
		for _, row := range strings.Split(w.rows(other), ", ") {
			if !strings.HasPrefix(row, string(id)+": ") {
				all = append(all, row)
			}
		}
	}
	return strings.Join(all, ", ")
}

// TestNobodyReachesAnother writes as each tenant whatever GORM lets it, by ids that all of them have.
func TestNobodyReachesAnother(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		for _, id := range tenants {
			before, db := w.others(id), w.as(id)
			if got, want := titles(t, db), fmt.Sprintf("%[1]s 1, %[1]s, %[1]s 2", id); got != want {
				t.Errorf("%s sees %q, want %q", id, got, want)
			}
			must(t, db.Model(&Poll{}).Where("1 = 1 OR 1 = 1").Update("title", "mine").Error)
			must(t, db.Save(&Poll{TenantID: string(id), ID: 1, Title: "saved"}).Error)
			must(t, db.Create(&Poll{ID: 3, Title: "new"}).Error)
			must(t, db.Where("id = 2 AND (1 = 1 OR 1 = 1)").Delete(&Poll{}).Error)
			if err := db.Create(&Poll{ID: 4, TenantID: "odin", Title: "forged"}).Error; !errors.Is(err, tenancy.ErrTenantMismatch) {
				t.Errorf("%s forged a row: %v", id, err)
			}
			if got, want := w.rows(id), fmt.Sprintf("%[1]s: saved, %[1]s: new", id); !strings.Contains(got, want) {
				t.Errorf("%s has %q, want %q", id, got, want)
			}
			if after := w.others(id); after != before {
				t.Errorf("%s changed others: %s, was %s", id, after, before)
			}
		}
	})
}

// TestNoDefault: a tenant whose record leads nowhere reaches nothing at either wall, least of all the database GORM was opened
// with.
func TestNoDefault(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.records.set("odin", at("elsewhere"))
		w.records.set("freya", place{})
		w.records.set("hela", place{"shared", "", tenancy.ErrTenantSuspended})
		pool, err := w.db.DB()
		must(t, err)
		for id, want := range map[tenancy.ID]error{
			"odin": hybrid.ErrNoMember, "freya": hybrid.ErrNoMember, "hela": tenancy.ErrTenantSuspended, "balder": tenancy.ErrUnknownTenant,
		} {
			db := w.as(id)
			for what, got := range map[string]error{
				"find":     db.Find(&[]Poll{}).Error,
				"count":    db.Model(&Poll{}).Count(new(int64)).Error,
				"raw":      db.Raw("SELECT count(*) FROM polls").Row().Scan(new(int)),
				"create":   db.Create(&Poll{ID: 9}).Error,
				"update":   db.Model(&Poll{}).Where("1 = 1").Update("title", "x").Error,
				"delete":   db.Where("1 = 1").Delete(&Poll{}).Error,
				"begin":    db.Begin().Error,
				"pool":     pool.QueryRowContext(as(id), "SELECT count(*) FROM polls").Scan(new(int)),
				"exec":     errorOf(pool.ExecContext(as(id), "DELETE FROM polls")),
				"conn":     onConn(w.db, as(id)),
				"provide":  w.strategy.Provision(context.Background(), id),
				"renaming": w.strategy.Rename(context.Background(), id, "mimir"),
			} {
				if !errors.Is(got, want) {
					t.Errorf("%s of %s: %v, want %v", what, id, got, want)
				}
			}
		}
		if err := w.db.Find(&[]Poll{}).Error; !errors.Is(err, tenancy.ErrNoTenant) {
			t.Errorf("no tenant: %v", err)
		}
		if err := errorOf(pool.ExecContext(context.Background(), "DELETE FROM polls")); !errors.Is(err, tenancy.ErrNoTenant) {
			t.Errorf("no tenant in the pool: %v", err)
		}
		for _, id := range tenants {
			if got, want := w.rows(id), fmt.Sprintf("%[1]s: %[1]s 1, %[1]s: %[1]s 2", id); !strings.Contains(got, want) {
				t.Errorf("%s has %q, want %q", id, got, want)
			}
		}
	})
}

func errorOf[T any](_ T, err error) error { return err }

func onConn(db *gorm.DB, ctx context.Context) error {
	pool, err := db.DB()
	if err != nil {
		return err
	}
	conn, err := pool.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.QueryRowContext(ctx, "SELECT count(*) FROM polls").Scan(new(int))
}

// TestMissingTable: a tenant with a place of its own whose table is gone never falls to the shared one of the same name.
func TestMissingTable(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		must(t, w.as("potter").Migrator().DropTable(&Poll{}, &Choice{}))
		before := w.rows("thor")
		if err := w.as("potter").Find(&[]Poll{}).Error; err == nil {
			t.Error("found polls without a table")
		}
		if err := w.as("potter").Raw("SELECT title FROM polls").Row().Scan(new(string)); err == nil {
			t.Error("raw SQL found polls without a table")
		}
		_ = w.as("potter").Exec("DELETE FROM polls").Error
		_ = w.as("potter").Create(&Poll{ID: 7, Title: "stray"}).Error
		if after := w.rows("thor"); after != before {
			t.Errorf("shared tables: %s, were %s", after, before)
		}
		must(t, w.as("potter").AutoMigrate(owned...)) // makes them where they belong
		must(t, w.as("potter").Create(&Poll{ID: 7, Title: "back"}).Error)
		if got := titles(t, w.as("potter")); got != "back" {
			t.Errorf("potter sees %q", got)
		}
		if after := w.rows("thor"); after != before {
			t.Errorf("shared tables: %s, were %s", after, before)
		}
	})
}

// TestTransactions: one belongs to one tenant, whichever members serve the two.
func TestTransactions(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		for _, id := range tenants {
			err := w.as(id).Transaction(func(tx *gorm.DB) error {
				must(t, tx.Create(&Poll{ID: 5, Title: "in a transaction"}).Error)
				for _, other := range tenants {
					if other == id {
						continue
					}
					err := tx.WithContext(as(other)).Create(&Poll{ID: 6, Title: "strayed"}).Error
					if !errors.Is(err, tenancy.ErrTenantMismatch) {
						t.Errorf("%s in a transaction of %s: %v", other, id, err)
					}
					err = tx.WithContext(bypass()).Exec("SELECT 1").Error
					if !errors.Is(err, tenancy.ErrTenantMismatch) && !errors.Is(err, tenancy.ErrUnsupported) {
						t.Errorf("Bypass in a transaction of %s: %v", id, err)
					}
				}
				return tx.Transaction(func(tx *gorm.DB) error { return tx.Create(&Poll{ID: 6, Title: "nested"}).Error })
			})
			must(t, err)
			if got := w.rows(id); !strings.Contains(got, string(id)+": in a transaction, "+string(id)+": nested") || strings.Contains(got, "strayed") {
				t.Errorf("%s has %s", id, got)
			}
		}
	})
}

// TestBypass reaches shared tables, and refuses what could not reach all it was asked for.
func TestBypass(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		all := w.db.WithContext(bypass())
		if strings.Contains(t.Name(), "row-level") { // needs a role, which this fixture does not name
			if err := all.Find(&[]Poll{}).Error; !errors.Is(err, tenancy.ErrUnsupported) {
				t.Errorf("Bypass without a role: %v", err)
			}
			return
		}
		var polls []Poll
		must(t, all.Order("tenant_id, id").Find(&polls).Error)
		for _, p := range polls {
			if p.TenantID == "potter" {
				t.Errorf("Bypass read %q where the tables are shared", p.Title)
			}
		}
		if len(polls) < 2 {
			t.Errorf("Bypass sees %d polls", len(polls))
		}
		must(t, all.Scopes(tenancy.ForTenants("thor")).Find(&polls).Error)
		if len(polls) != 2 {
			t.Errorf("thor has %d polls", len(polls))
		}
		if err := all.Scopes(tenancy.ForTenants("thor", "potter")).Find(&polls).Error; !errors.Is(err, tenancy.ErrUnconfined) {
			t.Errorf("a report over tenants of whom one is elsewhere: %v", err)
		}
		if got := titles(t, all.Scopes(tenancy.ForTenant("potter"))); got != "potter 1, potter, potter 2" {
			t.Errorf("for potter: %s", got)
		}
	})
}

// TestCentral: central tables are one for all, whoever asks.
func TestCentral(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		must(t, w.db.Create(&Plan{ID: 1, Name: "gold"}).Error)
		must(t, w.db.WithContext(tenancy.Central(context.Background())).Model(&Plan{}).Where("id = 1").Update("name", "silver").Error)
		for _, id := range tenants {
			must(t, w.as(id).Create(&Poll{ID: 8, Title: "planned"}).Error)
			must(t, w.as(id).Model(&Poll{}).Where("id = 8").Update("plan_id", 1).Error)
			var p Poll
			must(t, w.as(id).Preload("Plan").First(&p, "id = 8").Error)
			if p.Plan == nil || p.Plan.Name != "silver" {
				t.Errorf("%s has plan %+v", id, p.Plan)
			}
		}
		if err := w.db.WithContext(tenancy.Central(context.Background())).Find(&[]Poll{}).Error; !errors.Is(err, tenancy.ErrNoTenant) {
			t.Errorf("polls without a tenant: %v", err)
		}
	})
}
