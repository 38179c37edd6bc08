package database_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/strategies/database"
	"github.com/gorm-tenancy/tenancy/tenantconn"
)

// TestNoTenant: without a tenant nothing owned is reached by any route, and central tables work.
func TestNoTenant(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, kind string) {
		e := newEnv(t, kind, gorm.Config{})
		pool, err := e.db.DB()
		must(t, err)
		for name, run := range map[string]func(db *gorm.DB) error{
			"find":   func(db *gorm.DB) error { return db.Find(&[]Book{}).Error },
			"raw":    func(db *gorm.DB) error { return db.Raw("SELECT COUNT(*) FROM books").Scan(new(int)).Error },
			"row":    func(db *gorm.DB) error { return db.Raw("SELECT id FROM books WHERE id = 1").Row().Scan(new(int)) },
			"create": func(db *gorm.DB) error { return db.Create(&Book{Title: "x"}).Error },
			"update": func(db *gorm.DB) error { return db.Model(&Book{ID: 1}).Update("title", "x").Error },
			"delete": func(db *gorm.DB) error { return db.Delete(&Loan{}, 1).Error },
			"table":  func(db *gorm.DB) error { return db.Table("books").Find(&[]map[string]any{}).Error },
			"begin":  func(db *gorm.DB) error { return db.Transaction(func(*gorm.DB) error { return nil }) },
			"sql":    func(db *gorm.DB) error { return pool.QueryRowContext(db.Statement.Context, "SELECT 1").Scan(new(int)) },
			"prepare": func(db *gorm.DB) error {
				s, err := pool.PrepareContext(db.Statement.Context, "SELECT 1")
				if err == nil {
					err = s.Close()
				}
				return err
			},
		} {
			e.untouched(func() {
				if err := run(e.db.WithContext(context.Background())); !errors.Is(err, tenancy.ErrNoTenant) {
					t.Errorf("%s: %v", name, err)
				}
			})
			must(t, run(e.db.WithContext(as("a")))) // the control
		}
		for name, ctx := range map[string]context.Context{
			"nobody": context.Background(), "central": tenancy.Central(context.Background()), "bypass": bypass(), "a": as("a"),
		} {
			var shelf Shelf
			if err := e.db.WithContext(ctx).Take(&shelf, 2).Error; err != nil || shelf.Name != "low" {
				t.Errorf("as %s: %v %v", name, shelf, err)
			}
			if err := e.db.WithContext(ctx).Create(&Label{Text: name}).Error; err != nil {
				t.Errorf("as %s: %v", name, err)
			}
		}
		if dump := e.dump(""); strings.Count(dump, "text=") != 6 {
			t.Error(dump)
		}
	})
}

// TestBypass: a statement over all tenants has no database, so that it fails instead of reaching one.
func TestBypass(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "SQLite", gorm.Config{})
	all := e.db.WithContext(bypass())
	e.untouched(func() {
		for name, err := range map[string]error{
			"find":    all.Find(&[]Book{}).Error,
			"create":  all.Create(&Book{}).Error,
			"migrate": all.AutoMigrate(&Book{}),
			"several": all.Scopes(tenancy.ForTenants("a", "b")).Find(&[]Book{}).Error,
			"ddl":     all.Exec("CREATE TABLE books (id int)").Error,
			"central": e.db.WithContext(tenancy.Central(context.Background())).Find(&[]Book{}).Error,
		} {
			if !errors.Is(err, tenancy.ErrUnconfined) && !errors.Is(err, tenancy.ErrNoTenant) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	var books []Book
	must(t, all.Scopes(tenancy.ForTenant("b")).Order("id").Find(&books).Error)
	if len(books) != 2 || books[0].Title != "b-one" {
		t.Error(books)
	}
}

// TestUnknownTenant: a tenant that was not provisioned is an error, and nothing is made or found elsewhere instead.
func TestUnknownTenant(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, kind string) {
		e := newEnv(t, kind, gorm.Config{})
		before := e.dump("a") + e.dump("b") + e.dump("")
		ghost := e.db.WithContext(as("ghost"))
		for name, err := range map[string]error{
			"find":   ghost.Find(&[]Book{}).Error,
			"raw":    ghost.Raw("SELECT 1").Scan(new(int)).Error,
			"create": ghost.Create(&Book{}).Error,
			"ddl":    ghost.Exec("CREATE TABLE loot (id int)").Error,
		} {
			if kind == "SQLite" && !errors.Is(err, tenancy.ErrUnknownTenant) {
				t.Errorf("%s: %v", name, err)
			}
			if kind != "SQLite" && !errors.Is(err, tenantconn.ErrUnreachable) {
				t.Errorf("%s: %v", name, err)
			}
			if err == nil || strings.Contains(err.Error(), "@") || strings.Contains(err.Error(), "host") || strings.Contains(err.Error(), "tenants/") {
				t.Errorf("%s: %v", name, err)
			}
		}
		if after := e.dump("a") + e.dump("b") + e.dump(""); after != before {
			t.Errorf("something changed: %s", after)
		}
		must(t, e.strategy.Provision(context.Background(), "ghost")) // and is there at once
		must(t, ghost.Create(&Book{Title: "boo"}).Error)
	})
}

// TestOtherInside: a transaction keeps its tenant. Central statements have no part in it, and the error says what to do.
func TestOtherInside(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, kind string) {
		for name, config := range map[string]gorm.Config{"plain": {}, "PrepareStmt": {PrepareStmt: true}} {
			e := newEnv(t, kind, config)
			e.untouched(func() {
				must(t, e.db.WithContext(as("a")).Transaction(func(tx *gorm.DB) error {
					for who, ctx := range map[string]context.Context{"b": as("b"), "bypass": bypass(), "central": tenancy.Central(context.Background())} {
						if err := tx.WithContext(ctx).Exec("UPDATE books SET title = 'x'").Error; !errors.Is(err, tenancy.ErrTenantMismatch) &&
							!errors.Is(err, tenancy.ErrNoTenant) && !errors.Is(err, tenancy.ErrUnconfined) {
							t.Errorf("%s: %s inside a: %v", name, who, err)
						}
					}
					err := tx.Find(&[]Shelf{}).Error
					if !errors.Is(err, tenancy.ErrTenantMismatch) || !strings.Contains(err.Error(), "in front of it or after it") {
						t.Errorf("%s: central inside a: %v", name, err)
					}
					return tx.Create(&Author{Name: "inside"}).Error
				}))
			})
			// GORM writes a new shelf inside the transaction of the book.
			before := e.dump("a") + e.dump("")
			if err := e.db.WithContext(as("a")).Create(&Book{Title: "x", Shelf: &Shelf{Name: "x"}}).Error; !errors.Is(err, tenancy.ErrTenantMismatch) {
				t.Errorf("%s: %v", name, err)
			}
			if after := e.dump("a") + e.dump(""); after != before {
				t.Errorf("%s: half of it was written\n%s", name, after)
			}
			must(t, e.db.WithContext(tenancy.Central(context.Background())).Transaction(func(tx *gorm.DB) error {
				return errors.Join(tx.Create(&Shelf{Name: "in order"}).Error, tx.Transaction(func(tx *gorm.DB) error {
					return tx.Create(&Label{Text: "nested"}).Error
				}))
			}))
		}
	})
}

// TestPreparedByAnother: a statement that a prepared runs in b's database for b, on one pool and on one connection.
func TestPreparedByAnother(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, kind string) {
		e := newEnv(t, kind, gorm.Config{})
		pool, err := e.db.DB()
		must(t, err)
		q := "SELECT title FROM books WHERE id = ?"
		if kind == "PostgreSQL" {
			q = "SELECT title FROM books WHERE id = $1"
		}
		stmt, err := pool.PrepareContext(as("a"), q)
		must(t, err)
		defer stmt.Close()
		c, err := pool.Conn(as("a"))
		must(t, err)
		defer c.Close()
		own, err := c.PrepareContext(as("b"), q)
		must(t, err)
		defer own.Close()
		for _, id := range []tenancy.ID{"b", "a", "a", "b"} {
			var one, two string
			must(t, stmt.QueryRowContext(as(id), 1).Scan(&one))
			must(t, own.QueryRowContext(as(id), 1).Scan(&two))
			if one != string(id)+"-one" || two != one {
				t.Errorf("as %s: %s %s", id, one, two)
			}
		}
		if _, err := stmt.ExecContext(context.Background(), 1); !errors.Is(err, tenancy.ErrNoTenant) {
			t.Error(err)
		}
	})
}

// TestTwoOpen: two executions of one text on one connection have rows of their own.
func TestTwoOpen(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "SQLite", gorm.Config{})
	pool, err := e.db.DB()
	must(t, err)
	tx, err := pool.BeginTx(as("a"), nil)
	must(t, err)
	defer tx.Rollback()
	read := func() string {
		s, err := tx.PrepareContext(as("a"), "SELECT id FROM loans ORDER BY id")
		must(t, err)
		defer s.Close()
		rows, err := s.QueryContext(as("a"))
		must(t, err)
		defer rows.Close()
		out := ""
		for rows.Next() {
			id := ""
			must(t, rows.Scan(&id))
			out += id
			inner, err := tx.PrepareContext(as("a"), "SELECT id FROM loans ORDER BY id")
			must(t, err)
			must(t, inner.QueryRowContext(as("a")).Scan(&id))
			must(t, inner.Close())
		}
		must(t, rows.Err())
		return out
	}
	for range 3 {
		if got := read(); got != "123" {
			t.Error(got)
		}
	}
}

// TestJoinsAcross: what would join two databases is refused in words, and Preload is not.
func TestJoinsAcross(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "SQLite", gorm.Config{})
	db := e.db.WithContext(as("a"))
	for name, err := range map[string]error{
		"Joins":       db.Joins("Shelf").Find(&[]Book{}).Error,
		"InnerJoins":  db.InnerJoins("Shelf").Find(&[]Book{}).Error,
		"nested":      db.Joins("Book.Shelf").Find(&[]Loan{}).Error,
		"text":        db.Joins("JOIN shelves ON shelves.id = books.shelf_id").Find(&[]Book{}).Error,
		"text alias":  db.Model(&Book{}).Joins(`LEFT JOIN "Shelves" s ON s.id = books.shelf_id`).Pluck("s.name", &[]string{}).Error,
		"owned":       db.Model(&Shelf{}).Joins("JOIN books ON books.shelf_id = shelves.id").Pluck("title", &[]string{}).Error,
		"From":        db.Clauses(clause.From{Joins: []clause.Join{{Table: clause.Table{Name: "shelves"}, ON: clause.Where{Exprs: []clause.Expression{clause.Expr{SQL: "1 = 1"}}}}}}).Find(&[]Book{}).Error,
		"From text":   db.Clauses(clause.From{Joins: []clause.Join{{Expression: clause.Expr{SQL: "JOIN shelves ON 1 = 1"}}}}).Find(&[]Book{}).Error,
		"From table":  db.Clauses(clause.From{Tables: []clause.Table{{Name: "books"}, {Name: "shelves"}}}).Find(&[]Book{}).Error,
		"association": db.Model(&Book{ID: 1}).Association("Labels").Find(&[]Label{}),
	} {
		if !errors.Is(err, tenancy.ErrUnconfined) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, ctx := range map[string]context.Context{"nobody": context.Background(), "bypass": bypass()} {
		if err := e.db.WithContext(ctx).Joins("JOIN books ON books.shelf_id = shelves.id").Find(&[]Shelf{}).Error; !errors.Is(err, tenancy.ErrUnconfined) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var book Book
	must(t, db.Preload("Shelf").Preload("Labels").Take(&book, 1).Error)
	if book.Shelf.Name != "top" || len(book.Labels) != 1 {
		t.Errorf("%+v", book)
	}
}

// TestOtherFiles: SQL text inside a tenant cannot open another tenant's file, nor write one, with anything in front that
// SQLite takes for a blank.
func TestOtherFiles(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "SQLite", gorm.Config{})
	pool, err := e.db.DB()
	must(t, err)
	_, b := e.raw("b")
	loot := filepath.Join(t.TempDir(), "loot.db")
	leads := []string{
		"", "/* x */", "-- x\n", ";", "SELECT 1;", "/**/;/*;*/", "\ufeff", "/* unclosed */ \ufeff ;;", "EXPLAIN SELECT 1;", "SELECT 1 AS [']; -- ' \n", "SELECT 1 AS ['];",
		"SELECT 1 AS \"'\";", "SELECT '\\';", "SELECT 1 AS `'`;",
	}
	for c := range 256 {
		leads = append(leads, string([]byte{byte(c)}))
	}
	for _, lead := range leads {
		for _, q := range []string{"ATTACH '" + b + "' AS loot", "VACUUM INTO '" + loot + "'", "VACUUM/*;*/main/*;*/INTO '" + loot + "'"} {
			c, err := pool.Conn(as("a"))
			must(t, err)
			_, err = c.ExecContext(as("a"), lead+q)
			if err == nil && lead != "\x00" { // which ends the text
				t.Errorf("%q was run", lead+q)
			}
			var n int
			if err := c.QueryRowContext(as("a"), "SELECT COUNT(*) FROM loot.books").Scan(&n); err == nil {
				t.Fatalf("%q reached b", lead+q)
			}
			must(t, c.Close())
		}
	}
	if _, err := os.Stat(loot); err == nil {
		t.Error("a file was written")
	}
	db := e.db.WithContext(as("a"))
	for _, q := range []string{"ATTACH '" + b + "' AS loot", "DETACH main"} {
		if err := db.Exec(q).Error; !errors.Is(err, tenancy.ErrUnconfined) {
			t.Errorf("%s: %v", q, err)
		}
	}
	must(t, db.Exec("VACUUM").Error)
	must(t, db.Exec("CREATE TEMP TABLE mine (id int)").Error)
	must(t, db.Exec("INSERT INTO books (title) VALUES ('a; attached')").Error)
	must(t, e.db.WithContext(bypass()).Exec("VACUUM INTO ?", loot).Error)
}

// TestUnfinished: a transaction begun as text ends with its connection; the next user's writes do not vanish in it.
func TestUnfinished(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, kind string) {
		e := newEnv(t, kind, gorm.Config{}, database.Budget(tenantconn.Budget{MaxPerPlace: 1}))
		db := e.db.WithContext(as("a"))
		must(t, db.Exec("/* later */ begin").Error)
		must(t, db.Create(&Book{Title: "kept"}).Error)
		if !strings.Contains(e.dump("a"), "kept") {
			t.Error("the write went into a transaction nobody ends")
		}
	})
}

// TestMigrate: central tables are made in the central database, owned ones in tenants', and no foreign key leads across.
func TestMigrate(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, kind string) {
		e := newEnv(t, kind, gorm.Config{})
		db := e.db.WithContext(as("a"))
		must(t, db.AutoMigrate(owned...)) // again
		must(t, e.db.WithContext(bypass()).AutoMigrate(central...))
		if err := db.AutoMigrate(&Shelf{}); !errors.Is(err, tenancy.ErrUnconfined) {
			t.Error(err)
		}
		m := db.Migrator()
		for what, got := range map[string]bool{
			"central table": m.HasTable(&Shelf{}), "owned table outside": e.db.WithContext(bypass()).Migrator().HasTable("books"),
			"key to shelves": m.HasConstraint(&Book{}, "fk_shelves_books"),
		} {
			if got {
				t.Errorf("%s is there", what)
			}
		}
		for what, got := range map[string]bool{
			"owned table": m.HasTable(&Book{}), "join table": m.HasTable("book_labels"), "index": m.HasIndex(&Loan{}, "Reader"),
			"key to books": m.HasConstraint(&Loan{}, "fk_books_loans"), "key of the join table": m.HasConstraint("book_labels", "fk_book_labels_book"),
		} {
			if !got {
				t.Errorf("%s is not there", what)
			}
		}
		shelf := uint(999) // no shelf
		if err := db.Create(&Book{ShelfID: &shelf}).Error; err != nil {
			t.Errorf("a foreign key leads to the central database: %v", err)
		}
		if err := db.Create(&Loan{BookID: 999}).Error; err == nil && kind != "SQLite" {
			t.Error("the foreign key to books was lost")
		}
		must(t, db.Migrator().DropTable(&Loan{}))
		must(t, db.Migrator().CreateTable(&Loan{}))
		must(t, db.Exec("ALTER TABLE loans ADD COLUMN extra int").Error)
	})
}
