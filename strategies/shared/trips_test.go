package shared_test

import (
	"context"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy/internal/wire"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
)

// TestTrips counts round trips of GORM's statements and of transactions: row-level security adds none to the shared
// strategy without it, whether the tenant stays or changes.
func TestTrips(t *testing.T) {
	t.Parallel()
	d := filled(t)
	var titles []string
	id := 1000
	work := map[string]func(db *gorm.DB) error{
		"query": func(db *gorm.DB) error { return db.Model(&Note{}).Pluck("body", &titles).Error },
		"write": func(db *gorm.DB) error { return db.Model(&Note{}).Where("id > 0").Update("body", "x").Error }, // in GORM's own transaction
		"create": func(db *gorm.DB) error {
			id++
			return db.Create(&Note{ID: id, Body: "new"}).Error
		},
		"transaction": func(db *gorm.DB) error {
			return db.Transaction(func(tx *gorm.DB) error {
				if err := tx.Model(&Note{}).Pluck("body", &titles).Error; err != nil {
					return err
				}
				return tx.Model(&Note{}).Where("id > 0").Update("body", "y").Error
			})
		},
	}
	counted := func(s *shared.Strategy, contexts ...context.Context) map[string]int {
		proxy := wire.New(t, d.server.Addr())
		db := use(t, strings.Replace(d.app(), d.server.Addr(), proxy.Addr(), 1), pluginOf(s))
		pool(t, db).SetMaxOpenConns(1)
		trips := map[string]int{}
		for name, run := range work {
			for range 2 { // connect, prepare
				for _, ctx := range contexts {
					if err := run(db.WithContext(ctx)); err != nil {
						t.Fatalf("%s: %v", name, err)
					}
				}
			}
			proxy.Reset()
			for range 3 {
				for _, ctx := range contexts {
					if err := run(db.WithContext(ctx)); err != nil {
						t.Fatalf("%s: %v", name, err)
					}
				}
			}
			trips[name] = proxy.Trips()
		}
		return trips
	}
	hit, switching := counted(secured(), asA, asA), counted(secured(), asA, asB)
	d.root("ALTER TABLE notes NO FORCE ROW LEVEL SECURITY; ALTER TABLE notes DISABLE ROW LEVEL SECURITY")
	without := counted(shared.New(), asA, asA)
	for name, want := range without {
		if want == 0 || hit[name] != want || switching[name] != want {
			t.Errorf("%s: %d round trips without policies, %d with, %d when the tenant changes", name, want, hit[name], switching[name])
		}
	}
}
