package tenancy_test

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/gorm-tenancy/tenancy"
)

// in runs attacks and legitimate uses in a session of tenant a with the given options.
func in(s gorm.Session) func(e *env) error {
	return func(e *env) error {
		a := e.a.Session(&s)
		e.refuse("b's", a.First(&User{}, 3).Error, gorm.ErrRecordNotFound)
		e.refuse("for b", a.Create(&User{Name: "stolen-b", TenantID: "b"}).Error, tenancy.ErrTenantMismatch)
		e.held("save b's", a.Save(&User{ID: 3, Name: "stolen-b"}).Error, tenancy.ErrTenantMismatch)
		e.must("delete b's", a.Delete(&User{ID: 3}).Error)
		e.held("raw", a.Exec("UPDATE users SET age = 1").Error, tenancy.ErrUnconfined)
		e.must("update", a.Model(&User{}).Where(everybody).Update("age", 5).Error)
		e.must("delete", a.Where("1 = 0").Or("1 = 1").Delete(&Note{}).Error)
		e.must("create", a.Create(&[]User{{Name: "a3", Pets: []Pet{{Name: "a-p"}}}, {Name: "a4"}}).Error)
		var users []User
		err := a.Unscoped().Preload("Pets").Joins("Company").Where(everybody).Order("users.id").Find(&users).Error
		e.seeNames(users)
		return err
	}
}

// twoModels counts one model and goes on with another in the same chain.
func twoModels(first, second any, then func(tx *gorm.DB) ([]string, error)) func(e *env) error {
	return func(e *env) error {
		tx := e.a.Where("1 = 0").Or("1 = 1")
		var n int64
		if err := tx.Model(first).Count(&n).Error; err != nil {
			return err
		}
		names, err := then(tx.Model(second))
		e.see(n)
		for _, name := range names {
			e.see(name)
		}
		return err
	}
}

const fourUsers = "a1 a2 a3 a4"

var configRoutes = []route{
	{name: "PrepareStmt", do: in(gorm.Session{PrepareStmt: true}), want: fourUsers},
	{name: "SkipDefaultTransaction", do: in(gorm.Session{SkipDefaultTransaction: true}), want: fourUsers},
	{name: "SkipHooks", do: in(gorm.Session{SkipHooks: true}), want: fourUsers},
	{name: "AllowGlobalUpdate", do: in(gorm.Session{AllowGlobalUpdate: true}), want: fourUsers},
	{name: "DisableNestedTransaction", do: in(gorm.Session{DisableNestedTransaction: true}), want: fourUsers},
	{name: "CreateBatchSize", do: in(gorm.Session{CreateBatchSize: 1}), want: fourUsers},
	{name: "QueryFields", do: in(gorm.Session{QueryFields: true}), want: fourUsers},
	{name: "FullSaveAssociations", do: in(gorm.Session{FullSaveAssociations: true}), want: fourUsers},
	{name: "PropagateUnscoped", do: in(gorm.Session{PropagateUnscoped: true}), want: fourUsers},
	{name: "NewDB", do: in(gorm.Session{NewDB: true}), want: fourUsers},
	{name: "PrepareStmt of two tenants", do: func(e *env) error {
		p := e.db.Session(&gorm.Session{PrepareStmt: true})
		for range 3 {
			for _, id := range []tenancy.ID{"b", "a"} {
				var users []User
				if err := p.WithContext(as(id)).Where("age > ?", 0).Order("id").Find(&users).Error; err != nil {
					return err
				}
				if id == "a" {
					e.seeNames(users)
				} else if len(users) < 2 || users[0].Name != "b1" {
					return fmt.Errorf("b found %v", users)
				}
			}
		}
		return nil
	}, want: "a1 a2 a1 a2 a1 a2"},
	{name: "PrepareStmt in a transaction", do: func(e *env) error {
		return e.a.Session(&gorm.Session{PrepareStmt: true}).Transaction(func(tx *gorm.DB) error {
			var users []User
			err := tx.Find(&users, "1 = 1\nOR 1 = 1").Error
			e.seeNames(users)
			return errors.Join(err, tx.Create(&User{Name: "a3"}).Error)
		})
	}, want: "a1 a2", afterQuery: userLast, after: "a3 a"},
	{name: "Begin with options", do: func(e *env) error {
		tx := e.a.Begin(&sql.TxOptions{})
		var n int64
		err := tx.Model(&User{}).Count(&n).Error
		e.see(n)
		return errors.Join(err, tx.Commit().Error)
	}, want: "2"},
	{name: "transaction of no tenant", do: func(e *env) error {
		return e.db.Transaction(func(tx *gorm.DB) error { return tx.Find(&[]User{}).Error })
	}, refused: tenancy.ErrNoTenant},
	{name: "tenant inside a transaction of none", do: func(e *env) error {
		return e.db.Transaction(func(tx *gorm.DB) error {
			var users []User
			err := tx.WithContext(asA).Order("id").Find(&users).Error
			e.seeNames(users)
			return err
		})
	}, want: "a1 a2", differs: ofNobody},
	{name: "inner commits, outer rolls back", do: func(e *env) error {
		_ = e.a.Transaction(func(tx *gorm.DB) error {
			e.must("inner", tx.Transaction(func(tx *gorm.DB) error { return tx.Create(&User{Name: "a3"}).Error }))
			var n int64
			e.must("count", tx.Model(&User{}).Count(&n).Error)
			e.see(n)
			return errAny
		})
		return nil
	}, want: "3", afterQuery: usersOfA, after: "a1 a 10 a2 a 20"},
	{name: "savepoint undoes a refused statement's transaction", do: func(e *env) error {
		return e.a.Transaction(func(tx *gorm.DB) error {
			e.must("before", tx.Create(&User{Name: "a3"}).Error)
			e.refuse("inner", tx.Transaction(func(tx *gorm.DB) error {
				e.must("inner", tx.Create(&User{Name: "a4"}).Error)
				return tx.Create(&Pet{TenantID: "b", Name: "stolen"}).Error
			}), tenancy.ErrTenantMismatch)
			return tx.Create(&User{Name: "a5"}).Error
		})
	}, afterQuery: "SELECT name FROM users WHERE id > 4 ORDER BY id", after: "a3 a5"},
	{name: "two savepoints", do: func(e *env) error {
		return e.a.Transaction(func(tx *gorm.DB) error {
			for i, name := range []string{"a3", "a4", "a5"} {
				e.must("savepoint", tx.SavePoint(fmt.Sprintf("s%d", i)).Error)
				e.must("create", tx.Create(&User{Name: name}).Error)
			}
			e.must("back two", tx.RollbackTo("s1").Error)
			return tx.Model(&User{}).Where(everybody).Update("age", 1).Error
		})
	}, afterQuery: usersOfA, after: "a1 a 1 a2 a 1 a3 a 1"},
	{name: "Connection refuses raw SQL", do: func(e *env) error {
		return e.a.Connection(func(tx *gorm.DB) error {
			tx = tx.Session(&gorm.Session{})
			e.refuse("b's", tx.First(&User{}, 3).Error, gorm.ErrRecordNotFound)
			e.must("create", tx.Create(&User{Name: "a3"}).Error)
			return tx.Exec("DELETE FROM users").Error
		})
	}, refused: tenancy.ErrUnconfined},
	{name: "Connection of no tenant", do: func(e *env) error {
		return e.db.Connection(func(tx *gorm.DB) error { return tx.Find(&[]User{}).Error })
	}, refused: tenancy.ErrNoTenant},
	{name: "ToSQL of writes", do: func(e *env) error {
		for _, do := range []func(tx *gorm.DB) *gorm.DB{
			func(tx *gorm.DB) *gorm.DB { return tx.Model(&User{}).Where("id = 3").Update("age", 1) },
			func(tx *gorm.DB) *gorm.DB { return tx.Where("id = 3").Delete(&User{}) },
			func(tx *gorm.DB) *gorm.DB { return tx.Create(&Company{Name: "x"}) },
		} {
			if text := e.a.ToSQL(do); e.silos == nil && !strings.Contains(text, `"a"`) && !strings.Contains(text, "'a'") {
				return fmt.Errorf("no tenant in %s", text)
			}
		}
		return nil
	}, afterQuery: usersOfA, after: "a1 a 10 a2 a 20"},
	{name: "DryRun run by hand", do: func(e *env) error {
		stmt := e.a.Session(&gorm.Session{DryRun: true}).Where(everybody).Order("id").Find(&[]User{}).Statement
		return e.seeRows(stmt.ConnPool.QueryContext(stmt.Context, stmt.SQL.String(), stmt.Vars...))
	}, want: "a1 a2"},
	{name: "DryRun Create without tenant", do: func(e *env) error {
		return e.db.Session(&gorm.Session{DryRun: true}).Create(&User{Name: "x"}).Error
	}, refused: tenancy.ErrNoTenant},
	{name: "DryRun refused run by hand", do: func(e *env) error {
		stmt := e.a.Session(&gorm.Session{DryRun: true}).Where("1 = 1) OR (1 = 1").Find(&[]User{}).Statement
		rows, err := stmt.ConnPool.QueryContext(stmt.Context, stmt.SQL.String(), stmt.Vars...)
		if rows != nil {
			rows.Close()
		}
		return err
	}, refused: tenancy.ErrUnconfined},
	{name: "Set and InstanceSet", do: where(func(db *gorm.DB) *gorm.DB { return db.Set("x", 1).InstanceSet("y", 2).Debug() }), want: "a1 a2"},
	{name: "settings of gorm", do: where(func(db *gorm.DB) *gorm.DB {
		return db.Set("gorm:query_option", "FOR UPDATE").Set("gorm:auto_preload", true)
	}), want: "a1 a2"},
	// One chain keeps the table of its first statement in GORM: what follows reads and writes that one.
	{name: "Count then Find on another model", do: twoModels(&User{}, &Company{}, func(tx *gorm.DB) ([]string, error) {
		var companies []Company
		err := tx.Order("id").Find(&companies).Error
		var names []string
		for _, c := range companies {
			names = append(names, c.Name)
		}
		return names, err
	}), want: "2 a1 a2"},
	{name: "Count on owned then Find on central", do: twoModels(&User{}, &Plan{}, func(tx *gorm.DB) (names []string, err error) {
		return names, tx.Order("id").Pluck("name", &names).Error
	}), want: "2 a1 a2"},
	{name: "Count on central then Find on owned", do: twoModels(&Plan{}, &User{}, func(tx *gorm.DB) (names []string, err error) {
		return names, tx.Order("id").Pluck("name", &names).Error
	}), want: "2 free gold"},
	{name: "Count then Update of another model", do: twoModels(&User{}, &Company{}, func(tx *gorm.DB) ([]string, error) {
		return nil, tx.Update("name", "a-x").Error
	}), want: "2", refused: errAny, differs: map[string]difference{
		"mysql": {why: "MySQL has no FROM in UPDATE", want: "2"},
	}}, // GORM keeps the FROM of the first, too, and joins the table with itself
	{name: "Count then tenant of another model", do: twoModels(&User{}, &Plan{}, func(tx *gorm.DB) ([]string, error) {
		return nil, tx.Updates(map[string]any{"tenant_id": "b"}).Error
	}), want: "2", refused: tenancy.ErrTenantMismatch},
	{name: "Find then Delete of another model", do: func(e *env) error {
		tx := e.a.Where("id > 0")
		if err := tx.Find(&[]User{}).Error; err != nil {
			return err
		}
		return tx.Delete(&Pet{}, 3).Error
	}, afterQuery: usersOfA, after: "a1 a 10 a2 a 20"},
	{name: "Find then Create of another model", do: func(e *env) error {
		tx := e.a.Where("id > 0")
		if err := tx.Find(&[]Pet{}).Error; err != nil {
			return err
		}
		return tx.Model(&Company{}).Create(&Company{Name: "a-x"}).Error
	}, afterQuery: "SELECT tenant_id FROM pets WHERE name = 'a-x'", after: "a"},
}

var whereGuardRoutes = []route{
	{name: "empty slice", do: exec(func(db *gorm.DB) *gorm.DB { return db.Delete(&[]User{}) }), refused: gorm.ErrMissingWhereClause},
	{name: "zero rows", do: exec(func(db *gorm.DB) *gorm.DB { return db.Delete(&[]User{{}, {}}) }), refused: gorm.ErrMissingWhereClause},
	{name: "no keys", do: exec(func(db *gorm.DB) *gorm.DB { return db.Delete(&User{}, []int{}) }), refused: gorm.ErrMissingWhereClause},
	{name: "empty text", do: exec(func(db *gorm.DB) *gorm.DB { return db.Where("").Delete(&User{}) }), refused: gorm.ErrMissingWhereClause},
	{name: "empty struct", do: exec(func(db *gorm.DB) *gorm.DB { return db.Where(&User{}).Delete(&User{}) }), refused: gorm.ErrMissingWhereClause},
	{name: "empty map", do: exec(func(db *gorm.DB) *gorm.DB { return db.Where(map[string]any{}).Delete(&User{}) }), refused: gorm.ErrMissingWhereClause},
	{name: "empty group", do: exec(func(db *gorm.DB) *gorm.DB { return db.Where(db.Where("")).Delete(&User{}) }), refused: gorm.ErrMissingWhereClause},
	{name: "empty And", do: exec(func(db *gorm.DB) *gorm.DB { return db.Clauses(clause.Where{}).Delete(&User{}) }), refused: gorm.ErrMissingWhereClause},
	{name: "Limit only", do: exec(func(db *gorm.DB) *gorm.DB { return db.Limit(1).Delete(&User{}) }), refused: gorm.ErrMissingWhereClause},
	{name: "Table only", do: exec(func(db *gorm.DB) *gorm.DB { return db.Table("users").Delete(nil) }), refused: gorm.ErrMissingWhereClause},
	{name: "join table only", do: exec(func(db *gorm.DB) *gorm.DB { return db.Table("user_languages").Delete(nil) }), refused: gorm.ErrMissingWhereClause},
	{name: "composite key half given", do: affected(1, func(db *gorm.DB) *gorm.DB { return db.Delete(&Doc{ID: 1}) }), afterQuery: "SELECT title FROM docs WHERE tenant_id = 'a'", after: "a-doc2"},
	{name: "composite key, tenant only", do: exec(func(db *gorm.DB) *gorm.DB { return db.Delete(&Doc{TenantID: "b"}) })},
	{name: "ForTenants", do: func(e *env) error {
		return e.db.WithContext(bypass("test")).Scopes(tenancy.ForTenants("a", "b")).Delete(&User{}).Error
	}, refused: gorm.ErrMissingWhereClause, differs: notOfTwo},
	{name: "update of an empty slice", do: exec(func(db *gorm.DB) *gorm.DB { return db.Model(&[]User{}).Update("age", 1) }), refused: gorm.ErrMissingWhereClause},
	{name: "update by empty struct", do: exec(func(db *gorm.DB) *gorm.DB { return db.Model(&User{}).Where(User{}).Updates(User{Age: 1}) }), refused: gorm.ErrMissingWhereClause},
	{name: "update Table only", do: exec(func(db *gorm.DB) *gorm.DB { return db.Table("users").Updates(map[string]any{"age": 1}) }), refused: gorm.ErrMissingWhereClause},
	{name: "unscoped update", do: exec(func(db *gorm.DB) *gorm.DB { return db.Unscoped().Model(&Note{}).Update("text", "a-x") }), refused: gorm.ErrMissingWhereClause},
	{name: "central", do: exec(func(db *gorm.DB) *gorm.DB { return db.Delete(&Plan{}) }), refused: gorm.ErrMissingWhereClause},
}
