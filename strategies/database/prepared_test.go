package database_test

import (
	"testing"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/strategies/database"
	"github.com/gorm-tenancy/tenancy/tenantconn"
)

// TestPreparedOutlivesConnections: a statement that the application prepared once works when what was prepared for it is closed
// meanwhile: with its connection, which made room for another tenant's, or because tables changed.
func TestPreparedOutlivesConnections(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, kind string) {
		e := newEnv(t, kind, gorm.Config{PrepareStmt: true, SkipDefaultTransaction: true}, database.Budget(tenantconn.Budget{MaxOpen: 2}))
		books := func(id tenancy.ID) {
			t.Helper()
			var books []Book
			must(t, e.db.WithContext(as(id)).Where("title = ?", string(id)+"-one").Find(&books).Error)
			if len(books) != 1 {
				t.Errorf("%s: %d books", id, len(books))
			}
		}
		authors := func(id tenancy.ID) {
			t.Helper()
			var authors []Author
			must(t, e.db.WithContext(as(id)).Where("name = ?", string(id)+"-ann").Find(&authors).Error)
			if len(authors) != 1 {
				t.Errorf("%s: %d authors", id, len(authors))
			}
		}
		for _, change := range []string{"CREATE TABLE extras (id integer)", "DROP TABLE extras"} {
			books("a")
			authors("a")
			must(t, e.db.WithContext(as("a")).Exec(change).Error)
			authors("a")
			books("a")
		}
		for range 3 {
			for _, id := range []tenancy.ID{"a", "b"} {
				books(id)
				authors(id)
			}
			must(t, e.db.WithContext(tenancy.Central(t.Context())).Find(&[]Shelf{}).Error)
			must(t, e.db.WithContext(tenancy.Central(t.Context())).Where("text = ?", "new").Find(&[]Label{}).Error)
		}
	})
}
