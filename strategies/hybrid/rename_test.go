package hybrid_test

import (
	"context"
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
