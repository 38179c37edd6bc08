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
// GORM in a database with the same rows.
type operation struct {
	name  string
	run   func(db *gorm.DB) (any, error)
	needs need
}

type need uint8

const (
	nothing           need = iota
	anotherDatabase        // it touches central tables, so it cannot run in a tenant's transaction
	anotherConnection      // it queries while rows are open, which the servers do not do on one connection
)

func into[T any](f func(v *T) *gorm.DB) (any, error) {
	var v T
	err := f(&v).Error
	return v, err
}

func only(tx *gorm.DB) (any, error) { return tx.RowsAffected, tx.Error }

var operations = []operation{
	{"find", func(db *gorm.DB) (any, error) {
		return into(func(v *[]Book) *gorm.DB { return db.Order("id").Find(v) })
	}, nothing},
	{"first", func(db *gorm.DB) (any, error) {
		return into(func(v *Author) *gorm.DB { return db.First(v, "name LIKE ?", "%bob") })
	}, nothing},
	{"not found", func(db *gorm.DB) (any, error) {
		return into(func(v *Book) *gorm.DB { return db.Take(v, 77) })
	}, nothing},
	{"or", func(db *gorm.DB) (any, error) {
		return into(func(v *[]Loan) *gorm.DB { return db.Where("id = 1").Or("book_id = ?", 2).Order("id").Find(v) })
	}, nothing},
	{"pluck count group", func(db *gorm.DB) (any, error) {
		var n int64
		var ids []uint
		var groups []map[string]any
		err := errors.Join(db.Model(&Loan{}).Count(&n).Error, db.Model(&Loan{}).Order("id").Pluck("id", &ids).Error,
			db.Model(&Loan{}).Select("book_id, COUNT(*) AS n").Group("book_id").Order("book_id").Find(&groups).Error)
		return []any{n, ids, groups}, err
	}, nothing},
	{"preload owned", func(db *gorm.DB) (any, error) {
		return into(func(v *[]Book) *gorm.DB {
			return db.Preload("Loans", "reader LIKE ?", "%x").Preload("Authors").Order("id").Find(v)
		})
	}, nothing},
	{"preload central", func(db *gorm.DB) (any, error) {
		return into(func(v *[]Book) *gorm.DB { return db.Preload("Shelf").Preload("Labels").Order("id").Find(v) })
	}, anotherDatabase},
	{"preload owned of central of owned", func(db *gorm.DB) (any, error) {
		return into(func(v *[]Loan) *gorm.DB { return db.Preload("Book.Shelf.Books.Authors").Order("id").Find(v) })
	}, anotherDatabase},
	{"preload owned of central", func(db *gorm.DB) (any, error) {
		return into(func(v *[]Shelf) *gorm.DB { return db.Preload(clause.Associations).Order("id").Find(v) })
	}, anotherDatabase},
	{"join", func(db *gorm.DB) (any, error) {
		return into(func(v *[]Loan) *gorm.DB { return db.Joins("Book").Order("loans.id").Find(v) })
	}, nothing},
	{"join text", func(db *gorm.DB) (any, error) {
		return into(func(v *[]string) *gorm.DB {
			return db.Model(&Loan{}).Joins("JOIN books b ON b.id = loans.book_id").Order("loans.id").Pluck("b.title", v)
		})
	}, nothing},
	{"sub-queries", func(db *gorm.DB) (any, error) {
		return into(func(v *[]Loan) *gorm.DB {
			return db.Where("book_id IN (?)", db.Model(&Book{}).Select("id").Where("pages > 15")).
				Where("EXISTS (?)", db.Table("authors").Select("1")).Order("id").Find(v)
		})
	}, nothing},
	{"derived table", func(db *gorm.DB) (any, error) {
		return into(func(v *int) *gorm.DB {
			return db.Table("(?) AS q", db.Model(&Book{}).Select("pages")).Select("SUM(pages)").Scan(v)
		})
	}, nothing},
	{"table", func(db *gorm.DB) (any, error) {
		return into(func(v *[]map[string]any) *gorm.DB {
			return db.Table("book_authors").Order("book_id, author_id").Find(v)
		})
	}, nothing},
	{"raw", func(db *gorm.DB) (any, error) {
		return into(func(v *[]string) *gorm.DB {
			return db.Raw("SELECT title FROM books WHERE pages >= ? ORDER BY id", 10).Scan(v)
		})
	}, nothing},
	{"row", func(db *gorm.DB) (any, error) {
		n := 0
		err := db.Raw("SELECT SUM(pages) FROM books").Row().Scan(&n)
		return n, err
	}, nothing},
	{"rows while others query", func(db *gorm.DB) (any, error) {
		rows, err := db.Model(&Loan{}).Order("id").Rows()
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		var out []string
		for rows.Next() {
			var l Loan
			var book Book
			if err := errors.Join(db.ScanRows(rows, &l), db.Session(&gorm.Session{NewDB: true}).Take(&book, l.BookID).Error); err != nil {
				return nil, err
			}
			out = append(out, l.Reader+book.Title)
		}
		return out, rows.Err()
	}, anotherConnection},
	{"batches", func(db *gorm.DB) (any, error) {
		var loans []Loan
		var seen []uint
		err := db.FindInBatches(&loans, 2, func(tx *gorm.DB, _ int) error {
			for _, l := range loans {
				seen = append(seen, l.ID)
			}
			return nil
		}).Error
		return seen, err
	}, nothing},
	{"central find", func(db *gorm.DB) (any, error) {
		return into(func(v *[]Shelf) *gorm.DB { return db.Order("id").Find(v) })
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
	{"update", func(db *gorm.DB) (any, error) { return only(db.Model(&Book{ID: 1}).Update("pages", 11)) }, nothing},
	{"updates", func(db *gorm.DB) (any, error) {
		return only(db.Model(&Loan{}).Where("book_id = ?", 1).Updates(Loan{Reader: "all"}))
	}, nothing},
	{"update expression", func(db *gorm.DB) (any, error) {
		return only(db.Model(&Book{}).Where("1 = 1").Update("pages", gorm.Expr("pages + ?", 1)))
	}, nothing},
	{"save", func(db *gorm.DB) (any, error) { return only(db.Save(&Loan{ID: 2, BookID: 2, Reader: "saved"})) }, nothing},
	{"save new", func(db *gorm.DB) (any, error) { return only(db.Save(&Book{ID: 50, Title: "saved"})) }, nothing},
	{"central update", func(db *gorm.DB) (any, error) { return only(db.Model(&Shelf{ID: 2}).Update("name", "lower")) }, anotherDatabase},
	{"upsert", func(db *gorm.DB) (any, error) {
		return nil, db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&Loan{ID: 3, BookID: 1, Reader: "upsert"}).Error
	}, nothing},
	{"first or create", func(db *gorm.DB) (any, error) {
		var one, two Book
		err := errors.Join(db.Where(Book{Title: "foc"}).FirstOrCreate(&one).Error, db.Where(Book{Title: "foc"}).FirstOrCreate(&two).Error)
		return []Book{one, two}, err
	}, nothing},
	{"duplicate", func(db *gorm.DB) (any, error) {
		var names []string
		err := db.Model(&Author{}).Order("id").Limit(1).Pluck("name", &names).Error
		if err != nil {
			return nil, err
		}
		err = db.Transaction(func(tx *gorm.DB) error { return tx.Create(&Author{Name: names[0]}).Error })
		return errors.Is(err, gorm.ErrDuplicatedKey), nil
	}, nothing},
	{"association", func(db *gorm.DB) (any, error) {
		b := Book{ID: 2}
		a := func() *gorm.Association { return db.Session(&gorm.Session{}).Model(&b).Association("Authors") }
		var found []Author
		err := errors.Join(a().Append(&Author{ID: 1}), a().Delete(&Author{ID: 2}), a().Find(&found))
		n := a().Count()
		return []any{found, n}, errors.Join(err, a().Replace(&Author{ID: 2}), a().Clear())
	}, nothing},
	{"delete", func(db *gorm.DB) (any, error) { return only(db.Delete(&Loan{}, 3)) }, nothing},
	{"soft delete", func(db *gorm.DB) (any, error) { return only(db.Delete(&Author{ID: 2})) }, nothing},
	{"unscoped", func(db *gorm.DB) (any, error) {
		return into(func(v *int64) *gorm.DB { return db.Unscoped().Model(&Author{}).Count(v) })
	}, nothing},
	{"mass delete", func(db *gorm.DB) (any, error) {
		return errors.Is(db.Delete(&Loan{}).Error, gorm.ErrMissingWhereClause), nil
	}, nothing},
	{"exec", func(db *gorm.DB) (any, error) { return only(db.Exec("UPDATE books SET pages = ? WHERE id = ?", 99, 2)) }, nothing},
	{"transaction", func(db *gorm.DB) (any, error) {
		return nil, db.Transaction(func(tx *gorm.DB) error {
			if err := tx.Create(&Book{ID: 60, Title: "kept"}).Error; err != nil {
				return err
			}
			_ = tx.Transaction(func(inner *gorm.DB) error {
				if err := inner.Create(&Book{ID: 61, Title: "undone"}).Error; err != nil {
					return err
				}
				return errors.New("undo")
			})
			return tx.Model(&Book{ID: 60}).Update("pages", 6).Error
		})
	}, nothing},
	{"rollback", func(db *gorm.DB) (any, error) {
		undo := errors.New("undo")
		err := db.Transaction(func(tx *gorm.DB) error { return errors.Join(tx.Delete(&Loan{}, "1 = 1").Error, undo) })
		return errors.Is(err, undo), nil
	}, nothing},
	{"generics", func(db *gorm.DB) (any, error) {
		ctx := db.Statement.Context
		books, err := gorm.G[Book](db).Where("pages > ?", 5).Order("id").Find(ctx)
		n, err2 := gorm.G[Book](db).Where("id = ?", 60).Update(ctx, "title", "generic")
		return []any{books, n}, errors.Join(err, err2)
	}, nothing},
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
	pinned bool // to one connection
	inTx   bool
}

func straight(db *gorm.DB, f func(*gorm.DB)) error { f(db); return nil }

var modes = map[string]mode{
	"plain":                  {gorm.Config{}, straight, false, false},
	"PrepareStmt":            {gorm.Config{PrepareStmt: true}, straight, false, false},
	"no default transaction": {gorm.Config{SkipDefaultTransaction: true}, straight, false, false},
	"session PrepareStmt": {gorm.Config{}, func(db *gorm.DB, f func(*gorm.DB)) error {
		f(db.Session(&gorm.Session{PrepareStmt: true}))
		return nil
	}, false, false},
	"connection": {gorm.Config{}, func(db *gorm.DB, f func(*gorm.DB)) error {
		return db.Connection(func(tx *gorm.DB) error { f(tx.Session(&gorm.Session{})); return nil })
	}, true, false},
	"transaction": {gorm.Config{}, func(db *gorm.DB, f func(*gorm.DB)) error {
		return db.Transaction(func(tx *gorm.DB) error { f(tx); return nil })
	}, true, true},
	"transaction PrepareStmt": {gorm.Config{PrepareStmt: true}, func(db *gorm.DB, f func(*gorm.DB)) error {
		return db.Transaction(func(tx *gorm.DB) error { f(tx); return nil })
	}, true, true},
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
		if (m.inTx && op.needs == anotherDatabase) || (m.pinned && op.needs == anotherConnection && kind != "SQLite") {
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
