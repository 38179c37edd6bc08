package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// machine says where and when benchmarks run, as lines of configuration. The processor is in the output of go test.
func machine(ctx context.Context, goCommand, dir string, now time.Time) (string, error) {
	say := func(program string, args ...string) string {
		c := exec.CommandContext(ctx, program, args...)
		c.Dir = dir
		out, err := c.Output()
		if err != nil {
			return "unknown"
		}
		return strings.TrimSpace(string(out))
	}
	gorm := say(goCommand, "list", "-m", "-f", "{{.Version}}", "gorm.io/gorm")
	if gorm == "unknown" {
		return "", fmt.Errorf("%q is not the repository", dir)
	}
	lines := [][2]string{
		{"date", now.UTC().Format("2006-01-02 15:04") + " UTC"},
		{"cpus", strconv.Itoa(runtime.NumCPU())},
		{"os", system()},
		{"go", strings.TrimPrefix(say(goCommand, "env", "GOVERSION"), "go")},
		{"gorm", strings.TrimPrefix(gorm, "v")},
		{"postgresql", number(say(installed("postgres"), "--version"))},
		{"mariadb", number(say(installed("mariadbd"), "--version"))},
	}
	var b strings.Builder
	for _, l := range lines {
		fmt.Fprintf(&b, "%s: %s\n", l[0], l[1])
	}
	return b.String(), nil
}

// system is the operating system's own name for itself.
func system() string {
	text, _ := os.ReadFile("/etc/os-release")
	for line := range strings.Lines(string(text)) {
		if name, found := strings.CutPrefix(strings.TrimSpace(line), "PRETTY_NAME="); found {
			return strings.Trim(name, `"`)
		}
	}
	return runtime.GOOS
}

// installed finds a server as internal/servers does.
func installed(program string) string {
	if path, err := exec.LookPath(program); err == nil {
		return path
	}
	var found []string
	for _, dir := range []string{"/usr/lib/postgresql/*/bin", "/usr/sbin"} {
		paths, _ := filepath.Glob(filepath.Join(dir, program))
		found = append(found, paths...)
	}
	if len(found) == 0 {
		return program
	}
	return slices.Max(found)
}

// number is the first word with a dot between digits, of what a program says about its version.
func number(said string) string {
	for _, word := range strings.FieldsFunc(said, func(r rune) bool { return r != '.' && (r < '0' || r > '9') }) {
		if strings.Contains(strings.Trim(word, "."), ".") {
			return word
		}
	}
	return "unknown"
}

// busy is how much of all processors others use, measured while we do nothing.
func busy(ctx context.Context, d time.Duration) string {
	before, ok := ticks()
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
	after, again := ticks()
	if !ok || !again || after.all == before.all {
		return "unknown"
	}
	return fmt.Sprintf("%.0f%%", 100*float64(after.busy-before.busy)/float64(after.all-before.all))
}

type usage struct{ busy, all uint64 }

// ticks reads the counters of Linux; see proc(5).
func ticks() (u usage, ok bool) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return u, false
	}
	line, _, _ := strings.Cut(string(text), "\n")
	for i, field := range strings.Fields(line) {
		n, err := strconv.ParseUint(field, 10, 64)
		if i == 0 || i > 8 { // the name; guests, which are in user already
			continue
		}
		if err != nil {
			return u, false
		}
		u.all += n
		if i != 4 && i != 5 { // idle, and waiting for a disk
			u.busy += n
		}
	}
	return u, u.all > 0
}
