package tenancy_test

import (
	"errors"
	"fmt"
	"sort"
	"strings"
	"testing"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/plugin/dbresolver"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
)

// newEnvUsing is newEnvWith where the test itself calls db.Use; tenant is the plugin, name the data source.
func newEnvUsing(t *testing.T, config *gorm.Config, use func(db *gorm.DB, tenant gorm.Plugin, name string) error) *env {
	t.Helper()
	dsn := onSQLite.seeded(t)
	tenant := tenancy.New(shared.New(), tenancy.OwnedModels(ownedModels...), tenancy.CentralModels(centralModels...), tenancy.Logger(silent))
	e := onSQLite.connect(t, dsn, config, func(db *gorm.DB) error { return use(db, tenant, dsn) })
	e.start = e.dumpB()
	return e
}

// must fails the test when a legitimate use does.
func (e *env) must(what string, err error) {
	e.Helper()
	if err != nil {
		e.Errorf("%s: the legitimate use failed: %v", what, err)
	}
}

// refuse fails the test when an attack gets another error than want.
func (e *env) refuse(what string, err, want error) {
	e.Helper()
	if !errors.Is(err, want) {
		e.Errorf("%s: error %v, want %v", what, err, want)
	}
}

// held is refuse for what may run where the database holds tenants.
func (e *env) held(what string, err, want error) {
	e.Helper()
	if e.kind == "" {
		e.refuse(what, err, want)
	}
}

// wants compares a raw query with what it must give.
func (e *env) wants(q, want string) {
	e.Helper()
	if got := e.query(q); got != want {
		e.Errorf("%s\ngave %q, want %q", q, got, want)
	}
}

// attackAll is one round of attacks and legitimate uses as tenant a, for a database in any company of plugins.
func attackAll(e *env) {
	e.Helper()
	// Attacks.
	e.refuse("no tenant, read", e.db.Find(&[]User{}).Error, tenancy.ErrNoTenant)
	e.refuse("no tenant, row", e.db.Model(&User{}).Select("name").Row().Scan(new(string)), tenancy.ErrNoTenant)
	_, err := e.db.Model(&User{}).Rows()
	e.refuse("no tenant, rows", err, tenancy.ErrNoTenant)
	e.refuse("no tenant, create", e.db.Create(&User{Name: "x"}).Error, tenancy.ErrNoTenant)
	e.refuse("no tenant, update", e.db.Model(&User{ID: 1}).Update("age", 1).Error, tenancy.ErrNoTenant)
	e.refuse("no tenant, delete", e.db.Delete(&User{ID: 1}).Error, tenancy.ErrNoTenant)
	e.refuse("no tenant, raw", e.db.Exec("DELETE FROM users").Error, tenancy.ErrNoTenant)
	e.refuse("raw", e.a.Raw("SELECT name FROM users").Scan(new([]string)).Error, tenancy.ErrUnconfined)
	e.refuse("exec", e.a.Exec("UPDATE users SET age = 0").Error, tenancy.ErrUnconfined)
	e.refuse("read b's", e.a.First(&User{}, 3).Error, gorm.ErrRecordNotFound)
	e.refuse("create for b", e.a.Create(&User{Name: "stolen-b", TenantID: "b"}).Error, tenancy.ErrTenantMismatch)
	e.refuse("save b's", e.a.Save(&User{ID: 3, Name: "stolen-b"}).Error, tenancy.ErrTenantMismatch)
	e.refuse("upsert b's", e.a.Clauses(clause.OnConflict{UpdateAll: true}).Create(&User{ID: 3, Name: "stolen-b"}).Error, tenancy.ErrTenantMismatch)
	e.refuse("move to b", e.a.Model(&User{ID: 1}).Update("tenant_id", "b").Error, tenancy.ErrTenantMismatch)
	e.refuse("link b's", e.a.Model(&User{ID: 1}).Association("Languages").Append(&Language{ID: 3}), tenancy.ErrTenantMismatch)
	e.must("update b's", e.a.Model(&User{ID: 3}).Update("age", 99).Error)
	e.must("delete b's", e.a.Delete(&User{}, []int{3, 4}).Error)
	e.isolated()
	// Legitimate uses.
	var users []User
	e.must("find", e.a.Preload("Pets").Preload("Languages").Joins("Company").Where("1=1\nOR 1=1").Order("users.id").Find(&users).Error)
	e.seeNames(users)
	for _, u := range users {
		for _, p := range u.Pets {
			e.see(p.Name)
		}
		for _, l := range u.Languages {
			e.see(l.Name)
		}
		e.see(u.Company.Name)
	}
	if got, want := strings.Join(e.seen, " "), "a1 a2 a-pet1 a-en a-de a-co a-pet2 a-en a-co"; got != want {
		e.Errorf("saw %q, want %q", got, want)
	}
	var n int64
	e.must("count", e.a.Model(&User{}).Count(&n).Error)
	if n != 2 {
		e.Errorf("counted %d users, want 2", n)
	}
	var name string
	e.must("row", e.a.Model(&User{}).Select("name").Order("id").Row().Scan(&name))
	e.see(name)
	e.must("raw", e.a.Raw("SELECT name FROM users WHERE tenant_id = ? ORDER BY id LIMIT 1", tenancy.Current).Scan(&name).Error)
	e.see(name)
	e.must("update", e.a.Model(&User{}).Where("1=0").Or("1=1").Update("age", 5).Error)
	e.must("save", e.a.Save(&User{ID: 1, Name: "a1x"}).Error)
	e.must("delete", e.a.Where("1=1").Or("1=1").Delete(&Note{}).Error)
	e.must("create", e.a.Create(&User{Name: "a3", Pets: []Pet{{Name: "a-pet3"}}}).Error)
	e.must("batch", e.a.CreateInBatches(&[]Toy{{Name: "a-t1"}, {Name: "a-t2"}, {Name: "a-t3"}}, 2).Error)
	e.must("transaction", e.a.Transaction(func(tx *gorm.DB) error {
		if err := tx.Create(&Company{Name: "a-tx"}).Error; err != nil {
			return err
		}
		var own []Company
		if err := tx.Find(&own).Error; err != nil || len(own) != 2 {
			return fmt.Errorf("%d companies in the transaction: %w", len(own), err)
		}
		return nil
	}))
	e.isolated()
	e.wants("SELECT name, age FROM users WHERE tenant_id = 'a' ORDER BY id", "a1x 0 a2 5 a3 0")
	e.wants("SELECT tenant_id FROM pets WHERE name = 'a-pet3'", "a")
	e.wants("SELECT count(*) FROM toys WHERE tenant_id = 'a'", "5")
	e.wants("SELECT tenant_id, count(*) FROM notes WHERE deleted_at IS NULL GROUP BY 1", "b 2")
	e.wants("SELECT name FROM companies WHERE tenant_id = 'a' ORDER BY id", "a-co a-tx")
}

func resolver(name string) *dbresolver.DBResolver {
	return dbresolver.Register(dbresolver.Config{
		Sources:  []gorm.Dialector{sqlite.Open(name)},
		Replicas: []gorm.Dialector{sqlite.Open(name), sqlite.Open(name)},
	})
}

func TestCoexistDBResolver(t *testing.T) {
	orders := map[string]func(db *gorm.DB, tenant gorm.Plugin, name string) error{
		"before": func(db *gorm.DB, tenant gorm.Plugin, name string) error {
			return errors.Join(db.Use(resolver(name)), db.Use(tenant))
		},
		"after": func(db *gorm.DB, tenant gorm.Plugin, name string) error {
			return errors.Join(db.Use(tenant), db.Use(resolver(name)))
		},
	}
	for order, use := range orders {
		for _, prepare := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s prepared %v", order, prepare), func(t *testing.T) {
				attackAll(newEnvUsing(t, &gorm.Config{PrepareStmt: prepare}, use))
			})
		}
		for name, op := range map[string]clause.Expression{"Write": dbresolver.Write, "Read": dbresolver.Read} {
			t.Run(order+" Clauses "+name, func(t *testing.T) {
				e := newEnvUsing(t, &gorm.Config{}, use)
				e.refuse("no tenant", e.db.Clauses(op).Find(&[]User{}).Error, tenancy.ErrNoTenant)
				e.refuse("b's", e.a.Clauses(op).First(&User{}, 3).Error, gorm.ErrRecordNotFound)
				e.refuse("raw", e.a.Clauses(op).Raw("SELECT name FROM users").Scan(new([]string)).Error, tenancy.ErrUnconfined)
				var users []User
				e.must("own", e.a.Clauses(op).Where("1=1 -- \n OR 1=1").Find(&users).Error)
				e.seeNames(users)
				if len(users) != 2 {
					t.Errorf("%d users, want 2", len(users))
				}
				var names []string
				e.must("raw", e.a.Clauses(op).Raw("SELECT name FROM users WHERE tenant_id = ?", tenancy.Current).Scan(&names).Error)
				e.seeSorted(names)
				if len(names) != 2 {
					t.Errorf("%d names, want 2", len(names))
				}
				e.isolated()
			})
		}
		t.Run(order+" registered for one model", func(t *testing.T) {
			e := newEnvUsing(t, &gorm.Config{}, func(db *gorm.DB, tenant gorm.Plugin, name string) error {
				r := dbresolver.Register(dbresolver.Config{Replicas: []gorm.Dialector{sqlite.Open(name), sqlite.Open(name)}}, &User{}, "pets")
				if order == "before" {
					return errors.Join(db.Use(r), db.Use(tenant))
				}
				return errors.Join(db.Use(tenant), db.Use(r))
			})
			attackAll(e)
		})
	}
}

func TestCoexistConfig(t *testing.T) {
	for name, config := range map[string]*gorm.Config{
		"PrepareStmt":              {PrepareStmt: true},
		"SkipDefaultTransaction":   {SkipDefaultTransaction: true},
		"TranslateError":           {TranslateError: true},
		"QueryFields":              {QueryFields: true},
		"CreateBatchSize":          {CreateBatchSize: 1},
		"PropagateUnscoped":        {PropagateUnscoped: true},
		"DisableNestedTransaction": {DisableNestedTransaction: true},
		"FullSaveAssociations":     {FullSaveAssociations: true},
		"all": {
			PrepareStmt: true, SkipDefaultTransaction: true, TranslateError: true, QueryFields: true,
			CreateBatchSize: 2, DisableNestedTransaction: true,
		},
	} {
		t.Run(name, func(t *testing.T) { attackAll(newEnvWith(t, config)) })
	}
}

func TestCoexistTranslateError(t *testing.T) {
	e := newEnvWith(t, &gorm.Config{TranslateError: true})
	e.refuse("duplicate own key", e.a.Create(&User{ID: 1, Name: "x"}).Error, gorm.ErrDuplicatedKey)
	e.refuse("duplicate composite key", e.a.Create(&Doc{ID: 1, Title: "x"}).Error, gorm.ErrDuplicatedKey)
	e.must("free composite key", e.a.Create(&Doc{ID: 3, Title: "a-doc3"}).Error)
	e.refuse("no tenant", e.db.Find(&[]User{}).Error, tenancy.ErrNoTenant)
	e.refuse("undeclared", e.a.Table("nowhere").Find(&[]map[string]any{}).Error, tenancy.ErrUndeclared)
	e.refuse("mismatch", e.a.Create(&User{TenantID: "b"}).Error, tenancy.ErrTenantMismatch)
	e.refuse("raw", e.a.Exec("DELETE FROM users").Error, tenancy.ErrUnconfined)
	var failed *tenancy.StatementError
	if err := e.a.Exec("DELETE FROM users").Error; !errors.As(err, &failed) || failed.Op != "raw" {
		t.Errorf("error %v is no StatementError of op raw", err)
	}
	e.isolated()
	e.wants("SELECT title FROM docs WHERE tenant_id = 'a' ORDER BY id", "a-doc1 a-doc2 a-doc3")
}

func TestCoexistUseTwice(t *testing.T) {
	e := newEnv(t)
	e.refuse("second plugin", e.db.Use(tenancy.New(shared.New(), tenancy.AllowUndeclared())), gorm.ErrRegistered)
	attackAll(e)
}

// One plugin on two databases, and two plugins on two databases, in one process.
func TestCoexistTwoDatabases(t *testing.T) {
	t.Run("two plugins", func(t *testing.T) {
		one, two := newEnv(t), newEnvWith(t, &gorm.Config{}, tenancy.AllowUndeclared())
		e := one.a.Create(&User{Name: "a-one"}).Error
		one.must("create", e)
		two.wants("SELECT count(*) FROM users", "4")
		for _, env := range []*env{one, two} {
			var names []string
			env.must("pluck", env.a.Model(&User{}).Pluck("name", &names).Error)
			env.seeSorted(names)
			env.refuse("b's", env.a.First(&User{}, 3).Error, gorm.ErrRecordNotFound)
			env.refuse("no tenant", env.db.Find(&[]User{}).Error, tenancy.ErrNoTenant)
			env.isolated()
		}
		if one.seen[0] != "a-one a1 a2" || two.seen[0] != "a1 a2" {
			t.Errorf("saw %q and %q", one.seen, two.seen)
		}
		// What one plugin allows the other still refuses.
		for _, env := range []*env{one, two} {
			if _, err := env.raw.Exec("CREATE TABLE loose (id int)"); err != nil {
				t.Fatal(err)
			}
		}
		one.refuse("undeclared table", one.a.Table("loose").Find(&[]map[string]any{}).Error, tenancy.ErrUndeclared)
		two.must("undeclared table", two.a.Table("loose").Find(&[]map[string]any{}).Error)
	})
	t.Run("one plugin", func(t *testing.T) {
		plugin := tenancy.New(shared.New(), tenancy.OwnedModels(ownedModels...), tenancy.CentralModels(centralModels...), tenancy.Logger(silent))
		use := func(db *gorm.DB, _ gorm.Plugin, _ string) error { return db.Use(plugin) }
		attackAll(newEnvUsing(t, &gorm.Config{}, use))
		attackAll(newEnvUsing(t, &gorm.Config{PrepareStmt: true}, use))
	})
	// The declarations of one plugin do not leak into the other: what is owned here is central there.
	t.Run("opposite declarations", func(t *testing.T) {
		one := newEnv(t)
		two := newEnvUsing(t, &gorm.Config{}, func(db *gorm.DB, _ gorm.Plugin, _ string) error {
			return db.Use(tenancy.New(shared.New(), tenancy.CentralModels(&Doc{}, &Line{}), tenancy.Logger(silent)))
		})
		var docs []Doc
		two.must("central", two.a.Find(&docs).Error)
		if len(docs) != 4 {
			t.Errorf("%d central docs, want 4", len(docs))
		}
		docs = nil
		one.must("owned", one.a.Find(&docs).Error)
		var titles []string
		for _, d := range docs {
			titles = append(titles, d.Title)
		}
		sort.Strings(titles)
		if got := strings.Join(titles, " "); got != "a-doc1 a-doc2" {
			t.Errorf("owned docs %q", got)
		}
		one.isolated()
	})
}
