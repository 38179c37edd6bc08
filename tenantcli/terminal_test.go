package tenantcli_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/creack/pty"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
	"github.com/gorm-tenancy/tenancy/tenantcli"
)

// screen is a pseudo-terminal: what a command printed on it, and its exit code.
type screen struct {
	text string
	code int
}

// atTerminal runs a command at a terminal, where somebody types text as soon as what is printed ends with a prompt.
// The answer "^C" interrupts it.
func (w *world) atTerminal(ctx context.Context, typed map[string]string, args ...string) screen {
	w.Helper()
	ctx, interrupt := context.WithCancelCause(ctx)
	defer interrupt(nil)
	ours, theirs, err := pty.Open()
	must(w, err)
	defer ours.Close()
	must(w, pty.Setsize(ours, &pty.Winsize{Rows: 25, Cols: 120}))
	root := w.root()
	root.SetIn(theirs)
	root.SetOut(theirs)
	root.SetErr(theirs)
	root.SetArgs(args)
	printed := make(chan string)
	go func() {
		var text strings.Builder
		for buffer := make([]byte, 4096); ; {
			n, err := ours.Read(buffer)
			text.Write(buffer[:n])
			switch answer := typed[longest(typed, text.String())]; {
			case n > 0 && answer == "^C":
				interrupt(errors.New("interrupted"))
			case n > 0 && answer != "":
				_, _ = ours.WriteString(answer)
			}
			if err != nil {
				break
			}
		}
		printed <- text.String()
	}()
	code := tenantcli.Execute(ctx, root)
	if ctx.Err() != nil { // its reader waits for a line
		_, err := ours.WriteString("\n")
		must(w, err)
	}
	must(w, theirs.Close())
	return screen{<-printed, code}
}

// longest returns the longest prompt with which a text ends.
func longest(prompts map[string]string, text string) (found string) {
	for prompt := range prompts {
		if strings.HasSuffix(text, prompt) && len(prompt) > len(found) {
			found = prompt
		}
	}
	return found
}

// TestConfirm asks somebody at a terminal for the tenant's name.
func TestConfirm(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		args, prompt, answer, state string
		code                        int
	}{
		{"tenants delete acme", "Type acme to go on: ", "yes\n", "active", 2},
		{"tenants delete acme", "Type acme to go on: ", "globex\n", "active", 2},
		{"tenants delete acme", "Type acme to go on: ", "\n", "active", 2},
		{"tenants delete acme", "Type acme to go on: ", "\x04", "active", 1}, // the end of the input
		{"tenants delete acme", "Type acme to go on: ", "acme\n", "deleting", 0},
		{"tenants delete acme --yes", "Type acme to go on: ", "", "deleting", 0},
		{"migrate baseline --all", "Type all to go on: ", "no\n", "active", 2},
		{"migrate baseline --all", "Type all to go on: ", "all\n", "active", 0},
	} {
		t.Run(tc.args+" "+strings.TrimSpace(tc.answer), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "database")
			got := w.atTerminal(t.Context(), map[string]string{tc.prompt: tc.answer}, fields(tc.args)...)
			if got.code != tc.code || w.state("acme") != tc.state {
				t.Errorf("exit %d, acme is %s:\n%s", got.code, w.state("acme"), got.text)
			}
			if tc.answer != "" && !strings.Contains(got.text, tc.prompt) {
				t.Errorf("no prompt:\n%s", got.text)
			}
			w.untouched("acme", "globex")
		})
	}
}

// TestInterruptedAtPrompt ends while somebody thinks.
func TestInterruptedAtPrompt(t *testing.T) {
	t.Parallel()
	for args, prompt := range map[string]string{"tenants delete acme": "go on: ", "shell --tenant acme": "acme> "} {
		w := newWorld(t, "database")
		got := w.atTerminal(t.Context(), map[string]string{prompt: "^C"}, fields(args)...)
		if got.code != 1 || w.state("acme") != "active" || !strings.Contains(got.text, prompt+"Error: interrupted\r\n") {
			t.Errorf("%s: %+v", args, got)
		}
	}
}

// TestShellAtTerminal goes on after an error, and shows whose rows it is about.
func TestShellAtTerminal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "database")
	got := w.atTerminal(t.Context(), map[string]string{
		"\r\nacme> ": "\x04", // after the first answer
		"acme- ":     "FROM polls; SELECT missing;\n",
		"acme> ":     "SELECT title\n",
	}, "shell", "--tenant", "acme")
	for _, want := range []string{"acme one\r\nacme two\r\n2 rows\r\n", "Error: acme: no such column: missing\r\nacme> "} {
		if !strings.Contains(got.text, want) {
			t.Errorf("%q is not in %q", want, got.text)
		}
	}
	if got.code != 0 {
		t.Errorf("exit %d", got.code)
	}
	w.untouched("acme", "globex")
}

var capture = flag.Int("capture", 0, "migrate so many schemas in TestProgressBar and rewrite testdata/progress.txt")

// frame is what the bar looks like.
var frame = regexp.MustCompile(`^ *(\d+)% \[[=>.]{30}\]  (\d+) of (\d+) tenants(, \d+ failed)?(, [\d.]+ per second, [\dhms]+ left)?$`)

// TestProgressBar draws one line that moves on a terminal, below what failed. The frames in testdata, which the
// documentation shows, are of a run over 1,000 schemas: scripts/progress.sh.
func TestProgressBar(t *testing.T) {
	t.Parallel()
	size := max(*capture, 40)
	w := newWorld(t, "schema")
	_, err := w.raw.Exec(fmt.Sprintf(`DO $$ BEGIN FOR i IN 1..%d LOOP
	EXECUTE format('CREATE SCHEMA tenant_t%%s AUTHORIZATION app', i);
	EXECUTE format('CREATE TABLE tenant_t%%s.polls (id bigint, tenant_id text, title text, votes bigint)', i);
	EXECUTE format('ALTER TABLE tenant_t%%s.polls OWNER TO app', i);
	COMMIT; END LOOP; END $$`, size))
	must(t, err)
	for i := range size {
		must(t, w.store.Save(t.Context(), &catalog.Tenant{ID: tenancy.ID(fmt.Sprintf("t%d", i+1)), State: catalog.Active}))
	}
	w.sources = append(w.sources, failing(2, func() string { return fmt.Sprintf("t%d", size/2) }))
	w.build()
	got := w.atTerminal(t.Context(), nil, "migrate", "up")
	failed := fmt.Sprintf("t%d", size/2)
	if got.code != 1 || strings.Contains(got.text, "\x1b") {
		t.Errorf("exit %d:\n%q", got.code, got.text)
	}
	var frames, others []string
	for line := range strings.SplitSeq(strings.ReplaceAll(got.text, "\n", "\r"), "\r") {
		line = strings.TrimRight(line, " ")
		switch {
		case frame.MatchString(line):
			if len(frames) == 0 || frames[len(frames)-1] != line {
				frames = append(frames, line)
			}
		case line != "":
			others = append(others, line)
		}
	}
	want := []string{
		fmt.Sprintf("tenant %s: step 2 maybe: no luck", failed),
	}
	for _, line := range want {
		if !strings.Contains(strings.Join(others, "\n"), line) {
			t.Errorf("%q lacks %q", others, line)
		}
	}
	if len(frames) == 0 {
		t.Fatal("no frames")
	}
	last := frame.FindStringSubmatch(frames[len(frames)-1])
	if n := fmt.Sprint(size + 2); last[1] != "100" || last[2] != n || last[3] != n || !strings.Contains(last[0], "1 failed") {
		t.Errorf("the last frame is %q", last[0])
	}
	if *capture > 0 {
		must(t, os.WriteFile("testdata/progress.txt", []byte(strings.Join(sample(frames, 8), "\n")+"\n"), 0o644))
	}
	t.Log(strings.Join(append(sample(frames, 8), others...), "\n"))
}

// sample keeps n of the frames, the first and the last among them.
func sample(frames []string, n int) (some []string) {
	for i := range min(n, len(frames)) {
		some = append(some, frames[i*(len(frames)-1)/max(min(n, len(frames))-1, 1)])
	}
	return some
}

// TestProgressShown has the documentation show what the program prints.
func TestProgressShown(t *testing.T) {
	t.Parallel()
	shown, err := os.ReadFile("testdata/progress.txt")
	must(t, err)
	for line := range strings.Lines(string(shown)) {
		if !frame.MatchString(strings.TrimSuffix(line, "\n")) || !strings.Contains(line, " of 1002 tenants") {
			t.Errorf("no frame of 1,000 schemas: %q", line)
		}
	}
	page, err := os.ReadFile(filepath.Join("..", "docs", "cli.md"))
	must(t, err)
	if !strings.Contains(string(page), "```text\n"+string(shown)+"```") {
		t.Errorf("docs/cli.md does not show testdata/progress.txt:\n%s", shown)
	}
}

// TestQuiet prints failures and results only.
func TestQuiet(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "database")
	w.sources = append(w.sources, failing(2, func() string { return "globex" }))
	w.build()
	got := w.run("migrate", "up", "--quiet")
	if got.code != 1 || strings.Contains(got.err, "acme") || !strings.Contains(got.err, "globex: step 2 maybe: no luck (") || got.out != "" {
		t.Errorf("%+v", got)
	}
}
