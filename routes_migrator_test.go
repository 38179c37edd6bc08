package tenancy_test

import (
	"database/sql"
	"errors"
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/gorm-tenancy/tenancy"
)

func migrate(do func(m gorm.Migrator) error) func(e *env) error {
	return func(e *env) error { return do(e.a.Migrator()) }
}

var migratorRoutes = []route{
	{name: "HasTable HasColumn HasIndex", do: func(e *env) error {
		for _, db := range []*gorm.DB{e.db, e.a, e.db.WithContext(bypass("look"))} {
			m := db.Migrator()
			e.see(m.HasTable(&User{}), m.HasTable("pets"), m.HasColumn(&User{}, "Age"), m.HasColumn(&User{}, "none"), m.HasIndex(&Note{}, "idx_notes_deleted_at"))
		}
		return nil
	}, want: "true true true false true true true true false true true true true false true", differs: map[string]difference{
		"schema": {
			why:  "owned tables are where a tenant is",
			want: "false false false false false true true true false true false false false false false",
		},
		"postgres-hybrid": {
			why:  "owned tables are where a tenant is, and under Bypass where they are shared",
			want: "false false false false false true true true false true true true true false true",
		},
	}},
	{name: "CurrentDatabase GetTables", do: func(e *env) error {
		_ = e.a.Migrator().CurrentDatabase() // its name differs from one engine to the other
		tables, err := e.a.Migrator().GetTables()
		e.see(len(tables) > 9)
		return err
	}, want: "true"},
	{name: "ColumnTypes", do: migrate(func(m gorm.Migrator) error {
		types, err := m.ColumnTypes(&User{})
		if err == nil && len(types) != 6 {
			return fmt.Errorf("%d columns", len(types))
		}
		return err
	})},
	{name: "CreateTable", do: migrate(func(m gorm.Migrator) error { return m.CreateTable(&Firm{}) }), refused: tenancy.ErrUnconfined},
	{name: "DropTable", do: migrate(func(m gorm.Migrator) error { return m.DropTable("plans") }), refused: tenancy.ErrUnconfined},
	{name: "DropTable of owned", do: migrate(func(m gorm.Migrator) error { return m.DropTable(&User{}) }), refused: tenancy.ErrUnconfined},
	{name: "RenameTable", do: migrate(func(m gorm.Migrator) error { return m.RenameTable("users", "mine") }), refused: tenancy.ErrUnconfined},
	{name: "AddColumn", do: migrate(func(m gorm.Migrator) error { return m.AddColumn(&Plan{}, "Name") }), refused: tenancy.ErrUnconfined},
	{name: "DropColumn", do: migrate(func(m gorm.Migrator) error { return m.DropColumn(&User{}, "tenant_id") }), refused: tenancy.ErrUnconfined},
	{name: "CreateIndex", do: migrate(func(m gorm.Migrator) error { return m.CreateIndex(&Note{}, "DeletedAt") }), refused: tenancy.ErrUnconfined},
	{name: "DropIndex", do: migrate(func(m gorm.Migrator) error { return m.DropIndex(&Note{}, "idx_notes_deleted_at") }), refused: tenancy.ErrUnconfined},
	{name: "CreateView", do: func(e *env) error {
		return e.a.Migrator().CreateView("all_users", gorm.ViewOption{Query: e.a.Model(&User{})})
	}, refused: tenancy.ErrUnconfined},
	{name: "under bypass", do: func(e *env) error {
		m := e.db.WithContext(bypass("change tables")).Migrator()
		return errors.Join(m.CreateTable(&Firm{}), m.RenameTable("firms", "enterprises"), m.DropTable("enterprises"), m.DropIndex(&Note{}, "idx_notes_deleted_at"), m.CreateIndex(&Note{}, "DeletedAt"))
	}, differs: map[string]difference{
		"rls":    {why: notTheOwner, refused: errAny},
		"schema": {why: "the notes are where a tenant is", refused: errAny},
	}},
}

var rawMoreRoutes = []route{
	{name: "TABLE", do: raw("TABLE users"), refused: tenancy.ErrUnconfined},
	{name: "VALUES", do: raw("VALUES ('x')"), want: "[x]"},
	{name: "EXPLAIN", do: raw("EXPLAIN SELECT * FROM users"), refused: tenancy.ErrUnconfined},
	{name: "sub-select in a list", do: raw("SELECT (SELECT name FROM users LIMIT 1) AS n"), refused: tenancy.ErrUnconfined},
	{name: "sub-select in EXISTS", do: raw("SELECT name FROM plans WHERE EXISTS (SELECT 1 FROM users)"), refused: tenancy.ErrUnconfined},
	{name: "join table", do: raw("SELECT user_id FROM user_languages"), refused: tenancy.ErrUnconfined},
	{name: "DELETE USING", do: exec(func(db *gorm.DB) *gorm.DB { return db.Exec("DELETE FROM plans USING users") }), refused: tenancy.ErrUnconfined},
	{name: "INSERT SELECT", do: exec(func(db *gorm.DB) *gorm.DB { return db.Exec("INSERT INTO plans (name) SELECT name FROM users") }), refused: tenancy.ErrUnconfined},
	{name: "INSERT with Current", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Exec("INSERT INTO users (name, tenant_id) VALUES ('a3', ?)", tenancy.Current)
	}), afterQuery: userLast, after: "a3 a"},
	{name: "tenant named by hand", do: raw("SELECT name FROM users WHERE tenant_id = 'b'"), refused: tenancy.ErrUnconfined},
	{name: "tenant bound by hand", do: raw("SELECT name FROM users WHERE tenant_id = ?", "b"), refused: tenancy.ErrUnconfined},
	{name: "builder sub-query", do: func(e *env) error {
		return raw("SELECT name FROM plans WHERE id IN (?)", e.a.Model(&User{}).Select("id"))(e)
	}, refused: tenancy.ErrUnconfined},
	{name: "builder sub-query of central", do: func(e *env) error {
		return raw("SELECT name FROM plans WHERE id IN (?)", e.a.Model(&Plan{}).Select("max(id)"))(e)
	}, want: "[gold]", differs: noCentral},
	{name: "First", do: func(e *env) error {
		var u User
		err := e.a.Raw("SELECT * FROM users WHERE tenant_id = ? AND id = 2", tenancy.Current).First(&u).Error
		e.see(u.Name)
		return err
	}, want: "a2"},
	{name: "Rows with Current", do: func(e *env) error {
		rows, err := e.a.Raw("SELECT name FROM users WHERE tenant_id = @t ORDER BY id", map[string]any{"t": tenancy.Current}).Rows()
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var name string
			if err := rows.Scan(&name); err != nil {
				return err
			}
			e.see(name)
		}
		return rows.Err()
	}, want: "a1 a2"},
	{name: "Row with Current", do: func(e *env) error {
		var n int
		err := e.a.Raw("SELECT count(*) FROM users WHERE tenant_id = @t", sql.Named("t", tenancy.Current)).Row().Scan(&n)
		e.see(n)
		return err
	}, want: "2"},
	{name: "Preload behind raw", do: func(e *env) error {
		var users []User
		err := e.a.Preload("Pets").Raw("SELECT * FROM users WHERE tenant_id = ? ORDER BY id", tenancy.Current).Find(&users).Error
		for _, u := range users {
			e.see(u.Pets[0].Name)
		}
		return err
	}, want: "a-pet1 a-pet2"},
	{name: "BEGIN", do: exec(func(db *gorm.DB) *gorm.DB { return db.Exec("BEGIN") }), refused: tenancy.ErrUnconfined},
	{name: "ROLLBACK", do: exec(func(db *gorm.DB) *gorm.DB { return db.Exec("ROLLBACK") }), refused: tenancy.ErrUnconfined},
	{name: "ATTACH", do: exec(func(db *gorm.DB) *gorm.DB { return db.Exec("ATTACH 'x' AS y") }), refused: tenancy.ErrUnconfined},
	{name: "SET", do: exec(func(db *gorm.DB) *gorm.DB { return db.Exec("SET search_path = b") }), refused: tenancy.ErrUnconfined},
	{name: "CALL", do: exec(func(db *gorm.DB) *gorm.DB { return db.Exec("CALL wipe()") }), refused: tenancy.ErrUnconfined},
	{name: "TRUNCATE", do: exec(func(db *gorm.DB) *gorm.DB { return db.Exec("TRUNCATE TABLE users") }), refused: tenancy.ErrUnconfined},
	{name: "MERGE", do: exec(func(db *gorm.DB) *gorm.DB { return db.Exec("MERGE INTO users USING pets ON true") }), refused: tenancy.ErrUnconfined},
	{name: "COPY", do: exec(func(db *gorm.DB) *gorm.DB { return db.Exec("COPY users TO STDOUT") }), refused: tenancy.ErrUnconfined},
	{name: "Central", do: scan(func(e *env) *gorm.DB {
		return e.db.WithContext(tenancy.Central(asA)).Raw("SELECT name FROM plans ORDER BY id")
	}), want: "free gold"},
	{name: "Central of owned", do: scan(func(e *env) *gorm.DB {
		return e.db.WithContext(tenancy.Central(asA)).Raw("SELECT name FROM users")
	}), refused: tenancy.ErrUnconfined},
	{name: "Central DDL", do: func(e *env) error {
		return e.db.WithContext(tenancy.Central(asA)).Exec("DROP TABLE plans").Error
	}, refused: tenancy.ErrUnconfined},
}

var noUpdateFrom = map[string]difference{"mysql": {why: "MySQL has no FROM in UPDATE, and GORM writes none", refused: errAny}}

var fromRoutes = []route{
	{name: "Update From", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Model(&User{}).Clauses(clause.From{Tables: []clause.Table{{Name: "pets"}}}).Where("pets.user_id = users.id\nOR 1 = 1").Update("age", 9)
	}), afterQuery: usersOfA, after: "a1 a 9 a2 a 9", differs: noUpdateFrom},
	{name: "Update From of b's rows", do: affected(0, func(db *gorm.DB) *gorm.DB {
		return db.Model(&User{}).Clauses(clause.From{Tables: []clause.Table{{Name: "pets"}}}).Where("pets.name = 'b-pet1'").Update("age", 9)
	}), differs: noUpdateFrom},
	{name: "Update From sets b's value", do: affected(0, func(db *gorm.DB) *gorm.DB {
		return db.Model(&User{}).Clauses(clause.From{Tables: []clause.Table{{Name: "pets", Alias: "p"}}}).Where("p.id = 3").Update("name", gorm.Expr("p.name"))
	}), differs: noUpdateFrom},
	{name: "Update From unknown", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Model(&User{}).Clauses(clause.From{Tables: []clause.Table{{Name: "secrets"}}}).Where("1 = 1").Update("age", 9)
	}), refused: tenancy.ErrUndeclared},
	{name: "Update From central", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Model(&User{}).Clauses(clause.From{Tables: []clause.Table{{Name: "plans"}}}).Where("plans.id = users.id").Update("name", gorm.Expr("'a-' || plans.name"))
	}), afterQuery: usersOfA, after: "a-free a 10 a-gold a 20", differs: noUpdateFrom},
	{name: "From raw", do: scan(func(e *env) *gorm.DB {
		return e.a.Model(&Plan{}).Select("name").Clauses(clause.From{Tables: []clause.Table{{Name: "(SELECT name FROM users) AS x", Raw: true}}})
	}), refused: tenancy.ErrUnconfined},
	{name: "From alias", do: scan(func(e *env) *gorm.DB {
		return e.a.Model(&Plan{}).Select("u.name").Clauses(clause.From{Tables: []clause.Table{{Name: "users", Alias: "u"}}}).Where("1 = 1").Order("u.id")
	}), want: "a1 a2"},
	{name: "From RIGHT JOIN onto central", do: scan(func(e *env) *gorm.DB {
		return e.a.Model(&Plan{}).Select("users.name").Clauses(clause.From{Joins: []clause.Join{{Type: clause.RightJoin, Table: clause.Table{Name: "users"}, ON: clause.Where{Exprs: []clause.Expression{clause.Expr{SQL: "1 = 1"}}}}}})
	}), refused: tenancy.ErrUnconfined},
	{name: "From USING", do: scan(func(e *env) *gorm.DB {
		return e.a.Model(&Plan{}).Select("users.name").Clauses(clause.From{Joins: []clause.Join{{Table: clause.Table{Name: "users"}, Using: []string{"id"}}}})
	}), refused: tenancy.ErrUnconfined},
}
