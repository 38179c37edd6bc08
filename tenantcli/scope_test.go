package tenantcli_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/tenantcli"
)

// TestRun runs commands of the application for one tenant. Nothing of the other is read or written.
func TestRun(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"shared", "database", "schema"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, kind)
			w.script([]typed{
				{args: "run --tenant acme -- count", want: result{out: "1 acme one\n2 acme two\n"}},
				{args: "run -t globex -- count", want: result{out: "1 globex one\n2 globex two\n"}},
				{args: "run --tenant acme -- vote 1 --by 5", want: result{out: "1 polls\n"}},
				{args: "run\t--tenant\tacme\t--\techo\tone two\t-x", want: result{code: 2, err: "unknown shorthand flag"}},
				{args: "run\t--tenant\tacme\t--\techo\tone two\tthree", stdin: "in ", want: result{out: "acme: in one two\nthree", err: "noise\n"}},
				{args: "run --tenant acme -- background", want: result{code: 1, err: "no tenant in the context"}},
				{args: "run --tenant acme -- fail", want: result{code: 1, err: "Error: it failed\n"}},
				{args: "run --tenant acme -- vote", want: result{code: 2, err: "accepts 1 arg"}},
				{args: "run --tenant acme -- nonsense", want: result{code: 2, err: "unknown command"}},
				{args: "run --tenant acme", want: result{code: 2, err: "name a command after --"}},
				{args: "run -- count", want: result{code: 2, err: "--tenant is missing"}},
				{args: "run --tenant nobody -- count", want: result{code: 1, err: "nobody: tenancy: unknown tenant"}},
				{args: "run\t--tenant\tacme' OR '1\t--\tcount", want: result{code: 2, err: "invalid tenant id"}},
				{args: "vote 1", want: result{code: 1, err: "no tenant in the context"}}, // without run
			})
			w.untouched("globex")
			if got := w.polls("acme"); got != "1 acme one 5, 2 acme two 0" {
				t.Errorf("acme has %q", got)
			}
		})
	}
}

// TestRunStates refuses tenants that are not served. What exists can be forced, what does not cannot.
func TestRunStates(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "database")
	w.script([]typed{
		{args: "tenants suspend acme"},
		{args: "run --tenant acme -- echo", want: result{code: 1, err: "acme: tenancy: tenant is suspended\nHint: tenants resume lets it be served; --force works on it as it is\n"}},
		{args: "shell --tenant acme", stdin: "SELECT 1", want: result{code: 1, err: "suspended"}},
		{args: "run --tenant acme --force -- echo", want: result{out: "acme: "}},
		{args: "shell --tenant acme --force -q", stdin: "SELECT title FROM polls", want: result{out: "acme one\nacme two\n"}},
		{args: "tenants resume acme"},
		{args: "tenants maintain acme"},
		{args: "run --tenant acme -- echo", want: result{code: 1, err: "in maintenance"}},
		{args: "run --tenant acme --force -- echo", want: result{out: "acme: "}},
		{args: "tenants delete acme --yes"},
		{args: "run --tenant acme --force -- echo", want: result{code: 1, err: "unknown tenant"}},
		{args: "tenants purge acme --yes --now"},
		{args: "run --tenant acme --force -- echo", want: result{code: 1, err: "unknown tenant"}},
		{args: "run --tenant nobody --force -- echo", want: result{code: 1, err: "unknown tenant"}},
	})
	w.untouched("globex")
}

// TestNested refuses to leave the tenant from inside it.
func TestNested(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "database")
	for _, inner := range []string{
		"run --tenant globex -- vote 1", "run --tenant acme -- vote 1", "each -- vote 1", "shell --tenant globex", "tenants list",
		"tenants purge globex --now --yes", "tenants suspend globex", "migrate up", "doctor",
	} {
		for _, outer := range []string{"run --tenant acme -- ", "each -- "} {
			got := w.run(fields(outer + inner)...)
			if got.code == 0 || !strings.Contains(got.err, "does not run inside run or each") {
				t.Errorf("%s%s: %+v", outer, inner, got)
			}
		}
	}
	w.untouched("acme", "globex")
	if w.state("globex") != "active" {
		t.Error(w.state("globex"))
	}
	for _, args := range []string{"tenants list", "run --tenant acme -- help", "run --tenant acme -- completion bash"} { // controls
		if got := w.run(fields(args)...); got.code != 0 {
			t.Errorf("%s: %+v", args, got)
		}
	}
}

// TestStaleTrees gives commands that were made before. They remember another tenant's context and flags.
func TestStaleTrees(t *testing.T) {
	t.Parallel()
	for name, stale := range map[string]func(w *world, kept *cobra.Command) *cobra.Command{
		"one tree": func(_ *world, kept *cobra.Command) *cobra.Command { return kept },
		"one command": func(w *world, kept *cobra.Command) *cobra.Command {
			root := &cobra.Command{Use: "app"}
			vote, _, err := kept.Find([]string{"vote"})
			must(w, err)
			root.AddCommand(vote)
			return root
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "database")
			kept := w.root()
			vote, _, err := kept.Find([]string{"vote"})
			must(t, err)
			vote.SetContext(tenancy.WithTenant(context.Background(), "globex"))
			app := tenantcli.App{Open: w.open, Root: func() *cobra.Command { return stale(w, kept) }}
			for _, args := range []string{"run --tenant acme -- vote 1", "each -- vote 1", "each --parallel 2 -- vote 1"} {
				root := &cobra.Command{Use: "app"}
				root.AddCommand(tenantcli.Commands(app)...)
				got := execute(t.Context(), root, "", fields(args)...)
				if strings.HasPrefix(args, "run") {
					if got.code != 0 { // nothing was run in it yet: acme's context takes the place of globex'
						t.Errorf("%s: %+v", args, got)
					}
				} else if got.code != 1 || !strings.Contains(got.err, "App.Root has to make every command anew") {
					t.Errorf("%s: %+v", args, got)
				}
			}
			w.untouched("globex")
			if got := w.polls("acme"); got != "1 acme one 1, 2 acme two 0" {
				t.Errorf("acme has %q", got)
			}
		})
	}
	w := newWorld(t, "database")
	root := &cobra.Command{Use: "app"}
	root.AddCommand(tenantcli.Commands(tenantcli.App{Open: w.open})...)
	if got := execute(t.Context(), root, "", "run", "--tenant", "acme", "--", "vote", "1"); got.code != 2 {
		t.Errorf("%+v", got)
	}
}

// TestEach runs a command for all tenants that are served, and each time for that tenant alone.
func TestEach(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"shared", "database", "schema"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, kind)
			must(t, w.create("sleeping"))
			w.script([]typed{
				{args: "tenants suspend sleeping"},
				{args: "each -- vote 2 --by 3", want: result{out: "acme | 1 polls\nglobex | 1 polls\n", err: "2 tenants done, 0 failed\n"}},
				{args: "each -- echo", stdin: "secret", want: result{out: "acme | acme: \nglobex | globex: \n", err: "acme | noise\nglobex | noise\n"}},
				{args: "each\t--\techo\ttwo\tlines", want: result{out: "acme | acme: two\nacme | lines\nglobex | globex: two\nglobex | lines\n"}},
				{args: "each -- fail acme", want: result{code: 1, err: "acme | Error: it failed\n1 tenants done, 1 failed\nError: 1 tenants done, 1 failed\n"}},
				{args: "each --max-failures 1 -- fail", want: result{code: 1, err: "0 tenants done, 1 failed, 1 left\nglobex: not begun\n"}},
				{args: "each --json -- fail acme", want: result{code: 1, out: `{"done":["globex"],"failed":[{"tenant":"acme","error":"it failed"}]}` + "\n"}},
				{args: "each --dry-run -- vote 2", want: result{out: "would run [\"vote\" \"2\"] for acme\nwould run [\"vote\" \"2\"] for globex\n"}},
				{args: "each --dry-run --json -- vote 2", want: result{out: `{"dryRun":["vote","2"],"tenants":["acme","globex"]}` + "\n"}},
				{args: "each --parallel 0 -- vote 2", want: result{code: 2}},
				{args: "each", want: result{code: 2, err: "name a command after --"}},
				{args: "each -- nonsense", want: result{code: 1, err: "unknown command"}},
			})
			for id, want := range map[tenancy.ID]string{
				"acme": "1 acme one 0, 2 acme two 3", "globex": "1 globex one 0, 2 globex two 3", "sleeping": "",
			} {
				if got := w.polls(id); got != want {
					t.Errorf("%s has %q", id, got)
				}
			}
		})
	}
}

// TestEachParallel has many tenants at once: each command sees its own, and its lines stay whole.
func TestEachParallel(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "shared")
	want := []string{"acme", "globex"}
	for _, id := range []tenancy.ID{"t1", "t2", "t3", "t4", "t5", "t6", "t7", "t8"} {
		must(t, w.create(id))
		want = append(want, string(id))
	}
	got := w.run("each", "--parallel", "5", "--", "echo", "x", "y")
	slices.Sort(w.log)
	if got.code != 0 || !slices.Equal(w.log, want) {
		t.Errorf("%+v, for %v", got, w.log)
	}
	for line := range strings.Lines(got.out) {
		id, text, _ := strings.Cut(strings.TrimSpace(line), " | ")
		if !slices.Contains(want, id) || text != id+": x" && text != "y" {
			t.Errorf("line %q", line)
		}
	}
}

// TestInterrupt ends the context: no further tenant is begun, and what is left is said.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "database")
	ctx, cancel := context.WithCancelCause(t.Context())
	root := &cobra.Command{Use: "app"}
	tree := func() *cobra.Command {
		inner := &cobra.Command{Use: "app"}
		inner.AddCommand(&cobra.Command{Use: "wait", RunE: func(cmd *cobra.Command, _ []string) error {
			cancel(errors.New("interrupt"))
			<-cmd.Context().Done()
			return context.Cause(cmd.Context())
		}})
		return inner
	}
	root.AddCommand(tenantcli.Commands(tenantcli.App{Open: w.open, Root: tree})...)
	got := execute(ctx, root, "", "each", "--json", "--", "wait")
	if got.code != 1 || got.out != `{"done":[],"failed":[{"tenant":"acme","error":"interrupt"}],"left":["globex"]}`+"\n" ||
		!strings.Contains(got.err, "0 tenants done, 1 failed, 1 left: interrupt") {
		t.Errorf("%+v", got)
	}
}
