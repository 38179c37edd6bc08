package tenantcli_test

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/archive"
	"github.com/gorm-tenancy/tenancy/catalog"
)

var update = flag.Bool("update", false, "rewrite testdata")

// golden compares a long text with testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		must(t, os.MkdirAll("testdata", 0o755))
		must(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	must(t, err)
	if got != string(want) {
		t.Errorf("%s:\n%s\nwant\n%s", name, got, want)
	}
}

// typed is one command and what it does. Lines of want that are empty are not compared.
type typed struct {
	args  string // with fields; "\t" separates those that hold spaces
	stdin string
	want  result
}

func fields(args string) []string {
	if strings.Contains(args, "\t") {
		return strings.Split(args, "\t")
	}
	return strings.Fields(args)
}

// script types commands one after the other.
func (w *world) script(all []typed) {
	w.Helper()
	for _, c := range all {
		got := w.pipe(c.stdin, fields(c.args)...)
		if got.code != c.want.code || c.want.out != "" && got.out != c.want.out || c.want.err != "" && !strings.Contains(got.err, c.want.err) {
			w.Errorf("%s:\nexit %d\n%s%s\nwant exit %d\n%s%s", c.args, got.code, got.out, got.err, c.want.code, c.want.out, c.want.err)
		}
	}
}

// TestLife takes a tenant through its life by commands. The other one, with rows of the same ids, keeps what it has.
func TestLife(t *testing.T) {
	t.Parallel()
	for kind, purged := range map[string]string{"shared": "", "rls": "", "database": "-", "schema": "-"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, kind)
			w.script([]typed{
				{
					args: "tenants create\tinitech\t--name\tInitech\t--domain\tInitech.example\t--domain\twww.initech.example\t--metadata\tplan=gold\t--metadata\tseats=5",
					want: result{code: 2, err: "unknown command"},
				},
				{
					args: "tenants\tcreate\tinitech\t--name\tInitech Inc.\t--domain\tInitech.example\t--domain\twww.initech.example\t--metadata\tplan=gold\t--metadata\tseats=5",
					want: result{out: "initech is made and served\n"},
				},
				{args: "tenants create initech", want: result{code: 1, err: "initech: catalog: the tenant id is taken"}},
				{args: "tenants create other --domain initech.example", want: result{code: 1, err: "the domain is taken"}},
				{args: "tenants create Central", want: result{code: 2, err: "invalid tenant id"}},
				{args: "tenants create x --domain 1.2.3.4", want: result{code: 2, err: "invalid domain name"}},
				{args: "tenants create x --metadata plan", want: result{code: 2, err: "key=value"}},
				{args: "tenants suspend acme --dry-run", want: result{out: "would suspend acme, which is active\n"}},
				{args: "tenants suspend acme", want: result{out: "acme is suspended\n"}},
				{args: "tenants maintain acme --dry-run", want: result{code: 1, err: "acme: catalog: the tenant's state does not allow this"}},
				{args: "tenants maintain acme", want: result{code: 1, err: "does not allow this: maintain while suspended"}},
				{args: "tenants resume acme -q", want: result{}},
				{args: "tenants maintain acme", want: result{out: "acme is in maintenance\n"}},
				{args: "tenants resume acme", want: result{out: "acme is served\n"}},
				{args: "tenants delete acme", want: result{code: 2, err: "stdin is no terminal"}},
				{args: "tenants delete acme --yes", want: result{out: "acme is deleted\n"}},
				{args: "tenants undelete acme", want: result{out: "acme is back\n"}},
				{args: "tenants purge acme --now --yes", want: result{code: 1, err: "purge while active"}},
				{args: "tenants delete acme --yes", want: result{}},
				{args: "tenants purge acme --yes", want: result{code: 1, err: "its grace period has not ended; it ends at TIME; --now does not wait for it"}},
				{args: "tenants purge acme --now", want: result{code: 2, err: "say --yes"}},
				{args: "tenants purge acme --now --dry-run", want: result{out: "would purge acme, which is deleting\n"}},
				{args: "tenants forget acme --yes", want: result{code: 1, err: "forget while deleting"}},
			})
			w.untouched("acme", "globex")
			w.script([]typed{
				{args: "tenants purge acme --now --yes", want: result{out: "acme is purged\n"}},
				{args: "tenants show nobody", want: result{code: 1, err: "nobody: tenancy: unknown tenant"}},
				{args: "tenants suspend nobody --dry-run", want: result{code: 1, err: "unknown tenant"}},
				{args: "tenants delete nobody --yes", want: result{code: 1, err: "unknown tenant"}},
			})
			if got := w.polls("acme"); got != purged {
				t.Errorf("acme has %q", got)
			}
			w.untouched("globex")
			if kind == "shared" || kind == "rls" { // whose rows the command has erased, and which nobody would erase again
				w.script([]typed{{args: "tenants forget acme --yes", want: result{code: 1, err: "not supported"}}})
				w.options = []catalog.Option{catalog.Hooks(archive.PurgeHook(w.db))}
				w.build()
				must(t, w.db.WithContext(tenancy.WithTenant(t.Context(), "acme")).Create(&Poll{ID: 1, Title: "late"}).Error)
			}
			w.script([]typed{
				{args: "tenants forget acme --dry-run", want: result{out: "would forget acme, which is purged\n"}},
				{args: "tenants forget acme --yes", want: result{out: "acme is forgotten; its id is free\n"}},
				{args: "tenants create acme", want: result{out: "acme is made and served\n"}},
				{args: "migrate plan", want: result{out: ""}},
			})
			if got := w.polls("acme"); got != "" {
				t.Errorf("the next acme has %q", got)
			}
			must(t, w.runner.Ready(t.Context(), "acme"))
			w.untouched("globex")
		})
	}
}

// TestTables prints tenants for people and for programs.
func TestTables(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "database")
	w.script([]typed{
		{args: "tenants\tcreate\tinitech\t--name\tIni\x1b[2Jtech\nevil active\t--domain\tinitech.example\t--metadata\tplan=gold\t--metadata\tseats=5"},
		{args: "tenants suspend globex"},
		{args: "tenants pool fill 1 --dry-run", want: result{out: "would make 1 tenants for the pool of 1\n"}},
		{args: "tenants pool fill -1", want: result{code: 2}},
		{args: "tenants pool fill x", want: result{code: 2, err: "no number"}},
		{args: "tenants list --state active,ready -q", want: result{out: "acme     active\ninitech  active  Ini�[2Jtech�evil active  initech.example\n"}},
		{args: "tenants list --state broken", want: result{code: 2, err: "--state is one of creating ready active"}},
		{args: "tenants list more", want: result{code: 2}},
		{args: "tenants nonsense", want: result{code: 2, err: `unknown command "nonsense" for "app tenants"`}},
		{args: "nonsense", want: result{code: 2, err: "unknown command"}},
		{args: "tenants list --nonsense", want: result{code: 2, err: "unknown flag"}},
	})
	for name, args := range map[string]string{
		"list.txt": "tenants list", "list.json": "tenants list --json", "show.txt": "tenants show initech",
		"show.json": "tenants show initech --json", "dry.json": "tenants delete acme --dry-run --json",
	} {
		if got := w.run(fields(args)...); got.code != 0 || got.err != "" {
			t.Errorf("%s: %+v", args, got)
		} else {
			golden(t, name, got.out)
		}
	}
	w.script([]typed{
		{args: "tenants pool fill 2 --json", want: result{out: "{\"made\":2}\n"}},
		{args: "tenants pool fill 2", want: result{out: "made 0 tenants for the pool of 2\n"}},
	})
}

// TestDryRun changes nothing, whatever is asked.
func TestDryRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "database")
	before := w.everything()
	for _, args := range []string{
		"tenants create new", "tenants clone acme new", "tenants suspend acme", "tenants maintain acme",
		"tenants delete acme", "tenants rename acme new", "tenants pool fill 3", "tenants repair --all", "tenants repair acme",
		"migrate up", "migrate baseline --all", "migrate baseline --tenant acme",
	} {
		for _, format := range []string{"", "--json"} {
			if got := w.run(fields(args + " --dry-run " + format)...); got.code != 0 {
				t.Errorf("%s: %+v", args, got)
			}
		}
		if after := w.everything(); after != before {
			t.Errorf("%s changed\n%s\nto\n%s", args, before, after)
		}
	}
	for args, want := range map[string]string{
		"tenants create acme": "taken", "tenants rename acme globex": "taken", "tenants rename acme acme": "has this id",
		"tenants clone nobody new": "unknown tenant", "tenants resume nobody": "unknown tenant",
	} {
		if got := w.run(fields(args + " --dry-run")...); got.code == 0 || !strings.Contains(got.err, want) {
			t.Errorf("%s: %+v", args, got)
		}
	}
}

// everything is the catalog, the ledger and the rows.
func (w *world) everything() string {
	w.Helper()
	text := w.polls("acme") + "\n" + w.polls("globex") + "\n" + w.polls("new") + "\n"
	for t, err := range w.store.List(context.Background(), catalog.Filter{}) {
		must(w, err)
		text += string(t.ID) + " " + string(t.State) + "\n"
		history, err := w.runner.History(context.Background(), t.ID)
		must(w, err)
		for _, e := range history {
			text += e.Name + string(e.State)
		}
	}
	return text
}

// TestRename moves a tenant's place and its ledger, and clone is refused where the strategy cannot.
func TestRename(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "schema")
	w.script([]typed{
		{args: "tenants rename acme", want: result{code: 2, err: "takes a tenant and its new id"}},
		{args: "tenants rename acme globex", want: result{code: 1, err: "taken"}},
		{args: "tenants rename acme zeta", want: result{out: "zeta is the new id of acme\n"}},
		{args: "tenants clone zeta copy", want: result{code: 1, err: "the strategy cannot clone tenants"}},
		{args: "migrate status", want: result{out: "TENANT   STANDS   OPEN\ncentral  behind\nglobex   at head\nzeta     at head\n"}},
	})
	if got := w.polls("zeta"); got != "1 acme one 0, 2 acme two 0" || w.polls("acme") != "-" {
		t.Errorf("zeta has %q", got)
	}
	w.untouched("globex")
}

// TestRepair finishes what a failing hook left under way.
func TestRepair(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "database")
	broken := true
	c, err := catalog.New(w.store, catalog.Strategy(w.strategy), catalog.RepairAfter(0), catalog.Hooks(catalog.Hook{
		After: func(_ context.Context, e catalog.Event) error {
			if broken && e.Tenant.ID != "acme" {
				return errors.New("the hook failed")
			}
			return nil
		},
	}))
	must(t, err)
	w.catalog = c
	w.script([]typed{
		{args: "tenants create new", want: result{code: 1, err: "new: catalog: the step is not finished: the hook failed; tenants repair new goes on"}},
		{args: "tenants list --pending", want: result{out: "TENANT  STATE                              NAME  DOMAINS\nnew     creating (create is not finished)\n"}},
		{args: "tenants repair", want: result{code: 2, err: "name tenants, or say --all"}},
		{args: "tenants repair new --all", want: result{code: 2}},
		{args: "tenants repair --all", want: result{code: 1, err: "0 tenants done, 1 failed"}},
		{args: "tenants repair --all --json", want: result{code: 1, out: `{"done":[],"failed":[{"tenant":"new","error":"catalog: the step is not finished: the hook failed"}]}` + "\n"}},
		{args: "tenants repair new acme", want: result{code: 1, out: "acme is active\n", err: "new: catalog: the step is not finished"}},
		{args: "tenants repair --all --dry-run", want: result{out: "would repair new, which is creating (create is not finished)\n"}},
	})
	broken = false
	w.script([]typed{
		{args: "tenants repair --all", want: result{out: "new: its create is finished\n", err: "1 tenants done, 0 failed"}},
		{args: "tenants repair --all --dry-run", want: result{out: "no step is under way\n"}},
		{args: "tenants repair new", want: result{out: "new is active\n"}},
	})
}

// TestUnprepared: who begins with another command than migrate up is told so, and only then.
func TestUnprepared(t *testing.T) {
	t.Parallel()
	const hint = "make them first, with migrate up"
	w := newWorld(t, "database")
	if r := w.run("tenants", "show", "nobody"); r.code == 0 || strings.Contains(r.err, hint) {
		t.Errorf("%+v", r)
	}
	must(t, w.db.WithContext(tenancy.Bypass(t.Context(), "an empty database")).Migrator().DropTable(catalog.Models()...))
	for _, args := range [][]string{{"tenants", "list"}, {"tenants", "create", "new"}, {"migrate", "status"}} {
		if r := w.run(args...); r.code == 0 || !strings.Contains(r.err, hint) {
			t.Errorf("%v: %+v", args, r)
		}
	}
}
