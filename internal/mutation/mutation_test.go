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

// run builds the tests of the root package and runs them until one fails: first those that miss most.
func run(t *testing.T, dir string) (string, error) {
	t.Helper()
	build := exec.CommandContext(t.Context(), "go", "test", "-vet=off", "-c", "-o", "root.test", ".")
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		return "[build failed]\n" + string(out), err
	}
	var out []byte
	for _, tests := range []string{"TestRoutes|TestAttacks|TestSmuggledText|TestGolden", "."} {
		c := exec.CommandContext(t.Context(), "./root.test", "-test.failfast", "-test.run", tests)
		c.Dir = dir
		var err error
		if out, err = c.CombinedOutput(); err != nil {
			return string(out), err
		}
	}
	return string(out), nil
}
