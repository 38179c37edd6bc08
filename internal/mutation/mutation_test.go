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
	if count := fmt.Sprintf("removes %d guards one at a time", len(guards)+len(walls)); !strings.Contains(string(page), count) {
		t.Errorf("docs/security.md does not say %q", count)
	}
	dir := copied(t)
	if out, err := run(t, dir); err != nil {
		t.Fatalf("the tests fail with all guards in place: %s", out)
	}
	for _, g := range guards {
		t.Run(g.name, func(t *testing.T) {
			g.missed(t, dir, func() (string, error) { return run(t, dir) })
		})
	}
}

// TestWallMutations does the same with the connection wall and the strategies. Each guard says which test misses it.
func TestWallMutations(t *testing.T) {
	dir := copied(t)
	for _, w := range walls {
		t.Run(w.name, func(t *testing.T) {
			test := func() (string, error) {
				c := exec.CommandContext(t.Context(), "go", "test", "-vet=off", "-failfast", "-count=1", w.tests, "-run", w.run)
				c.Dir = dir
				out, err := c.CombinedOutput()
				if err == nil && strings.Contains(string(out), "no tests to run") {
					t.Errorf("no test %s in %s", w.run, w.tests)
				}
				return string(out), err
			}
			if out, err := test(); err != nil {
				t.Fatalf("the test fails with the guard in place: %s", out)
			}
			w.missed(t, dir, test)
		})
	}
}

func copied(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, sources{os.DirFS(root)}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// missed fails the test if none of the tests does without the guard.
func (g guard) missed(t *testing.T, dir string, tests func() (string, error)) {
	t.Helper()
	file := filepath.Join(dir, g.file)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(text, []byte(g.old)); n != 1 {
		t.Fatalf("%s has the guard %d times", g.file, n)
	}
	if err := os.WriteFile(file, bytes.Replace(text, []byte(g.old), []byte(g.new), 1), 0o644); err != nil {
		t.Fatal(err)
	}
	out, failed := tests()
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	if failed == nil {
		t.Error("no test misses it")
	} else if strings.Contains(out, "[build failed]") {
		t.Errorf("it does not compile without: %s", out)
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
