package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gorm-tenancy/tenancy/tenantconn"
)

// templateOf returns the file of a new tenant. It is made once by each process, so that it fits the process's models, and
// kept in memory.
func (f *Files) templateOf(ctx context.Context, t tables) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.template != nil && f.version == t.version {
		return f.template, nil
	}
	if err := os.MkdirAll(f.dir, 0o750); err != nil {
		return nil, err
	}
	f.sweep()
	dir, err := os.MkdirTemp(f.dir, newPattern)
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	content, err := f.makeTemplate(ctx, filepath.Join(dir, "template.db"), t)
	if err != nil {
		return nil, fmt.Errorf("database: make the template of new tenants: %w", err)
	}
	f.template, f.version = content, t.version
	return content, nil
}

// sweep removes what crashes have left. What is young may be at work.
func (f *Files) sweep() {
	left, _ := filepath.Glob(filepath.Join(f.dir, newPattern))
	for _, name := range left {
		if info, err := os.Stat(name); err == nil && time.Since(info.ModTime()) > time.Hour {
			_ = os.RemoveAll(name)
		}
	}
}

func (f *Files) makeTemplate(ctx context.Context, path string, t tables) ([]byte, error) {
	if err := f.exec(ctx, path, "rwc", "PRAGMA journal_mode = WAL"); err != nil {
		return nil, err
	}
	f.step("template begun")
	if err := t.make(ctx, f.dialect(dsn(path, "rw"))); err != nil {
		return nil, err
	}
	f.step("template migrated")
	err := f.exec(ctx, path, "rw", fmt.Sprintf("PRAGMA application_id = %d", applicationID), "PRAGMA wal_checkpoint(TRUNCATE)")
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(path + "-wal"); err == nil && info.Size() > 0 {
		return nil, errors.New("the migration left a connection open")
	}
	return os.ReadFile(path)
}

// exec runs statements on a file, on one connection that is closed afterwards.
func (f *Files) exec(ctx context.Context, path, mode string, statements ...string) error {
	return f.with(ctx, path, mode, func(c *sql.Conn) error {
		for _, s := range statements {
			if _, err := c.ExecContext(ctx, s); err != nil {
				return err
			}
		}
		return nil
	})
}

func (f *Files) with(ctx context.Context, path, mode string, do func(*sql.Conn) error) (err error) {
	db, err := tenantconn.Standalone(f.dialect(dsn(path, mode)))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	c, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	return do(c)
}
