package tenancytest

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"gorm.io/gorm"
)

// Opener opens the application's database with its plugin (db.Use) and everything else that it does at start-up. where says
// which: of [SQLite] a directory for its files, of [Postgres] a DSN.
type Opener func(where string) (*gorm.DB, error)

// Template is a database that is filled once and copied for each test that asks. Keep one in a variable of the test package;
// [SQLite] and [Postgres] make it. It is safe for concurrent use by several tests.
type Template struct {
	open Opener
	// copy returns where the test has a copy of its own, and registers what removes it.
	copy func(t testing.TB) (where string, err error)
}

// Open returns the application's database on a copy of the template. The first call of a process makes the template; where that
// fails, it fails every test. The copy is closed and removed when the test ends.
func (p *Template) Open(t testing.TB) *gorm.DB {
	t.Helper()
	where, err := p.copy(t)
	if err != nil {
		t.Fatalf("tenancytest: the template: %v", err)
		return nil
	}
	db, err := p.open(where)
	if err != nil {
		t.Fatalf("tenancytest: open the copy: %v", err)
		return nil
	}
	t.Cleanup(func() { _ = closeDB(db) })
	return db
}

func closeDB(db *gorm.DB) error {
	pool, err := db.DB()
	if err != nil {
		return err
	}
	return pool.Close()
}

// filled opens a database, fills it and closes it.
func filled(where string, open Opener, fill func(*gorm.DB) error) error {
	db, err := open(where)
	if err != nil {
		return err
	}
	if err := fill(db); err != nil {
		_ = closeDB(db)
		return err
	}
	return closeDB(db)
}

// SQLite returns a template of the SQLite files in one directory, the central ones and those of tenants. fill makes the tables
// and whatever rows all tests begin with, for example by [Seed]. The template is kept in memory, so nothing is left behind;
// each test has its files in its t.TempDir.
//
//	var template = tenancytest.SQLite(
//		func(dir string) (*gorm.DB, error) { return app.Open(sqlite.Open(filepath.Join(dir, "app.db"))) },
//		func(db *gorm.DB) error { return db.WithContext(tenancy.Bypass(ctx, "create tables")).AutoMigrate(app.Models()...) },
//	)
func SQLite(open Opener, fill func(db *gorm.DB) error) *Template {
	files := sync.OnceValues(func() (map[string][]byte, error) {
		dir, err := os.MkdirTemp("", "tenancytest")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(dir)
		if err := filled(dir, open, fill); err != nil {
			return nil, err
		}
		return contents(dir)
	})
	return &Template{open: open, copy: func(t testing.TB) (string, error) {
		all, err := files()
		if err != nil {
			return "", err
		}
		dir := t.TempDir()
		for name, text := range all {
			file := filepath.Join(dir, name)
			if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
				return "", err
			}
			if err := os.WriteFile(file, text, 0o600); err != nil {
				return "", err
			}
		}
		return dir, nil
	}}
}

// contents reads the files of a directory. SQLite's shared memory files are made anew by whoever opens the database.
func contents(dir string) (map[string][]byte, error) {
	all := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasSuffix(path, "-shm") {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		all[name], err = os.ReadFile(path)
		return err
	})
	return all, err
}
