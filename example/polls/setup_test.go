package main

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
)

const (
	thor   = "thor.localhost:8080"
	potter = "potter.localhost:8080"
	bare   = "localhost:8080"
)

// site is the application over a SQLite file of its own.
type site struct {
	handler http.Handler
	file    string
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{file: filepath.Join(t.TempDir(), "polls.db")}
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	db, closeDB, err := openDB(s.file, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = closeDB() })
	if err := seed(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	if s.handler, err = newServer(db, log); err != nil {
		t.Fatal(err)
	}
	return s
}

// send makes one request; header holds name and value pairs.
func (s *site) send(host, method, path, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Host = host
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w
}

func (s *site) get(host, path string) *httptest.ResponseRecorder {
	return s.send(host, http.MethodGet, path, "")
}

func (s *site) post(host, path, body string) *httptest.ResponseRecorder {
	return s.send(host, http.MethodPost, path, body, "Content-Type", "application/json")
}

func (s *site) form(host, path, body string, header ...string) *httptest.ResponseRecorder {
	header = append(header, "Content-Type", "application/x-www-form-urlencoded")
	return s.send(host, http.MethodPost, path, body, header...)
}

// rows prints every row a tenant has, read without GORM and without the plugin.
func (s *site) rows(t *testing.T, tenant string) string {
	t.Helper()
	db := s.raw(t)
	var b strings.Builder
	for _, table := range []string{"polls", "choices", "votes"} {
		rows, err := db.QueryContext(t.Context(), "SELECT * FROM "+table+" WHERE tenant_id = ? ORDER BY 1, 2, 3", tenant)
		if err != nil {
			t.Fatal(err)
		}
		columns, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		values, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		for rows.Next() {
			if err := rows.Scan(into...); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintln(&b, table, values)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

func (s *site) raw(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite3", s.file+pragmas)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func wantStatus(t *testing.T, w *httptest.ResponseRecorder, want int) {
	t.Helper()
	if w.Code != want {
		t.Fatalf("status %d, want %d: %s", w.Code, want, w.Body)
	}
}

// decoded checks the status and reads the JSON answer.
func decoded[T any](t *testing.T, w *httptest.ResponseRecorder, status int) (v T) {
	t.Helper()
	wantStatus(t, w, status)
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatalf("%v in %s", err, w.Body)
	}
	return v
}
