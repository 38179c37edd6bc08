//go:build mutation

package mutation_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../.."

// TestMutations runs the tests of the root package once for every guard, in a copy of the module without it.
func TestMutations(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs", "security.md"))
	if err != nil {
		t.Fatal(err)
	}
	if count := fmt.Sprintf("removes %d guards one at a time", len(guards)); !strings.Contains(string(page), count) {
		t.Errorf("docs/security.md does not say %q", count)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, sources{os.DirFS(root)}); err != nil {
		t.Fatal(err)
	}
	if out, err := run(t, dir); err != nil {
		t.Fatalf("the tests fail with all guards in place: %s", out)
	}
	for _, g := range guards {
		t.Run(g.name, func(t *testing.T) {
			file := filepath.Join(dir, g.file)
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if n := bytes.Count(text, []byte(g.old)); n != 1 {
				t.Fatalf("%s has the guard %d times", g.file, n)
			}
			without := bytes.Replace(text, []byte(g.old), []byte(g.new), 1)
			if err := os.WriteFile(file, without, 0o644); err != nil {
				t.Fatal(err)
			}
			out, failed := run(t, dir)
			if err := os.WriteFile(file, text, 0o644); err != nil {
				t.Fatal(err)
			}
			if failed == nil {
				t.Error("no test misses it")
			} else if strings.Contains(out, "[build failed]") {
				t.Errorf("it does not compile without: %s", out)
			}
		})
	}
}

// run runs the tests of the root package. The first failure is enough.
func run(t *testing.T, dir string) (string, error) {
	t.Helper()
	c := exec.CommandContext(t.Context(), "go", "test", "-vet=off", "-failfast", ".")
	c.Dir = dir
	out, err := c.CombinedOutput()
	return string(out), err
}
