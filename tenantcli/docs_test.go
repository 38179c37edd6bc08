package tenantcli_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/gorm-tenancy/tenancy/retrofit"
	"github.com/gorm-tenancy/tenancy/tenantcli"
)

// TestDocumentation types the commands that docs/cli.md shows, in their order, and compares what they print: those about
// moving in an application whose tenants can.
func TestDocumentation(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "docs", "cli.md"))
	must(t, err)
	before, after, found := strings.Cut(string(page), "\n## Moving tenants\n")
	if typed := newWorld(t, "database").typeAll(before); typed < 11 {
		t.Errorf("only %d commands", typed)
	}
	if typed := newWorld(t, "hybrid").typeAll(after); typed != 3 || !found {
		t.Errorf("%d commands about moving", typed)
	}
}

// typeAll types the commands of a part of the page and returns how many there are.
func (w *world) typeAll(page string) (typed int) {
	dir := w.TempDir() + "/"
	for _, block := range strings.Split(page, "```text\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		for _, shown := range strings.Split("\n"+block, "\n$ polls ")[1:] {
			command, want, _ := strings.Cut(shown, "\n")
			var stdin, output strings.Builder
			for line := range strings.Lines(want + "\n") {
				if sql, ok := strings.CutPrefix(line, "acme> "); ok {
					stdin.WriteString(sql)
				} else if line != "\n" {
					output.WriteString(line)
				}
			}
			archives := strings.Contains(command, ".zip") // of them is shown what goes to stderr, too
			got := w.pipe(stdin.String(), strings.Fields(strings.ReplaceAll(command, "acme.zip", dir+"acme.zip"))...)
			printed := got.out
			if stdin.Len() > 0 {
				printed += got.err
			} else if archives {
				printed = strings.ReplaceAll(got.err, dir, "") + got.out
			}
			if want := scrub(output.String()); got.code != 0 || printed != want {
				w.Errorf("%s: exit %d\n%s%s\nthe page says\n%s", command, got.code, printed, got.err, want)
			}
			typed++
		}
	}
	return typed
}

// TestDocumentedCommands has every command and flag of this package in docs/cli.md.
func TestDocumentedCommands(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "docs", "cli.md"))
	must(t, err)
	page := string(text)
	for _, group := range tenantcli.Commands(tenantcli.App{Root: (&world{}).root, Retrofit: func(context.Context) (*retrofit.Retrofit, error) { return nil, nil }}) {
		for _, cmd := range append(group.Commands(), group) {
			if !strings.Contains(page, cmd.Name()) {
				t.Errorf("%q is not documented", cmd.CommandPath())
			}
			cmd.Flags().VisitAll(func(f *pflag.Flag) {
				if !strings.Contains(page, "--"+f.Name) {
					t.Errorf("--%s of %q is not documented", f.Name, cmd.CommandPath())
				}
			})
			if cmd.Short == "" {
				t.Errorf("%q has no help", cmd.CommandPath())
			}
		}
	}
}
