package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRun starts the program, asks it as two tenants over the network, and stops it.
func TestRun(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, w := io.Pipe()
	var stderr bytes.Buffer
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"-addr", "127.0.0.1:0"}, w, &stderr)
		_ = w.Close()
	}()
	var said []string
	for lines := bufio.NewScanner(r); lines.Scan(); {
		said = append(said, lines.Text())
		if strings.HasPrefix(lines.Text(), "try ") {
			break
		}
	}
	if len(said) != 5 {
		t.Fatalf("said %q and %s", said, stderr.String())
	}
	words := strings.Fields(said[4])
	url := words[len(words)-1]
	port := url[strings.LastIndex(url, ":"):strings.LastIndex(url, "/api")]
	for host, want := range map[string]string{
		"thor.localhost" + port: "hammer", "potter.localhost" + port: "school", "localhost" + port: "tenant's own address",
	} {
		if got := fetch(t, url, host); !strings.Contains(got, want) {
			t.Errorf("%s: %s", host, got)
		}
		if all := strings.Join(said, "\n"); !strings.Contains(all, "http://"+host) {
			t.Errorf("%s is not in %s", host, all)
		}
	}
	cancel()
	if got := <-code; got != 0 || stderr.Len() > 0 {
		t.Errorf("code %d, %s", got, stderr.String())
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func fetch(t *testing.T, url, host string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = host
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestRunRefuses(t *testing.T) {
	t.Parallel()
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	for _, tc := range []struct {
		name string
		args []string
		want int
		text string
	}{
		{"help", []string{"-h"}, 0, "removed on exit"},
		{"unknown flag", []string{"-port", "1"}, 2, "-port"},
		{"argument", []string{"thor"}, 2, "unexpected argument"},
		{"taken address", []string{"-addr", taken.Addr().String()}, 1, "in use"},
		{"no directory", []string{"-db", filepath.Join(t.TempDir(), "none", "polls.db")}, 1, "polls:"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			if got := run(t.Context(), tc.args, &stdout, &stderr); got != tc.want {
				t.Errorf("code %d, want %d", got, tc.want)
			}
			if !strings.Contains(stderr.String(), tc.text) || stdout.Len() > 0 {
				t.Errorf("said %q and %q", stdout.String(), stderr.String())
			}
		})
	}
}

// TestSeedTwice: a file that is kept is not seeded again.
func TestSeedTwice(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	wantStatus(t, s.post(thor, "/api/polls/1/votes", `{"choice_id":1,"voter":"v"}`), 201)
	before := s.rows(t, "thor") + s.rows(t, "potter")
	db, closeDB, err := openDB(s.file, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer closeDB()
	if err := seed(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	if after := s.rows(t, "thor") + s.rows(t, "potter"); after != before {
		t.Errorf("rows were\n%sand are\n%s", before, after)
	}
}

// TestFailure: what breaks here is logged here and not shown.
func TestFailure(t *testing.T) {
	t.Parallel()
	var logged bytes.Buffer
	log := slog.New(slog.NewTextHandler(&logged, nil))
	db, closeDB, err := openDB(filepath.Join(t.TempDir(), "polls.db"), log)
	if err != nil {
		t.Fatal(err)
	}
	defer closeDB()
	if err := seed(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	handler, err := newServer(db, log)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{handler: handler}
	pool, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pool.ExecContext(t.Context(), "DROP TABLE votes"); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/api/polls/1/results", "/polls/1/results", "/polls/1"} {
		w := s.get(thor, path)
		wantStatus(t, w, 500)
		if strings.Contains(w.Body.String(), "votes") || !strings.Contains(w.Body.String(), "it has been logged") {
			t.Errorf("%s: %s", path, w.Body)
		}
	}
	if n := strings.Count(logged.String(), "no such table: votes"); n != 3 {
		t.Errorf("logged %d times: %s", n, logged.String())
	}
}
