package main

import (
	"strings"
	"testing"
)

// TestModelsMigrate: what making a tenant made of the application's models is what the migrations would make, and the
// ledger knows it.
func TestModelsMigrate(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(*testing.T) store{"schema PostgreSQL": schemaPostgres, "database SQLite": databaseSQLite} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, open(t))
			before := s.rows("thor") + s.rows("potter")
			report, err := s.Migrations.Up(t.Context())
			must(t, err)
			if text := report.String(); !strings.Contains(text, "2 at head, 0 migrated, 0 failed") {
				t.Error(text)
			}
			drift, err := s.Migrations.Drift(t.Context())
			must(t, err)
			if len(drift) > 0 {
				t.Errorf("tables differ: %v", drift)
			}
			if after := s.rows("thor") + s.rows("potter"); after != before {
				t.Errorf("rows were\n%sand are\n%s", before, after)
			}
			s.api(thor, "jane", "POST", "/polls/1/choices/1/vote/", "").want(201)
		})
	}
}
