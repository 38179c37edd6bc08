package tenancy_test

import (
	"database/sql"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/gorm-tenancy/tenancy"
)

type userName struct{ Name string }

func find(conds ...any) func(e *env) error {
	return func(e *env) error {
		var users []User
		err := e.a.Order("id").Find(&users, conds...).Error
		e.seeNames(users)
		return err
	}
}

func where(build func(db *gorm.DB) *gorm.DB) func(e *env) error {
	return func(e *env) error {
		var users []User
		err := build(e.a).Order("users.id").Find(&users).Error
		e.seeNames(users)
		return err
	}
}

// seeRows reads users as ScanRows does.
func (e *env) seeRows(rows *sql.Rows, err error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var u User
		if err := e.a.ScanRows(rows, &u); err != nil {
			return err
		}
		e.see(u.Name)
	}
	return rows.Err()
}

var readRoutes = []route{
	{name: "Find", do: find(), want: "a1 a2"},
	{name: "Find by foreign id", do: find(3), want: ""},
	{name: "Find by ids", do: find([]int{1, 3}), want: "a1"},
	{name: "Find inline", do: find("age > ?", 5), want: "a1 a2"},
	{name: "Find inline or", do: find("name = 'a1' or name = 'b1'"), want: "a1"},
	{name: "Find inline struct", do: find(&User{Name: "a2"}), want: "a2"},
	{name: "Find inline map", do: find(map[string]any{"name": []string{"a1", "b1"}}), want: "a1"},
	{name: "First", do: func(e *env) error {
		var u User
		err := e.a.First(&u).Error
		e.see(u.Name)
		return err
	}, want: "a1"},
	{name: "First by own id", do: func(e *env) error {
		var u User
		err := e.a.First(&u, 2).Error
		e.see(u.Name)
		return err
	}, want: "a2"},
	{name: "First by foreign id", do: func(e *env) error { return e.a.First(&User{}, 3).Error }, refused: gorm.ErrRecordNotFound},
	{name: "First by foreign pk in dest", do: func(e *env) error { return e.a.First(&User{ID: 3}).Error }, refused: gorm.ErrRecordNotFound},
	{name: "First by own pk in dest", do: func(e *env) error {
		u := User{ID: 2}
		err := e.a.First(&u).Error
		e.see(u.Name)
		return err
	}, want: "a2"},
	{name: "Take Last", do: func(e *env) error {
		var u, v User
		if err := e.a.Take(&u).Error; err != nil {
			return err
		}
		err := e.a.Last(&v).Error
		e.see(u.Name, v.Name)
		return err
	}, want: "a1 a2"},
	{name: "Where Or", do: where(func(db *gorm.DB) *gorm.DB { return db.Where("name = ?", "a1").Or("name = ?", "b1") }), want: "a1"},
	{name: "lone Or", do: where(func(db *gorm.DB) *gorm.DB { return db.Or("age > ?", 0) }), want: "a1 a2"},
	{name: "Or before Where", do: where(func(db *gorm.DB) *gorm.DB { return db.Or("name = ?", "a1").Where("name = ?", "a2") }), want: "a1 a2"},
	{name: "Or struct", do: where(func(db *gorm.DB) *gorm.DB { return db.Where(&User{Name: "a1"}).Or(&User{Name: "b1"}) }), want: "a1"},
	{name: "Or map", do: where(func(db *gorm.DB) *gorm.DB {
		return db.Where("name = 'x'").Or(map[string]any{"name": "b1"}).Or(map[string]any{"name": "a2"})
	}), want: "a2"},
	{name: "multi-line or", do: where(func(db *gorm.DB) *gorm.DB { return db.Where("name = 'a1'\nOR name = 'b1'") }), want: "a1"},
	{name: "tab or", do: where(func(db *gorm.DB) *gorm.DB { return db.Where("name = 'a1'\tOR\tname = 'b1'") }), want: "a1"},
	{name: "or without blanks", do: where(func(db *gorm.DB) *gorm.DB { return db.Where("(name = 'a1')OR(name = 'b1')") }), want: "a1"},
	{name: "line comment at the end", do: where(func(db *gorm.DB) *gorm.DB { return db.Where("name = 'a1' OR name = 'b1' -- both") }), want: "a1"},
	{name: "line comment inside", do: where(func(db *gorm.DB) *gorm.DB { return db.Where("name = 'a1' -- first\n OR name = 'b1'") }), want: "a1"},
	{name: "two comments", do: where(func(db *gorm.DB) *gorm.DB { return db.Where("age > 0 -- x").Where("name <> 'a2' -- y") }), want: "a1", differs: map[string]difference{
		"schema": {why: "conditions are left as they are, and comments hide what GORM puts on their line", want: "a1 a2"},
	}},
	{name: "comment in Or", do: where(func(db *gorm.DB) *gorm.DB { return db.Where("name = 'zz' -- x").Or("age > 0 -- y") }), want: "a1 a2", differs: map[string]difference{
		"schema": {why: "conditions are left as they are, and comments hide what GORM puts on their line"},
	}},
	{name: "block comment", do: where(func(db *gorm.DB) *gorm.DB { return db.Where("name = 'a1' /* or so */ OR name = 'b1'") }), want: "a1"},
	{name: "unclosed block comment", do: where(func(db *gorm.DB) *gorm.DB { return db.Where("1 = 1 /* ") }), refused: tenancy.ErrUnconfined},
	{name: "climbing parentheses", do: where(func(db *gorm.DB) *gorm.DB { return db.Where("1=1) OR (1=1") }), refused: tenancy.ErrUnconfined},
	{name: "climbing parentheses in Or", do: where(func(db *gorm.DB) *gorm.DB { return db.Where("1=1").Or("1=1) OR (1=1") }), refused: tenancy.ErrUnconfined},
	{name: "climbing in map value", do: where(func(db *gorm.DB) *gorm.DB {
		return db.Where(map[string]any{"id": gorm.Expr("1) OR (1=1")})
	}), refused: tenancy.ErrUnconfined},
	{name: "expression in map value", do: where(func(db *gorm.DB) *gorm.DB {
		return db.Where(map[string]any{"id": gorm.Expr("1 OR 1=1")})
	}), want: "a1 a2"},
	{name: "one-element IN with expression", do: where(func(db *gorm.DB) *gorm.DB {
		return db.Where(clause.IN{Column: "id", Values: []any{gorm.Expr("1 OR 1=1")}})
	}), want: "a1 a2"},
	{name: "semicolon", do: where(func(db *gorm.DB) *gorm.DB { return db.Where("1=1; SELECT 1") }), refused: tenancy.ErrUnconfined},
	{name: "parenthesis in a string", do: where(func(db *gorm.DB) *gorm.DB { return db.Where("name <> ')' OR name = '('") }), want: "a1 a2"},
	{name: "Not", do: where(func(db *gorm.DB) *gorm.DB { return db.Not("name = 'a1'") }), want: "a2"},
	{name: "Not multi-line or", do: where(func(db *gorm.DB) *gorm.DB { return db.Not("name = 'a1'\nOR 1 = 1 AND name = 'b1'") }), want: "a2"},
	{name: "Not struct", do: where(func(db *gorm.DB) *gorm.DB { return db.Not(&User{Name: "a2"}) }), want: "a1"},
	{name: "Not map", do: where(func(db *gorm.DB) *gorm.DB { return db.Not(map[string]any{"name": []string{"a2"}}) }), want: "a1"},
	{name: "grouped conditions", do: where(func(db *gorm.DB) *gorm.DB {
		fresh := db.Session(&gorm.Session{NewDB: true})
		return db.Where(fresh.Where("name = 'a1'").Or("name = 'b1'")).Or(fresh.Where("age = 20").Where("1=1"))
	}), want: "a1 a2"},
	{name: "Clauses Where", do: where(func(db *gorm.DB) *gorm.DB {
		return db.Clauses(clause.Where{Exprs: []clause.Expression{clause.Or(clause.Eq{Column: "name", Value: "b1"}, clause.Eq{Column: "name", Value: "a1"})}})
	}), want: "a1"},
	{name: "Clauses expression", do: where(func(db *gorm.DB) *gorm.DB { return db.Clauses(clause.Eq{Column: "name", Value: "a2"}) }), want: "a2"},
	{name: "foreign tenant asked for", do: where(func(db *gorm.DB) *gorm.DB { return db.Where("tenant_id = ?", "b") }), want: ""},
	{name: "foreign tenant or", do: where(func(db *gorm.DB) *gorm.DB { return db.Where("name = 'a1'").Or("tenant_id = ?", "b") }), want: "a1"},
	{name: "foreign tenant by struct", do: where(func(db *gorm.DB) *gorm.DB { return db.Where(&User{TenantID: "b"}) }), want: ""},
	{name: "Scopes", do: where(func(db *gorm.DB) *gorm.DB {
		return db.Scopes(func(d *gorm.DB) *gorm.DB { return d.Or("name = 'b1'").Or("name = 'a1'") })
	}), want: "a1"},
	{name: "Group Having", do: where(func(db *gorm.DB) *gorm.DB { return db.Group("id").Having("count(*) > 0 OR 1=1") }), want: "a1 a2"},
	{name: "Distinct", do: where(func(db *gorm.DB) *gorm.DB { return db.Distinct("name", "id") }), want: "a1 a2"},
	{name: "Limit Offset", do: where(func(db *gorm.DB) *gorm.DB { return db.Limit(1).Offset(1) }), want: "a2"},
	{name: "Locking", do: where(func(db *gorm.DB) *gorm.DB { return db.Clauses(clause.Locking{Strength: "UPDATE"}) }), want: "a1 a2"},
	{name: "Select and Omit", do: where(func(db *gorm.DB) *gorm.DB { return db.Select("id", "name") }), want: "a1 a2"},
	{name: "Omit tenant", do: where(func(db *gorm.DB) *gorm.DB { return db.Omit("TenantID") }), want: "a1 a2"},
	{name: "Unscoped", do: where(func(db *gorm.DB) *gorm.DB { return db.Unscoped() }), want: "a1 a2"},
	{name: "Unscoped soft delete", do: func(e *env) error {
		if err := e.a.Delete(&Note{}, 1).Error; err != nil {
			return err
		}
		var live, all []string
		if err := e.a.Model(&Note{}).Order("id").Pluck("text", &live).Error; err != nil {
			return err
		}
		err := e.a.Unscoped().Model(&Note{}).Order("id").Pluck("text", &all).Error
		e.see(live, all)
		return err
	}, want: "[a-note2] [a-note1 a-note2]"},
	{name: "soft delete or", do: func(e *env) error {
		var text []string
		err := e.a.Model(&Note{}).Where("text = 'a-note1'").Or("text LIKE '%note2'").Order("id").Pluck("text", &text).Error
		e.see(text)
		return err
	}, want: "[a-note1 a-note2]"},
	{name: "Count", do: func(e *env) error {
		var n, m int64
		if err := e.a.Model(&User{}).Count(&n).Error; err != nil {
			return err
		}
		err := e.a.Model(&User{}).Where("age > 0").Or("1=1").Distinct("company_id").Count(&m).Error
		e.see(n, m)
		return err
	}, want: "2 1"},
	{name: "Count grouped", do: func(e *env) error {
		var n int64
		err := e.a.Model(&User{}).Group("company_id").Count(&n).Error
		e.see(n)
		return err
	}, want: "1"},
	{name: "Pluck", do: func(e *env) error {
		var names []string
		err := e.a.Model(&User{}).Order("id").Pluck("name", &names).Error
		e.see(names)
		return err
	}, want: "[a1 a2]"},
	{name: "Scan into struct", do: func(e *env) error {
		var names []userName
		err := e.a.Model(&User{}).Order("id").Scan(&names).Error
		e.see(names)
		return err
	}, want: "[{a1} {a2}]"},
	{name: "smaller struct", do: func(e *env) error {
		var names []userName
		err := e.a.Model(&User{}).Order("id").Find(&names).Error
		e.see(names)
		return err
	}, want: "[{a1} {a2}]"},
	{name: "map", do: func(e *env) error {
		m := map[string]any{}
		err := e.a.Model(&User{}).Select("name").Last(&m).Error
		e.see(m["name"])
		return err
	}, want: "a2"},
	{name: "maps", do: func(e *env) error {
		var m []map[string]any
		err := e.a.Model(&User{}).Select("name").Order("id").Find(&m).Error
		e.see(m)
		return err
	}, want: "[map[name:a1] map[name:a2]]"},
	{name: "aggregate", do: func(e *env) error {
		var sum int
		err := e.a.Model(&User{}).Select("sum(age)").Scan(&sum).Error
		e.see(sum)
		return err
	}, want: "30"},
	{name: "Row", do: func(e *env) error {
		var name string
		err := e.a.Model(&User{}).Select("name").Where("name = 'a2'\nor name = 'b2'").Row().Scan(&name)
		e.see(name)
		return err
	}, want: "a2"},
	{name: "Rows ScanRows", do: func(e *env) error {
		return e.seeRows(e.a.Model(&User{}).Order("id").Rows())
	}, want: "a1 a2"},
	{name: "Row without tenant", do: func(e *env) error {
		var name string
		return e.db.Model(&User{}).Select("name").Row().Scan(&name)
	}, refused: tenancy.ErrNoTenant},
	{name: "Rows without tenant", do: func(e *env) error {
		rows, err := e.db.Model(&User{}).Rows()
		if rows != nil {
			rows.Close()
		}
		return err
	}, refused: tenancy.ErrNoTenant},
	{name: "FindInBatches", do: func(e *env) error {
		var users []User
		return e.a.FindInBatches(&users, 1, func(*gorm.DB, int) error { e.seeNames(users); return nil }).Error
	}, want: "a1 a2"},
	{name: "FindInBatches callback tx", do: func(e *env) error {
		var users []User
		return e.a.FindInBatches(&users, 1, func(tx *gorm.DB, _ int) error {
			var n int64
			err := tx.Model(&User{}).Count(&n).Error
			e.see(n)
			return err
		}).Error
	}, want: "2 2"},
	{name: "composite key", do: func(e *env) error {
		var d Doc
		err := e.a.First(&d, "id = ?", 1).Error
		e.see(d.Title)
		return err
	}, want: "a-doc1"},
	{name: "composite key of b", do: func(e *env) error {
		return e.a.First(&Doc{TenantID: "b", ID: 1}).Error
	}, refused: gorm.ErrRecordNotFound},
	{name: "Table with maps", do: func(e *env) error {
		var m []map[string]any
		err := e.a.Table("users").Select("name").Order("id").Find(&m).Error
		e.see(m)
		return err
	}, want: "[map[name:a1] map[name:a2]]"},
	{name: "Table with scalar", do: func(e *env) error {
		var names []string
		err := e.a.Table("users").Order("id").Pluck("name", &names).Error
		e.see(names)
		return err
	}, want: "[a1 a2]"},
	{name: "Table with DTO", do: func(e *env) error {
		var names []userName
		err := e.a.Table("users").Order("id").Find(&names).Error
		e.see(names)
		return err
	}, want: "[{a1} {a2}]"},
	{name: "Table AS alias", do: func(e *env) error {
		var names []string
		err := e.a.Table("users AS u").Where("u.name = 'a1' or u.name = 'b1'").Pluck("u.name", &names).Error
		e.see(names)
		return err
	}, want: "[a1]"},
	{name: "Table alias", do: func(e *env) error {
		var names []string
		err := e.a.Table("users u").Order("u.id").Pluck("u.name", &names).Error
		e.see(names)
		return err
	}, want: "[a1 a2]"},
	{name: "Table quoted", do: func(e *env) error {
		var names []string
		err := e.a.Table(e.db.Statement.Quote("users")).Order("id").Pluck("name", &names).Error
		e.see(names)
		return err
	}, want: "[a1 a2]"},
	{name: "Table capitals", do: func(e *env) error {
		var names []string
		err := e.a.Table("USERS").Order("id").Pluck("name", &names).Error
		if err == nil {
			e.see(names)
		}
		return err
	}, want: "[a1 a2]", differs: map[string]difference{
		"postgres": {why: "a quoted name has its letters' case", refused: errAny},
		"mysql":    {why: "names of tables are names of files, in lower case here", refused: errAny},
	}},
	{name: "Table qualified", do: func(e *env) error {
		var names []string
		err := e.a.Table(e.schema(e)+".users").Order("id").Pluck("name", &names).Error
		e.see(names)
		return err
	}, want: "[a1 a2]"},
	{name: "Table two", do: func(e *env) error {
		var names []string
		return e.a.Table("users, plans").Pluck("users.name", &names).Error
	}, refused: tenancy.ErrUnconfined},
	{name: "Table unknown", do: func(e *env) error {
		var names []string
		return e.a.Table("user_secrets").Pluck("name", &names).Error
	}, refused: tenancy.ErrUndeclared},
	{name: "Table sub-select text", do: func(e *env) error {
		var names []string
		return e.a.Table("(SELECT * FROM users) AS u").Pluck("name", &names).Error
	}, refused: tenancy.ErrUnconfined},
	{name: "Table of central", do: func(e *env) error {
		var names []string
		err := e.a.Table("plans").Order("id").Pluck("name", &names).Error
		if err == nil {
			e.see(names)
		}
		return err
	}, want: "[free gold]", differs: noCentral},
	{name: "join table read directly", do: func(e *env) error {
		var ids []int
		err := e.a.Table("user_languages").Order("language_id, user_id").Pluck("language_id", &ids).Error
		e.see(ids)
		return err
	}, want: "[1 1 2]"},
	{name: "clause.From tables", do: func(e *env) error {
		var names []string
		err := e.a.Model(&User{}).Clauses(clause.From{Tables: []clause.Table{{Name: "users"}, {Name: "pets"}}}).
			Where("pets.user_id = users.id OR 1=1").Order("pets.name").Distinct("pets.name").Pluck("pets.name", &names).Error
		e.see(names)
		return err
	}, want: "[a-pet1 a-pet2]"},
	{name: "central model", do: func(e *env) error {
		var plans []Plan
		err := e.a.Where("name = ?", "free").Or("name = ?", "gold").Find(&plans).Error
		e.see(len(plans))
		return err
	}, want: "2"},
	{name: "no tenant", do: func(e *env) error { return e.db.Find(&[]User{}).Error }, refused: tenancy.ErrNoTenant},
	{name: "central context", do: func(e *env) error {
		return e.db.WithContext(tenancy.Central(asA)).Find(&[]User{}).Error
	}, refused: tenancy.ErrNoTenant},
	{name: "Select text with from", do: where(func(db *gorm.DB) *gorm.DB { return db.Select("* FROM users --") }), refused: tenancy.ErrUnconfined},
	{name: "Select text with sub-select", do: where(func(db *gorm.DB) *gorm.DB { return db.Select("(SELECT name FROM users LIMIT 1) AS name") }), refused: tenancy.ErrUnconfined},
	{name: "Order text with sub-select", do: where(func(db *gorm.DB) *gorm.DB {
		return db.Order("(SELECT count(*) FROM pets WHERE pets.user_id = users.id)")
	}), refused: tenancy.ErrUnconfined},
	{name: "Order text", do: where(func(db *gorm.DB) *gorm.DB { return db.Order("CASE WHEN name = 'a2' THEN 0 ELSE 1 END") }), want: "a2 a1"},
	{name: "Order comment", do: where(func(db *gorm.DB) *gorm.DB { return db.Order("id --") }), refused: tenancy.ErrUnconfined},
	{name: "Order expression", do: func(e *env) error {
		var users []User
		err := e.a.Clauses(clause.OrderBy{Expression: clause.Expr{SQL: "name = ? DESC", Vars: []any{"a2"}, WithoutParentheses: true}}).Find(&users).Error
		e.seeNames(users)
		return err
	}, want: "a2 a1"},
	{name: "Having sub-select text", do: where(func(db *gorm.DB) *gorm.DB {
		return db.Group("name").Having("count(*) < (SELECT count(*) FROM users)")
	}), refused: tenancy.ErrUnconfined},
	{name: "WHERE with builder", do: func(e *env) error {
		tx := e.a.Model(&User{})
		tx.Statement.Clauses["WHERE"] = clause.Clause{Name: "WHERE", Builder: func(_ clause.Clause, b clause.Builder) { b.WriteString("WHERE 1=1") }}
		return tx.Find(&[]User{}).Error
	}, refused: tenancy.ErrUnconfined},
	{name: "WHERE AfterExpression", do: func(e *env) error {
		tx := e.a.Model(&User{})
		tx.Statement.Clauses["WHERE"] = clause.Clause{Name: "WHERE", Expression: clause.Where{Exprs: []clause.Expression{clause.Eq{Column: "id", Value: 1}}}, AfterExpression: clause.Expr{SQL: "OR 1=1"}}
		return tx.Find(&[]User{}).Error
	}, refused: tenancy.ErrUnconfined},
}
