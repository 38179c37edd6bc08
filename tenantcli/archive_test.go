package tenantcli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/archive"
	"github.com/gorm-tenancy/tenancy/catalog"
)

// polls are what a tenant begins with.
func polls(of string) string { return "1 " + of + " one 0, 2 " + of + " two 0" }

// TestTransfer takes the rows of acme to another tenant by an archive, under every strategy. globex has rows of the same ids.
func TestTransfer(t *testing.T) {
	t.Parallel()
	for kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, kind)
			must(t, w.create("initech"))
			file := filepath.Join(t.TempDir(), "acme.zip")
			w.script([]typed{
				{args: "tenants export acme " + file, want: result{err: "polls: 2 rows\n"}},
				{args: "tenants import initech " + file + " -n", want: result{err: "polls: 2 rows\n"}},
			})
			if got := w.polls("initech"); got != "" {
				t.Errorf("a dry run left %q", got)
			}
			w.script([]typed{
				{args: "tenants import initech " + file, want: result{err: "initech is imported: 2 rows"}},
				{args: "tenants import initech " + file, want: result{code: 1, err: "here --replace or --merge"}},
				{args: "tenants import initech " + file + " -n", want: result{code: 1, err: "the tenant has rows"}},
				{args: "tenants import globex " + file + " --replace", want: result{code: 2, err: "say --yes"}},
				{args: "tenants import globex " + file + " --replace --merge --yes", want: result{code: 2}},
				{args: "tenants export nobody", want: result{code: 1, err: "unknown tenant"}},
			})
			if got := w.polls("initech"); got != polls("acme") {
				t.Errorf("initech has %q", got)
			}
			w.untouched("acme", "globex")
			w.script([]typed{
				{args: "tenants import globex " + file + " --replace --dry-run", want: result{err: "polls: 2 rows\n"}},
				{args: "tenants import globex " + file + " --merge", want: result{code: 1, err: "key is taken"}},
			})
			w.untouched("acme", "globex")
			w.script([]typed{{args: "tenants import globex " + file + " --replace --yes", want: result{err: "globex is imported"}}})
			if got := w.polls("globex"); got != polls("acme") {
				t.Errorf("globex has %q", got)
			}
			w.untouched("acme")
		})
	}
}

// TestTransferJSON prints the manifest and the report, with the version of the tables from the ledger.
func TestTransferJSON(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "shared")
	must(t, w.create("initech"))
	file := filepath.Join(t.TempDir(), "acme.zip")
	got := w.raws("tenants", "export", "acme", file, "--json")
	var manifest archive.Manifest
	must(t, json.Unmarshal([]byte(got.out), &manifest))
	if got.err != "" || manifest.SchemaVersion != "1" || manifest.Tenant != "acme" || manifest.Tables[0].Rows != 2 {
		t.Errorf("%+v", got)
	}
	got = w.raws("tenants", "import", "initech", file, "--json")
	var report archive.Report
	must(t, json.Unmarshal([]byte(got.out), &report))
	if got.err != "" || report.Manifest.SHA256 != manifest.SHA256 || report.Erased != nil {
		t.Errorf("%+v", got)
	}
	var dry struct {
		DryRun string
		Tenant struct{ ID string }
		Report archive.Report
	}
	must(t, json.Unmarshal([]byte(w.raws("tenants", "import", "globex", file, "--json", "--replace", "-n").out), &dry))
	if dry.DryRun != "import" || dry.Tenant.ID != "globex" || dry.Report.Erased[0] != (archive.Count{Table: "polls", Rows: 2}) {
		t.Errorf("%+v", dry)
	}
	w.script([]typed{{args: "tenants export acme --json", want: result{code: 2, err: "stdout is the archive"}}})
	piped := w.run("tenants", "export", "acme", "-q")
	if !strings.HasPrefix(piped.out, "PK") || piped.err != "" {
		t.Errorf("%q", piped.err)
	}
	w.untouched("acme", "globex")
	w.sources = append(w.sources, step(2))
	w.build()
	w.script([]typed{
		{args: "migrate up"},
		{args: "tenants import initech " + file + " --replace -y", want: result{err: "the archive is of schema version 1, and initech has 2\n"}},
	})
}

// TestTransferRefused writes nothing for what is no archive.
func TestTransferRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "database")
	must(t, w.create("initech"))
	file := filepath.Join(t.TempDir(), "acme.zip")
	w.script([]typed{{args: "tenants export acme " + file}})
	text, err := os.ReadFile(file)
	must(t, err)
	must(t, os.WriteFile(file+"2", text[:len(text)/2], 0o600))
	for _, flags := range []string{"", " --dry-run"} {
		w.script([]typed{
			{args: "tenants import initech " + file + "2" + flags, want: result{code: 1, err: "malformed archive"}},
			{args: "tenants import initech" + flags, stdin: "no archive", want: result{code: 1, err: "malformed archive"}},
		})
	}
	if got := w.polls("initech"); got != "" {
		t.Errorf("initech has %q", got)
	}
	w.script([]typed{{args: "tenants import initech " + file}}) // control
	if got := w.polls("initech"); got != polls("acme") {
		t.Errorf("initech has %q", got)
	}
}

// TestRenumber: keys of tables that all tenants share are taken, by acme itself, until they are given anew.
func TestRenumber(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "numbered")
	for _, id := range []tenancy.ID{"acme", "globex", "acme"} {
		must(t, w.db.WithContext(tenancy.WithTenant(t.Context(), id)).Create(&Vote{By: "a voter of " + string(id)}).Error)
	}
	must(t, w.create("initech"))
	file := filepath.Join(t.TempDir(), "acme.zip")
	w.script([]typed{
		{args: "tenants export acme " + file, want: result{err: "votes: 2 rows\n"}},
		{args: "tenants import initech " + file, want: result{code: 1, err: "here --renumber"}},
	})
	if got := w.polls("initech"); got != "" {
		t.Errorf("half of an import: %q", got)
	}
	w.script([]typed{{args: "tenants import initech " + file + " --renumber", want: result{err: "4 rows of 2 tables"}}})
	want := "1 acme 0, 2 globex 0, 3 acme 0, 4 initech 0, 5 initech 0"
	if got := w.lines(w.raw, "SELECT id, tenant_id, 0 FROM votes ORDER BY id"); got != want {
		t.Errorf("votes are %s", got)
	}
}

// TestTransferAtTerminal draws a bar for each table.
func TestTransferAtTerminal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "database")
	must(t, w.create("initech"))
	file := filepath.Join(t.TempDir(), "acme.zip")
	got := w.atTerminal(t.Context(), nil, "tenants", "export", "acme", file)
	if got.code != 0 || !strings.Contains(got.text, "polls: 2 of 2 rows") || !strings.Contains(got.text, "100% [") {
		t.Errorf("%d %q", got.code, got.text)
	}
	asked := "Type globex to go on: "
	got = w.atTerminal(t.Context(), map[string]string{asked: "acme\n"}, "tenants", "import", "globex", file, "--replace")
	if got.code != 2 {
		t.Errorf("not confirmed: %d %q", got.code, got.text)
	}
	w.untouched("globex")
	got = w.atTerminal(t.Context(), map[string]string{asked: "globex\n"}, "tenants", "import", "globex", file, "--replace")
	if got.code != 0 || w.polls("globex") != polls("acme") || !strings.Contains(got.text, "polls: 2 of 2 rows") {
		t.Errorf("confirmed: %d %q", got.code, got.text)
	}
}

// TestCloneEverywhere clones by the copier that docs/cli.md mounts.
func TestCloneEverywhere(t *testing.T) {
	t.Parallel()
	for kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, kind)
			w.options = []catalog.Option{catalog.CopyWith(archive.Copier(w.db))}
			w.build()
			args := "tenants clone acme initech"
			if kind == "hybrid" {
				args += " --in database"
			}
			w.script([]typed{
				{args: args, want: result{out: "initech is made, with a copy of acme, and served\n"}},
				{args: "tenants clone nobody zeta", want: result{code: 1, err: "unknown tenant"}},
			})
			if got := w.polls("initech"); got != polls("acme") {
				t.Errorf("initech has %q", got)
			}
			must(t, w.runner.Ready(t.Context(), "initech"))
			w.untouched("acme", "globex")
		})
	}
}
