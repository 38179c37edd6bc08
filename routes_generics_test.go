package tenancy_test

import (
	"database/sql"
	"errors"
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/gorm-tenancy/tenancy"
)

// setUsers runs the assigner of gorm.G[User](db).Set for the users that cond names: always more than a may touch.
func setUsers(set clause.Assigner, cond string, args ...any) func(e *env) error {
	return func(e *env) error {
		_, err := gorm.G[User](e.db).Where(cond, args...).Set(set).Update(asA)
		return err
	}
}

func assoc(name string, op clause.AssociationOpType, conditions ...clause.Expression) clause.Association {
	return clause.Association{Association: name, Type: op, Conditions: conditions}
}

// set makes the association operation write a column.
func set(a clause.Association, column string, v any) clause.Association {
	a.Set = []clause.Assignment{{Column: clause.Column{Name: column}, Value: v}}
	return a
}

// values makes the association operation save objects.
func values(a clause.Association, v ...any) clause.Association {
	a.Values = v
	return a
}

const everybody = "1 = 0\nOR 1 = 1"

// anyone is a condition that would be true for everybody if nothing held it.
var anyone = clause.Expr{SQL: "1 = 0\nOR 1 = 1"}

var genericAssociationRoutes = []route{
	{name: "create has many", do: setUsers(values(assoc("Pets", clause.OpCreate), &Pet{Name: "a-new"}), "id IN (1, 3)"), afterQuery: "SELECT user_id, tenant_id FROM pets WHERE name = 'a-new'", after: "1 a"},
	{name: "create has many by Set", do: setUsers(set(assoc("Pets", clause.OpCreate), "name", "a-new"), "id IN (1, 3)"), afterQuery: "SELECT user_id, tenant_id FROM pets WHERE name = 'a-new'", after: "1 a"},
	{name: "create has many of b's row", do: setUsers(values(assoc("Pets", clause.OpCreate), &Pet{ID: 3, Name: "stolen-b"}), "id = 1"), refused: tenancy.ErrTenantMismatch},
	{name: "create many to many", do: setUsers(values(assoc("Languages", clause.OpCreate), &Language{Name: "a-fr"}), "id = 2"), afterQuery: links, after: "1 1 1 2 2 1 2 5"},
	{name: "create many to many of b's row", do: setUsers(values(assoc("Languages", clause.OpCreate), &Language{ID: 4, Name: "b-de"}), "id = 2"), refused: tenancy.ErrTenantMismatch},
	{name: "create belongs to", do: setUsers(values(assoc("Company", clause.OpCreate), &Company{Name: "a-new"}), "id = 2"), afterQuery: "SELECT c.name, c.tenant_id FROM users u JOIN companies c ON c.id = u.company_id WHERE u.id = 2", after: "a-new a"},
	{name: "create belongs to b's row", do: setUsers(values(assoc("Company", clause.OpCreate), &Company{ID: 3}), "id = 2"), refused: tenancy.ErrTenantMismatch},
	{name: "update has many", do: setUsers(set(assoc("Pets", clause.OpUpdate, anyone), "name", "a-x"), everybody), afterQuery: "SELECT count(*) FROM pets WHERE name = 'a-x'", after: "2"},
	{name: "update has many tenant", do: setUsers(set(assoc("Pets", clause.OpUpdate, anyone), "tenant_id", "b"), everybody), refused: tenancy.ErrTenantMismatch},
	{name: "update has many to b's user", do: setUsers(set(assoc("Pets", clause.OpUpdate, anyone), "user_id", 3), everybody), refused: tenancy.ErrTenantMismatch},
	{name: "update has one", do: setUsers(set(assoc("Account", clause.OpUpdate), "number", "a-x"), everybody), afterQuery: "SELECT count(*) FROM accounts WHERE number = 'a-x'", after: "1"},
	{name: "update belongs to", do: setUsers(set(assoc("Company", clause.OpUpdate, anyone), "name", "a-x"), everybody), afterQuery: "SELECT count(*) FROM companies WHERE name = 'a-x'", after: "1"},
	{name: "update many to many", do: setUsers(set(assoc("Languages", clause.OpUpdate, anyone), "name", "a-x"), everybody), afterQuery: "SELECT count(*) FROM languages WHERE name = 'a-x'", after: "2"},
	{name: "update many to many through b's user", do: setUsers(set(assoc("Languages", clause.OpUpdate), "name", "stolen-b"), "id = 3")},
	{name: "update many to many tenant", do: setUsers(set(assoc("Languages", clause.OpUpdate, anyone), "tenant_id", "b"), everybody), refused: tenancy.ErrTenantMismatch},
	{name: "update climbing", do: setUsers(set(assoc("Pets", clause.OpUpdate, clause.Expr{SQL: "1=1) OR (1=1"}), "name", "stolen-b"), everybody), refused: tenancy.ErrUnconfined},
	{name: "update polymorphic", do: setUsers(set(assoc("Toys", clause.OpUpdate, anyone), "name", "a-x"), everybody), afterQuery: "SELECT name FROM toys WHERE tenant_id = 'a' ORDER BY id", after: "a-x a-x"}, // GORM forgets the owner's type
	{name: "unlink has many", do: setUsers(assoc("Pets", clause.OpUnlink, anyone), everybody), afterQuery: "SELECT count(*) FROM pets WHERE user_id IS NULL", after: "2"},
	{name: "unlink belongs to", do: setUsers(assoc("Company", clause.OpUnlink), everybody), afterQuery: "SELECT count(*) FROM users WHERE company_id IS NULL", after: "2"},
	{name: "unlink many to many, some", do: setUsers(assoc("Languages", clause.OpUnlink, clause.Expr{SQL: "languages.name LIKE '%de'"}), everybody), afterQuery: links, after: "1 1 2 1"},
	{name: "delete has many", do: setUsers(assoc("Pets", clause.OpDelete, anyone), everybody), afterQuery: "SELECT count(*) FROM pets", after: "2"},
	{name: "delete has many of soft delete", do: setUsers(assoc("Notes", clause.OpDelete, anyone), everybody), afterQuery: "SELECT count(*) FROM notes WHERE deleted_at IS NOT NULL", after: "2"},
	{name: "delete has many of b's user", do: setUsers(assoc("Pets", clause.OpDelete), "id = 3")},
	{name: "delete belongs to", do: setUsers(assoc("Company", clause.OpDelete, anyone), everybody), afterQuery: "SELECT (SELECT count(*) FROM companies), (SELECT count(*) FROM users WHERE company_id IS NULL)", after: "1 2"},
	{name: "delete many to many", do: setUsers(assoc("Languages", clause.OpDelete), everybody), afterQuery: links, after: ""},
	{name: "delete central tags", do: setUsers(assoc("Tags", clause.OpDelete), everybody), afterQuery: "SELECT user_id FROM user_tags", after: "3"},
	{name: "update central tags is for everybody", do: setUsers(set(assoc("Tags", clause.OpUpdate), "name", "green"), "id = 1"), afterQuery: "SELECT name FROM tags WHERE id = 1", after: "green"},
	{name: "composite key", do: func(e *env) error {
		_, err := gorm.G[Doc](e.db).Where("id = 1").Set(set(assoc("Lines", clause.OpUpdate, anyone), "text", "a-x")).Update(asA)
		return err
	}, afterQuery: "SELECT count(*) FROM lines WHERE text = 'a-x'", after: "2"},
	{name: "composite key unlink keeps the tenant", do: func(e *env) error {
		_, err := gorm.G[Doc](e.db).Where("id = 1").Set(assoc("Lines", clause.OpUnlink)).Update(asA)
		return err
	}, afterQuery: "SELECT count(*) FROM lines WHERE tenant_id = 'a' AND doc_id IS NULL", after: "2"},
	{name: "no tenant", do: func(e *env) error {
		_, err := gorm.G[User](e.db).Where("id = 1").Set(set(assoc("Pets", clause.OpUpdate), "name", "x")).Update(tenancy.Central(asA))
		return err
	}, refused: tenancy.ErrNoTenant},
}

var genericChainRoutes = []route{
	{name: "Last Take", do: func(e *env) error {
		u, err := gorm.G[User](e.db).Last(asA)
		v, err2 := gorm.G[User](e.db).Not("name = 'a1'\nOR 1 = 0").Take(asA)
		e.see(u.Name, v.Name)
		return errors.Join(err, err2)
	}, want: "a2 a2"},
	{name: "Scan", do: func(e *env) error {
		var names []userName
		err := gorm.G[User](e.db).Where("1 = 0").Or("1 = 1").Order("id").Scan(asA, &names)
		e.see(names)
		return err
	}, want: "[{a1} {a2}]"},
	{name: "Row", do: func(e *env) error {
		var name string
		err := gorm.G[User](e.db).Select("name").Where("name = 'b1' or name = 'a1'").Row(asA).Scan(&name)
		e.see(name)
		return err
	}, want: "a1"},
	{name: "Row without tenant", do: func(e *env) error {
		return gorm.G[User](e.db).Select("name").Row(tenancy.Central(asA)).Scan(new(string))
	}, refused: tenancy.ErrNoTenant},
	{name: "Rows", do: func(e *env) error {
		return e.seeRows(gorm.G[User](e.db).Order("id").Rows(asA))
	}, want: "a1 a2"},
	{name: "FindInBatches", do: func(e *env) error {
		return gorm.G[User](e.db).FindInBatches(asA, 1, func(users []User, _ int) error { e.seeNames(users); return nil })
	}, want: "a1 a2"},
	{name: "Table", do: func(e *env) error {
		users, err := gorm.G[User](e.db).Table("users AS u").Where("u.name = 'a1' or u.name = 'b1'").Find(asA)
		e.seeNames(users)
		return err
	}, want: "a1"},
	{name: "Table of a sub-query", do: func(e *env) error {
		users, err := gorm.G[User](e.db).Table("(?) AS u", gorm.G[User](e.db).Select("name")).Order("name").Find(asA)
		e.seeNames(users)
		return err
	}, want: "a1 a2"},
	{name: "Table of another model", do: func(e *env) error {
		pets, err := gorm.G[User](e.db).Table("pets").Select("id", "name").Order("id").Find(asA)
		e.seeNames(pets)
		return err
	}, want: "a-pet1 a-pet2"},
	{name: "Table unknown", do: func(e *env) error {
		_, err := gorm.G[userName](e.db).Table("secrets").Find(asA)
		return err
	}, refused: tenancy.ErrUndeclared},
	{name: "Scopes", do: func(e *env) error {
		users, err := gorm.G[User](e.db).Scopes(func(s *gorm.Statement) { s.Where("age = 10") }).Or("name = 'b2'").Find(asA)
		e.seeNames(users)
		return err
	}, want: "a1"},
	{name: "Group Having Distinct", do: func(e *env) error {
		users, err := gorm.G[User](e.db).Distinct("name").Group("name").Having("count(*) > 0 OR 1=1").Order("name").Find(asA)
		e.seeNames(users)
		return err
	}, want: "a1 a2"},
	{name: "Omit MapColumns", do: func(e *env) error {
		users, err := gorm.G[User](e.db).Omit("tenant_id").MapColumns(map[string]string{"name": "name"}).Order("id").Limit(1).Offset(1).Find(asA)
		e.seeNames(users)
		return err
	}, want: "a2"},
	{name: "Updates", do: func(e *env) error {
		n, err := gorm.G[User](e.db).Where(everybody).Updates(asA, User{Age: 7})
		e.see(n)
		return err
	}, want: "2", afterQuery: usersOfA, after: "a1 a 7 a2 a 7"},
	{name: "Updates tenant", do: func(e *env) error {
		_, err := gorm.G[User](e.db).Where("id = 1").Updates(asA, User{TenantID: "b"})
		return err
	}, refused: tenancy.ErrTenantMismatch},
	{name: "mass update", do: func(e *env) error {
		_, err := gorm.G[User](e.db).Update(asA, "age", 7)
		return err
	}, refused: gorm.ErrMissingWhereClause},
	{name: "mass delete", do: func(e *env) error {
		_, err := gorm.G[User](e.db).Delete(asA)
		return err
	}, refused: gorm.ErrMissingWhereClause},
	{name: "Set Create", do: func(e *env) error {
		return gorm.G[User](e.db).Set(clause.Assignment{Column: clause.Column{Name: "name"}, Value: "a3"}).Create(asA)
	}, afterQuery: userLast, after: "a3 a"},
	{name: "Set Create for b", do: func(e *env) error {
		return gorm.G[User](e.db).Set(clause.Assignment{Column: clause.Column{Name: "TenantID"}, Value: "b"}).Create(asA)
	}, refused: tenancy.ErrTenantMismatch},
	{name: "Create Select", do: func(e *env) error {
		return gorm.G[User](e.db).Select("Name").Create(asA, &User{Name: "a3", Age: 3})
	}, afterQuery: userLast, after: "a3 a"},
	{name: "Create Omit", do: func(e *env) error {
		return gorm.G[User](e.db).Omit("TenantID").Create(asA, &User{Name: "a3"})
	}, afterQuery: userLast, after: "a3 a"},
	{name: "Create by Table", do: func(e *env) error {
		return gorm.G[User](e.db).Table("users").Create(asA, &User{Name: "a3"})
	}, afterQuery: userLast, after: "a3 a"},
	{name: "WithResult", do: func(e *env) error {
		result := gorm.WithResult()
		err := gorm.G[User](e.db, result).Create(asA, &User{Name: "a3"})
		e.see(result.RowsAffected)
		return err
	}, want: "1", afterQuery: userLast, after: "a3 a"},
	{name: "Returning", do: func(e *env) error {
		_, err := gorm.G[User](e.db, clause.Returning{}).Where("id IN (1, 3)").Delete(asA)
		return err
	}, afterQuery: usersOfA, after: "a2 a 20"},
	{name: "InnerJoin with conditions", do: func(e *env) error {
		if err := poach(e); err != nil {
			return err
		}
		defer heal(e)
		users, err := gorm.G[User](e.db).Joins(clause.InnerJoin.Association("Company"), func(q gorm.JoinBuilder, j, _ clause.Table) error {
			q.Where("?.name = 'zz'\nOR 1 = 1", j).Or("1 = 1")
			return nil
		}).Order("users.id").Find(asA)
		e.seeNames(users)
		return err
	}, want: "a2"},
	{name: "Joins climbing", do: func(e *env) error {
		_, err := gorm.G[User](e.db).Joins(clause.LeftJoin.Association("Company"), func(q gorm.JoinBuilder, _, _ clause.Table) error {
			q.Where("1 = 1) OR (1 = 1")
			return nil
		}).Find(asA)
		return err
	}, refused: tenancy.ErrUnconfined},
	{name: "Joins nested", do: func(e *env) error {
		users, err := gorm.G[User](e.db).Joins(clause.LeftJoin.Association("Manager"), nil).Joins(clause.LeftJoin.Association("Manager.Company").As("mc"), nil).Order("users.id").Find(asA)
		e.seeNames(users)
		if err == nil {
			e.see(users[1].Manager.Name)
		}
		return err
	}, want: "a1 a2 a1"},
	{name: "Joins AssociationFrom with everything", do: func(e *env) error {
		users, err := gorm.G[User](e.db).Joins(clause.InnerJoin.AssociationFrom("Company", gorm.G[Company](e.db).Where("1 = 0").Or("1 = 1")).As("t"), func(q gorm.JoinBuilder, _, _ clause.Table) error {
			q.Where("1 = 0\nOR 1 = 1")
			return nil
		}).Order("users.id").Find(asA)
		for _, u := range users {
			e.see(u.Name + ":" + u.Company.Name)
		}
		return err
	}, want: "a1:a-co a2:a-co"},
	{name: "Joins AssociationFrom as another tenant", do: func(e *env) error {
		b := e.db.WithContext(tenancy.WithTenant(asA, "b"))
		_, err := gorm.G[User](e.db).Joins(clause.LeftJoin.AssociationFrom("Company", gorm.Expr("?", b.Model(&Company{}))).As("t"), func(q gorm.JoinBuilder, _, _ clause.Table) error {
			q.Where("1 = 1")
			return nil
		}).Order("users.id").Find(asA)
		return err
	}, refused: tenancy.ErrTenantMismatch},
	{name: "Preload conditions", do: func(e *env) error {
		users, err := gorm.G[User](e.db).Preload("Pets", func(q gorm.PreloadBuilder) error {
			q.Where("1 = 0\nOR 1 = 1").Or("1 = 1").Order("id").Limit(5).Select("id", "user_id", "name")
			return nil
		}).Order("id").Find(asA)
		if err == nil {
			e.see(users[0].Pets[0].Name, users[1].Pets[0].Name)
		}
		return err
	}, want: "a-pet1 a-pet2"},
	{name: "Preload many to many nested", do: func(e *env) error {
		users, err := gorm.G[User](e.db).Preload("Languages", nil).Preload("Pets.Toy", nil).Preload("Manager.Pets", nil).Order("id").Find(asA)
		if err == nil {
			e.see(len(users[0].Languages), users[0].Pets[0].Toy.Name, users[1].Manager.Pets[0].Name)
		}
		return err
	}, want: "2 a-bone a-pet1"},
	{name: "Preload LimitPerRecord with conditions", do: func(e *env) error {
		if err := e.past("b", "UPDATE pets SET user_id = 1 WHERE tenant_id = 'b'"); err != nil { // as legacy data might
			return err
		}
		users, err := gorm.G[User](e.db).Preload("Pets", func(q gorm.PreloadBuilder) error {
			q.Where("1 = 0\nOR 1 = 1").Order("id DESC").LimitPerRecord(3)
			return nil
		}).Order("id").Find(asA)
		heal := e.past("b", "UPDATE pets SET user_id = id WHERE tenant_id = 'b'")
		for _, u := range users {
			for _, p := range u.Pets {
				e.see(p.Name)
			}
		}
		return errors.Join(err, heal)
	}, want: "a-pet1 a-pet2"},
	{name: "Preload LimitPerRecord of notes", do: func(e *env) error {
		users, err := gorm.G[User](e.db).Preload("Notes", func(q gorm.PreloadBuilder) error { q.LimitPerRecord(1); return nil }).Order("id").Find(asA)
		if err == nil {
			e.see(users[0].Notes[0].Text, users[1].Notes[0].Text)
		}
		return err
	}, want: "a-note1 a-note2"},
	{name: "Raw with Current", do: func(e *env) error {
		users, err := gorm.G[User](e.db).Raw("SELECT * FROM users WHERE tenant_id = @t ORDER BY id", sql.Named("t", tenancy.Current)).Find(asA)
		e.seeNames(users)
		return err
	}, want: "a1 a2"},
	{name: "Raw sub-query", do: func(e *env) error {
		_, err := gorm.G[User](e.db).Where("id IN (?)", gorm.G[Pet](e.db).Raw("SELECT user_id FROM pets")).Find(asA)
		return err
	}, refused: errAny}, // GORM itself has no sub-query of it
	{name: "Exec with Current", do: func(e *env) error {
		return gorm.G[User](e.db).Exec(asA, "UPDATE users SET age = 3 WHERE tenant_id = ?", tenancy.Current)
	}, afterQuery: usersOfA, after: "a1 a 3 a2 a 3"},
	{name: "transaction", do: func(e *env) error {
		return e.db.Transaction(func(tx *gorm.DB) error {
			if err := gorm.G[User](tx).Create(asA, &User{Name: "a3"}); err != nil {
				return err
			}
			n, err := gorm.G[User](tx).Count(asA, "*")
			e.see(n)
			return err
		})
	}, want: "3", differs: ofNobody},
	{name: "dry run", do: func(e *env) error {
		dry := e.a.Session(&gorm.Session{DryRun: true})
		users, err := gorm.G[User](dry).Where(everybody).Find(asA)
		e.see(len(users))
		return err
	}, want: "0"},
	{name: "composite key", do: func(e *env) error {
		docs, err := gorm.G[Doc](e.db).Preload("Lines", func(q gorm.PreloadBuilder) error { q.LimitPerRecord(1); return nil }).Order("id").Find(asA)
		for _, d := range docs {
			e.see(d.Title, fmt.Sprint(len(d.Lines)))
		}
		return err
	}, want: "a-doc1 1 a-doc2 0"},
}
