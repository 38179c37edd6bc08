package tenancy_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
)

type (
	Trail struct {
		ID       uint
		TenantID string
		Text     string
	}
	// Hooked runs what the test puts into the context at each hook.
	Hooked struct {
		ID       uint
		TenantID string
		Name     string
		Age      int
	}
)

type hookKey string

func runHook(tx *gorm.DB, name string, h *Hooked) error {
	if do, ok := tx.Statement.Context.Value(hookKey(name)).(func(*gorm.DB, *Hooked) error); ok {
		return do(tx, h)
	}
	return nil
}

func (h *Hooked) BeforeCreate(tx *gorm.DB) error { return runHook(tx, "BeforeCreate", h) }
func (h *Hooked) BeforeSave(tx *gorm.DB) error   { return runHook(tx, "BeforeSave", h) }
func (h *Hooked) BeforeUpdate(tx *gorm.DB) error { return runHook(tx, "BeforeUpdate", h) }
func (h *Hooked) BeforeDelete(tx *gorm.DB) error { return runHook(tx, "BeforeDelete", h) }
func (h *Hooked) AfterCreate(tx *gorm.DB) error  { return runHook(tx, "AfterCreate", h) }
func (h *Hooked) AfterSave(tx *gorm.DB) error    { return runHook(tx, "AfterSave", h) }
func (h *Hooked) AfterUpdate(tx *gorm.DB) error  { return runHook(tx, "AfterUpdate", h) }
func (h *Hooked) AfterDelete(tx *gorm.DB) error  { return runHook(tx, "AfterDelete", h) }
func (h *Hooked) AfterFind(tx *gorm.DB) error    { return runHook(tx, "AfterFind", h) }

// openHooked has the rows 1, 2 of a and 3, 4 of b.
func openHooked(t *testing.T, on backend) (e *env, hooked func(hook string, do func(*gorm.DB, *Hooked) error) *gorm.DB, isolated func()) {
	db, e := openEmpty(t, on, tenancy.OwnedModels(&Hooked{}, &Trail{}))
	e.must("migrate", db.WithContext(bypass("create tables")).AutoMigrate(&Hooked{}, &Trail{}))
	if _, err := e.raw.Exec(`INSERT INTO hookeds (id, tenant_id, name, age) VALUES (1,'a','a1',1), (2,'a','a2',2), (3,'b','b1',1), (4,'b','b2',2);
		INSERT INTO trails VALUES (1,'a','a-t'), (2,'b','b-t')`); err != nil {
		t.Fatal(err)
	}
	e.must("go on counting", countOn(e.raw, on.dialect, "hookeds", "trails"))
	dump := func() string {
		return e.query("SELECT * FROM hookeds WHERE id IN (3,4) OR tenant_id <> 'a' ORDER BY id") + "|" + e.query("SELECT * FROM trails WHERE id = 2 OR tenant_id <> 'a' ORDER BY id")
	}
	start := dump()
	return e, func(hook string, do func(*gorm.DB, *Hooked) error) *gorm.DB {
			return db.WithContext(context.WithValue(asA, hookKey(hook), do))
		}, func() {
			t.Helper()
			if now := dump(); now != start {
				t.Errorf("rows of b changed: %s, before %s", now, start)
			}
		}
}

// hookTriggers is a statement of tenant a that runs the hook.
var hookTriggers = map[string]func(*gorm.DB) *gorm.DB{
	"BeforeCreate": func(a *gorm.DB) *gorm.DB { return a.Create(&Hooked{Name: "a3"}) },
	"BeforeSave":   func(a *gorm.DB) *gorm.DB { return a.Create(&Hooked{Name: "a3"}) },
	"AfterCreate":  func(a *gorm.DB) *gorm.DB { return a.Create(&Hooked{Name: "a3"}) },
	"AfterSave":    func(a *gorm.DB) *gorm.DB { return a.Save(&Hooked{ID: 1, Name: "a1"}) },
	"BeforeUpdate": func(a *gorm.DB) *gorm.DB { return a.Model(&Hooked{ID: 1}).Update("age", 7) },
	"AfterUpdate":  func(a *gorm.DB) *gorm.DB { return a.Model(&Hooked{ID: 1}).Update("age", 7) },
	"BeforeDelete": func(a *gorm.DB) *gorm.DB { return a.Delete(&Hooked{ID: 1}) },
	"AfterDelete":  func(a *gorm.DB) *gorm.DB { return a.Delete(&Hooked{ID: 1}) },
	"AfterFind":    func(a *gorm.DB) *gorm.DB { return a.First(&Hooked{}, 1) },
}

// Statements of a hook's tx keep the tenant.
func TestHooksKeepTenant(t *testing.T) { onEach(t, testHooksKeepTenant) }

func testHooksKeepTenant(t *testing.T, on backend) {
	for hook, trigger := range hookTriggers {
		t.Run(hook, func(t *testing.T) {
			e, with, isolated := openHooked(t, on)
			ran := 0
			do := func(tx *gorm.DB, _ *Hooked) error {
				ran++
				e.refuse("create for b", tx.Session(&gorm.Session{NewDB: true}).Create(&Trail{TenantID: "b", Text: "stolen-b"}).Error, tenancy.ErrTenantMismatch)
				e.refuse("b's", tx.Session(&gorm.Session{NewDB: true}).First(&Trail{}, 2).Error, gorm.ErrRecordNotFound)
				e.refuse("raw", tx.Session(&gorm.Session{NewDB: true}).Exec("DELETE FROM trails").Error, tenancy.ErrUnconfined)
				e.must("update b's", tx.Model(&Trail{}).Where("1=1").Or("1=1").Update("text", "a-changed").Error)
				var found []Trail
				if err := tx.Find(&found).Error; err != nil || len(found) != 1 || found[0].Text != "a-changed" {
					return fmt.Errorf("the hook found %v: %w", found, err)
				}
				trail := Trail{Text: "a-hook"}
				if err := tx.Create(&trail).Error; err != nil || trail.TenantID != "a" {
					return fmt.Errorf("the hook created %v: %w", trail, err)
				}
				var names []string
				skip := tx.Session(&gorm.Session{SkipHooks: true, NewDB: true})
				if err := skip.Model(&Hooked{}).Where("1=1\nOR 1=1").Pluck("name", &names).Error; err != nil || strings.Contains(strings.Join(names, " "), "b") {
					return fmt.Errorf("the hook found %v: %w", names, err)
				}
				return tx.Where("text = ?", "zz").Or("1=1").Delete(&Trail{}).Error
			}
			e.must("trigger", trigger(with(hook, do)).Error)
			if ran != 1 {
				t.Errorf("the hook ran %d times", ran)
			}
			isolated()
			e.wants("SELECT tenant_id, text FROM trails", "b b-t")
		})
	}
}

// A hook cannot move a row to another tenant.
func TestHooksMoveRow(t *testing.T) { onEach(t, testHooksMoveRow) }

func testHooksMoveRow(t *testing.T, on backend) {
	ways := map[string]func(tx *gorm.DB, h *Hooked) error{
		"field":          func(_ *gorm.DB, h *Hooked) error { h.TenantID = "b"; return nil },
		"SetColumn":      func(tx *gorm.DB, _ *Hooked) error { tx.Statement.SetColumn("TenantID", "b"); return nil },
		"SetColumn name": func(tx *gorm.DB, _ *Hooked) error { tx.Statement.SetColumn("tenant_id", "b"); return nil },
		"SetColumn all":  func(tx *gorm.DB, _ *Hooked) error { tx.Statement.SetColumn("TenantID", "b", true); return nil },
	}
	creates := map[string]func(a *gorm.DB) error{
		"create":  func(a *gorm.DB) error { return a.Create(&Hooked{Name: "a3"}).Error },
		"batch":   func(a *gorm.DB) error { return a.Create(&[]Hooked{{Name: "a3"}, {Name: "a4"}}).Error },
		"pointer": func(a *gorm.DB) error { return a.Create([]*Hooked{{Name: "a3"}}).Error },
		"save":    func(a *gorm.DB) error { return a.Save(&Hooked{Name: "a3"}).Error },
		"first or create": func(a *gorm.DB) error {
			return a.Where(Hooked{Name: "a3"}).FirstOrCreate(&Hooked{}).Error
		},
	}
	for way, move := range ways {
		for name, create := range creates {
			for _, hook := range []string{"BeforeCreate", "BeforeSave"} {
				t.Run(hook+" "+way+" "+name, func(t *testing.T) {
					e, with, isolated := openHooked(t, on)
					e.refuse("move", create(with(hook, move)), tenancy.ErrTenantMismatch)
					isolated()
					e.wants("SELECT count(*) FROM hookeds", "4")
					e.must("a hook that names the own tenant", create(with(hook, func(tx *gorm.DB, h *Hooked) error {
						h.TenantID = "a"
						tx.Statement.SetColumn("TenantID", "a")
						tx.Statement.SetColumn("Age", 9)
						return nil
					})))
					e.must("a hook that empties it", create(with(hook, func(_ *gorm.DB, h *Hooked) error { h.TenantID = ""; return nil })))
					e.wants("SELECT DISTINCT tenant_id FROM hookeds WHERE id > 4", "a")
					isolated()
				})
			}
		}
	}
	updates := map[string]func(a *gorm.DB) error{
		"update":         func(a *gorm.DB) error { return a.Model(&Hooked{ID: 1}).Update("age", 7).Error },
		"updates struct": func(a *gorm.DB) error { return a.Model(&Hooked{ID: 1}).Updates(Hooked{Age: 7}).Error },
		"updates map": func(a *gorm.DB) error {
			return a.Model(&Hooked{}).Where("id = 1").Updates(map[string]any{"age": 7}).Error
		},
		"save": func(a *gorm.DB) error { return a.Save(&Hooked{ID: 1, Name: "a1", Age: 7}).Error },
	}
	for way, move := range ways {
		for name, update := range updates {
			for _, hook := range []string{"BeforeUpdate", "BeforeSave"} {
				t.Run(hook+" "+way+" "+name, func(t *testing.T) {
					e, with, isolated := openHooked(t, on)
					err := update(with(hook, move))
					if way != "field" || name == "save" { // else GORM does not write the field of the model's struct
						e.refuse("move", err, tenancy.ErrTenantMismatch)
						e.wants("SELECT tenant_id, age FROM hookeds WHERE id = 1", "a 1")
					} else if err != nil && !errors.Is(err, tenancy.ErrTenantMismatch) {
						t.Errorf("error %v", err)
					}
					isolated()
					e.wants("SELECT tenant_id FROM hookeds WHERE id = 1", "a")
					e.must("legitimate", update(with(hook, func(tx *gorm.DB, _ *Hooked) error {
						tx.Statement.SetColumn("Name", "a-hooked")
						return nil
					})))
					e.wants("SELECT tenant_id, name, age FROM hookeds WHERE id = 1", "a a-hooked 7")
					isolated()
				})
			}
		}
	}
}

// A hook that changes the context of its own statement widens nothing by accident: the statement's tenant counts.
func TestHooksAfterFindSeesOwn(t *testing.T) { onEach(t, testHooksAfterFindSeesOwn) }

func testHooksAfterFindSeesOwn(t *testing.T, on backend) {
	e, with, isolated := openHooked(t, on)
	seen := 0
	a := with("AfterFind", func(_ *gorm.DB, h *Hooked) error {
		seen++
		if h.TenantID != "a" {
			t.Errorf("AfterFind got a row of %s", h.TenantID)
		}
		return nil
	})
	e.must("find", a.Where("1=0").Or("1=1").Find(&[]Hooked{}).Error)
	if seen != 2 {
		t.Errorf("AfterFind ran for %d rows, want 2", seen)
	}
	// A delete hook that fails keeps the row.
	stop := errors.New("stop")
	e.refuse("veto", with("BeforeDelete", func(*gorm.DB, *Hooked) error { return stop }).Delete(&Hooked{ID: 1}).Error, stop)
	e.wants("SELECT count(*) FROM hookeds", "4")
	e.must("delete b's", with("none", nil).Delete(&Hooked{ID: 3}).Error)
	e.must("delete own", with("none", nil).Delete(&Hooked{ID: 1}).Error)
	e.wants("SELECT name FROM hookeds ORDER BY id", "a2 b1 b2")
	isolated()
}
