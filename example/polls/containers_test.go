package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gorm-tenancy/tenancy/example/polls/containers"
)

// TestContainersCommand renders the tenants of a catalog, and plans what suspending one would change.
func TestContainersCommand(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	deploy := filepath.Join(dir, "deploy")
	polls := func(want int, args ...string) string {
		t.Helper()
		var stdout, stderr bytes.Buffer
		args = append([]string{"--dsn", filepath.Join(dir, "catalog.db")}, args...)
		if code := run(context.Background(), "", &stdout, &stderr, args...); code != want {
			t.Fatalf("%q: %d: %s", args, code, &stderr)
		}
		return stdout.String()
	}
	polls(0, "migrate", "up")
	polls(0, "tenants", "create", "thor")
	polls(0, "tenants", "create", "potter")
	if plan := polls(0, "containers", "plan", "--dir", deploy); !strings.Contains(plan, "+ tenant thor: +thor_db") {
		t.Error(plan)
	}
	if _, err := os.Stat(deploy); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the plan made something: %v", err)
	}
	polls(0, "containers", "render", "--dir", deploy)
	for path, want := range map[string]string{
		"compose.yaml": "thor_web:", "nginx/nginx.conf": "server_name potter.polls.local;", "Dockerfile": "FROM scratch",
	} {
		if text, err := os.ReadFile(filepath.Join(deploy, path)); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: %v\n%s", path, err, text)
		}
	}
	var plan containers.Plan
	if err := json.Unmarshal([]byte(polls(0, "containers", "plan", "--dir", deploy, "--json", "--sqlite")), &plan); err != nil {
		t.Fatal(err)
	}
	if len(plan.Tenants) != 2 || len(plan.Services) != 5 {
		t.Errorf("%+v", plan)
	}
	polls(1, "containers", "render", "--dir", deploy, "--base", "polls.local; evil")
	if code := run(context.Background(), "", new(bytes.Buffer), new(bytes.Buffer), "containers", "render", "extra"); code == 0 {
		t.Errorf("with an argument: %d", code)
	}
}

// TestDSNFile reads the DSN from a file, where none is given otherwise.
func TestDSNFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "url")
	if err := os.WriteFile(file, []byte("sqlite:///polls.db\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		dsn, file, want string
		fails           bool
	}{
		"from the file":  {file: file, want: "sqlite:///polls.db"},
		"given":          {dsn: "other.db", file: file, want: "other.db"},
		"neither":        {},
		"no such file":   {file: file + "s", fails: true},
		"an empty file":  {file: os.DevNull, fails: true},
		"given, no file": {dsn: "other.db", file: file + "s", want: "other.db"},
	} {
		s := settings{dsnFile: tc.file}
		s.DSN = tc.dsn
		if err := s.read(); (err != nil) != tc.fails || s.DSN != tc.want {
			t.Errorf("%s: %q, %v", name, s.DSN, err)
		}
	}
}

// TestContainersPage types the commands of the page that need no Docker.
func TestContainersPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "containers.md"))
	if err != nil {
		t.Fatal(err)
	}
	dir, typed := t.TempDir(), 0
	for line := range strings.Lines(string(page)) {
		command, ok := strings.CutPrefix(strings.TrimSpace(line), "go run ./example/polls ")
		if !ok {
			continue
		}
		typed++
		args := strings.Fields(strings.Replace(command, "polls.db", filepath.Join(dir, "polls.db"), 1))
		if strings.Contains(command, "containers") {
			args = append(args, "--dir", filepath.Join(dir, "deploy"))
		}
		var stdout, stderr bytes.Buffer
		if code := run(context.Background(), "", &stdout, &stderr, args...); code != 0 {
			t.Errorf("%s: %d: %s", command, code, &stderr)
		}
	}
	if typed != 6 {
		t.Errorf("%d commands", typed)
	}
}
