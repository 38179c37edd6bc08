package shared_test

import (
	"errors"
	"testing"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
)

// TestLeftBehind: the server looks for tables among the temporary ones of the connection first. A tenant leaves none there
// under the name of an owned table, where the next tenant would read the rows and lose its own.
func TestLeftBehind(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"SELECT * INTO pg_temp.notes FROM notes",
		`SELECT * INTO "pg_temp".notes FROM notes`,
		`SELECT * INTO "pg_temp" . notes FROM notes`,
		"SELECT * INTO/**/pg_temp.notes FROM notes",
		"WITH x AS (SELECT * FROM notes) SELECT * INTO PG_TEMP.notes FROM x",
		"EXPLAIN ANALYZE SELECT * INTO pg_temp.notes FROM notes",
		"EXPLAIN ANALYZE CREATE TEMP TABLE notes AS SELECT * FROM notes",
		"EXPLAIN (ANALYZE) CREATE TABLE pg_temp.notes AS SELECT * FROM notes",
		"EXPLAIN (ANALYZE, COSTS off) CREATE TEMPORARY TABLE notes AS SELECT * FROM notes",
		"EXPLAIN ANALYZE VERBOSE CREATE UNLOGGED TABLE public.loot AS SELECT * FROM notes",
		"EXPLAIN ANALYZE CREATE MATERIALIZED VIEW loot AS SELECT * FROM notes",
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			d := filled(t)
			db := use(t, d.app(), pluginOf(secured()))
			direct := pool(t, db)
			direct.SetMaxOpenConns(1)
			d.unchanged(t, func() {
				_, err := direct.ExecContext(asA, text)
				var notes []Note
				if err := db.WithContext(asB).Session(&gorm.Session{}).Find(&notes).Error; err != nil || len(notes) != 3 {
					t.Errorf("b reads %d notes: %v", len(notes), err)
				}
				if n, err := count(asB, direct, "SELECT * FROM notes WHERE tenant_id = 'a'"); n != 0 || err != nil {
					t.Errorf("b reads %d notes of a: %v", n, err)
				}
				if !errors.Is(err, tenancy.ErrUnconfined) {
					t.Errorf("not refused: %v", err)
				}
			})
		})
	}
}
