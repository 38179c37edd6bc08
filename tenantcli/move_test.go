package tenantcli_test

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
	"github.com/gorm-tenancy/tenancy/strategies/hybrid"
)

// shared are all rows in shared tables, whosever they are.
func (w *world) shared() string {
	return w.lines(w.raw, "SELECT id, tenant_id || ' ' || title, votes FROM polls ORDER BY tenant_id, id")
}

// steps is what a tenant's own place says of the steps that it has; "-" if nothing does.
func (w *world) steps(file string) string {
	w.Helper()
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(w.dir, file)+"?mode=ro")
	must(w, err)
	defer db.Close()
	return w.lines(db, "SELECT version, 'marked', 0 FROM tenancy_versions ORDER BY version")
}

const both = "1 acme acme one 0, 2 acme acme two 0, 1 globex globex one 0, 2 globex globex two 0"

// TestMove takes acme out of the shared tables, to another database and back, with its ledger. globex has the same ids.
func TestMove(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "hybrid")
	w.script([]typed{
		{args: "migrate up"},
		{args: "tenants move acme", want: result{code: 2, err: "--to is one of database, other, shared"}},
		{args: "tenants move acme --to nowhere", want: result{code: 2, err: "--to is one of"}},
		{args: "tenants move acme --to shared", want: result{code: 1, err: "it is in shared already"}},
		{args: "tenants move nobody --to database", want: result{code: 1, err: "unknown tenant"}},
		{args: "tenants move acme --to database --clear", want: result{code: 2, err: "say --yes"}},
		{args: "tenants move acme --to database --dry-run", want: result{out: "would relocate acme, which is active\n"}},
	})
	if got := w.shared(); got != both || w.steps("tenant_acme.db") != "-" {
		t.Fatalf("shared tables have %s", got)
	}
	w.script([]typed{
		{args: "tenants move acme --to database", want: result{out: "acme is in database; its old rows stay in shared\n"}},
		{args: "migrate status", want: result{out: "TENANT   STANDS   OPEN\ncentral  at head\nshared   at head\nacme     at head\n"}},
		{args: "migrate up", want: result{out: "2 tenants: 2 at head, 0 migrated, 0 failed, 0 left, 0 steps in N\n"}},
		{args: "run -t acme -- vote 1", want: result{out: "1 polls\n"}},
	})
	if got := w.polls("acme"); got != "1 acme one 1, 2 acme two 0" || w.shared() != both || w.steps("tenant_acme.db") != "1 marked 0" {
		t.Errorf("acme has %s and %s, and shared tables %s", got, w.steps("tenant_acme.db"), w.shared())
	}
	w.script([]typed{
		{args: "tenants move acme --to shared --yes", want: result{code: 1, err: "the tenant has rows there already"}},
		{args: "tenants move acme --to other --clear --yes", want: result{out: "acme is in other\n"}},
		{args: "migrate up", want: result{out: "2 tenants: 2 at head, 0 migrated, 0 failed, 0 left, 0 steps in N\n"}},
	})
	if got := w.steps("others/tenant_acme.db"); got != "1 marked 0" || w.steps("tenant_acme.db") != "-" {
		t.Errorf("in other: %s, in database: %s", got, w.steps("tenant_acme.db"))
	}
	must(t, w.strategy.(*hybrid.Strategy).Clear(t.Context(), "acme", "shared", ""))
	w.script([]typed{
		{args: "tenants move acme --to shared --clear --yes --json"},
		{args: "migrate status", want: result{out: "TENANT   STANDS   OPEN\ncentral  at head\nshared   at head\n"}},
		{args: "migrate up", want: result{out: "1 tenants: 1 at head, 0 migrated, 0 failed, 0 left, 0 steps in N\n"}},
	})
	if got, want := w.shared(), strings.Replace(both, "one 0", "one 1", 1); got != want {
		t.Errorf("back in shared tables: %s", got)
	}
	history, err := w.runner.History(t.Context(), "acme")
	must(t, err)
	if len(history) != 1 || history[0].Tenant != "shared" {
		t.Errorf("the ledger says %+v", history)
	}
	w.script([]typed{
		{args: "tenants delete acme -y"},
		{args: "tenants purge acme -y --now", want: result{out: "acme is purged\n"}},
		{args: "tenants forget acme -y", want: result{out: "acme is forgotten; its id is free\n"}},
	})
	if got := w.shared(); got != "1 globex globex one 0, 2 globex globex two 0" {
		t.Errorf("purged: %s", got)
	}
}

// TestMoveIntoTakenKeys: in shared tables a tenant's keys may be another one's. Then nothing is moved, unless it is renumbered.
func TestMoveIntoTakenKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "hybrid")
	_, err := w.catalog.Create(t.Context(), catalog.Tenant{ID: "initech", Strategy: "database"})
	must(t, err)
	for _, id := range []tenancy.ID{"globex", "initech"} {
		must(t, w.db.WithContext(tenancy.WithTenant(t.Context(), id)).Create(&Vote{By: "a voter of " + string(id)}).Error)
	}
	votes := func() string {
		return w.lines(w.raw, "SELECT id, tenant_id || ' ' || \"by\", 0 FROM votes ORDER BY id")
	}
	w.script([]typed{
		{args: "tenants move initech --to shared --clear -y", want: result{code: 1, err: "here --renumber"}},
		{args: "tenants show initech", want: result{out: ""}},
	})
	if got := votes(); got != "1 globex a voter of globex 0" || w.state("initech") != "active" {
		t.Errorf("%s; initech is %s", got, w.state("initech"))
	}
	w.script([]typed{{args: "tenants move initech --to shared --renumber --clear -y", want: result{out: "initech is in shared\n"}}})
	if got := votes(); got != "1 globex a voter of globex 0, 2 initech a voter of initech 0" {
		t.Error(got)
	}
	w.untouched("acme", "globex")
}

// TestMoveBehind: a tenant moves between places that have all steps only, and where there is but one kind of place it does not.
func TestMoveBehind(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "hybrid")
	w.sources = append(w.sources, step(2))
	w.build()
	w.script([]typed{
		{args: "tenants move acme --to database", want: result{code: 1, err: "migrate up comes first"}},
		{args: "migrate up --tenant shared", want: result{err: "shared: at head after N"}},
		{args: "tenants move acme --to database", want: result{out: "acme is in database; its old rows stay in shared\n"}},
		{args: "migrate history shared -q"},
		{args: "migrate baseline --tenant shared", want: result{}},
		{args: "migrate resolve shared 1 --complete", want: result{code: 1, err: "not half done"}},
	})
	if got := w.polls("acme"); got != "1 acme one! 0, 2 acme two! 0" {
		t.Errorf("acme has %s", got)
	}
	other := newWorld(t, "shared")
	other.script([]typed{
		{args: "tenants move acme --to database", want: result{code: 1, err: "only within a hybrid one can they move"}},
		{args: "migrate history shared", want: result{code: 2, err: "reserved"}},
		{args: "migrate up --tenant shared", want: result{code: 2, err: "reserved"}},
	})
}
