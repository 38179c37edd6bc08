package migrate_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"testing"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/migrate"
	"github.com/gorm-tenancy/tenancy/strategies/database"
	"github.com/gorm-tenancy/tenancy/strategies/hybrid"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
)

// mixedEnv has a and c in shared tables and b in a file of its own; query and exec are past the walls in the shared file.
func mixedEnv(t *testing.T) (e *env, ofB *sql.DB) {
	dir := t.TempDir()
	e = &env{TB: t, dsn: "file:" + filepath.Join(dir, "app.db") + "?_busy_timeout=5000&_journal_mode=WAL&_txlock=immediate"}
	files := database.SQLiteFiles(filepath.Join(dir, "tenants"), sqlite.Open)
	strategy := hybrid.New(func(_ context.Context, id tenancy.ID) (string, string, error) {
		switch id {
		case "a", "c":
			return "shared", "", nil
		case "b", "b2":
			return "database", "", nil
		}
		return "", "", tenancy.ErrUnknownTenant
	}, hybrid.Members{"shared": shared.New(), "database": database.New(files.Open, database.WithProvisioner(files))})
	e.db = use(t, sqlite.Open(e.dsn), strategy)
	must(t, e.db.WithContext(tenancy.Bypass(context.Background(), "test")).AutoMigrate(&Poll{}))
	must(t, strategy.Provision(context.Background(), "b"))
	must(t, strategy.Provision(context.Background(), "b2")) // which is nobody yet
	for _, id := range []tenancy.ID{"a", "b", "b2", "c"} {
		must(t, e.db.WithContext(tenancy.WithTenant(context.Background(), id)).Create(&Poll{Title: "of " + string(id)}).Error)
	}
	var err error
	e.raw, err = sql.Open("sqlite3", e.dsn)
	must(t, err)
	t.Cleanup(func() { e.raw.Close() })
	ofB, err = sql.Open("sqlite3", filepath.Join(dir, "tenants", "tenant_b.db"))
	must(t, err)
	t.Cleanup(func() { ofB.Close() })
	return e, ofB
}

// TestMixed: a step runs once in the tables that a and c share, and once in b's own.
func TestMixed(t *testing.T) {
	t.Parallel()
	e, ofB := mixedEnv(t)
	ctx := context.Background()
	ran := 0
	steps := []migrate.Source{
		migrate.Step{Version: 1, Name: "votes", Run: func(_ context.Context, tx *gorm.DB) error {
			ran++
			return tx.Exec("ALTER TABLE polls ADD COLUMN votes integer NOT NULL DEFAULT 0").Error
		}},
		migrate.Step{Version: 2, Name: "counted", SQL: "-- +goose Up\nUPDATE polls SET votes = votes + 1;\n"},
		migrate.Models(),
	}
	r, err := migrate.New(e.db, migrate.List("a", "b", "c"), steps, migrate.Workers(1))
	must(t, err)
	for _, id := range []tenancy.ID{"a", "b"} {
		if err := r.Ready(ctx, id); !errors.Is(err, migrate.ErrBehind) {
			t.Errorf("%s is ready: %v", id, err)
		}
	}
	plan, err := r.Plan(ctx)
	must(t, err)
	if len(plan.Tenants) != 2 || plan.Tenants[0].Tenant != migrate.SharedTables || plan.Tenants[1].Tenant != "b" {
		t.Errorf("plan %+v", plan.Tenants)
	}
	report, err := r.Up(ctx)
	must(t, err)
	if report.Done != 2 || report.Steps != 6 || ran != 2 {
		t.Errorf("%s; the first step ran %d times", report, ran)
	}
	if got := e.query("SELECT group_concat(tenant_id || votes) FROM (SELECT * FROM polls ORDER BY tenant_id)"); got != "a1,c1" {
		t.Errorf("shared tables have %s", got)
	}
	var got string
	must(t, ofB.QueryRow("SELECT group_concat(tenant_id || votes) FROM polls").Scan(&got))
	if got != "b1" {
		t.Errorf("b has %s", got)
	}
	for _, id := range []tenancy.ID{"a", "b", "c"} {
		must(t, r.Ready(ctx, id))
	}
	history, err := r.History(ctx, "c")
	must(t, err)
	if len(history) != 3 || history[0].Tenant != "shared" {
		t.Errorf("history of c: %+v", history)
	}
	again, err := r.Up(ctx, "a")
	must(t, err)
	if again.Steps != 0 || again.Total != 1 {
		t.Errorf("again: %s", again)
	}
}

// TestMixedUnknown: a tenant without a record is refused, and its steps run nowhere.
func TestMixedUnknown(t *testing.T) {
	t.Parallel()
	e, _ := mixedEnv(t)
	r, err := migrate.New(e.db, migrate.List("d"), []migrate.Source{migrate.Step{
		Version: 1, Name: "wipe", Run: func(_ context.Context, tx *gorm.DB) error { return tx.Exec("DELETE FROM polls").Error },
	}})
	must(t, err)
	if _, err := r.Up(context.Background(), "d"); !errors.Is(err, tenancy.ErrUnknownTenant) {
		t.Errorf("a step of nobody: %v", err)
	}
	if got := e.query("SELECT count(*) FROM polls"); got != "2" {
		t.Errorf("%s polls are left", got)
	}
}

// TestMixedAdmit admits tenants of either kind: one that shares tables brings those to head, once for all of them, and one
// with its own only these. A copy inherits the steps of where its rows come from.
func TestMixedAdmit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		from, id tenancy.ID
		ran      string // "shared" and "own" where the step has run
	}{
		{"", "a", "shared"},
		{"", "b", "own"},
		{"a", "c", ""},  // among those that share
		{"a", "b2", ""}, // out of the shared tables
		{"b", "a", ""},  // into them: they have it themselves
		{"b", "b2", ""}, // from one file to another
	} {
		t.Run(string(c.from+" to "+c.id), func(t *testing.T) {
			t.Parallel()
			e, ofB := mixedEnv(t)
			ctx := context.Background()
			r, err := migrate.New(e.db, migrate.List("a", "b", "c"), []migrate.Source{migrate.Step{
				Version: 1, Name: "mark", SQL: "-- +goose Up\nUPDATE polls SET title = title || '!';\n",
			}})
			must(t, err)
			before := map[bool]string{true: "of a!,of c!", false: "of a,of c"}
			if c.from != "" {
				_, err := r.Up(ctx)
				must(t, err)
				must(t, r.Inherit(ctx, c.from, c.id))
				must(t, r.Inherit(ctx, c.from, c.id))
			} else {
				must(t, r.Admit(ctx, c.id))
				must(t, r.Admit(ctx, c.id))
			}
			must(t, r.Ready(ctx, c.id))
			if got := e.query("SELECT group_concat(title) FROM (SELECT title FROM polls ORDER BY title)"); got != before[c.from != "" || c.ran == "shared"] {
				t.Errorf("shared tables have %s", got)
			}
			var got string
			must(t, ofB.QueryRow("SELECT title FROM polls").Scan(&got))
			if want := map[bool]string{true: "of b!", false: "of b"}[c.from != "" || c.ran == "own"]; got != want {
				t.Errorf("b has %s", got)
			}
			var copied Poll
			must(t, e.db.WithContext(tenancy.WithTenant(ctx, "b2")).First(&copied).Error)
			if copied.Title != "of b2" {
				t.Errorf("a step has run in a copy: %s", copied.Title)
			}
		})
	}
}
