package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gorm-tenancy/tenancy"
)

// Deprovision removes the tenant's file, after a last copy if [KeepFiles] says so. Call it through the strategy, which closes
// its connections first. It fails with [ErrForeign] for a file that Provision did not make, and when another process has
// the file open; nothing is removed then. A tenant that is not there is no error.
func (f *Files) Deprovision(ctx context.Context, id tenancy.ID) error {
	path, err := f.path(id)
	if err != nil {
		return err
	}
	if err := ours(path); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	if f.backups != "" {
		if err := f.keep(ctx, path); err != nil {
			return fmt.Errorf("database: keep a copy: %w", err)
		}
	}
	f.step("kept")
	// SQLite removes the log itself when nobody else has the file open. A log without its file would be played into the
	// next file of the name.
	err = f.with(ctx, path, "rw", func(c *sql.Conn) error {
		var mode string
		if err := c.QueryRowContext(ctx, "PRAGMA journal_mode = DELETE").Scan(&mode); err != nil {
			return err
		}
		if mode != "delete" {
			return errors.New("database: the file is in use")
		}
		return nil
	})
	if err != nil {
		return err
	}
	f.step("closed")
	if err := os.Remove(path); err != nil {
		return err
	}
	f.step("removed")
	return syncDir(f.dir)
}

// keep writes a copy that has its name only when it is complete.
func (f *Files) keep(ctx context.Context, path string) error {
	if err := os.MkdirAll(f.backups, 0o750); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(f.backups, newPattern)
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	copied := filepath.Join(dir, "copy.db")
	if err := f.snapshot(ctx, path, copied); err != nil {
		return err
	}
	f.step("copied")
	name := filepath.Base(path)
	name = name[:len(name)-len(".db")] + "-" + time.Now().UTC().Format("20060102T150405.000000000Z") + ".db"
	if err := os.Rename(copied, filepath.Join(f.backups, name)); err != nil {
		return err
	}
	return syncDir(f.backups)
}
