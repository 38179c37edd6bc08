package tenantcli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/gorm-tenancy/tenancy/tenantcli"
)

// TestDocumentation types the commands that docs/cli.md shows, in their order, and compares what they print.
func TestDocumentation(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "docs", "cli.md"))
	must(t, err)
	w, typed := newWorld(t, "database"), 0
	for _, block := range strings.Split(string(page), "```text\n")[1:] {
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
			got := w.pipe(stdin.String(), strings.Fields(command)...)
			printed := got.out
			if stdin.Len() > 0 {
				printed += got.err
			}
			if want := scrub(output.String()); got.code != 0 || printed != want {
				t.Errorf("%s: exit %d\n%s%s\nthe page says\n%s", command, got.code, printed, got.err, want)
			}
			typed++
		}
	}
	if typed < 8 {
		t.Errorf("only %d commands", typed)
	}
}

// TestDocumentedCommands has every command and flag of this package in docs/cli.md.
func TestDocumentedCommands(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "docs", "cli.md"))
	must(t, err)
	page := string(text)
	for _, group := range tenantcli.Commands(tenantcli.App{Root: (&world{}).root}) {
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
