package tenancyvet_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/go/analysis/analysistest"

	"github.com/gorm-tenancy/tenancy/tenancyvet"
)

// Every line of the shop that is wrong is found and no other; in the project API, where nothing is wrong, nothing is.
func TestShapes(t *testing.T) {
	t.Parallel()
	for _, shape := range []string{"shop", "projects"} {
		t.Run(shape, func(t *testing.T) {
			t.Parallel()
			found := map[int][]string{}
			for _, a := range tenancyvet.Analyzers() {
				for _, r := range analysistest.Run(deaf{}, analysistest.TestData(), a, shape) {
					if r.Err != nil {
						t.Fatal(r.Err)
					}
					for _, d := range r.Diagnostics {
						line := r.Pass.Fset.Position(d.Pos).Line
						found[line] = append(found[line], d.Message)
					}
				}
			}
			compare(t, filepath.Join("testdata", "src", shape, shape+".go"), found)
		})
	}
}

// deaf hears no complaint of analysistest, which expects every want of each check alone.
type deaf struct{}

func (deaf) Errorf(string, ...any) {}

// compare holds what was found against the marks in a file, of all checks together.
func compare(t *testing.T, file string, found map[int][]string) {
	t.Helper()
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(string(source), "\n") {
		_, mark, wanted := strings.Cut(line, "want `")
		mark, _, _ = strings.Cut(mark, "`")
		got := found[i+1]
		if wanted != (len(got) == 1) || len(got) > 1 || wanted && !strings.Contains(got[0], mark) {
			t.Errorf("%s:%d: found %q, want %q", file, i+1, got, mark)
		}
	}
}

// go vet takes the command as its tool, and fails on what it finds.
func TestVetTool(t *testing.T) {
	t.Parallel()
	tool := filepath.Join(t.TempDir(), "tenancyvet")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", tool, "./cmd/tenancyvet").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	for name, c := range map[string]struct{ reason, want string }{
		"ignore without a reason": {"//tenancyvet:ignore rawsql", "without a reason nothing is silenced"},
		"ignore with a reason":    {"//tenancyvet:ignore rawsql it is an example", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, filepath.Join(dir, "go.mod"), "module scratch\n\ngo 1.25.0\n")
			write(t, filepath.Join(dir, "a.go"), "package scratch\n\n"+c.reason+"\nvar A int\n")
			cmd := exec.CommandContext(t.Context(), "go", "vet", "-vettool="+tool, "./...")
			cmd.Dir = dir
			out, err := cmd.CombinedOutput()
			if (err != nil) != (c.want != "") || !strings.Contains(string(out), c.want) {
				t.Fatalf("go vet: %v\n%s", err, out)
			}
		})
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
