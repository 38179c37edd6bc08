package tenancy_test

import (
	"fmt"
	"testing"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
)

// A shelf has books and marks; the tenant column is a number.
type (
	Shelf struct {
		ID       uint
		TenantID uint
		Name     string
		Books    []Book
		Marks    []Mark `gorm:"many2many:shelf_marks"`
	}
	Book struct {
		ID       uint
		TenantID uint
		Name     string
		ShelfID  uint
		Shelf    *Shelf
	}
	Mark struct {
		ID       uint
		TenantID uint
		Name     string
	}
)

// TestColumnsRelations tries joins, preloads, links and foreign keys as one tenant against another's rows.
func TestColumnsRelations(t *testing.T) {
	db, e := openEmpty(t, onSQLite, tenancy.OwnedModels(&Shelf{}, &Book{}, &Mark{}))
	e.must("migrate", db.WithContext(bypass("create tables")).AutoMigrate(&Shelf{}, &Book{}, &Mark{}))
	a, b := db.WithContext(as("7")), db.WithContext(as("8"))
	mk := func(db *gorm.DB, name string) *Shelf {
		s := &Shelf{Name: name, Books: []Book{{Name: name + "-book"}}, Marks: []Mark{{Name: name + "-mark"}}}
		e.must("create", db.Create(s).Error)
		return s
	}
	mine, foreign := mk(a, "a"), mk(b, "b")
	if _, err := e.raw.Exec("UPDATE books SET shelf_id = ? WHERE name = 'b-book'", mine.ID); err != nil { // as legacy data might
		t.Fatal(err)
	}
	const all = "SELECT * FROM shelves, books, marks, shelf_marks WHERE shelves.name = 'b' AND books.name = 'b-book' AND marks.name = 'b-mark' AND shelf_marks.shelf_id > 1"
	start := e.query(all)
	var shelves []Shelf
	e.must("preload", a.Preload("Books").Preload("Marks").Where(everybody).Find(&shelves).Error)
	if got := fmt.Sprintln(len(shelves), shelves[0].Name, len(shelves[0].Books), shelves[0].Books[0].Name, len(shelves[0].Marks)); got != "1 a 1 a-book 1\n" {
		t.Errorf("preloaded %s", got)
	}
	var books []Book
	e.must("join", b.Joins("Shelf").Find(&books).Error)
	if len(books) != 1 || books[0].Shelf != nil {
		t.Errorf("b's book is on a's shelf: %+v", books)
	}
	var n int64
	e.must("sub-query", a.Model(&Shelf{}).Where("id IN (?)", db.Model(&Book{}).Select("shelf_id")).Count(&n).Error)
	if n != 1 {
		t.Errorf("counted %d", n)
	}
	e.refuse("foreign key", a.Create(&Book{Name: "stolen", ShelfID: foreign.ID}).Error, tenancy.ErrTenantMismatch)
	e.refuse("link", a.Model(mine).Association("Marks").Append(&Mark{ID: foreign.Marks[0].ID}), tenancy.ErrTenantMismatch)
	e.refuse("take", a.Model(mine).Association("Books").Append(&Book{ID: foreign.Books[0].ID}), tenancy.ErrTenantMismatch)
	e.must("clear", a.Model(&Shelf{ID: foreign.ID}).Association("Marks").Clear())
	e.must("links", a.Table("shelf_marks").Where("mark_id = ?", foreign.Marks[0].ID).Delete(nil).Error)
	if now := e.query(all); now != start {
		t.Errorf("b's rows changed: %s, before %s", now, start)
	}
	e.must("own link", a.Model(&Shelf{ID: mine.ID}).Association("Marks").Append(&Mark{Name: "more"}))
	e.wants("SELECT count(*) FROM shelf_marks", "3")
}
