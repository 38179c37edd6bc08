package tenantcli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
	"github.com/gorm-tenancy/tenancy/migrate"
	"github.com/gorm-tenancy/tenancy/tenantcli"
)

// failing is a step that fails in some tenants.
func failing(version int64, in func() string) migrate.Step {
	return migrate.Step{Version: version, Name: "maybe", Run: func(ctx context.Context, tx *gorm.DB) error {
		id, _ := tenancy.FromContext(ctx)
		if slices.Contains(strings.Fields(in()), string(id)) {
			return errors.New("no luck")
		}
		return tx.Model(&Poll{}).Where("id = 1").Update("votes", gorm.Expr("votes + 1")).Error
	}}
}

// TestMigrate runs steps in all tenants, in those named, and says what is left.
func TestMigrate(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"shared", "database", "schema"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, kind)
			broken := "globex"
			w.sources = append(w.sources, failing(2, func() string { return broken }))
			w.build()
			w.script([]typed{
				{args: "tenants suspend acme"}, // its place is there all the same
				{args: "migrate plan", want: result{out: "TENANT   LACKS\ncentral  1 plans\nacme     2 maybe\nglobex   2 maybe\n", err: "2 tenants: 0 at head, 2 behind\n"}},
				{args: "migrate plan --json --tenant acme", want: result{out: `{"total":1,"atHead":0,"central":["1 plans"],"tenants":[{"tenant":"acme","steps":["2 maybe"]}]}` + "\n"}},
				{args: "migrate up --dry-run", want: result{out: "-- for central\n-- step 1 plans\n-- a function, whose statements depend on what it reads\n" +
					"-- for acme, globex\n-- step 2 maybe\n-- a function, whose statements depend on what it reads\n"}},
				{args: "migrate up --tenant nobody", want: result{code: 1, err: "unknown tenant: nobody"}},
				{args: "migrate up --tenant Nobody", want: result{code: 2, err: "invalid tenant id"}},
				{args: "migrate up --workers 0", want: result{code: 2}},
				{args: "migrate up --stop-after -1", want: result{code: 2}},
				{args: "migrate up --canary globex --tenant globex --tenant acme --workers 1", want: result{
					code: 1,
					out:  "2 tenants: 0 at head, 0 migrated, 1 failed, 1 left, 0 steps in N\n",
					err: "globex: step 2 maybe: no luck (1 of 2 tenants, 1 failed, N per second, N left)\nacme: not begun\n" +
						"Error: 1 tenants failed, 1 are left; migrate up goes on where this ended: a canary failed\n",
				}},
			})
			if got := w.polls("acme"); got != "1 acme one 0, 2 acme two 0" {
				t.Errorf("acme has %q", got)
			}
			w.script([]typed{
				{args: "migrate up --workers 1", want: result{code: 1, out: "2 tenants: 0 at head, 1 migrated, 1 failed, 0 left, 1 steps in N\n", err: "acme: at head after N (1 of 2"}},
				{args: "migrate status", want: result{out: "TENANT   STANDS   OPEN\ncentral  at head\nacme     at head\nglobex   behind   2 maybe is failed: no luck\n"}},
				{args: "migrate status --json --tenant acme", want: result{out: `[{"tenant":"acme","version":2,"atHead":true}]` + "\n"}},
				{args: "migrate history acme --json", want: result{out: `[{"step":"1 mark","version":1,"state":"done","attempts":1,"seconds":N,"startedAt":"TIME","finishedAt":"TIME"},` +
					`{"step":"2 maybe","version":2,"state":"done","attempts":1,"seconds":N,"startedAt":"TIME","finishedAt":"TIME"}]` + "\n"}},
				{args: "migrate history acme", want: result{}},
				{args: "migrate history central --json", want: result{out: `[{"step":"1 plans","version":1,"state":"done","attempts":1,"seconds":N,"startedAt":"TIME","finishedAt":"TIME"}]` + "\n"}},
				{args: "migrate up -q", want: result{code: 1, out: ""}},
			})
			broken = ""
			w.script([]typed{
				{args: "migrate up", want: result{out: "2 tenants: 1 at head, 1 migrated, 0 failed, 0 left, 1 steps in N\n", err: "globex: at head"}},
				{args: "migrate up", want: result{out: "2 tenants: 2 at head, 0 migrated, 0 failed, 0 left, 0 steps in N\n"}},
				{args: "migrate plan", want: result{out: "", err: "2 tenants: 2 at head, 0 behind\n"}},
				{args: "migrate up --dry-run", want: result{out: "all tenants are at head\n"}},
			})
			for _, id := range []tenancy.ID{"acme", "globex"} {
				if got, want := w.polls(id), fmt.Sprintf("1 %[1]s one 1, 2 %[1]s two 0", id); got != want {
					t.Errorf("%s has %q", id, got)
				}
			}
			var plans int
			must(t, w.raw.QueryRow("SELECT count(*) FROM plans").Scan(&plans))
			if plans != 1 {
				t.Errorf("%d plans", plans)
			}
		})
	}
}

// TestMigrateJSON prints lines that a program reads, and nothing else.
func TestMigrateJSON(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "database")
	w.sources = append(w.sources, failing(2, func() string { return "globex" }))
	w.build()
	got := w.run("migrate", "up", "--json", "--workers", "1")
	if got.code != 1 || strings.Contains(got.err, "globex") {
		t.Errorf("%+v", got)
	}
	golden(t, "up.jsonl", got.out)
	for line := range strings.Lines(strings.ReplaceAll(got.out, ":N", ":0")) {
		if !json.Valid([]byte(line)) {
			t.Errorf("no JSON: %s", line)
		}
	}
}

// TestMigrateCentralFirst begins no tenant when the central tables fail.
func TestMigrateCentralFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "database")
	w.sources = append(w.sources, failing(2, func() string { return "" }))
	w.build()
	var err error
	w.central, err = migrate.NewCentral(w.db, []migrate.Source{migrate.Step{Version: 1, Name: "broken", Run: func(context.Context, *gorm.DB) error {
		return errors.New("broken")
	}}})
	must(t, err)
	w.script([]typed{{args: "migrate up", want: result{code: 1, err: "Error: the central tables; no tenant was begun:"}}})
	w.untouched("acme", "globex")
}

// TestMigrateInterrupted says what is left.
func TestMigrateInterrupted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "database")
	ctx, cancel := context.WithCancelCause(t.Context())
	w.sources = append(w.sources, migrate.Step{Version: 2, Name: "slow", Run: func(ctx context.Context, _ *gorm.DB) error {
		cancel(errors.New("interrupt"))
		<-ctx.Done()
		return context.Cause(ctx)
	}})
	w.build()
	got := execute(ctx, w.root(), "", "migrate", "up", "--workers", "1")
	if got.code != 1 || !strings.Contains(got.err, "globex: not begun\n") ||
		!strings.Contains(got.err, "Error: 1 tenants failed, 1 are left; migrate up goes on where this ended: interrupt\n") {
		t.Errorf("%+v", got)
	}
	w.untouched("acme", "globex")
}

// TestDryRunSQL prints the SQL of files and models, once for tenants that lack the same, and changes nothing.
func TestDryRunSQL(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "schema")
	w.sources = append(w.sources, migrate.Files(fstest.MapFS{
		"00002_open.sql": {Data: []byte("-- +goose Up\nALTER TABLE polls ADD COLUMN open boolean;\nCREATE INDEX polls_open ON polls (open);\n")},
	}))
	w.build()
	must(t, w.create("initech")) // baselined
	w.script([]typed{
		{args: "migrate up --dry-run --json", want: result{
			out: `[{"tenants":["central"],"steps":[{"step":"1 plans","statements":[]}]},{"tenants":["acme","globex"],"steps":[{"step":"2 open",` +
				`"statements":["ALTER TABLE polls ADD COLUMN open boolean;\nCREATE INDEX polls_open ON polls (open);"]}]}]` + "\n",
		}},
		{args: "migrate up --dry-run --tenant acme", want: result{out: "-- for central\n-- step 1 plans\n-- a function, whose statements depend on what it reads\n" +
			"-- for acme\n-- step 2 open\nALTER TABLE polls ADD COLUMN open boolean;\nCREATE INDEX polls_open ON polls (open);\n"}},
		{args: "migrate status -q", want: result{out: "central  behind\nacme     behind\nglobex   behind\ninitech  at head\n"}},
		{args: "migrate drift --from initech", want: result{out: "no tenant differs\n"}},
		{args: "migrate drift", want: result{code: 1, err: "Models"}},
		{args: "migrate up --tenant acme -q"},
		{args: "migrate drift --from globex --tenant acme --tenant initech", want: result{code: 1, err: "1 tenants differ"}},
		{args: "migrate drift --from globex --json", want: result{code: 1}},
		{args: "migrate drift --from GLOBEX", want: result{code: 2}},
	})
	w.untouched("globex")
}

// TestSettle tells the ledger what somebody found.
func TestSettle(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "database")
	runs := 0
	w.sources = append(w.sources, migrate.Step{Version: 2, Name: "half", NoTransaction: true, Run: func(context.Context, *gorm.DB) error {
		runs++
		return errors.New("half way")
	}})
	w.build()
	w.script([]typed{
		{args: "migrate up --tenant acme", want: result{code: 1, err: "acme: step 2 half: half way"}},
		{args: "migrate up --tenant acme", want: result{code: 1, err: "may be half done"}},
		{args: "migrate resolve acme 2", want: result{code: 2, err: "say --complete"}},
		{args: "migrate resolve acme 2 --complete --undone", want: result{code: 2}},
		{args: "migrate resolve acme two --complete", want: result{code: 2, err: "no version"}},
		{args: "migrate resolve acme 1 --complete --dry-run", want: result{code: 1, err: "not half done"}},
		{args: "migrate resolve acme 2 --complete --dry-run", want: result{out: "acme: would settle step 2 half\n"}},
		{args: "migrate resolve globex 2 --complete", want: result{code: 1, err: "not half done"}},
		{args: "migrate resolve acme 2 --complete", want: result{out: "acme: step 2 is settled; migrate up goes on\n"}},
		{args: "migrate up --tenant acme", want: result{out: "1 tenants: 0 at head, 1 migrated, 0 failed, 0 left, 0 steps in N\n"}},
		{args: "migrate baseline", want: result{code: 2, err: "name tenants, or say --all"}},
		{args: "migrate baseline --tenant nobody", want: result{code: 1, err: "unknown tenant"}},
		{args: "migrate baseline --all", want: result{code: 2, err: "say --yes"}},
		{args: "migrate baseline --all --dry-run", want: result{out: "globex: would be at head, without 1 steps\n"}},
		{args: "migrate baseline --all --yes", want: result{out: "globex: is at head\n"}},
		{args: "migrate status -q", want: result{out: "central  at head\nacme     at head\nglobex   at head\n"}},
	})
	if runs != 1 {
		t.Errorf("%d runs", runs)
	}
}

// TestNewTenantAtHead makes tenants by command: the ledger knows them, and no later run takes a step twice.
func TestNewTenantAtHead(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"shared", "database", "schema"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, kind)
			w.script([]typed{
				{args: "tenants create initech"},
				{args: "migrate status -q --tenant initech", want: result{out: "initech  at head\n"}},
				{args: "migrate up", want: result{out: "central: 1 steps\n3 tenants: 3 at head, 0 migrated, 0 failed, 0 left, 0 steps in N\n"}},
				{args: "tenants delete initech --yes"},
				{args: "migrate status -q --tenant initech", want: result{out: "initech  at head\n"}}, // its place is there
				{args: "tenants purge initech --now --yes"},
				{args: "migrate status --tenant initech", want: result{code: 1, err: "unknown tenant"}},
				{args: "migrate history initech -q", want: result{out: ""}},
			})
			w.untouched("acme", "globex")
		})
	}
}

// TestMissingParts says what the application does not provide.
func TestMissingParts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "database")
	w.env = func(env *tenantcli.Environment) { env.Migrations, env.CentralMigrations = nil, nil }
	for _, args := range []string{"migrate up", "migrate status", "migrate history acme", "migrate history central", "migrate baseline --all"} {
		if got := w.run(fields(args)...); got.code != 1 || !strings.Contains(got.err, "this application has no migrations") {
			t.Errorf("%s: %+v", args, got)
		}
	}
	w.openErr = errors.New("no database today")
	if got := w.run("tenants", "list"); got.code != 1 || got.err != "Error: no database today\n" {
		t.Errorf("%+v", got)
	}
	before := w.opened
	for _, args := range []string{"--help", "tenants --help", "migrate up --help", "completion bash", "completion zsh", "tenants", "shell --help"} {
		if got := w.run(fields(args)...); got.code != 0 || got.out == "" {
			t.Errorf("%s: %+v", args, got)
		}
	}
	if w.opened != before {
		t.Error("help opened the database")
	}
	for name, open := range map[string]func(context.Context) (*tenantcli.Environment, error){
		"missing": nil,
		"empty":   func(context.Context) (*tenantcli.Environment, error) { return &tenantcli.Environment{}, nil },
	} {
		root := w.root()
		root.ResetCommands()
		root.AddCommand(tenantcli.Commands(tenantcli.App{Open: open})...)
		if got := execute(t.Context(), root, "", "tenants", "list"); got.code != 1 || !strings.Contains(got.err, "App.Open") {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestClosed closes the environment however the command ends.
func TestClosed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "database")
	closed := 0
	w.env = func(env *tenantcli.Environment) {
		env.Close = func() error {
			closed++
			return errors.New("close failed")
		}
	}
	for i, args := range []string{"tenants list", "tenants show nobody", "run --tenant nobody -- count"} {
		if got := w.run(fields(args)...); got.code != 1 || !strings.Contains(got.err, "close failed") || closed != i+1 {
			t.Errorf("%s: %+v, closed %d times", args, got, closed)
		}
	}
}

// TestCompletion offers the ids of tenants, and nothing where the database does not answer.
func TestCompletion(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "database")
	w.script([]typed{
		{args: "tenants\tcreate\tacorn\t--name\tA corn"},
		{args: "tenants create gone"},
		{args: "tenants delete gone --yes"},
		{args: "tenants purge gone --now --yes"},
		{args: "__complete tenants suspend ac", want: result{out: "acme\tactive\nacorn\tactive A corn\n:4\n"}},
		{args: "__complete tenants suspend acme ", want: result{}},
		{args: "__complete migrate up --tenant g", want: result{out: "globex\tactive\n:4\n"}},
		{args: "__complete run --tenant x", want: result{out: ":4\n"}},
	})
	second := w.pipe("", "__complete", "tenants", "suspend", "acme", "")
	if strings.Contains(second.out, "globex") {
		t.Errorf("a second tenant: %+v", second)
	}
	for i := range 150 {
		must(t, w.store.Save(t.Context(), &catalog.Tenant{ID: tenancy.ID(fmt.Sprintf("many-%03d", i)), State: catalog.Active}))
	}
	if got := w.run("__complete", "tenants", "show", "many"); strings.Count(got.out, "many-") != 100 {
		t.Errorf("%d names", strings.Count(got.out, "many-"))
	}
	w.openErr = errors.New("no database today")
	if got := w.run("__complete", "tenants", "show", "many"); got.code != 0 || got.out != ":4\n" {
		t.Errorf("%+v", got)
	}
}

// TestCompletionInTime does not wait for a database that hangs.
func TestCompletionInTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "database")
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	root := w.root()
	root.ResetCommands()
	root.AddCommand(tenantcli.Commands(tenantcli.App{Open: func(context.Context) (*tenantcli.Environment, error) {
		<-hang // heeds no context
		return nil, errors.New("too late")
	}})...)
	if got := execute(t.Context(), root, "", "__complete", "tenants", "show", ""); got.code != 0 || got.out != ":4\n" {
		t.Errorf("%+v", got)
	}
}

// TestExitCode maps errors, also those of a root that the application executes itself.
func TestExitCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "database")
	for args, want := range map[string]int{
		"tenants list": 0, "tenants show nobody": 1, "tenants show": 2, "tenants show Nobody!": 2, "tenants list --what": 2, "what": 2,
		"tenants list --state": 2, "migrate up --workers many": 2, "vote": 1,
	} {
		root := w.root()
		root.SetOut(&bytes.Buffer{})
		root.SetErr(&bytes.Buffer{})
		root.SetArgs(fields(args))
		if got := tenantcli.ExitCode(root.ExecuteContext(t.Context())); got != want {
			t.Errorf("%s: %d, want %d", args, got, want)
		}
		if got := w.run(fields(args)...).code; got != want && args != "vote" {
			t.Errorf("%s: Execute returned %d, want %d", args, got, want)
		}
	}
}
