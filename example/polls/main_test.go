package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/gorm-tenancy/tenancy/example/polls/hosting"
	"github.com/gorm-tenancy/tenancy/example/polls/polls"
	"github.com/gorm-tenancy/tenancy/tenantcli"
)

var adminLine = regexp.MustCompile(`http://(\w+)\.localhost:(\d+)/admin/ as shabda with the password (\w+)$`)

// run runs the program with nothing from the environment.
func run(ctx context.Context, stdin string, stdout, stderr io.Writer, args ...string) int {
	root := newRoot(settings{})
	root.SetArgs(append([]string{}, args...))
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetIn(strings.NewReader(stdin))
	return tenantcli.Execute(ctx, root)
}

// TestRun starts the program, logs in as two tenants over the network, and stops it.
func TestRun(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, w := io.Pipe()
	var stderr bytes.Buffer
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, "", w, &stderr, "--addr", "127.0.0.1:0")
		_ = w.Close()
	}()
	var said []string
	for lines := bufio.NewScanner(r); lines.Scan(); {
		said = append(said, lines.Text())
		if strings.HasPrefix(lines.Text(), "try ") {
			break
		}
	}
	passwords, port := map[string]string{}, ""
	for _, line := range said {
		if found := adminLine.FindStringSubmatch(line); found != nil {
			port, passwords[found[1]] = found[2], found[3]
		}
	}
	if len(said) != 8 || len(passwords) != 2 {
		t.Fatalf("said %q and %s", said, stderr.String())
	}
	for host, password := range passwords {
		body := fmt.Sprintf(`{"username":"shabda","password":%q}`, password)
		for at, want := range map[string]string{"thor": "Wrong Credentials", "potter": "Wrong Credentials", host: `{"token":`} {
			if got := post(t, "127.0.0.1:"+port, at+".localhost", "/login/", body); !strings.Contains(got, want) && at == host {
				t.Errorf("%s at %s: %s", host, at, got)
			} else if at != host && strings.Contains(got, "token") {
				t.Errorf("%s at %s: %s", host, at, got)
			}
		}
	}
	if got := post(t, "127.0.0.1:"+port, "localhost", "/login/", "{}"); !strings.Contains(got, "tenant's own address") {
		t.Errorf("at the bare host: %s", got)
	}
	cancel()
	if got := <-code; got != 0 || stderr.Len() > 0 {
		t.Errorf("code %d, %s", got, stderr.String())
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func post(t *testing.T, addr, host, path, body string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr+path, strings.NewReader(body))
	must(t, err)
	r.Host = host
	r.Header.Set("Content-Type", asJSON)
	answer, err := http.DefaultClient.Do(r)
	must(t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	must(t, err)
	return string(text)
}

func TestRunRefuses(t *testing.T) {
	t.Parallel()
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = taken.Close() })
	for _, tc := range []struct {
		name string
		args []string
		want int
		text string
	}{
		{"unknown flag", []string{"--port", "1"}, 2, "--port"},
		{"argument", []string{"thor"}, 2, "unknown command"},
		{"taken address", []string{"--addr", taken.Addr().String()}, 1, "in use"},
		{"no directory", []string{"--data", filepath.Join(t.TempDir(), "none", "data")}, 1, "open the database"},
		{"no tables", []string{"--data", t.TempDir()}, 1, "run polls migrate up"},
		{"unknown strategy", []string{"--strategy", "sharded"}, 1, "there is no strategy"},
		{"schemas in SQLite", []string{"--strategy", "schema"}, 1, "SQLite has no schemas"},
		{"schemas in MySQL", []string{"serve", "--strategy", "schema", "--dsn", "u:hidden@tcp(h)/d"}, 1, "schema needs PostgreSQL"},
		{"pinned to nobody", []string{"--strategy", "pinned"}, 1, "needs the tenant"},
		{"pinned to no tenant", []string{"--strategy", "pinned", "--tenant", "../x"}, 1, "invalid tenant"},
		{"a tenant in shared", []string{"--tenant", "thor"}, 1, "only pinned serves one tenant"},
		{"a domain in shared", []string{"--domain", "x.org"}, 1, "only pinned is told domains"},
		{"policies in SQLite", []string{"--row-level-security"}, 1, "for shared on PostgreSQL"},
		{"policies in schemas", []string{"--row-level-security", "--strategy", "schema", "--dsn", "postgres://hidden@h/d"}, 1, "for shared on PostgreSQL"},
		{"roles in shared", []string{"--roles", "--dsn", "postgres://u:hidden@h/d"}, 1, "roles are for schema"},
		{"no secret", []string{"--strategy", "database", "--dsn", "postgres://u:hidden@h/d"}, 1, "needs a secret"},
		{"another database", []string{"--dsn", "redis://hidden@h"}, 1, "begins with postgres://"},
		{"parameters of a file", []string{"--dsn", "polls.db?hidden=1"}, 1, "no parameters"},
		{"a directory for a server", []string{"--dsn", "postgres://u:hidden@h/d", "--data", "x"}, 1, "on a server"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			if got := run(t.Context(), "", &stdout, &stderr, tc.args...); got != tc.want {
				t.Errorf("code %d, want %d", got, tc.want)
			}
			if !strings.Contains(stderr.String(), tc.text) || stdout.Len() > 0 || strings.Contains(stderr.String(), "hidden") {
				t.Errorf("said %q and %q", stdout.String(), stderr.String())
			}
		})
	}
}

// TestSeed: tenants begin with the same ids and what they were given, and a file that is kept is not seeded again.
func TestSeed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "polls.db")
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	before := ""
	for round := range 2 {
		service, err := hosting.Open(t.Context(), hosting.Options{Data: dir, Logger: log})
		must(t, err)
		must(t, service.Prepare(t.Context()))
		made, err := service.Seed(t.Context())
		must(t, err)
		passwords := made.Superusers
		if (made.Operator == "") != (round == 1) {
			t.Errorf("the operator's password is %q in round %d", made.Operator, round)
		}
		if len(passwords) != 2*(1-round) {
			t.Errorf("%d passwords", len(passwords))
		}
		handler, err := service.Handler(polls.Options{}, nil)
		must(t, err)
		s := &site{T: t, handler: handler, tokens: map[string]string{}, cookies: map[string]string{}}
		s.raw = one(rawDB(t, "sqlite3", file+pragmas))
		for host, password := range passwords {
			at := host.String() + "." + bare
			var got struct{ Token string }
			s.api(at, "", "POST", "/login/", fmt.Sprintf(`{"username":"shabda","password":%q}`, password)).want(200).into(&got)
			s.tokens["shabda@"+at] = got.Token
			s.api(at, "shabda", "GET", "/polls/2/choices/", "").want(200).shows(`"id":4`, `"id":6`)
		}
		if after := s.rows("thor") + s.rows("potter"); round == 0 {
			before = after
		} else if after != before {
			t.Errorf("rows were\n%sand are\n%s", before, after)
		}
		must(t, service.Close())
	}
}
