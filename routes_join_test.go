package tenancy_test

import (
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/gorm-tenancy/tenancy"
)

// poach makes user 1 of a point at b's rows behind the plugin's back, as legacy data might.
func poach(e *env) error {
	return e.past("a", "UPDATE users SET company_id = 3, manager_id = 3 WHERE id = 1")
}

func heal(e *env) {
	_ = e.past("a", "UPDATE users SET company_id = 1, manager_id = NULL WHERE id = 1")
}

func companies(build func(db *gorm.DB) *gorm.DB) func(e *env) error {
	return func(e *env) error {
		if err := poach(e); err != nil {
			return err
		}
		defer heal(e)
		var users []User
		err := build(e.a).Order("users.id").Find(&users).Error
		for _, u := range users {
			if u.Company == nil {
				e.see(u.Name + ":none")
			} else {
				e.see(u.Name + ":" + u.Company.Name)
			}
		}
		return err
	}
}

var joinRoutes = []route{
	{name: "Joins", do: companies(func(db *gorm.DB) *gorm.DB { return db.Joins("Company") }), want: "a1:none a2:a-co"},
	{name: "InnerJoins", do: companies(func(db *gorm.DB) *gorm.DB { return db.InnerJoins("Company") }), want: "a2:a-co"},
	{name: "Joins with conditions", do: companies(func(db *gorm.DB) *gorm.DB {
		return db.Joins("Company", db.Session(&gorm.Session{NewDB: true}).Where(db.Statement.Quote("Company.name")+" = 'zz'\nOR 1=1"))
	}), want: "a1:none a2:a-co", differs: map[string]difference{
		"schema": {why: "the condition is left as GORM writes it, beside its own; all companies there are a's", want: "a1:a-co a2:a-co"},
	}},
	{name: "Joins climbing out of ON", do: companies(func(db *gorm.DB) *gorm.DB {
		return db.Joins("Company", db.Session(&gorm.Session{NewDB: true}).Where("1=1) OR (1=1"))
	}), refused: tenancy.ErrUnconfined},
	{name: "Joins or in Where", do: companies(func(db *gorm.DB) *gorm.DB {
		return db.Joins("Company").Where("users.age > 0").Or("1=1")
	}), want: "a1:none a2:a-co"},
	{name: "nested Joins", do: func(e *env) error {
		if err := poach(e); err != nil {
			return err
		}
		defer heal(e)
		var users []User
		err := e.a.Joins("Manager").Joins("Manager.Company").Order("users.id").Find(&users).Error
		for _, u := range users {
			switch {
			case u.Manager == nil:
				e.see(u.Name + ":none")
			case u.Manager.Company == nil:
				e.see(u.Name + ":" + u.Manager.Name + ":none")
			default:
				e.see(u.Name + ":" + u.Manager.Name + ":" + u.Manager.Company.Name)
			}
		}
		return err
	}, want: "a1:none a2:a1:none"},
	{name: "nested Joins alone", do: func(e *env) error {
		var users []User
		err := e.a.Joins("Manager.Company").Order("users.id").Find(&users).Error
		for _, u := range users {
			if u.Manager != nil && u.Manager.Company != nil {
				e.see(u.Name + ":" + u.Manager.Company.Name)
			}
		}
		return err
	}, want: "a2:a-co"},
	{name: "Joins has one", do: func(e *env) error {
		var users []User
		err := e.a.Joins("Account").Where("users.id = ?", 1).Find(&users).Error
		e.see(users[0].Account.Number)
		return err
	}, want: "a-acc"},
	{name: "Joins Count", do: func(e *env) error {
		var n int64
		err := e.a.Model(&User{}).Joins("Company").Where(e.db.Statement.Quote("Company.name")+" = ?", "a-co").Count(&n).Error
		e.see(n)
		return err
	}, want: "2"},
	{name: "Joins First", do: func(e *env) error {
		var u User
		err := e.a.Joins("Company").First(&u, 2).Error
		e.see(u.Company.Name)
		return err
	}, want: "a-co"},
	{name: "Joins without tenant", do: func(e *env) error { return e.db.Joins("Company").Find(&[]User{}).Error }, refused: tenancy.ErrNoTenant},
	{name: "raw join of owned", do: where(func(db *gorm.DB) *gorm.DB {
		return db.Joins("JOIN pets ON pets.user_id = users.id OR 1=1")
	}), refused: tenancy.ErrUnconfined},
	{name: "raw join of owned with Current", do: where(func(db *gorm.DB) *gorm.DB {
		return db.Joins("JOIN pets ON pets.user_id = users.id AND pets.tenant_id = ?", tenancy.Current)
	}), want: "a1 a2"},
	{name: "raw join of central", do: where(func(db *gorm.DB) *gorm.DB {
		return db.Joins("JOIN plans ON plans.id = users.id").Where("plans.name = ?", "gold")
	}), want: "a2", differs: noCentral},
	{name: "raw join of unknown", do: where(func(db *gorm.DB) *gorm.DB {
		return db.Joins("JOIN secrets ON 1=1")
	}), refused: tenancy.ErrUndeclared},
	{name: "raw join ending in a comment", do: where(func(db *gorm.DB) *gorm.DB {
		return db.Joins("JOIN plans ON 1=1 --")
	}), refused: tenancy.ErrUnconfined},
	{name: "raw join with sub-query", do: func(e *env) error {
		var names []string
		err := e.a.Model(&User{}).Joins("JOIN (?) AS p ON p.user_id = users.id", e.db.Model(&Pet{}).Select("user_id", "name")).
			Order("users.id").Pluck("p.name", &names).Error
		e.see(names)
		return err
	}, want: "[a-pet1 a-pet2]"},
	{name: "clause.From join", do: func(e *env) error {
		var names []string
		err := e.a.Model(&User{}).Clauses(clause.From{Joins: []clause.Join{{
			Table: clause.Table{Name: "pets"},
			ON:    clause.Where{Exprs: []clause.Expression{clause.Expr{SQL: "pets.user_id = users.id\nOR 1=1"}}},
		}}}).Distinct("pets.name").Order("pets.name").Pluck("pets.name", &names).Error
		e.see(names)
		return err
	}, want: "[a-pet1 a-pet2]"},
	{name: "Preload", do: func(e *env) error {
		if err := poach(e); err != nil {
			return err
		}
		defer heal(e)
		var users []User
		err := e.a.Preload("Company").Preload("Pets").Order("id").Find(&users).Error
		e.see(users[0].Company == nil, users[1].Company.Name, users[0].Pets[0].Name)
		return err
	}, want: "true a-co a-pet1"},
	{name: "Preload conditions", do: func(e *env) error {
		var users []User
		err := e.a.Preload("Pets", "name = ? or 1=1\nor 2=2", "x").Order("id").Find(&users).Error
		e.see(len(users[0].Pets), users[0].Pets[0].Name)
		return err
	}, want: "1 a-pet1"},
	{name: "Preload function", do: func(e *env) error {
		var users []User
		err := e.a.Preload("Pets", func(db *gorm.DB) *gorm.DB { return db.Or("1=1").Order("pets.name DESC") }).Order("id").Find(&users).Error
		e.see(len(users[0].Pets))
		return err
	}, want: "1"},
	{name: "Preload nested", do: func(e *env) error {
		var users []User
		err := e.a.Preload("Pets.Toy").Preload("Languages").Preload("Toys").Order("id").Find(&users).Error
		e.see(users[0].Pets[0].Toy.Name, len(users[0].Languages), users[0].Toys[0].Name)
		return err
	}, want: "a-bone 2 a-ball"},
	{name: "Preload Associations", do: func(e *env) error {
		var u User
		err := e.a.Preload(clause.Associations).First(&u).Error
		e.see(u.Company.Name, u.Account.Number, len(u.Pets), len(u.Notes), len(u.Languages), len(u.Tags))
		return err
	}, want: "a-co a-acc 1 1 2 1"},
	{name: "Preload many to many of b", do: func(e *env) error {
		if err := e.past("a", "INSERT INTO user_languages (user_id, language_id) VALUES (2, 4)"); err != nil {
			return err
		}
		var u User
		err := e.a.Preload("Languages").First(&u, 2).Error
		e.see(len(u.Languages))
		_ = e.past("a", "DELETE FROM user_languages WHERE user_id = 2 AND language_id = 4")
		return err
	}, want: "1"},
	{name: "Joins and Preload", do: func(e *env) error {
		var users []User
		err := e.a.Joins("Manager").Preload("Manager.Pets").Order("users.id").Find(&users).Error
		e.see(users[1].Manager.Pets[0].Name)
		return err
	}, want: "a-pet1"},
	{name: "Preload composite key", do: func(e *env) error {
		var docs []Doc
		err := e.a.Preload("Lines").Order("id").Find(&docs).Error
		e.see(len(docs), len(docs[0].Lines), docs[0].Lines[0].Text)
		return err
	}, want: "2 2 a-line1"},
}

var subqueryRoutes = []route{
	{name: "IN", do: where(func(db *gorm.DB) *gorm.DB {
		return db.Where("id IN (?)", db.Session(&gorm.Session{NewDB: true}).Model(&Pet{}).Select("user_id"))
	}), want: "a1 a2"},
	{name: "without context", do: func(e *env) error {
		var users []User
		err := e.a.Where("id IN (?) OR 1=0", e.db.Model(&Pet{}).Select("user_id")).Order("id").Find(&users).Error
		e.seeNames(users)
		return err
	}, want: "a1 a2"},
	{name: "of another tenant's context", do: func(e *env) error {
		var n int64
		return e.a.Model(&User{}).Where("id IN (?)", e.asB().Model(&Pet{}).Select("user_id")).Count(&n).Error
	}, refused: tenancy.ErrTenantMismatch},
	{name: "under bypass", do: scan(func(e *env) *gorm.DB {
		return e.a.Model(&User{}).Select("(?)", e.db.WithContext(bypass("test")).Model(&User{}).Select("count(*)")).Limit(1)
	}), want: "4", differs: map[string]difference{
		"rls":    {why: "the policies hold the whole statement, which is the tenant's", want: "2"},
		"schema": {why: noneOfAll, refused: tenancy.ErrUnconfined},
	}},
	{name: "of another tenant's context in From", do: scan(func(e *env) *gorm.DB {
		return e.a.Table("(?) AS u", e.asB().Model(&User{}).Select("name"))
	}), refused: tenancy.ErrTenantMismatch},
	{name: "of another tenant's context in Select", do: scan(func(e *env) *gorm.DB {
		return e.a.Model(&Plan{}).Select("(?)", e.asB().Model(&User{}).Select("name").Limit(1))
	}), refused: tenancy.ErrTenantMismatch},
	{name: "of another tenant's context, raw", do: scan(func(e *env) *gorm.DB {
		return e.a.Model(&User{}).Where("1 = 1").Select("(?)", e.asB().Raw("SELECT name FROM users WHERE tenant_id = ? LIMIT 1", tenancy.Current))
	}), refused: tenancy.ErrTenantMismatch},
	{name: "of another tenant's context in Update", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Model(&User{ID: 1}).Update("name", db.WithContext(tenancy.WithTenant(asA, "b")).Model(&User{}).Select("name").Limit(1))
	}), refused: tenancy.ErrTenantMismatch},
	{name: "in Or", do: func(e *env) error {
		var users []User
		err := e.a.Where("1=0").Or("id IN (?)", e.db.Model(&Pet{}).Select("user_id")).Order("id").Find(&users).Error
		e.seeNames(users)
		return err
	}, want: "a1 a2"},
	{name: "in Eq", do: func(e *env) error {
		var users []User
		err := e.a.Where("id = (?)", e.db.Model(&Pet{}).Select("max(user_id)")).Find(&users).Error
		e.seeNames(users)
		return err
	}, want: "a2"},
	{name: "in Select", do: func(e *env) error {
		var n int
		err := e.a.Model(&User{}).Select("(?)", e.db.Model(&Pet{}).Select("count(*)")).Limit(1).Scan(&n).Error
		e.see(n)
		return err
	}, want: "2"},
	{name: "in Having", do: func(e *env) error {
		var users []User
		err := e.a.Group("id").Having("count(*) < (?)", e.db.Model(&Pet{}).Select("count(*)")).Order("id").Find(&users).Error
		e.seeNames(users)
		return err
	}, want: "a1 a2"},
	{name: "in From", do: func(e *env) error {
		var names []string
		err := e.a.Table("(?) AS u", e.db.Model(&User{}).Select("name")).Order("name").Pluck("name", &names).Error
		e.see(names)
		return err
	}, want: "[a1 a2]"},
	{name: "in Update", do: func(e *env) error {
		return e.a.Model(&User{}).Where("id = 1").Update("age", e.db.Model(&Pet{}).Select("count(*)")).Error
	}, afterQuery: "SELECT age FROM users WHERE id = 1", after: "2"},
	{name: "in central", do: func(e *env) error {
		var names []string
		err := e.a.Model(&Plan{}).Where("id IN (?)", e.db.Model(&User{}).Select("id")).Order("id").Pluck("name", &names).Error
		e.see(names)
		return err
	}, want: "[free gold]"},
	{name: "central statement without tenant", do: func(e *env) error {
		return e.db.Model(&Plan{}).Where("id IN (?)", e.db.Model(&User{}).Select("id")).Find(&[]Plan{}).Error
	}, refused: tenancy.ErrNoTenant, differs: outOfReach},
	{name: "EXISTS", do: func(e *env) error {
		var users []User
		err := e.a.Where("EXISTS (?)", e.db.Model(&Pet{}).Select("1").Where("pets.user_id = users.id")).Order("id").Find(&users).Error
		e.seeNames(users)
		return err
	}, want: "a1 a2"},
	{name: "raw text", do: where(func(db *gorm.DB) *gorm.DB { return db.Where("id IN (SELECT user_id FROM pets)") }), refused: tenancy.ErrUnconfined},
	{name: "raw text with Current", do: where(func(db *gorm.DB) *gorm.DB {
		return db.Where("id IN (SELECT user_id FROM pets WHERE tenant_id = ?)", tenancy.Current)
	}), want: "a1 a2"},
	{name: "Raw as argument", do: where(func(db *gorm.DB) *gorm.DB {
		return db.Where("id IN (?)", db.Session(&gorm.Session{NewDB: true}).Raw("SELECT user_id FROM pets"))
	}), refused: tenancy.ErrUnconfined},
	{name: "Raw as argument with Current", do: where(func(db *gorm.DB) *gorm.DB {
		return db.Where("id IN (?)", db.Session(&gorm.Session{NewDB: true}).Raw("SELECT user_id FROM pets WHERE tenant_id = ?", tenancy.Current))
	}), want: "a1 a2"},
	{name: "Expr", do: where(func(db *gorm.DB) *gorm.DB {
		return db.Where("id IN ?", gorm.Expr("(SELECT user_id FROM pets)"))
	}), refused: tenancy.ErrUnconfined},
	{name: "text in Not", do: where(func(db *gorm.DB) *gorm.DB { return db.Not("id IN (SELECT user_id FROM pets)") }), refused: tenancy.ErrUnconfined},
	{name: "extract from is no table", do: where(func(db *gorm.DB) *gorm.DB { return db.Where("trim('x' || name) = name OR name IS NOT NULL") }), want: "a1 a2"},
}

func (e *env) asB() *gorm.DB { return e.db.WithContext(tenancy.WithTenant(asA, "b")) }
