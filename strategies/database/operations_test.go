package database_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// operation is something an application does that knows nothing of tenants. As tenant a it must do what it does with plain
// GORM in a database with the same rows. Here is what strategies/strategytest has not: relations between owned and central
// tables, and keys that the database counts.
type operation struct {
	name  string
	run   func(db *gorm.DB) (any, error)
	needs need
}

type need uint8

const (
	nothing         need = iota
	anotherDatabase      // it touches central tables, so it cannot run in a tenant's transaction
)

func into[T any](f func(v *T) *gorm.DB) (any, error) {
	var v T
	err := f(&v).Error
	return v, err
}

func only(tx *gorm.DB) (any, error) { return tx.RowsAffected, tx.Error }

var operations = []operation{
	{"preload central", func(db *gorm.DB) (any, error) {
		return into(func(v *[]Book) *gorm.DB { return db.Preload("Shelf").Preload("Labels").Order("id").Find(v) })
	}, anotherDatabase},
	{"preload owned of central of owned", func(db *gorm.DB) (any, error) {
		return into(func(v *[]Loan) *gorm.DB { return db.Preload("Book.Shelf.Books.Authors").Order("id").Find(v) })
	}, anotherDatabase},
	{"preload owned of central", func(db *gorm.DB) (any, error) {
		return into(func(v *[]Shelf) *gorm.DB { return db.Preload(clause.Associations).Order("id").Find(v) })
	}, anotherDatabase},
	{"create", func(db *gorm.DB) (any, error) {
		b := Book{Title: "new", Loans: []Loan{{Reader: "r"}}, Authors: []Author{{Name: "cid"}}}
		err := db.Create(&b).Error
		for i := range b.Authors {
			b.Authors[i].TenantID = ""
		}
		return b, err
	}, nothing},
	{"create map", func(db *gorm.DB) (any, error) {
		return only(db.Model(&Book{}).Create(map[string]any{"title": "map", "pages": 1}))
	}, nothing},
	{"create batch", func(db *gorm.DB) (any, error) {
		books := []Book{{Title: "c1"}, {Title: "c2"}, {Title: "c3"}}
		err := db.CreateInBatches(&books, 2).Error
		return books, err
	}, nothing},
	{"central create", func(db *gorm.DB) (any, error) {
		s := Shelf{Name: "made"}
		err := db.Create(&s).Error
		return s, err
	}, anotherDatabase},
	{"association", func(db *gorm.DB) (any, error) {
		b := Book{ID: 2}
		a := func() *gorm.Association { return db.Session(&gorm.Session{}).Model(&b).Association("Authors") }
		var found []Author
		err := errors.Join(a().Append(&Author{ID: 1}), a().Delete(&Author{ID: 2}), a().Find(&found))
		n := a().Count()
		return []any{found, n}, errors.Join(err, a().Replace(&Author{ID: 2}), a().Clear())
	}, nothing},
	{"soft delete", func(db *gorm.DB) (any, error) { return only(db.Delete(&Author{ID: 2})) }, nothing},
	{"migrator", func(db *gorm.DB) (any, error) {
		m := db.Migrator()
		types, err := m.ColumnTypes(&Book{})
		return []any{m.HasTable(&Book{}), m.HasTable("nothing"), m.HasColumn(&Book{}, "Title"), m.HasIndex(&Loan{}, "Reader"), len(types)}, err
	}, nothing},
}

// mode is how an application uses GORM.
type mode struct {
	config gorm.Config
	inside func(db *gorm.DB, f func(*gorm.DB)) error
	inTx   bool
}

func straight(db *gorm.DB, f func(*gorm.DB)) error { f(db); return nil }

var modes = map[string]mode{
	"plain":                  {gorm.Config{}, straight, false},
	"PrepareStmt":            {gorm.Config{PrepareStmt: true}, straight, false},
	"no default transaction": {gorm.Config{SkipDefaultTransaction: true}, straight, false},
	"session PrepareStmt": {gorm.Config{}, func(db *gorm.DB, f func(*gorm.DB)) error {
		f(db.Session(&gorm.Session{PrepareStmt: true}))
		return nil
	}, false},
	"connection": {gorm.Config{}, func(db *gorm.DB, f func(*gorm.DB)) error {
		return db.Connection(func(tx *gorm.DB) error { f(tx.Session(&gorm.Session{})); return nil })
	}, false},
	"transaction": {gorm.Config{}, func(db *gorm.DB, f func(*gorm.DB)) error {
		return db.Transaction(func(tx *gorm.DB) error { f(tx); return nil })
	}, true},
	"transaction PrepareStmt": {gorm.Config{PrepareStmt: true}, func(db *gorm.DB, f func(*gorm.DB)) error {
		return db.Transaction(func(tx *gorm.DB) error { f(tx); return nil })
	}, true},
}

func text(v any, err error) string {
	b, _ := json.Marshal(v)
	return fmt.Sprintf("%s %v", b, err)
}

// TestOperations compares every operation in every mode on every database with plain GORM, and looks at all tables after
// each.
func TestOperations(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, kind string) {
		for name, mode := range modes {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				compare(t, kind, mode)
			})
		}
	})
}

func compare(t *testing.T, kind string, m mode) {
	e := newEnv(t, kind, m.config)
	plain := open(t, e.plain, m.config)
	must(t, plain.AutoMigrate(append(central[:len(central):len(central)], owned...)...))
	past, err := plain.DB()
	must(t, err)
	fill(t, past, "", seedCentral)
	fill(t, past, "a", seedOwned)
	if kind == "SQLite" {
		plain.Exec("PRAGMA foreign_keys = OFF") // the tenant's database has no keys to central tables
	}
	for _, op := range operations {
		if m.inTx && op.needs == anotherDatabase {
			continue
		}
		e.untouched(func() {
			var got, want string
			must(t, m.inside(plain, func(db *gorm.DB) { want = text(op.run(db)) }))
			must(t, m.inside(e.db.WithContext(as("a")), func(db *gorm.DB) { got = text(op.run(db)) }))
			if got != want {
				t.Errorf("%s:\n got %s\nwant %s", op.name, got, want)
			}
		})
		stored := dump(t, past, append(ownedTables[:len(ownedTables):len(ownedTables)], centralTables...))
		if got := e.dump("a") + e.dump(""); tenantless(got) != tenantless(stored) {
			t.Errorf("%s: stored\n%s\nwant\n%s", op.name, got, stored)
		}
	}
}
