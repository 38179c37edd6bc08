package pinned_test

import (
	"errors"
	"path/filepath"
	"testing"

	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/internal/servers"
	"github.com/gorm-tenancy/tenancy/strategies/database"
	"github.com/gorm-tenancy/tenancy/strategies/pinned"
	"github.com/gorm-tenancy/tenancy/strategies/schema"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
)

// TestOver: over every strategy of the module the process serves its tenant, whose place it can make, and no other, neither
// through GORM nor through database/sql.
func TestOver(t *testing.T) {
	t.Parallel()
	places := database.SQLiteFiles(t.TempDir(), sqlite.Open)
	server := servers.Postgres(t)
	dsn := func() gorm.Dialector { return postgres.Open(server.DSN(servers.App, server.Database(t))) }
	file := func() gorm.Dialector { return sqlite.Open(filepath.Join(t.TempDir(), "x.db")) }
	for name, tc := range map[string]struct {
		inner  tenancy.Strategy
		at     gorm.Dialector
		places bool
	}{
		"shared":             {shared.New(), file(), false},
		"row-level security": {shared.New(shared.RowLevelSecurity()), dsn(), false},
		"schema":             {schema.New(), dsn(), true},
		"database":           {database.New(places.Open, database.WithProvisioner(places)), file(), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := open(t, tc.at, gorm.Config{})
			s := pinned.New("a", pinned.Over(tc.inner))
			if !tc.places {
				must(t, db.AutoMigrate(&Note{}))
				if name != "shared" {
					must(t, shared.New(shared.RowLevelSecurity()).Migrate(t.Context(), db, plugin(tc.inner)))
				}
			}
			must(t, db.Use(plugin(s)))
			if tc.places {
				must(t, s.Provision(t.Context(), "a"))
			}
			if err := s.Provision(t.Context(), "b"); !errors.Is(err, tenancy.ErrUnknownTenant) {
				t.Error(err)
			}
			pool, err := db.DB()
			must(t, err)
			for id, want := range map[tenancy.ID]error{"a": nil, "b": tenancy.ErrUnknownTenant} {
				err := db.WithContext(as(id)).Create(&Note{Text: "x"}).Error
				_, raw := pool.ExecContext(as(id), "UPDATE notes SET text = 'y'")
				if !errors.Is(err, want) || !errors.Is(raw, want) {
					t.Errorf("as %s: %v, %v", id, err, raw)
				}
			}
			if !tc.places {
				return
			}
			must(t, s.Deprovision(t.Context(), "a"))
			if err := db.WithContext(as("a")).Create(&Note{Text: "x"}).Error; err == nil {
				t.Error("a is served without a place")
			}
		})
	}
}
