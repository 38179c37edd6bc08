package hybrid_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"

	"github.com/gorm-tenancy/tenancy"
)

// TestRename writes the new id into the rows, those whose foreign keys hold it too, and into nobody else's.
func TestRename(t *testing.T) {
	t.Parallel()
	for name, potter := range map[string]combination{
		"SQLite, a file":         {records: map[tenancy.ID]place{"thor": at("shared"), "potter": at("database")}, setup: files},
		"PostgreSQL, a schema":   {records: map[tenancy.ID]place{"thor": at("shared"), "potter": at("schema")}, setup: onPostgres(false)},
		"PostgreSQL, a database": {records: map[tenancy.ID]place{"thor": at("shared"), "potter": at("database")}, setup: onPostgres(true)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			renames(t, potter.begin(t))
		})
	}
}

func renames(t *testing.T, w *world) {
	ctx := context.Background()
	if err := w.strategy.Rename(ctx, "thor", "donar"); !errors.Is(err, tenancy.ErrUnsupported) {
		t.Errorf("renamed in shared tables: %v", err)
	}
	if err := w.strategy.Clone(ctx, "potter", "thor"); !errors.Is(err, tenancy.ErrUnsupported) {
		t.Errorf("cloned: %v", err)
	}
	before, thor := w.rows("potter"), w.rows("thor")
	must(t, w.strategy.Rename(ctx, "potter", "harry"))
	must(t, w.strategy.Rename(ctx, "harry", "potter")) // as a catalog takes it back; harry has no record
	if got := w.rows("potter"); got != before {
		t.Errorf("given back: %s, was %s", got, before)
	}
	must(t, w.strategy.Rename(ctx, "potter", "harry"))
	must(t, w.strategy.Rename(ctx, "potter", "harry")) // finished already
	w.records.set("harry", w.records.of["potter"])
	if got, want := w.rows("harry"), strings.ReplaceAll(before, "potter:", "harry:"); got != want {
		t.Errorf("harry has %s, want %s", got, want)
	}
	must(t, w.as("harry").Create(&Poll{ID: 3, Title: "new", Choices: []Choice{{ID: 9, Text: "yes"}}}).Error)
	var choices int64
	must(t, w.as("harry").Model(&Choice{}).Where("poll_id = 1").Count(&choices).Error)
	if choices == 0 {
		t.Error("harry's choices are lost")
	}
	if got := w.rows("thor"); got != thor {
		t.Errorf("thor has %s, had %s", got, thor)
	}
}

// TestRenameFails: where rows cannot have the new id nothing is written, and the place can be given back.
func TestRenameFails(t *testing.T) {
	t.Parallel()
	w := combination{records: map[tenancy.ID]place{"thor": at("shared"), "potter": at("schema")}, setup: onPostgres(false)}.begin(t)
	before := w.rows("potter")
	driver, dsn := w.site.raw("potter")
	raw, err := sql.Open(driver, dsn)
	must(t, err)
	defer raw.Close()
	_, err = raw.Exec("ALTER TABLE choices ADD CHECK (tenant_id = 'potter')")
	must(t, err)
	if err := w.strategy.Rename(t.Context(), "potter", "harry"); err == nil {
		t.Error("renamed rows that must say potter")
	}
	must(t, w.strategy.Rename(t.Context(), "harry", "potter"))
	if got := w.rows("potter"); got != before {
		t.Errorf("given back: %s, was %s", got, before)
	}
}

// TestRenamePlaced: no connection to a place that the record names outlives its rename, and who gets the old id meets
// nothing of it.
func TestRenamePlaced(t *testing.T) {
	t.Parallel()
	disk := place{member: "database", place: "disk"}
	c := combination{records: map[tenancy.ID]place{"thor": at("shared"), "potter": disk}, setup: files}
	w := c.begin(t)
	w.records.set("loki", disk)
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
