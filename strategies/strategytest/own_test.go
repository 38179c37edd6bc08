package strategytest_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/strategies/strategytest"
)

// listed is a strategy as an application may write it: shared tables, for the tenants of a list.
type listed map[tenancy.ID]bool

func (listed) Name() string          { return "listed" }
func (listed) Attach(*gorm.DB) error { return nil }

func (l listed) Route(_ context.Context, id tenancy.ID) (tenancy.Route, error) {
	if !l[id] {
		return tenancy.Route{}, tenancy.ErrUnknownTenant
	}
	return tenancy.Route{Shared: true}, nil
}

// TestOwnStrategy is the test that docs/strategytest.md shows.
func TestOwnStrategy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := func(t testing.TB, name string, config *gorm.Config) *gorm.DB {
		db, err := gorm.Open(sqlite.Open(filepath.Join(dir, name)), config)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if pool, err := db.DB(); err == nil {
				pool.Close()
			}
		})
		return db
	}
	past, err := sql.Open("sqlite3", filepath.Join(dir, "app.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { past.Close() })
	counts := strategytest.Run(t, strategytest.Harness{
		Open: func(t testing.TB, config *gorm.Config, options ...tenancy.Option) *gorm.DB {
			db := at(t, "app.db", config)
			if err := db.Use(tenancy.New(listed{"a": true, "b": true}, options...)); err != nil {
				t.Fatal(err)
			}
			return db
		},
		Plain: func(t testing.TB, config *gorm.Config) *gorm.DB { return at(t, "plain.db", config) },
		Raw:   func(testing.TB, tenancy.ID) *sql.DB { return past },
		Lacks: map[strategytest.Capability]string{
			strategytest.SQLText:     "nothing but the statement wall holds shared tables",
			strategytest.Connections: "the database holds no connection",
		},
	})
	if counts.Cases == 0 || counts.Failed > 0 {
		t.Errorf("%s", counts)
	}
}
