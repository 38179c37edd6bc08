package tenancyvet_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// want is the mark of a line on which something is to be found.
var want = regexp.MustCompile("want `([^`]*)`")

// finding is a line that the command prints.
var finding = regexp.MustCompile(`(?m)^(\S+\.go):(\d+):\d+: (.*)$`)

// TestShapes runs the command as go vet's tool on applications in three shapes, with GORM and the plugin as they are. Every
// line that is marked is found, and no other.
func TestShapes(t *testing.T) {
	t.Parallel()
	dir := application(t)
	out := run(t, dir, "go", "vet", "-vettool="+build(t), "./...")
	found := map[string][]string{}
	for _, m := range finding.FindAllStringSubmatch(out, -1) {
		where := filepath.ToSlash(filepath.Clean(m[1])) + ":" + m[2]
		found[where] = append(found[where], m[3])
	}
	marked := 0
	walk(t, dir, func(name, text string) {
		for i, line := range strings.Split(text, "\n") {
			mark := want.FindStringSubmatch(line)
			where := fmt.Sprintf("%s:%d", name, i+1)
			if mark == nil {
				if len(found[where]) > 0 {
					t.Errorf("%s: found %q, want nothing", where, found[where])
				}
				continue
			}
			marked++
			if len(found[where]) != 1 || !strings.Contains(found[where][0], mark[1]) {
				t.Errorf("%s: found %q, want %q", where, found[where], mark[1])
			}
		}
	})
	page, err := os.ReadFile("../docs/tenancyvet.md")
	if err != nil || !strings.Contains(string(page), fmt.Sprintf("finds the %d that are marked", marked)) {
		t.Errorf("%d lines are marked, and docs/tenancyvet.md says something else: %v", marked, err)
	}
	if t.Failed() {
		t.Log(out)
	}
}

// TestExample runs the command by itself on the example and its tests: one line is reported, which a test sends past the
// tenants on purpose.
func TestExample(t *testing.T) {
	t.Parallel()
	out := run(t, "..", build(t), "./example/...")
	found := finding.FindAllStringSubmatch(out, -1)
	if len(found) != 1 || !strings.HasSuffix(found[0][1], "polls/api_test.go") || !strings.Contains(found[0][3], "owned table polls") {
		t.Errorf("found\n%s", out)
	}
}

// application puts testdata/app into a module with the root's own versions, which so cannot differ from them.
func application(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(dir, os.DirFS("testdata/app")); err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile("../go.sum")
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "go.sum"), string(sums))
	write(t, filepath.Join(dir, "go.mod"), "module example.com/app\n\ngo 1.25.0\n\n"+
		"require github.com/gorm-tenancy/tenancy v0.0.0\nrequire github.com/gin-gonic/gin v0.0.0\n\n"+
		"replace github.com/gorm-tenancy/tenancy => "+root+"\nreplace github.com/gin-gonic/gin => "+filepath.Join(root, "tenancyvet/testdata/gin")+"\n")
	return dir
}

func build(t *testing.T) string {
	t.Helper()
	tool := filepath.Join(t.TempDir(), "tenancyvet")
	if out := run(t, ".", "go", "build", "-buildvcs=false", "-o", tool, "./cmd/tenancyvet"); out != "" {
		t.Fatal(out)
	}
	return tool
}

// run returns what a command prints. That it exits with an error is no error: it has found something.
func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	if filepath.IsAbs(dir) { // a module in a temporary directory, which lists what it needs when it is asked
		cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod")
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out)
}

func walk(t *testing.T, dir string, visit func(name, text string)) {
	t.Helper()
	root := os.DirFS(dir)
	err := fs.WalkDir(root, ".", func(name string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(name) != ".go" {
			return err
		}
		text, err := fs.ReadFile(root, name)
		visit(name, string(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
