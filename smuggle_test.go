package tenancy_test

import (
	"context"
	"strings"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// smuggle is an attack as tenant a. It must be refused, or do nothing to b.
type smuggle struct {
	name string
	do   func(e *env) error
}

func read(build func(e *env) *gorm.DB) func(e *env) error {
	return func(e *env) error {
		var got []string
		err := build(e).Scan(&got).Error
		for _, one := range got {
			e.see(one)
		}
		return err
	}
}

func users(cond ...any) func(e *env) error {
	return read(func(e *env) *gorm.DB { return e.a.Model(&User{}).Select("name").Where(cond[0], cond[1:]...) })
}

// climbing writes its own text.
type climbing struct{ SQL string }

func (c climbing) GormValue(context.Context, *gorm.DB) clause.Expr { return clause.Expr{SQL: c.SQL} }

type clauseEdit func(*gorm.Statement)

func (f clauseEdit) ModifyStatement(s *gorm.Statement) { f(s) }
func (f clauseEdit) Build(clause.Builder)              {}

func after(name, sql string) clauseEdit {
	return func(s *gorm.Statement) {
		c := s.Clauses[name]
		c.Name = name
		c.AfterExpression = clause.Expr{SQL: sql}
		s.Clauses[name] = c
	}
}

var smuggles = []smuggle{
	{name: "WHERE removed from BuildClauses", do: func(e *env) error {
		var got []User
		tx := e.a.Model(&User{})
		tx.Statement.BuildClauses = []string{"SELECT", "FROM"}
		err := tx.Find(&got).Error
		e.seeNames(got)
		return err
	}},
	{name: "typed slice of expressions climbs", do: users("id IN ?", []clause.Expr{{SQL: "1)) OR ((1=1"}})},
	{name: "typed slice in Eq", do: func(e *env) error {
		return read(func(e *env) *gorm.DB {
			return e.a.Model(&User{}).Select("name").Clauses(clause.Eq{Column: "id", Value: []clause.Expr{{SQL: "1) OR (1=1"}}})
		})(e)
	}},
	{name: "typed slice sub-select", do: read(func(e *env) *gorm.DB {
		return e.a.Model(&Plan{}).Select("coalesce(?, 'x')", []clause.Expr{{SQL: "(SELECT group_concat(' ' || name) FROM users)"}})
	})},
	{name: "slice of slices", do: users("(id, age) IN ?", [][]any{{clause.Expr{SQL: "1,1))) OR (((1=1"}}})},
	{name: "named struct field", do: users("id = @ID", struct{ ID any }{gorm.Expr("1) OR (1=1")})},
	{name: "named typed slice", do: users("id IN @ids", map[string]any{"ids": []clause.Expr{{SQL: "1)) OR ((1=1"}}})},
	{name: "pointer to Expr as value", do: users("id = ?", &clause.Expr{SQL: "1) OR (1=1"})},
	{name: "pointer to Expr as condition", do: users(&clause.Expr{SQL: "1=1) OR (1=1"})},
	{name: "pointer to Expr sub-select", do: users("id = ?", &clause.Expr{SQL: "(SELECT 1) OR id > (SELECT min(id) FROM users)"})},
	{name: "pointer to Eq with raw column", do: users(&clause.Eq{Column: clause.Column{Name: "1=1) OR (1", Raw: true}, Value: 1})},
	{name: "clause as value", do: users("1 = ?", clause.Select{Columns: []clause.Column{{Name: "1) OR (1=1", Raw: true}}})},
	{name: "clause.Where as value", do: users("?", clause.OrderBy{Columns: []clause.OrderByColumn{{Column: clause.Column{Name: "1=1) OR (1=1", Raw: true}}}})},
	{name: "clause.OrderBy as condition", do: users(clause.OrderBy{Columns: []clause.OrderByColumn{{Column: clause.Column{Name: "1=1) OR (1=1", Raw: true}}}})},
	{name: "clause.Join as value", do: read(func(e *env) *gorm.DB {
		return e.a.Model(&Plan{}).Select("(SELECT group_concat(' ' || u.name) FROM plans p ?)", clause.Join{Table: clause.Table{Name: "users", Alias: "u"}})
	})},
	{name: "clause.Table as value", do: read(func(e *env) *gorm.DB {
		return e.a.Model(&Plan{}).Select("(SELECT group_concat(' ' || name) FROM ?)", clause.Table{Name: "users"}).Limit(1)
	})},
	{name: "clause.Table as value in Where", do: func(e *env) error {
		var n int64
		err := e.a.Model(&Plan{}).Where("(SELECT count(*) FROM ?) = 4", clause.Table{Name: "users"}).Count(&n).Error
		if n > 0 {
			e.see("b was counted")
		}
		return err
	}},
	{name: "clause.Column as table", do: func(e *env) error {
		var n int64
		err := e.a.Model(&Plan{}).Where("(SELECT count(*) FROM ?) = 4", clause.Column{Name: "users"}).Count(&n).Error
		if n > 0 {
			e.see("b was counted")
		}
		return err
	}},
	{name: "Expr name as table", do: func(e *env) error {
		var n int64
		err := e.a.Model(&Plan{}).Where("(SELECT count(*) FROM ?) = 4", gorm.Expr("users")).Count(&n).Error
		if n > 0 {
			e.see("b was counted")
		}
		return err
	}},
	{name: "raw join of clause.Table", do: read(func(e *env) *gorm.DB {
		return e.a.Model(&Plan{}).Select("u.name").Joins("JOIN ? AS u ON 1 = 1", clause.Table{Name: "users"})
	})},
	{name: "Table with clause.Table", do: read(func(e *env) *gorm.DB {
		return e.a.Table("?", clause.Table{Name: "users"}).Select("name")
	})},
	{name: "Table with two sub-queries", do: read(func(e *env) *gorm.DB {
		return e.a.Table("(?) AS p, (?) AS u", e.db.Model(&Plan{}), gorm.Expr("SELECT * FROM users")).Select("u.name")
	})},
	{name: "Table with Expr", do: read(func(e *env) *gorm.DB {
		return e.a.Table("? AS u", gorm.Expr("(SELECT * FROM users)")).Select("u.name")
	})},
	{name: "From names the alias", do: read(func(e *env) *gorm.DB {
		return e.a.Table("plans AS users").Clauses(clause.From{Tables: []clause.Table{{Name: "users"}}}).Select("name")
	})},
	{name: "From names the derived table", do: read(func(e *env) *gorm.DB {
		return e.a.Table("(?) AS users", e.a.Model(&Plan{})).Clauses(clause.From{Tables: []clause.Table{{Name: "users"}}}).Select("name")
	})},
	{name: "Update clause names the alias", do: func(e *env) error {
		return e.a.Table("plans AS users").Clauses(clause.Update{Table: clause.Table{Name: "users"}}).Where("1=1").Update("name", "x").Error
	}},
	{name: "Statement.Table qualified on central model", do: read(func(e *env) *gorm.DB {
		return e.a.Model(&Plan{}).Select("name").Scopes(func(d *gorm.DB) *gorm.DB { d.Statement.Table = "main.users"; return d })
	})},
	{name: "Update modifier", do: func(e *env) error {
		return e.a.Model(&User{}).Where("1=1").Clauses(clause.Update{Modifier: "users SET age = 99 --"}).Update("name", "x").Error
	}},
	{name: "Delete modifier", do: func(e *env) error {
		return e.a.Where("1=1").Clauses(clause.Delete{Modifier: "FROM pets --"}).Delete(&Pet{}).Error
	}},
	{name: "Insert modifier", do: func(e *env) error {
		return e.a.Clauses(clause.Insert{Modifier: "INTO users(tenant_id,name) VALUES('b','stolen') --"}).Create(&User{Name: "x"}).Error
	}},
	{name: "FROM AfterExpression", do: read(func(e *env) *gorm.DB {
		return e.a.Model(&User{}).Select("u.name").Clauses(after("FROM", ", users u")).Where("1=1")
	})},
	{name: "FROM AfterExpression on central", do: read(func(e *env) *gorm.DB {
		return e.a.Model(&Plan{}).Select("u.name").Clauses(clause.From{}, after("FROM", ", users u"))
	})},
	{name: "LIMIT AfterExpression", do: read(func(e *env) *gorm.DB {
		return e.a.Model(&User{}).Select("name").Clauses(clause.Limit{Limit: ptr(1)}, after("LIMIT", "+ (SELECT count(*) FROM users)"))
	})},
	{name: "ON CONFLICT AfterExpression", do: func(e *env) error {
		return e.a.Clauses(clause.OnConflict{UpdateAll: true}, after("ON CONFLICT", "OR 1=1")).Create(&User{ID: 3, Name: "stolen"}).Error
	}},
	{name: "SET AfterExpression", do: func(e *env) error {
		return e.a.Model(&User{}).Where("1=1").Clauses(clause.Set{{Column: clause.Column{Name: "age"}, Value: 9}}, after("SET", "WHERE 1=1 --")).Updates(nil).Error
	}},
	{name: "TargetWhere with a comment", do: func(e *env) error {
		return e.a.Clauses(clause.OnConflict{
			Columns:     []clause.Column{{Name: "id"}},
			TargetWhere: clause.Where{Exprs: []clause.Expression{clause.Expr{SQL: "1=1 DO UPDATE SET name='stolen' --"}}},
			DoUpdates:   clause.AssignmentColumns([]string{"name"}),
		}).Create(&User{ID: 3, Name: "x"}).Error
	}},
	{name: "TargetWhere with a second conflict", do: func(e *env) error {
		return e.a.Clauses(clause.OnConflict{
			Columns:     []clause.Column{{Name: "id"}},
			TargetWhere: clause.Where{Exprs: []clause.Expression{clause.Expr{SQL: "1=1 DO UPDATE SET name='stolen' ON CONFLICT (id)"}}},
			DoUpdates:   clause.AssignmentColumns([]string{"name"}),
		}).Create(&User{ID: 3, Name: "x"}).Error
	}},
	{name: "nested expression with a comma", do: func(e *env) error {
		return e.a.Model(&User{}).Where("id = 1").Update("age", gorm.Expr("?", gorm.Expr("1, tenant_id = 'b'"))).Error
	}},
	{name: "Valuer with a comma", do: func(e *env) error {
		return e.a.Model(&User{}).Where("id = 1").Updates(map[string]any{"age": climbing{"1, tenant_id = 'b'"}}).Error
	}},
	{name: "pointer expression with a comma", do: func(e *env) error {
		return e.a.Model(&User{}).Where("id = 1").Updates(map[string]any{"age": &clause.Expr{SQL: "1, tenant_id = 'b'"}}).Error
	}},
	{name: "pointer expression ends the values", do: func(e *env) error {
		return e.a.Model(&User{}).Create(map[string]any{"name": "x", "age": &clause.Expr{SQL: "1,'b','stolen'),(2"}}).Error
	}},
	{name: "raw string as table", do: read(func(e *env) *gorm.DB { return e.a.Raw("SELECT name FROM 'users'") })},
	{name: "raw string as table without tenant", do: read(func(e *env) *gorm.DB { return e.db.Raw("SELECT name FROM 'users'") })},
	{name: "string as table in condition", do: users("id = 1 AND 4 = (SELECT count(*) FROM 'users')")},
	{name: "raw insert", do: func(e *env) error {
		return e.a.Exec("INSERT INTO users (tenant_id, name) VALUES ('b', 'stolen')").Error
	}},
	{name: "CTE shadows in a sub-select", do: read(func(e *env) *gorm.DB {
		return e.a.Raw("SELECT name FROM users WHERE 1 IN (WITH users AS (SELECT 1 AS id) SELECT id FROM users)")
	})},
	{name: "polymorphic id alone", do: func(e *env) error {
		return e.a.Model(&Toy{}).Where("id = 1").Update("owner_id", 3).Error
	}},
	{name: "foreign key in capitals, update", do: func(e *env) error {
		return e.a.Model(&Pet{}).Where("id = 1").Updates(map[string]any{"USER_ID": 3}).Error
	}},
	{name: "foreign key in capitals, create", do: func(e *env) error {
		return e.a.Model(&Pet{}).Create(map[string]any{"name": "p", "USER_ID": 3}).Error
	}},
	{name: "tenant key with a stray quote", do: func(e *env) error {
		return e.a.Model(&User{}).Create(map[string]any{"name": "stolen", "tenant_`id": "b"}).Error
	}},
	{name: "SQLite variable swallows a quote", do: read(func(e *env) *gorm.DB {
		return e.a.Model(&User{}).Select("name").Where(clause.Expr{SQL: "1=1 OR 1=$x(') ) OR (1=1 --')\n", Vars: []any{1}})
	})},
	{name: "SQLite variable swallows a quote 2", do: read(func(e *env) *gorm.DB {
		return e.a.Model(&User{}).Select("name").Where(clause.Expr{SQL: "1=1 OR 1=#x(')) OR (1=1 --')\n", Vars: []any{1}})
	})},
	{name: "LIMIT of another type", do: read(func(e *env) *gorm.DB {
		tx := e.a.Model(&User{}).Select("name")
		tx.Statement.Clauses["LIMIT"] = clause.Clause{Name: "LIMIT", Expression: clause.Expr{SQL: "1 + (SELECT count(*) FROM users)"}}
		return tx
	})},
}

// harmless are the attacks that are not refused and read the tenant's own rows.
var harmless = map[string]bool{"From names the alias": true, "From names the derived table": true, "Statement.Table qualified on central model": true}

func TestSmuggledText(t *testing.T) { onAll(t, testSmuggledText) }

func testSmuggledText(t *testing.T, on backend) {
	for _, f := range smuggles {
		t.Run(f.name, func(t *testing.T) {
			e := newEnvOn(t, on, &gorm.Config{})
			before := e.query("SELECT count(*) FROM users WHERE tenant_id <> 'a'")
			beforeA := e.query("SELECT id, tenant_id FROM users WHERE tenant_id = 'a' AND id < 5")
			err := f.do(e)
			t.Logf("error: %v; saw %q", err, strings.Join(e.seen, " | "))
			e.isolated()
			if e.silos != nil { // what a calls its own rows is a's business
				return
			}
			if now := e.query("SELECT count(*) FROM users WHERE tenant_id <> 'a'"); now != before {
				t.Errorf("rows moved to b: %s -> %s", before, now)
			}
			if now := e.query("SELECT id, tenant_id FROM users WHERE tenant_id = 'a' AND id < 5"); now != beforeA {
				t.Errorf("a lost rows: %s -> %s", beforeA, now)
			}
			if err == nil && on.kind == "" && !harmless[f.name] {
				t.Errorf("not refused")
			}
		})
	}
}
