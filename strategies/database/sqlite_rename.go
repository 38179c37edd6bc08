package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gorm-tenancy/tenancy"
)

// Rename gives a tenant's file another name. Call it through the strategy, which closes its connections first. The new name is
// taken by a note that no connection takes for a database; then, while SQLite holds the file for us alone, whose log has been
// written back and removed, the file replaces the note. A crash leaves the file under one of its names, and perhaps the note,
// which the next call removes. It fails when another process has the file open, and with the errors of [Strategy.Rename].
func (f *Files) Rename(ctx context.Context, from, to tenancy.ID) error {
	old, err := f.path(from)
	if err != nil {
		return err
	}
	path, err := f.path(to)
	if err != nil {
		return err
	}
	if err := erase(old, note(path, old)); err != nil { // left by a rename that is taken back
		return err
	}
	mine := note(old, path)
	done, err := f.renamed(old, path, mine)
	if err == nil && !done {
		err = f.reserved(path, mine, func() error { return f.replace(ctx, old, path, mine) })
	}
	if err != nil {
		return err
	}
	f.step("renamed")
	return errors.Join(f.exec(ctx, path, "rw", "PRAGMA journal_mode = WAL"), syncDir(f.dir))
}

// note is what stands in a file that a rename has reserved.
func note(old, path string) []byte {
	return []byte("tenancy: reserved for " + filepath.Base(old) + ", which becomes " + filepath.Base(path) + "\n")
}

// noted reports whether a file is the note.
func noted(path string, note []byte) bool {
	info, err := os.Stat(path)
	if err != nil || info.Size() != int64(len(note)) {
		return false
	}
	text, err := os.ReadFile(path)
	return err == nil && string(text) == string(note)
}

func erase(path string, note []byte) error {
	if noted(path, note) {
		return os.Remove(path)
	}
	return nil
}

// renamed reports whether the work is done, or refuses it.
func (f *Files) renamed(old, path string, mine []byte) (done bool, err error) {
	source, target := ours(old), ours(path)
	if noted(path, mine) {
		target = fs.ErrNotExist
	}
	switch missing := errors.Is(target, fs.ErrNotExist); {
	case source == nil && target == nil:
		return false, fmt.Errorf("%w: the file %s is that of the new id; remove that tenant first", ErrForeign, filepath.Base(path))
	case target == nil: // whatever has the old name now, it is another's
		return true, nil
	case !missing:
		return false, target
	case source == nil:
		return false, leftovers(path)
	case errors.Is(source, fs.ErrNotExist):
		return false, errors.Join(tenancy.ErrUnknownTenant, erase(path, mine))
	}
	return false, source
}

// reserved runs do while the new name is taken, and gives it back if that fails.
func (f *Files) reserved(path string, mine []byte, do func() error) error {
	if !noted(path, mine) {
		fresh, err := write(f.dir, mine)
		if err != nil {
			return err
		}
		defer os.Remove(fresh)
		if err := os.Link(fresh, path); err != nil && !(errors.Is(err, fs.ErrExist) && noted(path, mine)) {
			return fmt.Errorf("%w: the file %s", ErrForeign, filepath.Base(path))
		}
	}
	f.step("reserved")
	if err := do(); err != nil {
		return errors.Join(err, erase(path, mine))
	}
	return nil
}

// replace renames the file over the note while nobody else can open it. Who waited for that looks again.
func (f *Files) replace(ctx context.Context, old, path string, mine []byte) error {
	return f.with(ctx, old, "rw", func(c *sql.Conn) error {
		if _, err := c.ExecContext(ctx, "PRAGMA journal_mode = DELETE"); err != nil {
			return err
		}
		if _, err := c.ExecContext(ctx, "BEGIN EXCLUSIVE"); err != nil {
			return err
		}
		defer c.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		var mode string // somebody may have opened it in between, who would stay
		if err := c.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode); err != nil {
			return err
		}
		if mode != "delete" {
			return errors.New("database: the file is in use")
		}
		if err := ours(old); err != nil || !noted(path, mine) {
			return errors.Join(err, errors.New("database: another process is renaming the tenant; look again"))
		}
		f.step("locked")
		return os.Rename(old, path)
	})
}

// Clone copies a tenant's file as it is at one moment, to another name that it gets when the copy is safe on disk, by a link,
// which never replaces a file. Call it through the strategy. A crash leaves a file nobody opens.
func (f *Files) Clone(ctx context.Context, from, to tenancy.ID) error {
	source, err := f.path(from)
	if err != nil {
		return err
	}
	path, err := f.path(to)
	if err != nil {
		return err
	}
	if err := ours(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := ours(source); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return tenancy.ErrUnknownTenant
		}
		return err
	}
	if err := leftovers(path); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(f.dir, newPattern)
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	copied := filepath.Join(dir, "copy.db")
	if err := f.snapshot(ctx, source, copied, "PRAGMA journal_mode = WAL"); err != nil {
		return fmt.Errorf("database: copy the tenant's file: %w", err)
	}
	f.step("copied")
	if err := os.Link(copied, path); err != nil {
		if errors.Is(err, fs.ErrExist) { // another process was faster
			return ours(path)
		}
		return err
	}
	f.step("linked")
	return syncDir(f.dir)
}

// snapshot writes a copy of a file that may be in use, runs statements on it, and syncs it.
func (f *Files) snapshot(ctx context.Context, source, copied string, statements ...string) error {
	err := f.with(ctx, source, "rw", func(c *sql.Conn) error {
		_, err := c.ExecContext(ctx, "VACUUM INTO ?", copied)
		return err
	})
	if err == nil && len(statements) > 0 {
		err = f.exec(ctx, copied, "rw", statements...)
	}
	if err != nil {
		return err
	}
	file, err := os.OpenFile(copied, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}
