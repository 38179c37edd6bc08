package shared_test

import (
	"errors"
	"testing"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
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

// TestNoTableFromSelect: a SELECT that reads the tenant's own rows makes no table of them, temporary or not: on its
// connection the next tenant would find that one and lose what it writes.
func TestNoTableFromSelect(t *testing.T) {
	t.Parallel()
	d := filled(t)
	d.root("ALTER TABLE notes DISABLE ROW LEVEL SECURITY; ALTER TABLE notes NO FORCE ROW LEVEL SECURITY")
	db := use(t, d.app(), pluginOf(shared.New()))
	pool(t, db).SetMaxOpenConns(1)
	const own = "SELECT * FROM notes WHERE notes.tenant_id = ?"
	d.unchanged(t, func() {
		for _, text := range []string{
			"SELECT * INTO pg_temp.notes FROM notes WHERE notes.tenant_id = ?",
			"SELECT * INTO TEMP notes FROM notes WHERE notes.tenant_id = ?",
			"SELECT * INTO loot FROM notes WHERE notes.tenant_id = ?",
			"SELECT count(*) insert INTO loot FROM notes WHERE notes.tenant_id = ?",
			"(SELECT * INTO loot FROM notes WHERE notes.tenant_id = ?)",
			"WITH x AS (" + own + ") SELECT * INTO pg_temp.notes FROM x",
			"WITH insert AS (" + own + ") SELECT * INTO pg_temp.notes FROM insert",
			"WITH x AS (INSERT INTO notes (tenant_id, id) VALUES (?, 8) RETURNING *) SELECT * INTO pg_temp.notes FROM x",
			"EXPLAIN ANALYZE SELECT * INTO pg_temp.notes FROM notes WHERE notes.tenant_id = ?",
			"EXPLAIN ANALYZE CREATE TEMP TABLE notes AS " + own,
			"EXPLAIN (ANALYZE) CREATE TABLE pg_temp.notes AS " + own,
			"EXPLAIN ANALYZE WITH x AS (" + own + ") SELECT * INTO loot FROM x",
		} {
			if err := db.WithContext(asA).Exec(text, tenancy.Current).Error; !errors.Is(err, tenancy.ErrUnconfined) {
				t.Errorf("%s: %v", text, err)
			}
			var n int64
			if err := db.WithContext(asB).Model(&Note{}).Count(&n).Error; err != nil || n != 3 {
				t.Fatalf("behind %s b has %d notes: %v", text, n, err)
			}
		}
		for name, err := range map[string]error{
			"Select":   db.WithContext(asA).Model(&Note{}).Select("* INTO pg_temp.notes").Find(&[]Note{}).Error,
			"Distinct": db.WithContext(asA).Model(&Note{}).Select("id").Distinct("id INTO pg_temp.notes").Find(&[]Note{}).Error,
		} {
			if !errors.Is(err, tenancy.ErrUnconfined) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	for _, c := range []struct {
		text string
		want int64
	}{
		{"INSERT INTO notes (tenant_id, id, body) SELECT tenant_id, id + 10, 'into' FROM notes WHERE notes.tenant_id = ?", 3},
		{"WITH x AS (SELECT 4 AS id) INSERT INTO notes (tenant_id, id) SELECT ?, id FROM x", 1},
		{"WITH x AS (INSERT INTO notes (tenant_id, id) VALUES (?, 5) RETURNING *) SELECT * FROM x", 1},
		{"EXPLAIN ANALYZE INSERT INTO notes (tenant_id, id) VALUES (?, 6)", -1},
		{"EXPLAIN SELECT * FROM notes WHERE notes.tenant_id = ?", -1},
		{"(SELECT * FROM notes WHERE notes.tenant_id = ?)", 9},
		{"UPDATE notes SET body = 'create a table, select it into another' WHERE notes.tenant_id = ? AND body = 'into' RETURNING id", 3},
	} {
		res := db.WithContext(asA).Exec(c.text, tenancy.Current)
		if res.Error != nil || c.want >= 0 && res.RowsAffected != c.want {
			t.Errorf("%s: %d rows, %v", c.text, res.RowsAffected, res.Error)
		}
	}
}

// TestBypassLeavesNothing: nor does Bypass, which nobody screens.
func TestBypassLeavesNothing(t *testing.T) {
	t.Parallel()
	d, login, reporting := withBypass(t, "BYPASSRLS")
	direct := pool(t, use(t, d.server.DSN(login, d.name), pluginOf(secured(shared.BypassRole(reporting)))))
	direct.SetMaxOpenConns(1)
	for _, text := range []string{
		"CREATE TEMP TABLE notes AS SELECT * FROM notes", "SELECT * INTO pg_temp.notes FROM notes", "SET statement_timeout = 1",
	} {
		if _, err := direct.ExecContext(bypass, text); err != nil {
			t.Fatal(err) // it runs, or nothing is shown
		}
		if n, err := count(asB, direct, "SELECT * FROM notes, pg_sleep(0.01)"); err != nil || n != 3 {
			t.Errorf("behind %s b reads %d notes: %v", text, n, err)
		}
	}
}
