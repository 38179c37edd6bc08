package docstest_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/gorm-tenancy/tenancy/internal/docstest"
)

const root = "../.."

// TestGoBlocks compiles every Go block of the documentation inside this module, with the versions of its go.mod.
func TestGoBlocks(t *testing.T) {
	t.Parallel()
	files := []string{"README.md"}
	for _, pattern := range []string{"*.md", "docs/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			if name, err := filepath.Rel(root, f); err != nil {
				t.Fatal(err)
			} else if name != "README.md" {
				files = append(files, filepath.ToSlash(name))
			}
		}
	}
	var blocks []docstest.Block
	for _, f := range files {
		blocks = append(blocks, read(t, filepath.Join(root, f))...)
	}
	if out := compile(t, blocks); out != "" {
		t.Errorf("the documentation does not compile:\n%s", out)
	}
}

func read(t *testing.T, file string) []docstest.Block {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	blocks, err := docstest.Blocks(filepath.Base(file), string(text))
	if err != nil {
		t.Fatal(err)
	}
	for i := range blocks {
		blocks[i].File = file
	}
	return blocks
}

// compile returns what the compiler says about the Go blocks, each compiled in the module it asks for.
func compile(t *testing.T, blocks []docstest.Block) string {
	t.Helper()
	of := map[string][]docstest.Block{}
	for _, b := range blocks {
		switch strings.ToLower(b.Lang) {
		case "golang":
			t.Errorf("%s:%d: write go, not %s", b.File, b.Line, b.Lang)
		case "go":
			if strings.Contains(b.Text, module+"/internal/") {
				t.Errorf("%s:%d: a reader cannot import an internal package", b.File, b.Line)
			}
			of[b.Options["module"]] = append(of[b.Options["module"]], b)
		}
	}
	out := ""
	for dir, blocks := range of {
		out += compileIn(t, filepath.Join(root, dir), blocks)
	}
	return out
}

// compileIn compiles blocks in a module. An overlay puts them into it without writing there: packages of their own, each in a
// directory that does not exist.
func compileIn(t *testing.T, module string, blocks []docstest.Block) string {
	t.Helper()
	temp := t.TempDir()
	overlay := map[string]map[string]string{"Replace": {}}
	args := []string{"build", "-buildvcs=false", "-o", os.DevNull, "-overlay", filepath.Join(temp, "overlay.json")}
	for n, b := range blocks {
		dir := fmt.Sprintf("docblock/%d", n+1)
		args = append(args, "./"+dir)
		for name, file := range write(t, b, temp, n+1) {
			overlay["Replace"][absolute(t, filepath.Join(module, dir, name))] = file
		}
	}
	text, err := json.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(temp, "overlay.json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", args...)
	build.Dir = module
	out, err := build.CombinedOutput()
	if err == nil {
		return ""
	}
	return fmt.Sprintf("%s%v", out, err)
}

// write puts the files of a block under dir and returns where each is.
func write(t *testing.T, b docstest.Block, dir string, n int) map[string]string {
	t.Helper()
	files, err := wrapper.Files(b, absolute(t, b.File))
	if err != nil {
		t.Errorf("%s:%d: %v", b.File, b.Line, err)
	}
	for name, text := range files {
		file := filepath.Join(dir, fmt.Sprintf("%d_%s", n, name))
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		files[name] = file
	}
	return files
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	abs, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}

// TestSample compiles blocks of every shape the documentation may have.
func TestSample(t *testing.T) {
	t.Parallel()
	if out := compile(t, read(t, "testdata/sample.md")); out != "" {
		t.Error(out)
	}
}

// TestBroken looks for a complaint about each line that says want, and for no other.
func TestBroken(t *testing.T) {
	t.Parallel()
	blocks := read(t, "testdata/broken.md")
	out := compile(t, blocks)
	want := regexp.MustCompile(`// want "(.*)"`)
	wanted := 0
	for _, b := range blocks {
		for i, line := range strings.Split(b.Text, "\n") {
			if m := want.FindStringSubmatch(line); m != nil {
				wanted++
				if !regexp.MustCompile(fmt.Sprintf(`broken\.md:%d(:\d+)?: .*%s`, b.Line+i, m[1])).MatchString(out) {
					t.Errorf("line %d: nothing about %q", b.Line+i, m[1])
				}
			}
		}
	}
	if got := strings.Count(out, "broken.md:"); got != wanted || wanted == 0 {
		t.Errorf("%d complaints, want %d", got, wanted)
	}
	if t.Failed() {
		t.Log(out)
	}
}
