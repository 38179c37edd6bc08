package hybrid_test

import (
	"errors"
	"testing"

	"github.com/gorm-tenancy/tenancy"
)

// TestRestart: another process starts where tenants have places already, and no SQL text of a tenant in shared tables reaches
// those, with row-level security either.
func TestRestart(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		db := open(t, w.site.again(), w.site.names)
		must(t, db.Use(plugin(w.strategy)))
		for _, id := range tenants {
			if got, want := titles(t, db.WithContext(as(id))), string(id)+" 1, "+string(id)+", "+string(id)+" 2"; got != want {
				t.Errorf("%s sees %s", id, got)
			}
		}
		for _, other := range []string{"loki", "potter"} {
			for _, text := range []string{"SELECT title FROM tenant_" + other + ".polls", "DELETE FROM tenant_" + other + ".polls"} {
				found := []string{}
				if err := db.WithContext(as("thor")).Raw(text).Scan(&found).Error; !errors.Is(err, tenancy.ErrUnconfined) && !errors.Is(err, tenancy.ErrUndeclared) {
					t.Errorf("%s: %v, %v", text, found, err)
				}
			}
			if got, id := titles(t, db.WithContext(as(tenancy.ID(other)))), other; got != id+" 1, "+id+", "+id+" 2" {
				t.Errorf("%s is left with %s", other, got)
			}
		}
		var own []string // control
		must(t, db.WithContext(as("thor")).Raw("SELECT title FROM polls WHERE tenant_id = ? ORDER BY id", tenancy.Current).Scan(&own).Error)
		if len(own) != 2 {
			t.Errorf("thor reads %v", own)
		}
	})
}

// TestRestartRefused: a table that is no tenant's and has no policy is still refused.
func TestRestartRefused(t *testing.T) {
	t.Parallel()
	w := combinations[4].begin(t)
	plain := open(t, w.site.again(), nil)
	must(t, plain.Exec("CREATE TABLE secrets (tenant_id text)").Error)
	db := open(t, w.site.again(), w.site.names)
	if err := db.Use(plugin(w.strategy)); !errors.Is(err, tenancy.ErrUnconfined) {
		t.Errorf("started: %v", err)
	}
	must(t, plain.Exec("DROP TABLE secrets").Error)
	again := open(t, w.site.again(), w.site.names)
	must(t, again.Use(plugin(w.strategy)))
}
