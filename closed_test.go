package tenancy_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/gorm-tenancy/tenancy"
)

// closed is a strategy over shared tables that serves nobody, as one does for suspended tenants.
type closed struct{}

func (closed) Name() string          { return "closed" }
func (closed) Attach(*gorm.DB) error { return nil }
func (closed) Route(context.Context, tenancy.ID) (tenancy.Route, error) {
	return tenancy.Route{}, tenancy.ErrTenantSuspended
}

// TestTenantWithoutRoute: a tenant that is not served reaches central tables, and owned ones not even through text in a
// statement on a central one.
func TestTenantWithoutRoute(t *testing.T) {
	t.Parallel()
	db, err := gorm.Open(sqlite.Open(filepath.Join(t.TempDir(), "t.db")), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		t.Fatal(err)
	}
	pool, _ := db.DB()
	t.Cleanup(func() { pool.Close() })
	if err := seed(db); err != nil {
		t.Fatal(err)
	}
	plugin := tenancy.New(closed{}, tenancy.OwnedModels(ownedModels...), tenancy.CentralModels(centralModels...), tenancy.Logger(silent))
	if err := db.Use(plugin); err != nil {
		t.Fatal(err)
	}
	a := db.WithContext(asA)
	var names []string
	if err := a.Model(&Plan{}).Order("id").Pluck("name", &names).Error; err != nil || len(names) != 2 {
		t.Errorf("central table: %v %v", names, err)
	}
	if err := a.Find(&[]User{}).Error; !errors.Is(err, tenancy.ErrTenantSuspended) {
		t.Errorf("owned table: %v", err)
	}
	for name, tx := range map[string]*gorm.DB{
		"join":      a.Model(&Plan{}).Joins("JOIN users ON 1 = 1").Pluck("users.name", &names),
		"sub-query": a.Model(&Plan{}).Where("name IN (SELECT name FROM users)").Pluck("name", &names),
		"create":    a.Model(&Plan{}).Create(map[string]any{"name": gorm.Expr("(SELECT name FROM users WHERE tenant_id = 'b')")}),
		"update":    a.Model(&Plan{}).Where("id = 1").Update("name", gorm.Expr("(SELECT name FROM users WHERE tenant_id = 'b')")),
	} {
		if !errors.Is(tx.Error, tenancy.ErrUnconfined) {
			t.Errorf("%s: %v", name, tx.Error)
		}
	}
}
