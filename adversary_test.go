package tenancy_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/gorm-tenancy/tenancy"
)

// attack is a try of tenant a at b's rows, or an unusual legitimate use next to one.
type attack struct {
	name    string
	do      func(e *env) error
	want    string
	refused bool
}

func scan(build func(e *env) *gorm.DB) func(e *env) error {
	return func(e *env) error {
		var got []string
		err := build(e).Scan(&got).Error
		e.see(strings.Join(got, " "))
		return err
	}
}

func ofUsers(build func(db *gorm.DB) *gorm.DB) func(e *env) error {
	return scan(func(e *env) *gorm.DB { return build(e.a.Model(&User{}).Select("name").Order("id")) })
}

type setClause struct {
	name string
	c    clause.Clause
}

func (s setClause) ModifyStatement(stmt *gorm.Statement) { stmt.Clauses[s.name] = s.c }
func (s setClause) Build(clause.Builder)                 {}

type hooked struct{ User }

func (hooked) TableName() string { return "users" }

func (h *hooked) BeforeUpdate(tx *gorm.DB) error {
	tx.Statement.SetColumn("TenantID", "b")
	return nil
}

func (h *hooked) BeforeDelete(tx *gorm.DB) error {
	tx.Statement.AddClause(clause.Where{Exprs: []clause.Expression{clause.Or(clause.Expr{SQL: "1=1"})}})
	return nil
}

func (h *hooked) BeforeCreate(tx *gorm.DB) error {
	h.TenantID = "b"
	return nil
}

var _ schema.Tabler = hooked{}

var attacks = []attack{
	{name: "Order with raw column", do: ofUsers(func(db *gorm.DB) *gorm.DB {
		return db.Order(clause.OrderByColumn{Column: clause.Column{Name: "(SELECT name FROM users)", Raw: true}})
	}), refused: true},
	{name: "Group is quoted", do: ofUsers(func(db *gorm.DB) *gorm.DB { return db.Group("name) UNION SELECT name FROM users --") }), refused: true},
	{name: "Having with or", do: scan(func(e *env) *gorm.DB {
		return e.a.Model(&User{}).Select("name").Group("name").Having("1=1\nOR 2=2").Order("name")
	}), want: "a1 a2"},
	{name: "Having climbs", do: ofUsers(func(db *gorm.DB) *gorm.DB { return db.Group("name").Having("1=1) UNION SELECT (1") }), refused: true},
	{name: "Select union", do: scan(func(e *env) *gorm.DB { return e.a.Model(&User{}).Select("name FROM users UNION SELECT name") }), refused: true},
	{name: "Select with arguments", do: scan(func(e *env) *gorm.DB {
		return e.a.Model(&User{}).Select("coalesce(name, ?)", "x").Order("id")
	}), want: "a1 a2"},
	{name: "Select expression climbs", do: scan(func(e *env) *gorm.DB {
		return e.a.Model(&User{}).Select("name, ?", gorm.Expr("(SELECT 1) FROM users --"))
	}), refused: true},
	{name: "Distinct text", do: scan(func(e *env) *gorm.DB {
		return e.a.Model(&User{}).Distinct("name FROM users UNION SELECT name")
	}), refused: true},
	{name: "condition map with odd keys", do: ofUsers(func(db *gorm.DB) *gorm.DB {
		return db.Where(map[string]any{"id` = 1 OR 1=1 --": 1})
	}), refused: true},
	{name: "create map with odd keys", do: func(e *env) error {
		return e.a.Model(&User{}).Create(map[string]any{"name": "x", "age`) VALUES ('b','stolen',1) --": 1}).Error
	}, refused: true},
	{name: "create map with two tenants", do: func(e *env) error {
		return e.a.Model(&User{}).Create(map[string]any{"name": "x", "tenant_id": "a", "TENANT_ID": "b"}).Error
	}, refused: true},
	{name: "update map with odd keys", do: func(e *env) error {
		return e.a.Model(&User{}).Where("1=1").Updates(map[string]any{"name` = 'x' --": 1}).Error
	}, refused: true},
	{name: "Update of the tenant by a capital", do: func(e *env) error {
		return e.a.Model(&User{}).Where("1=1").Updates(map[string]any{"Tenant_ID": "b"}).Error
	}, refused: true},
	{name: "Select tenant Updates struct", do: func(e *env) error {
		return e.a.Model(&User{}).Where("id = 1").Select("*").Updates(User{TenantID: "b", Name: "x"}).Error
	}, refused: true},
	{name: "UpdateColumns", do: func(e *env) error {
		return e.a.Model(&User{}).Where("id = 1").UpdateColumns(map[string]any{"tenant_id": "b"}).Error
	}, refused: true},
	{name: "hook changes the tenant on update", do: func(e *env) error {
		return e.a.Model(&hooked{User: User{ID: 1}}).Updates(map[string]any{"name": "x"}).Error
	}, refused: true},
	{name: "hook adds an or on delete", do: func(e *env) error {
		return e.a.Where("id = 3").Delete(&hooked{}).Error
	}},
	{name: "hook changes the tenant on create", do: func(e *env) error {
		return e.a.Create(&hooked{User: User{Name: "x"}}).Error
	}, refused: true},
	{name: "FirstOrCreate of b", do: func(e *env) error {
		return e.a.Where(User{TenantID: "b", Name: "b1"}).FirstOrCreate(&User{}).Error
	}, refused: true},
	{name: "FirstOrCreate Assign tenant", do: func(e *env) error {
		return e.a.Where(User{Name: "a1"}).Assign(map[string]any{"tenant_id": "b"}).FirstOrCreate(&User{}).Error
	}, refused: true},
	{name: "FirstOrInit", do: func(e *env) error {
		var u User
		err := e.a.Where("name = 'b1' OR name = 'a1'").FirstOrInit(&u).Error
		e.see(u.Name)
		return err
	}, want: "a1"},
	{name: "scope switches the table", do: func(e *env) error {
		var got []string
		err := e.a.Model(&Plan{}).Scopes(func(d *gorm.DB) *gorm.DB { return d.Table("users") }).Order("id").Pluck("name", &got).Error
		e.seeSorted(got)
		return err
	}, want: "a1 a2"},
	{name: "three-part table", do: scan(func(e *env) *gorm.DB { return e.a.Model(&Plan{}).Table("x.main.users").Select("name") }), refused: true},
	{name: "WHERE with a builder", do: ofUsers(func(db *gorm.DB) *gorm.DB {
		return db.Clauses(setClause{"WHERE", clause.Clause{Name: "WHERE", Builder: func(clause.Clause, clause.Builder) {}}})
	}), refused: true},
	{name: "SELECT AfterExpression", do: ofUsers(func(db *gorm.DB) *gorm.DB {
		return db.Clauses(setClause{"SELECT", clause.Clause{Name: "SELECT", AfterExpression: clause.Expr{SQL: ", (SELECT 1 FROM users)"}}})
	}), refused: true},
	{name: "dry run then reuse", do: func(e *env) error {
		tx := e.a.Session(&gorm.Session{DryRun: true}).Model(&User{}).Where("1=1")
		if err := tx.Find(&[]User{}).Error; err != nil {
			return err
		}
		var got []User
		err := tx.Session(&gorm.Session{NewDB: true}).Order("id").Find(&got).Error
		e.seeNames(got)
		return err
	}},
	{name: "ToSQL", do: func(e *env) error {
		s := e.a.ToSQL(func(tx *gorm.DB) *gorm.DB { return tx.Where("1=1\nOR 2=2").Find(&[]User{}) })
		if unquoted := strings.NewReplacer("`", "", `"`, "", "'", "").Replace(s); e.silos == nil && !strings.Contains(unquoted, "users.tenant_id = a AND (") {
			return errors.New(s)
		}
		return nil
	}},
	{name: "Session variants", do: func(e *env) error {
		for _, s := range []gorm.Session{
			{},
			{NewDB: true},
			{PrepareStmt: true},
			{SkipHooks: true},
			{AllowGlobalUpdate: true},
			{QueryFields: true},
			{Initialized: true},
			{FullSaveAssociations: true},
			{PropagateUnscoped: true},
			{DisableNestedTransaction: true},
		} {
			var got []User
			if err := e.a.Session(&s).Unscoped().Order("id").Find(&got).Error; err != nil {
				return err
			}
			if len(got) != 2 {
				e.seeNames(got)
			}
		}
		return nil
	}},
	{name: "AllowGlobalUpdate", do: func(e *env) error {
		return e.a.Session(&gorm.Session{AllowGlobalUpdate: true}).Delete(&Pet{}).Error
	}},
	{name: "Session without context", do: func(e *env) error {
		return e.a.Session(&gorm.Session{Context: context.Background()}).Find(&[]User{}).Error
	}, refused: true},
	{name: "Rows ScanRows", do: func(e *env) error {
		rows, err := e.a.Model(&User{}).Where("1=1\nOR 1=1").Order("id").Rows()
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var u User
			if err := e.db.ScanRows(rows, &u); err != nil {
				return err
			}
			e.see(u.Name)
		}
		return rows.Err()
	}, want: "a1 a2"},
	{name: "FindInBatches changes the model", do: func(e *env) error {
		var users []User
		return e.a.Where("1=1 OR 2=2").FindInBatches(&users, 1, func(tx *gorm.DB, _ int) error {
			e.seeNames(users)
			return nil
		}).Error
	}, want: "a1 a2"},
	{name: "Preload under Joins", do: func(e *env) error {
		var users []User
		err := e.a.Joins("Manager").Preload("Manager.Pets", "1=1 OR 1=1").Order("users.id").Find(&users).Error
		for _, u := range users {
			if u.Manager != nil {
				for _, p := range u.Manager.Pets {
					e.see(p.Name)
				}
			}
		}
		return err
	}, want: "a-pet1"},
	{name: "Association Find with raw join", do: func(e *env) error {
		var pets []Pet
		return e.a.Model(&User{ID: 1}).Joins("JOIN users u ON 1=1").Association("Pets").Find(&pets)
	}, refused: true},
	{name: "m2m upsert with b's language", do: func(e *env) error {
		return e.a.Clauses(clause.OnConflict{UpdateAll: true}).Create(&User{Name: "a3", Languages: []Language{{ID: 3, Name: "stolen"}}}).Error
	}, refused: true},
	{name: "CreateInBatches over b's rows", do: func(e *env) error {
		return e.a.Clauses(clause.OnConflict{UpdateAll: true}).CreateInBatches([]User{{Name: "a3"}, {ID: 3, Name: "stolen"}}, 1).Error
	}, refused: true},
	{name: "OnConstraint text", do: func(e *env) error {
		return e.a.Clauses(clause.OnConflict{OnConstraint: "x DO UPDATE SET name = 'stolen' --", UpdateAll: true}).Create(&User{ID: 3}).Error
	}, refused: true},
	{name: "OnConflict DoUpdates with raw column", do: func(e *env) error {
		return e.a.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "id"}}, DoUpdates: clause.Set{{Column: clause.Column{Name: "name = 'stolen' --", Raw: true}}}}).
			Create(&User{ID: 3}).Error
	}, refused: true},
	{name: "Returning raw text", do: func(e *env) error {
		var u User
		return e.a.Model(&u).Clauses(clause.Returning{Columns: []clause.Column{{Name: "(SELECT name FROM users WHERE id = 3) AS name", Raw: true}}}).
			Where("id = 1").Update("age", 1).Error
	}, refused: true},
	{name: "Valuer climbs", do: ofUsers(func(db *gorm.DB) *gorm.DB { return db.Where("id = ?", climber{}) }), refused: true},
	{name: "Count of a derived table", do: func(e *env) error {
		var n int64
		err := e.a.Table("(?) AS t", e.a.Model(&User{}).Select("name").Group("name")).Count(&n).Error
		e.see(n)
		return err
	}, want: "2"},
	{name: "MapColumns", do: func(e *env) error {
		var got []User
		err := e.a.MapColumns(map[string]string{"tenant_id": "name"}).Order("id").Find(&got).Error
		return errors.Join(err, sql.ErrNoRows)
	}, refused: true},
	{name: "generics with sub-query", do: func(e *env) error {
		got, err := gorm.G[User](e.a).Where("id IN (?)", e.db.Model(&User{}).Select("id")).Order("id").Find(asA)
		e.seeNames(got)
		return err
	}, want: "a1 a2"},
	{name: "nested Or groups", do: ofUsers(func(db *gorm.DB) *gorm.DB {
		fresh := db.Session(&gorm.Session{NewDB: true})
		return db.Or(fresh.Or("1=1").Or(fresh.Or("2=2").Not("3=3")))
	}), want: "a1 a2"},
	{name: "DoNothing without a conflict", do: func(e *env) error {
		return e.a.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "id"}}, DoNothing: true}).Create(&User{Name: "a3"}).Error
	}},
}

type climber struct{}

func (climber) GormValue(context.Context, *gorm.DB) clause.Expr {
	return clause.Expr{SQL: "1) OR (1=1"}
}

func TestAttacks(t *testing.T) { onAll(t, testAttacks) }

func testAttacks(t *testing.T, on backend) {
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			e := newEnvOn(t, on, &gorm.Config{})
			err := a.do(e)
			e.isolated()
			if a.refused && on.kind != "" { // it may run where the database holds tenants
				return
			}
			if (err != nil) != a.refused {
				t.Errorf("error %v, want one: %v", err, a.refused)
			}
			if got := strings.Join(e.seen, " "); err == nil && got != a.want {
				t.Errorf("saw %q, want %q", got, a.want)
			}
		})
	}
}

var _ = tenancy.ErrUnconfined
