package tenancytest_test

import (
	"fmt"
	"strings"
	"testing"

	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/internal/servers"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
	"github.com/gorm-tenancy/tenancy/tenancytest"
)

type (
	// Indexed is found by its tenant, and what hangs on it, too.
	Indexed struct {
		ID       uint
		TenantID string `gorm:"size:63;not null;index:,composite:kind"`
		Kind     string `gorm:"size:20;index:,composite:kind"`
		Label    string `gorm:"size:20;index"`
		PlanID   *uint
		Plan     *Plan
		Parts    []Part
	}
	// Part has an index for its tenant and parent.
	Part struct {
		ID        uint
		TenantID  string `gorm:"size:63;not null;index:,composite:owner"`
		IndexedID uint   `gorm:"index:,composite:owner"`
	}
	// Bare has no index but the key.
	Bare struct {
		ID       uint
		TenantID string `gorm:"size:63;not null"`
		Label    string `gorm:"size:20;index"`
		Text     string
	}
)

func scopedModels() []any { return []any{&Indexed{}, &Part{}, &Bare{}} }

// populous has so many rows that an index is worth while.
func populous(t testing.TB, d gorm.Dialector, s tenancy.Strategy, migrate bool) *gorm.DB {
	t.Helper()
	db := opened(t, d)
	o := []tenancy.Option{tenancy.OwnedModels(scopedModels()...), tenancy.CentralModels(&Plan{}), silent()}
	must(t, db.Use(tenancy.New(s, o...)))
	if migrate {
		must(t, db.WithContext(tenancy.Bypass(t.Context(), "create tables")).AutoMigrate(append([]any{&Plan{}}, scopedModels()...)...))
	}
	for _, id := range []tenancy.ID{"a", "b"} {
		for n := range 4 {
			row := Indexed{Kind: fmt.Sprint(n), Label: fmt.Sprint(n), Parts: []Part{{}, {}}}
			must(t, db.WithContext(as(id)).Create(&row).Error)
			must(t, db.WithContext(as(id)).Create(&Bare{Label: fmt.Sprint(n)}).Error)
		}
	}
	return db
}

var planners = map[string]func(t testing.TB) *gorm.DB{
	"SQLite": func(t testing.TB) *gorm.DB {
		return populous(t, sqlite.Open("file:"+t.TempDir()+"/app.db?_synchronous=OFF"), shared.New(), true)
	},
	"PostgreSQL": func(t testing.TB) *gorm.DB {
		s := servers.Postgres(t)
		return populous(t, postgres.Open(s.DSN(servers.App, s.Database(t))), shared.New(), true)
	},
	"row-level security": func(t testing.TB) *gorm.DB {
		s := servers.Postgres(t)
		at := postgres.Open(s.DSN(servers.App, s.Database(t)))
		rules := shared.New(shared.RowLevelSecurity())
		o := []tenancy.Option{tenancy.OwnedModels(scopedModels()...), tenancy.CentralModels(&Plan{}), silent()}
		must(t, rules.Migrate(t.Context(), opened(t, at), tenancy.New(rules, o...), &Plan{}))
		return populous(t, at, shared.New(shared.RowLevelSecurity()), false)
	},
	"MariaDB": func(t testing.TB) *gorm.DB {
		s := servers.MariaDB(t)
		return populous(t, mysql.Open(s.DSN(servers.App, s.Database(t))), shared.New(), true)
	},
}

// TestScoped shows what passes and what does not on each database. An empty want passes.
func TestScoped(t *testing.T) {
	t.Parallel()
	queries := map[string]struct {
		run  func(tx *gorm.DB) error
		want string
	}{
		"all":           {func(tx *gorm.DB) error { return tx.Find(&[]Indexed{}).Error }, ""},
		"by an index":   {func(tx *gorm.DB) error { return tx.Where("kind = ?", "2").Find(&[]Indexed{}).Error }, ""},
		"by a range":    {func(tx *gorm.DB) error { return tx.Where("kind > ?", "2").Find(&[]Indexed{}).Error }, ""},
		"by key":        {func(tx *gorm.DB) error { return tx.Limit(1).Find(&[]Bare{}, 1).Error }, ""},
		"count":         {func(tx *gorm.DB) error { return tx.Model(&Indexed{}).Count(new(int64)).Error }, ""},
		"preload":       {func(tx *gorm.DB) error { return tx.Preload("Parts").Find(&[]Indexed{}).Error }, ""},
		"central join":  {func(tx *gorm.DB) error { return tx.Joins("Plan").Find(&[]Indexed{}).Error }, ""},
		"update":        {func(tx *gorm.DB) error { return tx.Model(&Indexed{}).Where("1 = 1").Update("label", "x").Error }, ""},
		"delete":        {func(tx *gorm.DB) error { return tx.Where("indexed_id = 1").Delete(&Part{}).Error }, ""},
		"no index":      {func(tx *gorm.DB) error { return tx.Find(&[]Bare{}).Error }, `table "bares" is not reached by its tenant`},
		"another index": {func(tx *gorm.DB) error { return tx.Where("label = ?", "2").Find(&[]Bare{}).Error }, `table "bares"`},
		"under an alias": {func(tx *gorm.DB) error {
			return tx.Table("bares AS b").Where("b.text = ?", "2").Find(&[]map[string]any{}).Error
		}, `table "bares"`},
		"update without an index": {func(tx *gorm.DB) error { return tx.Model(&Bare{}).Where("text = ''").Update("text", "x").Error }, `table "bares"`},
		"in the second statement": {func(tx *gorm.DB) error {
			if err := tx.Find(&[]Indexed{}).Error; err != nil {
				return err
			}
			return tx.Find(&[]Bare{}).Error
		}, `table "bares"`},
		"nothing owned":  {func(tx *gorm.DB) error { return tx.Find(&[]Plan{}).Error }, "no statement reaches an owned table"},
		"nothing at all": {func(*gorm.DB) error { return nil }, "no statement reaches an owned table"},
		"a failure":      {func(tx *gorm.DB) error { return tx.Where("nothing = 1").Find(&[]Indexed{}).Error }, "the query failed"},
	}
	for name, open := range planners {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := open(t)
			for what, q := range queries {
				r := recorded(t, func(t testing.TB) { tenancytest.RequireScoped(t, db.WithContext(as("a")), q.run) })
				if r.failed != (q.want != "") || !strings.Contains(r.text(), q.want) {
					t.Errorf("%s: want %q, got %s", what, q.want, r.text())
				}
			}
			var n int64
			must(t, db.WithContext(as("a")).Model(&Indexed{}).Where("label = 'x'").Count(&n).Error)
			if n > 0 {
				t.Error("an update was not rolled back")
			}
		})
	}
}

// TestScopedApart shows that it is enough to reach a table of the tenant's own.
func TestScopedApart(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"schema", "database SQLite"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := places[name](t)
			must(t, tenancytest.Seed(db, &Poll{}))
			tenancytest.RequireScoped(t, db.WithContext(as("a")), func(tx *gorm.DB) error { return tx.Find(&[]Voter{}).Error })
		})
	}
}

// TestScopedNeeds shows what has to be there.
func TestScopedNeeds(t *testing.T) {
	t.Parallel()
	db := sharing(t, &Note{})
	find := func(tx *gorm.DB) error { return tx.Find(&[]Note{}).Error }
	r := recorded(t, func(t testing.TB) { tenancytest.RequireScoped(t, db, find) })
	if !r.failed || !strings.Contains(r.text(), tenancy.ErrNoTenant.Error()) {
		t.Errorf("without a tenant: %s", r.text())
	}
	plain := opened(t, sqlite.Open(":memory:"))
	r = recorded(t, func(t testing.TB) { tenancytest.RequireScoped(t, plain.WithContext(as("a")), find) })
	if !r.failed || !strings.Contains(r.text(), "no plugin") {
		t.Errorf("without the plugin: %s", r.text())
	}
}
