package servers

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// programDirs are where Debian puts what is not in everybody's PATH.
var programDirs = []string{"/usr/lib/postgresql/*/bin", "/usr/sbin"}

// find returns the path of a program, or "" if it is not installed. The newest version wins.
func find(program string) string {
	if path, err := exec.LookPath(program); err == nil {
		return path
	}
	for _, dir := range programDirs {
		paths, _ := filepath.Glob(filepath.Join(dir, program))
		slices.Sort(paths)
		for _, path := range slices.Backward(paths) {
			if path, err := exec.LookPath(path); err == nil {
				return path
			}
		}
	}
	return ""
}

// require ends the test unless the program is installed.
func require(tb testing.TB, program string) string {
	tb.Helper()
	path := find(program)
	switch {
	case path != "":
	case os.Getenv("TENANCY_REQUIRE_ALL") == "1":
		tb.Fatalf("%s is not installed: run make install", program)
	default:
		tb.Skipf("%s is not installed: run make test, which installs it and skips nothing", program)
	}
	return path
}
