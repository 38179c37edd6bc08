package database_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/strategies/database"
)

// leave closes the connections past everything: they are another process's.
func (e *env) leave() {
	e.Helper()
	for id, pool := range e.pools {
		must(e, pool.Close())
		delete(e.pools, id)
	}
}

// moved is a dump with another tenant's column; texts keep what they were.
func moved(dump string, from, to tenancy.ID) string {
	return strings.ReplaceAll(dump, "tenant_id="+string(from), "tenant_id="+string(to))
}

// holds fails unless the tenant has these rows.
func (e *env) holds(id tenancy.ID, want string) {
	e.Helper()
	if got := e.dump(id); got != want {
		e.Errorf("%s has\n%s\nwant\n%s", id, got, want)
	}
	e.leave()
}

// TestRename: a tenant gets another id with all its rows, b keeps its own, and nothing is ever overwritten.
func TestRename(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"SQLite", "PostgreSQL"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			e, ctx := newEnv(t, kind, gorm.Config{}), context.Background()
			a, b := e.dump("a"), e.dump("b")
			e.leave()
			for _, id := range []tenancy.ID{"a", "b"} { // connections of both
				must(t, e.db.WithContext(as(id)).Find(&[]Book{}).Error)
			}
			for to, want := range map[tenancy.ID]error{"b": database.ErrForeign, "a": tenancy.ErrInvalidID, "B": tenancy.ErrInvalidID} {
				if err := e.strategy.Rename(ctx, "a", to); !errors.Is(err, want) {
					t.Errorf("to %s: %v", to, err)
				}
			}
			if err := e.strategy.Rename(ctx, "nobody", "c"); !errors.Is(err, tenancy.ErrUnknownTenant) {
				t.Errorf("nobody: %v", err)
			}
			e.holds("a", a)
			e.holds("b", b)

			must(t, e.strategy.Rename(ctx, "a", "c"))
			must(t, e.strategy.Rename(ctx, "a", "c")) // again
			e.holds("c", moved(a, "a", "c"))
			e.holds("b", b)
			if err := e.db.WithContext(as("a")).Find(&[]Book{}).Error; !refused(err) {
				t.Errorf("the old id is served: %v", err)
			}
			var authors []Author
			must(t, e.db.WithContext(as("c")).Find(&authors).Error)
			if len(authors) != 2 || authors[0].TenantID != "c" {
				t.Errorf("%+v", authors)
			}
			must(t, e.db.WithContext(as("c")).Create(&Book{Title: "c-new"}).Error)
			must(t, e.strategy.Provision(ctx, "a")) // the id is free
			if err := e.strategy.Rename(ctx, "a", "c"); !errors.Is(err, database.ErrForeign) {
				t.Errorf("a new tenant over the renamed one: %v", err)
			}
			must(t, e.strategy.Deprovision(ctx, "a"))
			must(t, e.strategy.Rename(ctx, "c", "a")) // and back
			e.holds("b", b)
			must(t, e.db.WithContext(as("a")).Where("title = ?", "c-new").Delete(&Book{}).Error)
			var n int64
			must(t, e.db.WithContext(as("a")).Model(&Book{}).Count(&n).Error)
			if n != 2 {
				t.Errorf("%d books", n)
			}
		})
	}
}

// TestRenameInUse: a transaction is waited for as long as the context allows, and nothing is done then.
func TestRenameInUse(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"SQLite", "PostgreSQL"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, kind, gorm.Config{})
			e.leave()
			tx := e.db.WithContext(as("a")).Begin()
			must(t, tx.Create(&Book{Title: "a-late"}).Error)
			short, cancel := context.WithCancel(t.Context())
			cancel()
			if err := e.strategy.Rename(short, "a", "c"); !errors.Is(err, context.Canceled) {
				t.Errorf("with a transaction open: %v", err)
			}
			must(t, tx.Create(&Book{Title: "a-later"}).Error)
			must(t, tx.Commit().Error)
			must(t, e.strategy.Rename(t.Context(), "a", "c"))
			var n int64
			must(t, e.db.WithContext(as("c")).Model(&Book{}).Where("title LIKE 'a-late%'").Count(&n).Error)
			if n != 2 {
				t.Errorf("%d", n)
			}
		})
	}
}

// TestRenameUnsupported: MySQL says so, before anything is done.
func TestRenameUnsupported(t *testing.T) {
	t.Parallel()
	e, ctx := newEnv(t, "MariaDB", gorm.Config{}), context.Background()
	a := e.dump("a")
	for _, err := range []error{e.strategy.Rename(ctx, "a", "c"), e.strategy.Clone(ctx, "a", "c")} {
		if !errors.Is(err, tenancy.ErrUnsupported) {
			t.Error(err)
		}
	}
	e.holds("a", a)
	must(t, e.db.WithContext(as("a")).Create(&Book{Title: "served"}).Error)
	if err := newEnv(t, "PostgreSQL", gorm.Config{}).strategy.Clone(ctx, "a", "c"); !errors.Is(err, tenancy.ErrUnsupported) {
		t.Error(err)
	}
}

// TestRenameForeign: what the provisioner did not make is neither renamed nor overwritten.
func TestRenameForeign(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, "SQLite")
		_, strategy, _ := s.open(t)
		must(t, strategy.Provision(ctx, "x"))
		file := func(name string) string { return filepath.Join(s.admin, name) }
		for _, name := range []string{"tenant_y.db", "tenant_y.db-wal", "tenant_y.db-journal"} {
			must(t, os.WriteFile(file(name), []byte("somebody's"), 0o600))
			for what, do := range map[string]func(context.Context, tenancy.ID, tenancy.ID) error{"rename": strategy.Rename, "clone": strategy.Clone} {
				if err := do(ctx, "x", "y"); !errors.Is(err, database.ErrForeign) {
					t.Errorf("%s over %s: %v", what, name, err)
				}
			}
			if text, err := os.ReadFile(file(name)); err != nil || string(text) != "somebody's" {
				t.Errorf("%s: %q %v", name, text, err)
			}
			if strings.HasSuffix(name, ".db") {
				if err := strategy.Rename(ctx, "y", "z"); !errors.Is(err, database.ErrForeign) {
					t.Errorf("a stranger's file: %v", err)
				}
			}
			must(t, os.Remove(file(name)))
		}
		other := openRaw(t, "sqlite3", file("tenant_x.db"))
		exec(t, other, "INSERT INTO books (title) VALUES ('working')")
		if err := strategy.Rename(ctx, "x", "y"); err == nil {
			t.Error("a file that another process has open was renamed")
		}
		if _, err := os.Stat(file("tenant_y.db")); err == nil {
			t.Error("the new name stays taken")
		}
		must(t, other.Close())
		must(t, strategy.Rename(ctx, "x", "y"))
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, "PostgreSQL")
		db, strategy, _ := s.open(t)
		must(t, strategy.Provision(ctx, "x"))
		admin := openRaw(t, "pgx", s.admin)
		exec(t, admin, "CREATE DATABASE "+s.prefix+"y")
		for _, ids := range [][2]tenancy.ID{{"x", "y"}, {"y", "z"}} {
			if err := strategy.Rename(ctx, ids[0], ids[1]); !errors.Is(err, database.ErrForeign) {
				t.Errorf("%v: %v", ids, err)
			}
		}
		exec(t, admin, "DROP DATABASE "+s.prefix+"y")
		exec(t, admin, "CREATE ROLE "+s.prefix+"y")
		if err := strategy.Rename(ctx, "x", "y"); !errors.Is(err, database.ErrForeign) {
			t.Errorf("a stranger's role: %v", err)
		}
		must(t, db.WithContext(as("x")).Find(&[]Book{}).Error) // it is served as before
	})
}

// TestRenameOthersSessions: sessions of other processes in PostgreSQL are ended, and cannot come back under the old name.
func TestRenameOthersSessions(t *testing.T) {
	t.Parallel()
	s := newSite(t, "PostgreSQL")
	_, strategy, _ := s.open(t)
	must(t, strategy.Provision(t.Context(), "x"))
	elsewhere, _, _ := s.open(t)
	tx := elsewhere.WithContext(as("x")).Begin()
	must(t, tx.Create(&Book{Title: "lost"}).Error)
	must(t, strategy.Rename(t.Context(), "x", "y"))
	if err := tx.Commit().Error; err == nil {
		t.Error("a session of the old name goes on")
	}
	if err := elsewhere.WithContext(as("x")).Find(&[]Book{}).Error; !refused(err) {
		t.Errorf("the old name is served: %v", err)
	}
	var n int64
	must(t, elsewhere.WithContext(as("y")).Model(&Book{}).Count(&n).Error)
	if n != 0 {
		t.Errorf("%d books", n)
	}
}

// TestRenameTogether: of several processes one renames, and none does harm.
func TestRenameTogether(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"SQLite", "PostgreSQL"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, kind)
			db, strategy, _ := s.open(t)
			must(t, strategy.Provision(t.Context(), "x"))
			must(t, db.WithContext(as("x")).Create(&Book{Title: "x-one"}).Error)
			pool, err := db.DB()
			must(t, err)
			must(t, pool.Close())
			var workers sync.WaitGroup
			for range 4 {
				_, other, _ := s.open(t)
				workers.Go(func() {
					for _, to := range []tenancy.ID{"y", "z"} {
						_ = other.Rename(t.Context(), "x", to) // one of them, to one of these
					}
				})
			}
			workers.Wait()
			db, strategy, _ = s.open(t)
			found := 0
			for _, id := range []tenancy.ID{"x", "y", "z"} {
				var books []Book
				switch err := db.WithContext(as(id)).Find(&books).Error; {
				case err == nil && len(books) == 1 && books[0].Title == "x-one":
					found++
				case !refused(err):
					t.Errorf("%s: %v %v", id, books, err)
				}
			}
			if found != 1 {
				t.Errorf("the tenant is in %d places", found)
			}
			must(t, strategy.Provision(t.Context(), "x"))
		})
	}
}

// TestMoveCrash: after kill -9 at any step the tenant is under one name at most, and calling again, or renaming it back,
// finishes.
func TestMoveCrash(t *testing.T) {
	t.Parallel()
	for kind, steps := range map[string]map[string][]string{
		"SQLite":     {"rename": {"reserved", "locked", "renamed"}, "clone": {"copied", "linked"}},
		"PostgreSQL": {"rename": {"closed", "renamed"}},
	} {
		for what, names := range steps {
			for _, step := range names {
				for _, back := range []bool{false, what == "rename"} {
					t.Run(fmt.Sprint(kind, " ", what, " ", step, " ", back), func(t *testing.T) {
						t.Parallel()
						s := newSite(t, kind)
						db, strategy, _ := s.open(t)
						must(t, strategy.Provision(t.Context(), "crash"))
						must(t, db.WithContext(as("crash")).Create(&Author{Name: "ann"}).Error)
						pool, err := db.DB()
						must(t, err)
						must(t, pool.Close()) // the child is alone
						s.dieAt(t, what, step)
						db, _, _ = s.open(t)
						crash, other := authors(db, "crash"), authors(db, "moved")
						if what == "rename" && crash+other > 1 || crash < 0 || other < 0 {
							t.Errorf("served from two places, or from half of one: %d and %d", crash, other)
						}
						if kind == "SQLite" && crash == 1 && what == "rename" {
							// The connection that has just read would be to a file of another name.
							_, third, _ := s.open(t)
							if err := third.Rename(t.Context(), "crash", "moved"); err == nil {
								t.Error("renamed while another process has it open")
							}
						}
						pool, err = db.DB()
						must(t, err)
						must(t, pool.Close())
						s.moveOn(t, what, back)
					})
				}
			}
		}
	}
}

// moveOn finishes what a child began, or takes it back.
func (s site) moveOn(t *testing.T, what string, back bool) {
	t.Helper()
	db, strategy, _ := s.open(t)
	want := map[tenancy.ID]int{"crash": 0, "moved": 1}
	switch {
	case back:
		want = map[tenancy.ID]int{"crash": 1, "moved": 0}
		must(t, strategy.Rename(t.Context(), "moved", "crash"))
	case what == "rename":
		must(t, strategy.Rename(t.Context(), "crash", "moved"))
	default:
		want["crash"] = 1
		must(t, strategy.Clone(t.Context(), "crash", "moved"))
	}
	for id, n := range want {
		if got := authors(db, id); got != n {
			t.Errorf("%s has %d authors, want %d", id, got, n)
		}
		must(t, strategy.Provision(t.Context(), id)) // nothing stands in the way
	}
}

// authors counts a tenant's authors: 0 where it is not served, -1 where something is wrong.
func authors(db *gorm.DB, id tenancy.ID) int {
	var n int64
	switch err := db.WithContext(as(id)).Model(&Author{}).Count(&n).Error; {
	case refused(err):
		return 0
	case err != nil:
		return -1
	}
	return int(n)
}

// TestClone: a tenant that is served gets a copy, whose rows are its own.
func TestClone(t *testing.T) {
	t.Parallel()
	e, ctx := newEnv(t, "SQLite", gorm.Config{}), context.Background()
	a, b := e.dump("a"), e.dump("b")
	must(t, e.db.WithContext(as("a")).Find(&[]Book{}).Error)
	must(t, e.strategy.Clone(ctx, "a", "c"))
	must(t, e.db.WithContext(as("c")).Model(&Author{}).Where("id = 1").Update("name", "changed").Error)
	must(t, e.db.WithContext(as("a")).Delete(&Loan{}, 1).Error)
	must(t, e.strategy.Clone(ctx, "a", "c")) // is there
	var books, loans int64
	must(t, e.db.WithContext(as("c")).Model(&Book{}).Count(&books).Error)
	must(t, e.db.WithContext(as("c")).Model(&Loan{}).Count(&loans).Error)
	if books != 2 || loans != 3 {
		t.Errorf("%d books, %d loans", books, loans)
	}
	if got := e.dump("c"); !strings.Contains(got, "tenant_id=c") || strings.Contains(got, "tenant_id=a") || !strings.Contains(got, "changed") {
		t.Error(got)
	}
	if got := e.dump("a"); strings.Contains(got, "changed") || len(got) >= len(a) {
		t.Error(got)
	}
	e.holds("b", b)
	if err := e.strategy.Clone(ctx, "nobody", "d"); !errors.Is(err, tenancy.ErrUnknownTenant) {
		t.Error(err)
	}
	must(t, e.strategy.Rename(ctx, "c", "d"))
	must(t, e.strategy.Deprovision(ctx, "d"))
	e.holds("b", b)
}
