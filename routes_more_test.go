package tenancy_test

import (
	"database/sql"
	"errors"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/gorm-tenancy/tenancy"
)

// errAny is any error: the database's own refusal.
var errAny = errors.New("any")

const links = "SELECT user_id, language_id FROM user_languages WHERE user_id < 3 ORDER BY 1, 2"

func user(id uint) *User { return &User{ID: id} }

var associationRoutes = []route{
	{name: "Find has many", do: func(e *env) error {
		var pets []Pet
		err := e.a.Model(user(1)).Association("Pets").Find(&pets)
		e.see(len(pets), pets[0].Name)
		return err
	}, want: "1 a-pet1"},
	{name: "Find of b's user", do: func(e *env) error {
		var pets []Pet
		err := e.a.Model(user(3)).Association("Pets").Find(&pets)
		e.see(len(pets))
		return err
	}, want: "0"},
	{name: "Find many to many", do: func(e *env) error {
		var l []Language
		err := e.a.Model(user(1)).Order("languages.id").Association("Languages").Find(&l)
		e.see(len(l), l[0].Name)
		return err
	}, want: "2 a-en"},
	{name: "Find many to many of b", do: func(e *env) error {
		var l []Language
		err := e.a.Model(user(3)).Association("Languages").Find(&l)
		e.see(len(l))
		return err
	}, want: "0"},
	{name: "Find with or", do: func(e *env) error {
		var l []Language
		err := e.a.Model(user(1)).Where("1=0").Or("1=1").Association("Languages").Find(&l)
		e.see(len(l))
		return err
	}, want: "2"},
	{name: "Count", do: func(e *env) error {
		e.see(e.a.Model(user(1)).Association("Languages").Count(), e.a.Model(user(3)).Association("Languages").Count())
		return nil
	}, want: "2 0"},
	{name: "Append many to many", do: func(e *env) error {
		return e.a.Model(user(2)).Association("Languages").Append(&Language{Name: "a-fr"})
	}, afterQuery: links, after: "1 1 1 2 2 1 2 5"},
	{name: "Append own language", do: func(e *env) error {
		return e.a.Model(user(2)).Association("Languages").Append(&Language{ID: 2, Name: "a-de"})
	}, afterQuery: links, after: "1 1 1 2 2 1 2 2"},
	{name: "Append b's language", do: func(e *env) error {
		return e.a.Model(user(2)).Association("Languages").Append(&Language{ID: 3, Name: "stolen"})
	}, refused: tenancy.ErrTenantMismatch},
	{name: "Append b's language without saving it", do: func(e *env) error {
		return e.a.Omit("Languages.*").Model(user(2)).Association("Languages").Append(&Language{ID: 3})
	}, refused: tenancy.ErrTenantMismatch},
	{name: "Append to b's user", do: func(e *env) error {
		return e.a.Model(user(3)).Association("Languages").Append(&Language{ID: 1})
	}, refused: tenancy.ErrTenantMismatch},
	{name: "Append has many", do: func(e *env) error {
		return e.a.Model(user(1)).Association("Pets").Append(&Pet{Name: "a-p"})
	}, afterQuery: "SELECT name, tenant_id FROM pets WHERE user_id = 1 ORDER BY id", after: "a-pet1 a a-p a"},
	{name: "Append b's pet", do: func(e *env) error {
		return e.a.Model(user(1)).Association("Pets").Append(&Pet{ID: 3, Name: "stolen"})
	}, refused: tenancy.ErrTenantMismatch},
	{name: "Append belongs to", do: func(e *env) error {
		return e.a.Model(user(1)).Association("Company").Append(&Company{Name: "a-new"})
	}, afterQuery: "SELECT c.name, c.tenant_id FROM users u JOIN companies c ON c.id = u.company_id WHERE u.id = 1", after: "a-new a"},
	{name: "Append b's company", do: func(e *env) error {
		return e.a.Model(user(1)).Association("Company").Append(&Company{ID: 3})
	}, refused: tenancy.ErrTenantMismatch},
	{name: "Replace many to many", do: func(e *env) error {
		return e.a.Model(user(1)).Association("Languages").Replace(&Language{ID: 2, Name: "a-de"})
	}, afterQuery: links, after: "1 2 2 1"},
	{name: "Replace has many", do: func(e *env) error {
		return e.a.Model(user(1)).Association("Pets").Replace(&Pet{Name: "a-p"})
	}, afterQuery: "SELECT name FROM pets WHERE user_id = 1", after: "a-p"},
	{name: "Delete many to many", do: func(e *env) error {
		return e.a.Model(user(1)).Association("Languages").Delete(&Language{ID: 2})
	}, afterQuery: links, after: "1 1 2 1"},
	{name: "Delete b's link", do: func(e *env) error {
		return e.a.Model(user(3)).Association("Languages").Delete(&Language{ID: 3})
	}},
	{name: "Delete has many", do: func(e *env) error {
		return e.a.Model(user(1)).Association("Pets").Delete(&Pet{ID: 1})
	}, afterQuery: "SELECT user_id IS NULL FROM pets WHERE id = 1", after: "1"},
	{name: "Clear many to many", do: func(e *env) error {
		return e.a.Model(user(1)).Association("Languages").Clear()
	}, afterQuery: links, after: "2 1"},
	{name: "Clear b's", do: func(e *env) error {
		return errors.Join(e.a.Model(user(3)).Association("Languages").Clear(), e.a.Model(user(3)).Association("Pets").Clear(), e.a.Model(user(3)).Association("Company").Clear())
	}},
	{name: "Clear has many", do: func(e *env) error {
		return e.a.Model(user(1)).Association("Pets").Clear()
	}, afterQuery: "SELECT count(*) FROM pets WHERE user_id IS NULL", after: "1"},
	{name: "Clear belongs to", do: func(e *env) error {
		return e.a.Model(user(1)).Association("Company").Clear()
	}, afterQuery: "SELECT company_id IS NULL FROM users WHERE id = 1", after: "1"},
	{name: "Unscoped Clear", do: func(e *env) error {
		return e.a.Model(user(1)).Association("Pets").Unscoped().Clear()
	}, afterQuery: "SELECT count(*) FROM pets", after: "3"},
	{name: "Clear composite key keeps the tenant", do: func(e *env) error {
		_ = e.a.Model(&Doc{TenantID: "a", ID: 1}).Association("Lines").Clear()
		return nil
	}, afterQuery: "SELECT count(*) FROM lines WHERE tenant_id = 'a'", after: "2"},
	{name: "central tags", do: func(e *env) error {
		if err := e.a.Model(user(1)).Association("Tags").Append(&Tag{ID: 2, Name: "blue"}); err != nil {
			return err
		}
		e.see(e.a.Model(user(1)).Association("Tags").Count(), e.a.Model(user(3)).Association("Tags").Count())
		return nil
	}, want: "2 0", differs: apart},
}

var sessionRoutes = []route{
	{name: "Transaction", do: func(e *env) error {
		return e.a.Transaction(func(tx *gorm.DB) error {
			if err := tx.Create(&User{Name: "a3"}).Error; err != nil {
				return err
			}
			return tx.Model(&User{}).Where("1=1").Update("age", 1).Error
		})
	}, afterQuery: "SELECT count(*) FROM users WHERE age = 1", after: "3"},
	{name: "nested transactions roll back", do: func(e *env) error {
		return e.a.Transaction(func(tx *gorm.DB) error {
			tx.Create(&User{Name: "a3"})
			_ = tx.Transaction(func(tx2 *gorm.DB) error {
				tx2.Create(&User{Name: "a4"})
				return errAny
			})
			return nil
		})
	}, afterQuery: "SELECT name FROM users WHERE id > 4", after: "a3"},
	{name: "SavePoint RollbackTo", do: func(e *env) error {
		tx := e.a.Begin()
		tx.Create(&User{Name: "a3"})
		if err := tx.SavePoint("sp").Error; err != nil {
			return err
		}
		tx.Create(&User{Name: "a4"})
		if err := tx.RollbackTo("sp").Error; err != nil {
			return err
		}
		return tx.Commit().Error
	}, afterQuery: "SELECT name FROM users WHERE id > 4", after: "a3"},
	{name: "Rollback", do: func(e *env) error {
		tx := e.a.Begin()
		tx.Create(&User{Name: "a3"})
		return tx.Rollback().Error
	}, afterQuery: "SELECT count(*) FROM users", after: "4"},
	{name: "Connection", do: func(e *env) error {
		return e.a.Connection(func(tx *gorm.DB) error {
			var n int64
			err := tx.Model(&User{}).Count(&n).Error
			e.see(n)
			return err
		})
	}, want: "2"},
	{name: "PrepareStmt", do: func(e *env) error {
		p := e.a.Session(&gorm.Session{PrepareStmt: true})
		for range 2 {
			var users []User
			if err := p.Order("id").Find(&users).Error; err != nil {
				return err
			}
			e.seeNames(users)
		}
		return p.Model(&User{ID: 1}).Update("age", 3).Error
	}, want: "a1 a2 a1 a2"},
	{name: "NewDB keeps the tenant", do: func(e *env) error {
		var n int64
		err := e.a.Where("1=0").Session(&gorm.Session{NewDB: true}).Model(&User{}).Count(&n).Error
		e.see(n)
		return err
	}, want: "2"},
	{name: "DryRun ToSQL", do: func(e *env) error {
		e.see(e.a.ToSQL(func(tx *gorm.DB) *gorm.DB { return tx.Where("age > 1").Or("1=1").Find(&[]User{}) }))
		return nil
	}, want: "SELECT * FROM `users` WHERE `users`.`tenant_id` = \"a\" AND (age > 1 OR 1=1)", differs: map[string]difference{
		"postgres": {why: "quotes", want: `SELECT * FROM "users" WHERE "users"."tenant_id" = 'a' AND (age > 1 OR 1=1)`},
		"mysql":    {why: "quotes", want: "SELECT * FROM `users` WHERE `users`.`tenant_id` = 'a' AND (age > 1 OR 1=1)"},
		"postgres-hybrid": {
			why: "columns are listed, as the schema strategy wants it",
			want: `SELECT "users"."id","users"."tenant_id","users"."name","users"."age","users"."company_id","users"."manager_id" ` +
				`FROM "users" WHERE "users"."tenant_id" = 'a' AND (age > 1 OR 1=1)`,
		},
		"postgres-schema": {
			why:  "no predicate, and columns are listed",
			want: `SELECT "users"."id","users"."tenant_id","users"."name","users"."age","users"."company_id","users"."manager_id" FROM "users" WHERE age > 1 OR 1=1`,
		},
		"mariadb-schema": {
			why:  "no predicate, and columns are listed",
			want: "SELECT `users`.`id`,`users`.`tenant_id`,`users`.`name`,`users`.`age`,`users`.`company_id`,`users`.`manager_id` FROM `users` WHERE age > 1 OR 1=1",
		},
	}},
	{name: "DryRun without tenant run by hand", do: func(e *env) error {
		stmt := e.db.Session(&gorm.Session{DryRun: true}).Find(&[]User{}).Statement
		rows, err := stmt.ConnPool.QueryContext(stmt.Context, stmt.SQL.String(), stmt.Vars...)
		if rows != nil {
			rows.Close()
		}
		return err
	}, refused: tenancy.ErrNoTenant},
	{name: "reused chain", do: func(e *env) error {
		tx := e.a.Where("age > 0").Or("1=1")
		for range 2 {
			var users []User
			if err := tx.Find(&users).Error; err != nil {
				return err
			}
			e.seeNames(users)
		}
		return nil
	}, want: "a1 a2 a1 a2"},
	{name: "context replaced", do: func(e *env) error {
		tx := e.db.WithContext(tenancy.WithTenant(asA, "b")).Where("age > 0")
		tx.Find(&[]User{})
		var users []User
		err := tx.WithContext(asA).Order("id").Find(&users).Error
		e.seeNames(users)
		return err
	}, want: "a1 a2"},
	{name: "bypass replaced by tenant", do: func(e *env) error {
		tx := e.db.WithContext(bypass("test")).Where("age > 0")
		tx.Find(&[]User{})
		var users []User
		err := tx.WithContext(asA).Order("id").Find(&users).Error
		e.seeNames(users)
		return err
	}, want: "a1 a2", differs: map[string]difference{
		"schema": {why: noneOfAll + ", and the chain keeps that error", refused: tenancy.ErrUnconfined},
	}},
	{name: "bypass sees all", do: func(e *env) error {
		var n int64
		err := e.db.WithContext(bypass("test")).Model(&User{}).Count(&n).Error
		if err == nil {
			e.see(n)
		}
		return err
	}, want: "4", differs: notOfAll},
	{name: "bypass without reason", do: func(e *env) error {
		return e.db.WithContext(bypass("")).Find(&[]User{}).Error
	}, refused: tenancy.ErrNoTenant},
	{name: "bypass creates need a tenant", do: func(e *env) error {
		return e.db.WithContext(bypass("test")).Create(&User{Name: "x"}).Error
	}, refused: tenancy.ErrNoTenant},
	{name: "invalid tenant", do: func(e *env) error {
		return e.db.WithContext(tenancy.WithTenant(asA, "A B")).Find(&[]User{}).Error
	}, refused: tenancy.ErrInvalidID},
	{name: "ForTenant under bypass", do: func(e *env) error {
		var users []User
		err := e.db.WithContext(bypass("test")).Scopes(tenancy.ForTenant("a")).Preload("Pets").Order("id").Find(&users).Error
		e.seeNames(users)
		return err
	}, want: "a1 a2"},
	{name: "ForTenant never widens", do: where(func(db *gorm.DB) *gorm.DB { return db.Scopes(tenancy.ForTenant("b")) }), refused: tenancy.ErrTenantMismatch},
	{name: "ForTenant itself", do: where(func(db *gorm.DB) *gorm.DB { return db.Scopes(tenancy.ForTenant("a")) }), want: "a1 a2"},
	{name: "ForTenants under bypass", do: func(e *env) error {
		var n, m int64
		if err := e.db.WithContext(bypass("test")).Model(&User{}).Scopes(tenancy.ForTenants("a", "b")).Count(&n).Error; err != nil {
			return err
		}
		err := e.db.WithContext(bypass("test")).Model(&User{}).Scopes(tenancy.ForTenants("a")).Count(&m).Error
		e.see(n, m)
		return err
	}, want: "4 2", differs: notOfTwo},
	{name: "ForTenants never widens", do: where(func(db *gorm.DB) *gorm.DB { return db.Scopes(tenancy.ForTenants("a", "b")) }), refused: tenancy.ErrTenantMismatch},
	{name: "ForTenants without ids", do: func(e *env) error {
		return e.db.WithContext(bypass("test")).Scopes(tenancy.ForTenants()).Find(&[]User{}).Error
	}, refused: tenancy.ErrNoTenant},
}

var genericsRoutes = []route{
	{name: "Find", do: func(e *env) error {
		users, err := gorm.G[User](e.db).Where("age > ?", 0).Or("1=1").Order("id").Find(asA)
		e.seeNames(users)
		return err
	}, want: "a1 a2"},
	{name: "First", do: func(e *env) error {
		u, err := gorm.G[User](e.db).First(asA)
		e.see(u.Name)
		return err
	}, want: "a1"},
	{name: "First of b", do: func(e *env) error {
		_, err := gorm.G[User](e.db).Where("id = ?", 3).First(asA)
		return err
	}, refused: gorm.ErrRecordNotFound},
	{name: "Count", do: func(e *env) error {
		n, err := gorm.G[User](e.db).Count(asA, "*")
		e.see(n)
		return err
	}, want: "2"},
	{name: "Create", do: func(e *env) error {
		return gorm.G[User](e.db).Create(asA, &User{Name: "a3"})
	}, afterQuery: userLast, after: "a3 a"},
	{name: "CreateInBatches", do: func(e *env) error {
		return gorm.G[User](e.db).CreateInBatches(asA, &[]User{{Name: "a3"}, {Name: "a4"}}, 1)
	}, afterQuery: userLast, after: "a4 a"},
	{name: "Update", do: func(e *env) error {
		n, err := gorm.G[User](e.db).Where("1=1\nOR 1=1").Update(asA, "age", 1)
		e.see(n)
		return err
	}, want: "2"},
	{name: "Update tenant", do: func(e *env) error {
		_, err := gorm.G[User](e.db).Where("id = 1").Update(asA, "tenant_id", "b")
		return err
	}, refused: tenancy.ErrTenantMismatch},
	{name: "Set Update", do: func(e *env) error {
		n, err := gorm.G[User](e.db).Where("1=1").Set(clause.Assignment{Column: clause.Column{Name: "age"}, Value: 5}).Update(asA)
		e.see(n)
		return err
	}, want: "2"},
	{name: "Set Update tenant", do: func(e *env) error {
		_, err := gorm.G[User](e.db).Where("1=1").Set(clause.Assignment{Column: clause.Column{Name: "tenant_id"}, Value: "b"}).Update(asA)
		return err
	}, refused: tenancy.ErrTenantMismatch},
	{name: "Delete", do: func(e *env) error {
		n, err := gorm.G[User](e.db).Where("id IN ?", []int{1, 3}).Delete(asA)
		e.see(n)
		return err
	}, want: "1"},
	{name: "OnConflict", do: func(e *env) error {
		return gorm.G[User](e.db, clause.OnConflict{UpdateAll: true}).Create(asA, &User{ID: 3, Name: "stolen-b"})
	}, refused: tenancy.ErrTenantMismatch},
	{name: "sub-query", do: func(e *env) error {
		users, err := gorm.G[User](e.db).Where("id IN (?)", gorm.G[Pet](e.db).Select("user_id")).Order("id").Find(asA)
		e.seeNames(users)
		return err
	}, want: "a1 a2"},
	{name: "Joins", do: func(e *env) error {
		users, err := gorm.G[User](e.db).Joins(clause.LeftJoin.Association("Company"), func(db gorm.JoinBuilder, j, c clause.Table) error {
			db.Where("?.name <> ?", j, "zz")
			return nil
		}).Order("users.id").Find(asA)
		e.see(len(users))
		if err == nil {
			e.see(users[0].Company.Name)
		}
		return err
	}, want: "2 a-co"},
	{name: "Joins AssociationFrom", do: func(e *env) error {
		users, err := gorm.G[User](e.db).Joins(clause.LeftJoin.AssociationFrom("Company", gorm.G[Company](e.db)).As("t"), func(db gorm.JoinBuilder, j, c clause.Table) error {
			db.Where("?.id = ?.company_id", j, c)
			return nil
		}).Order("users.id").Find(asA)
		e.seeNames(users)
		return err
	}, want: "a1 a2"},
	{name: "Preload LimitPerRecord", do: func(e *env) error {
		users, err := gorm.G[User](e.db).Preload("Pets", func(db gorm.PreloadBuilder) error {
			db.Order("pets.id").LimitPerRecord(1)
			return nil
		}).Order("id").Find(asA)
		if err == nil {
			e.see(len(users[0].Pets), users[0].Pets[0].Name)
		}
		return err
	}, want: "1 a-pet1"},
	{name: "Raw", do: func(e *env) error {
		_, err := gorm.G[User](e.db).Raw("SELECT * FROM users").Find(asA)
		return err
	}, refused: tenancy.ErrUnconfined},
	{name: "Exec", do: func(e *env) error {
		return gorm.G[User](e.db).Exec(asA, "DELETE FROM users")
	}, refused: tenancy.ErrUnconfined},
	{name: "association unlink", do: func(e *env) error {
		_, err := gorm.G[User](e.db).Where("1=1\nOR 1=1").Set(clause.Association{Association: "Languages", Type: clause.OpUnlink}).Update(asA)
		return err
	}, afterQuery: links, after: ""},
	{name: "no tenant", do: func(e *env) error {
		_, err := gorm.G[User](e.db).Find(bypass(""))
		return err
	}, refused: tenancy.ErrNoTenant},
}

func raw(text string, args ...any) func(e *env) error {
	return func(e *env) error {
		var names []string
		err := e.a.Raw(text, args...).Scan(&names).Error
		if err == nil {
			e.see(names)
		}
		return err
	}
}

var rawRoutes = []route{
	{name: "owned", do: raw("SELECT name FROM users"), refused: tenancy.ErrUnconfined},
	{name: "owned quoted", do: raw("SELECT name FROM \"Users\""), refused: tenancy.ErrUnconfined},
	{name: "owned in brackets", do: raw("SELECT name FROM [users]"), refused: tenancy.ErrUnconfined},
	{name: "owned qualified", do: raw("SELECT name FROM main.users"), refused: tenancy.ErrUnconfined},
	{name: "owned behind a comment", do: raw("SELECT name FROM/**/users"), refused: tenancy.ErrUnconfined},
	{name: "owned in a union", do: raw("SELECT name FROM plans UNION ALL SELECT name FROM users"), refused: tenancy.ErrUnconfined},
	{name: "owned in a list", do: raw("SELECT u.name FROM plans, users u"), refused: tenancy.ErrUnconfined},
	{name: "owned in a WITH", do: raw("WITH x AS (SELECT * FROM users) SELECT name FROM x"), refused: tenancy.ErrUnconfined},
	{name: "with Current", do: raw("SELECT name FROM users WHERE tenant_id = ? ORDER BY id", tenancy.Current), want: "[a1 a2]"},
	{name: "with Current named", do: raw("SELECT name FROM users WHERE tenant_id = @t ORDER BY id", sql.Named("t", tenancy.Current)), want: "[a1 a2]"},
	{name: "central", do: raw("SELECT name FROM plans ORDER BY id"), want: "[free gold]", differs: noCentral},
	{name: "central in a WITH", do: raw("WITH x AS (SELECT * FROM plans) SELECT name FROM x ORDER BY id;"), want: "[free gold]", differs: noCentral},
	{name: "unknown table", do: raw("SELECT name FROM user_view"), refused: tenancy.ErrUndeclared},
	{name: "no table", do: raw("SELECT 'x'"), want: "[x]"},
	{name: "two statements", do: raw("SELECT 1; DELETE FROM plans"), refused: tenancy.ErrUnconfined},
	{name: "Row", do: func(e *env) error {
		var name string
		return e.a.Raw("SELECT name FROM users").Row().Scan(&name)
	}, refused: tenancy.ErrUnconfined},
	{name: "Rows", do: func(e *env) error {
		rows, err := e.a.Raw("SELECT name FROM users").Rows()
		if rows != nil {
			rows.Close()
		}
		return err
	}, refused: tenancy.ErrUnconfined},
	{name: "Exec delete", do: exec(func(db *gorm.DB) *gorm.DB { return db.Exec("DELETE FROM users") }), refused: tenancy.ErrUnconfined},
	{name: "Exec with Current", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Exec("UPDATE users SET age = 3 WHERE tenant_id = ?", tenancy.Current)
	}), afterQuery: usersOfA, after: "a1 a 3 a2 a 3"},
	{name: "DDL", do: exec(func(db *gorm.DB) *gorm.DB { return db.Exec("DROP TABLE plans") }), refused: tenancy.ErrUnconfined},
	{name: "PRAGMA", do: exec(func(db *gorm.DB) *gorm.DB { return db.Exec("PRAGMA writable_schema = ON") }), refused: tenancy.ErrUnconfined},
	{name: "no tenant", do: func(e *env) error { return e.db.Exec("DELETE FROM plans").Error }, refused: tenancy.ErrNoTenant},
	{name: "bound for another context", do: func(e *env) error {
		var n int
		return e.db.WithContext(tenancy.WithTenant(asA, "b")).Raw("SELECT count(*) FROM users WHERE tenant_id = ?", tenancy.Current).
			WithContext(asA).Scan(&n).Error
	}, refused: tenancy.ErrTenantMismatch},
	{name: "Current without tenant", do: func(e *env) error {
		var n int
		return e.db.WithContext(tenancy.Central(asA)).Raw("SELECT count(*) FROM users WHERE tenant_id = ?", tenancy.Current).Scan(&n).Error
	}, refused: tenancy.ErrNoTenant},
	{name: "AutoMigrate as tenant", do: func(e *env) error { return e.a.AutoMigrate(&struct{ Plan }{}) }, refused: errAny},
	{name: "AutoMigrate without tenant", do: func(e *env) error {
		type Fresh struct {
			ID       uint
			TenantID string
		}
		return e.db.AutoMigrate(&Fresh{})
	}, refused: tenancy.ErrNoTenant},
	{name: "AutoMigrate under bypass", do: func(e *env) error {
		return e.db.WithContext(bypass("create tables")).AutoMigrate(append(ownedModels, centralModels...)...)
	}, differs: map[string]difference{
		"rls":    {why: notTheOwner, refused: errAny},
		"schema": {why: noneOfAll, refused: tenancy.ErrUnconfined},
	}},
	{name: "HasTable", do: func(e *env) error {
		e.see(e.db.Migrator().HasTable(&User{}), e.a.Migrator().HasTable("user_view"))
		return nil
	}, want: "true false", differs: map[string]difference{
		"schema":          {why: "owned tables are where a tenant is", want: "false false"},
		"postgres-hybrid": {why: "owned tables are where a tenant is", want: "false false"},
	}},
}
