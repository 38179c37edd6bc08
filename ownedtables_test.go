package tenancy_test

import (
	"errors"
	"slices"
	"testing"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
)

type ownedBook struct {
	ID       uint
	TenantID string
	Authors  []ownedAuthor `gorm:"many2many:owned_book_authors"`
}

type ownedAuthor struct {
	ID    uint
	Owner string `gorm:"column:owned_by" tenancy:"tenant"`
}

type ownedCountry struct{ Code string }

// TestOwnedTables shows what a strategy learns of the declared models before and after db.Use, and of a join table.
func TestOwnedTables(t *testing.T) {
	t.Parallel()
	db, err := gorm.Open(sqlite.Open("file::memory:"), &gorm.Config{})
	if err != nil {
		t.Fatal(err)
	}
	p := tenancy.New(shared.New(), tenancy.OwnedModels(&ownedBook{}), tenancy.CentralModels(&ownedCountry{}))
	if n := len(p.OwnedTables()); n != 0 {
		t.Errorf("%d tables before db.Use", n)
	}
	for _, learn := range []func() error{func() error { return p.Declare(db) }, func() error { return db.Use(p) }} {
		if err := learn(); err != nil {
			t.Fatal(err)
		}
		tables := p.OwnedTables()
		if len(tables) != 3 {
			t.Fatalf("%d tables, want 3: %+v", len(tables), tables)
		}
		author, link, book := tables[0], tables[1], tables[2]
		if author.Name != "owned_authors" || author.Column != "owned_by" || author.Field == nil || len(author.Links) != 0 {
			t.Errorf("authors: %+v", author)
		}
		if book.Name != "owned_books" || book.Column != "tenant_id" || book.Schema.Name != "ownedBook" {
			t.Errorf("books: %+v", book)
		}
		if link.Name != "owned_book_authors" || link.Column != "" || link.Field != nil || len(link.Links) != 2 {
			t.Fatalf("links: %+v", link)
		}
		side := link.Links[0]
		if side.Table != "owned_books" || !slices.Equal(side.Columns, []string{"owned_book_id"}) || !slices.Equal(side.References, []string{"id"}) {
			t.Errorf("the side of the books: %+v", side)
		}
		if central := p.CentralTables(); !slices.Equal(central, []string{"owned_countries"}) {
			t.Errorf("central: %v", central)
		}
	}
}

// verifying is a strategy that looks at the database.
type verifying struct {
	*shared.Strategy
	err  error
	saw  *[]tenancy.OwnedTable
	used *int
}

func (v verifying) Verify(_ *gorm.DB, p *tenancy.Plugin) error {
	*v.saw = p.OwnedTables()
	*v.used++
	return v.err
}

// TestVerifier shows that db.Use asks the strategy when the models are known, and fails with its error.
func TestVerifier(t *testing.T) {
	t.Parallel()
	for _, want := range []error{nil, tenancy.ErrUnconfined} {
		db, err := gorm.Open(sqlite.Open("file::memory:"), &gorm.Config{})
		if err != nil {
			t.Fatal(err)
		}
		var saw []tenancy.OwnedTable
		used := 0
		err = db.Use(tenancy.New(verifying{shared.New(), want, &saw, &used}, tenancy.OwnedModels(&ownedBook{})))
		if !errors.Is(err, want) || used != 1 || len(saw) != 3 {
			t.Errorf("got %v, want %v; asked %d times, saw %d tables", err, want, used, len(saw))
		}
	}
}
