package tenancy_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/gorm-tenancy/tenancy"
)

// disk is a base directory in which thor and potter have a file of the same name, and a secret beside it.
func disk(t *testing.T) (base string, thor, potter *os.Root) {
	t.Helper()
	parent := t.TempDir()
	base = filepath.Join(parent, "files")
	must(t, errors.Join(os.Mkdir(base, 0o700), os.WriteFile(filepath.Join(parent, "secret"), []byte("secret"), 0o600)))
	return base, files(t, base, "thor"), files(t, base, "potter")
}

func files(t *testing.T, base string, id tenancy.ID) *os.Root {
	t.Helper()
	root, err := tenancy.OpenRoot(tenancy.WithTenant(t.Context(), id), base)
	must(t, err)
	t.Cleanup(func() { _ = root.Close() })
	if _, err := root.Stat("a.txt"); errors.Is(err, fs.ErrNotExist) {
		must(t, root.WriteFile("a.txt", []byte("of "+id), 0o600))
	}
	return root
}

// tree is every file below a directory, with its contents.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	must(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || e.Type()&fs.ModeSymlink != 0 {
			return err
		}
		text, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		found[filepath.ToSlash(name)] = string(text)
		return err
	}))
	return found
}

func TestOpenRoot(t *testing.T) {
	t.Parallel()
	base, thor, potter := disk(t)
	must(t, thor.WriteFile("a.txt", []byte("new"), 0o600))
	must(t, errors.Join(thor.MkdirAll("deep/er", 0o700), thor.WriteFile("deep/er/b", nil, 0o600), thor.Rename("deep/er/b", "deep/c")))
	if text, err := potter.ReadFile("a.txt"); string(text) != "of potter" || err != nil {
		t.Errorf("potter's file: %q, %v", text, err)
	}
	if text, err := files(t, base, "thor").ReadFile("a.txt"); string(text) != "new" || err != nil {
		t.Errorf("thor's file, opened again: %q, %v", text, err)
	}
	info, err := os.Stat(filepath.Join(base, "thor"))
	must(t, err)
	if info.Mode().Perm() != 0o700 {
		t.Errorf("mode %o", info.Mode().Perm())
	}
}

func TestOpenRootRefuses(t *testing.T) {
	t.Parallel()
	base, _, _ := disk(t)
	before := tree(t, filepath.Dir(base))
	for what, ctx := range nobodys() {
		if root, err := tenancy.OpenRoot(ctx, base); root != nil || !errors.Is(err, tenancy.ErrNoTenant) {
			t.Errorf("%s: %v", what, err)
		}
	}
	outside := t.TempDir()
	must(t, errors.Join(os.Symlink("potter", filepath.Join(base, "a")), os.Symlink("../files/potter", filepath.Join(base, "b")),
		os.Symlink(outside, filepath.Join(base, "c")), os.Symlink("nowhere", filepath.Join(base, "d")), os.WriteFile(filepath.Join(base, "e"), nil, 0o600)))
	before["files/e"] = ""
	for _, id := range []tenancy.ID{"a", "b", "c", "d", "e"} {
		if root, err := tenancy.OpenRoot(tenancy.WithTenant(t.Context(), id), base); root != nil || !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%s: %v", id, err)
		}
	}
	for _, missing := range []string{filepath.Join(base, "missing"), ""} {
		if root, err := tenancy.OpenRoot(tenancy.WithTenant(t.Context(), "thor"), missing); root != nil || !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: %v", missing, err)
		}
	}
	same(t, tree(t, filepath.Dir(base)), before)
}

func same(t *testing.T, got, want map[string]string) {
	t.Helper()
	for name, text := range want {
		if is, ok := got[name]; !ok || is != text {
			t.Errorf("%s: %q, was %q", name, is, text)
		}
	}
	if len(got) != len(want) {
		t.Errorf("files %v, were %v", got, want)
	}
}

// TestOpenRootAttacks tries every name with everything a root can do, as thor.
func TestOpenRootAttacks(t *testing.T) {
	t.Parallel()
	base, thor, _ := disk(t)
	// The links a tenant could have made by unpacking an archive.
	links := filepath.Join(base, "thor")
	must(t, errors.Join(
		os.Symlink("../potter", filepath.Join(links, "dir")), os.Symlink("../potter/a.txt", filepath.Join(links, "file")),
		os.Symlink(filepath.Join(base, "potter"), filepath.Join(links, "absolute")), os.Symlink("dir", filepath.Join(links, "twice")),
		os.Symlink(".", filepath.Join(links, "self")), os.Symlink("/proc/self/root", filepath.Join(links, "proc"))))
	before := tree(t, filepath.Dir(base))
	for _, name := range []string{
		"../potter/a.txt", "..", "../../secret", "x/../../potter/a.txt", "self/../../potter/a.txt", "./../potter/a.txt", "dir/a.txt", "dir/new",
		"dir/../potter/a.txt", "file/../a.txt", "absolute/a.txt", "twice/a.txt", "proc" + base + "/potter/a.txt", filepath.Join(base, "potter/a.txt"),
		"//" + base + "/potter/a.txt", "../thor/../potter/a.txt", "self/self/../../potter/a.txt", "..//potter/a.txt", "\x00", "../potter\x00",
	} {
		attempts := map[string]error{
			"write": thor.WriteFile(name, []byte("stolen"), 0o600), "mkdir": thor.Mkdir(name, 0o700), "remove": thor.Remove(name),
			"chmod": thor.Chmod(name, 0o777), "rename to": thor.Rename("a.txt", name), "rename from": thor.Rename(name, "mine"),
			"link": thor.Link(name, "mine"), "symlink": thor.Symlink("a.txt", name),
		}
		_, attempts["read"] = thor.ReadFile(name)
		_, attempts["stat"] = thor.Stat(name)
		_, attempts["root"] = thor.OpenRoot(name)
		_, attempts["fs"] = fs.ReadFile(thor.FS(), name)
		for what, err := range attempts {
			if err == nil {
				t.Errorf("%s %q succeeded", what, name)
			}
		}
	}
	_ = thor.RemoveAll("dir") // takes the link, not what is behind it
	_ = thor.RemoveAll("../potter")
	_ = thor.RemoveAll("self/../../potter")
	same(t, tree(t, filepath.Dir(base)), before)
	if text, err := thor.ReadFile("self/self/a.txt"); string(text) != "of thor" || err != nil { // control: a link that stays inside
		t.Errorf("%q, %v", text, err)
	}
}

// FuzzOpenRoot writes and removes files of any name as one tenant, and looks at the other's.
func FuzzOpenRoot(f *testing.F) {
	for _, name := range []string{"a.txt", "../potter/a.txt", "/etc/passwd", `..\potter\a.txt`, "x/../../potter/a.txt", "C:a", "NUL", "", ".", "self/../../potter"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		base, thor, _ := disk(t)
		must(t, thor.Symlink(".", "self"))
		before := tree(t, filepath.Dir(base))
		_ = thor.WriteFile(name, []byte("stolen"), 0o600)
		_ = thor.Symlink("../potter", name)
		_ = thor.WriteFile(filepath.Join(name, "a.txt"), []byte("stolen"), 0o600)
		_ = thor.Chmod(name, 0o777)
		_ = thor.RemoveAll(name)
		after := tree(t, filepath.Dir(base))
		for path, text := range before {
			if path != "files/thor/a.txt" && after[path] != text {
				t.Fatalf("%q: %s is %q", name, path, after[path])
			}
		}
		for path := range after {
			if _, known := before[path]; !known && filepath.Dir(path) == "files/potter" {
				t.Fatalf("%q: made %s", name, path)
			}
		}
	})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
