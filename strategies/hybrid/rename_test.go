package hybrid_test

import (
	"context"
	"errors"
	"testing"

	"github.com/gorm-tenancy/tenancy"
)

// TestRenamePlaced: no connection to a place that the record names outlives its rename, and who gets the old id meets
// nothing of it.
func TestRenamePlaced(t *testing.T) {
	t.Parallel()
	disk := place{member: "database", place: "disk"}
	c := combination{records: map[tenancy.ID]place{"thor": at("shared"), "potter": disk}, setup: files}
	w := c.begin(t)
	w.records.set("loki", disk)
	must(t, w.as("potter").Where("1 = 1").Delete(&Choice{}).Error) // foreign keys hold the tenant column: see TestRename
	must(t, w.strategy.Rename(context.Background(), "potter", "loki"))
	must(t, w.strategy.Provision(context.Background(), "potter"))
	must(t, w.as("potter").Create(&Poll{ID: 1, Title: "new"}).Error)
	if got, want := w.rows("loki"), "loki: potter 1, loki: potter 2"; got != want {
		t.Errorf("loki has %s", got)
	}
	var titles []string
	must(t, w.as("potter").Model(&Poll{}).Pluck("title", &titles).Error)
	if len(titles) != 1 || titles[0] != "new" {
		t.Errorf("potter reads %v", titles)
	}
	if got, want := w.rows("potter"), "potter: new"; got != want {
		t.Errorf("potter has %s", got)
	}
}

// TestCopierActsForOthers: the contexts of a move are the moved tenant's. Another one's statements do not follow them to
// where that one is not served.
func TestCopierActsForOthers(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		to := "shared"
		before := w.others("potter")
		must(t, w.move("potter", at(to), func(from, to context.Context) error {
			for what, ctx := range map[string]context.Context{"from": from, "to": to} {
				for _, id := range []tenancy.ID{"thor", "loki"} {
					db := w.db.WithContext(tenancy.WithTenant(ctx, id))
					if err := db.Find(&[]Poll{}).Error; !errors.Is(err, tenancy.ErrTenantMismatch) {
						t.Errorf("%s as %s: %v", what, id, err)
					}
					if err := db.Create(&Poll{ID: 77, Title: "stray"}).Error; !errors.Is(err, tenancy.ErrTenantMismatch) {
						t.Errorf("%s as %s: %v", what, id, err)
					}
				}
			}
			return w.copier(from, to)
		}))
		if after := w.others("potter"); after != before {
			t.Errorf("others: %s, were %s", after, before)
		}
	})
}
