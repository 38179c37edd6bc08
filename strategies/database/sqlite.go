package database

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
)

// Files keeps each tenant in a SQLite file of a directory. It is a tenancy.Provisioner and gives the strategy its [Opener].
// It is safe for concurrent use, also by several processes.
type Files struct {
	dir     string
	dialect func(dsn string) gorm.Dialector
	backups string

	mu       sync.Mutex
	template []byte // guarded by mu; a new tenant's file
	version  string // guarded by mu; of template

	step func(string) // tests stop here
}

var (
	_ maker               = (*Files)(nil)
	_ tenancy.Provisioner = (*Files)(nil)
)

// FilesOption configures [SQLiteFiles].
type FilesOption func(*Files)

// KeepFiles keeps a last copy of each removed tenant in a directory, as <name>-<time>.db, complete and checked into one
// file. By default there is none.
func KeepFiles(dir string) FilesOption { return func(f *Files) { f.backups = dir } }

// SQLiteFiles keeps tenants in files named tenant_<id>.db in dir, which is made when the first tenant is. dialect is the
// application's driver: sqlite.Open of gorm.io/driver/sqlite (which needs cgo) or one that takes the same DSNs, such as
// github.com/glebarez/sqlite. Connections wait 5 seconds for a lock and enforce foreign keys; files are in WAL mode.
func SQLiteFiles(dir string, dialect func(dsn string) gorm.Dialector, opts ...FilesOption) *Files {
	f := &Files{dir: dir, dialect: dialect, step: func(string) {}}
	for _, opt := range opts {
		opt(f)
	}
	return f
}

// Open is the [Opener]. A tenant without a file is tenancy.ErrUnknownTenant: files are made by Provision alone.
func (f *Files) Open(_ context.Context, id tenancy.ID) (gorm.Dialector, error) {
	path, err := f.path(id)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, tenancy.ErrUnknownTenant
		}
		return nil, errors.New("database: the tenant's file cannot be reached")
	}
	return f.dialect(dsn(path, "rw")), nil
}

// dsn is understood by the drivers of mattn (the underscored names) and modernc (_pragma).
func dsn(path, mode string) string {
	escaped := strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(filepath.ToSlash(path))
	return "file:" + escaped + "?mode=" + mode +
		"&_busy_timeout=5000&_foreign_keys=1&_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)"
}

// path is that of a tenant's file. An id is a name without separators or dots; the prefix keeps it from meaning anything
// to an operating system.
func (f *Files) path(id tenancy.ID) (string, error) {
	if _, err := tenancy.ParseID(string(id)); err != nil {
		return "", err
	}
	return filepath.Join(f.dir, "tenant_"+string(id)+".db"), nil
}

// applicationID marks files that Provision made: SQLite keeps it in the header for that ("tncy").
const applicationID = 0x746e6379

// ours reports whether a file was made by Provision. A file that is not there is fs.ErrNotExist.
func ours(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	header := make([]byte, 72)
	_, err = io.ReadFull(file, header)
	if err != nil || !bytes.HasPrefix(header, []byte("SQLite format 3\x00")) || binary.BigEndian.Uint32(header[68:]) != applicationID {
		return fmt.Errorf("%w: the file %s", ErrForeign, filepath.Base(path))
	}
	return nil
}

// Provision is for the strategy, which knows the tables: use [Strategy.Provision]. It fails with tenancy.ErrUnsupported.
func (f *Files) Provision(context.Context, tenancy.ID) error { return errAlone }

var errAlone = fmt.Errorf("%w: provision through the strategy, which knows the tables: database.New(places.Open, "+
	"database.WithProvisioner(places))", tenancy.ErrUnsupported)

// provision writes a copy of the template under another name, and gives it the tenant's name when it is safe on disk. The
// name is given by a link, which never replaces a file. A crash leaves a file nobody opens.
func (f *Files) provision(ctx context.Context, id tenancy.ID, t tables) error {
	path, err := f.path(id)
	if err != nil {
		return err
	}
	if err := ours(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	template, err := f.templateOf(ctx, t)
	if err != nil {
		return err
	}
	if err := leftovers(path); err != nil {
		return err
	}
	fresh, err := write(f.dir, template)
	if err != nil {
		return err
	}
	defer os.Remove(fresh)
	f.step("written")
	if err := os.Link(fresh, path); err != nil {
		if errors.Is(err, fs.ErrExist) { // another process was faster
			return ours(path)
		}
		return err
	}
	f.step("linked")
	return syncDir(f.dir)
}

// leftovers refuses a name whose log was left when its file was removed by hand: SQLite would play it into the new file.
func leftovers(path string) error {
	for _, suffix := range []string{"-wal", "-journal"} {
		if _, err := os.Stat(path + suffix); err != nil {
			continue
		}
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w: %s is left of another file; remove it", ErrForeign, filepath.Base(path)+suffix)
		}
	}
	return nil
}

// newPattern names files that are being written; no tenant has such a name.
const newPattern = ".new-*"

// write puts content in a new file that is safe on disk.
func write(dir string, content []byte) (name string, err error) {
	file, err := os.CreateTemp(dir, newPattern)
	if err != nil {
		return "", err
	}
	_, err = file.Write(content)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return "", errors.Join(err, os.Remove(file.Name()))
	}
	return file.Name(), nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
