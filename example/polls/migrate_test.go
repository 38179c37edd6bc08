package main

import (
	"strings"
	"testing"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/example/polls/polls"
	"github.com/gorm-tenancy/tenancy/migrate"
)

// TestModelsMigrate: the application's models are a source of the migrations over all tenants, and what provisioning made
// of them is what they would make.
func TestModelsMigrate(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(*testing.T) store{"schema PostgreSQL": schemaPostgres, "database SQLite": databaseSQLite} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, open(t))
			var ids []tenancy.ID
			for _, tenant := range seeds() {
				ids = append(ids, tenant.id)
			}
			runner, err := migrate.New(s.db, migrate.List(ids...), []migrate.Source{migrate.Models(polls.Models()...)})
			must(t, err)
			before := s.rows("thor") + s.rows("potter")
			report, err := runner.Up(t.Context())
			must(t, err)
			if text := report.String(); !strings.Contains(text, "2 migrated, 0 failed") {
				t.Error(text)
			}
			if after := s.rows("thor") + s.rows("potter"); after != before {
				t.Errorf("rows were\n%sand are\n%s", before, after)
			}
			s.api(thor, "jane", "POST", "/polls/1/choices/1/vote/", "").want(201)
		})
	}
}
