package archive

import (
	"archive/zip"
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"io"
	"net/url"

	"gorm.io/gorm"
)

const manifestName = "manifest.json"

// entryName is where an archive keeps the rows of a table.
func entryName(table string) string { return "tables/" + url.PathEscape(table) + ".jsonl" }

// Export writes all rows of the tenant of ctx, soft-deleted ones included, as an archive to w, and returns its manifest. db
// has the plugin; all owned models must be declared with tenancy.OwnedModels, or their tables are not known. The rows are
// read in one read-only transaction, so that they fit together; on a db that is a transaction already, in that one, which
// should be REPEATABLE READ. Memory does not grow with the number of rows.
//
// It fails with tenancy.ErrNoTenant, [ErrSchema] for a table that is missing and for columns without a field, [ErrValue],
// [ErrTooLarge], and the error of ctx, w or the database. What w was given then is no archive and [Import] refuses it. Safe
// for concurrent use.
func Export(ctx context.Context, db *gorm.DB, w io.Writer, opts ...Option) (Manifest, error) {
	archive := zip.NewWriter(w)
	o := newOptions(opts)
	m, err := read(ctx, db, o, func(tx *gorm.DB, t *table) (Table, error) {
		entry, err := archive.CreateHeader(&zip.FileHeader{Name: entryName(t.name), Method: zip.Deflate, Modified: o.now()})
		if err != nil {
			return Table{}, err
		}
		out := bufio.NewWriterSize(entry, 64<<10)
		written, err := t.write(ctx, tx, o, out)
		if err != nil {
			return Table{}, err
		}
		return written, out.Flush()
	})
	if err != nil {
		return Manifest{}, err
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return Manifest{}, err
	}
	entry, err := archive.CreateHeader(&zip.FileHeader{Name: manifestName, Method: zip.Deflate, Modified: o.now()})
	if err != nil {
		return Manifest{}, err
	}
	if _, err := entry.Write(text); err != nil {
		return Manifest{}, err
	}
	return m, archive.Close()
}

// Sum is [Export] without an archive: the manifest that an export would have now, for comparing. Two tenants with the same
// SHA256 have the same rows, whatever their ids, databases and strategies. Safe for concurrent use.
func Sum(ctx context.Context, db *gorm.DB, opts ...Option) (Manifest, error) {
	o := newOptions(opts)
	return read(ctx, db, o, func(tx *gorm.DB, t *table) (Table, error) { return t.write(ctx, tx, o, nil) })
}

// read calls each for the owned tables in one transaction and makes the manifest.
func read(ctx context.Context, db *gorm.DB, o *options, each func(*gorm.DB, *table) (Table, error)) (Manifest, error) {
	session, plugin, id, err := session(ctx, db)
	if err != nil {
		return Manifest{}, err
	}
	m := Manifest{Format: FormatVersion, Tenant: id.String(), Time: o.now().UTC(), SchemaVersion: o.version}
	err = session.Transaction(func(tx *gorm.DB) error {
		tables, err := loadTables(tx, plugin, o)
		if err != nil {
			return err
		}
		for _, t := range tables {
			read, err := each(tx, t)
			if err != nil {
				return err
			}
			m.Tables = append(m.Tables, read)
		}
		return nil
	}, snapshot(db)...)
	if err != nil {
		return Manifest{}, err
	}
	m.SHA256 = m.seal()
	return m, nil
}

// snapshot is how a transaction sees one state of the database. SQLite's always do.
func snapshot(db *gorm.DB) []*sql.TxOptions {
	if db.Name() == "sqlite" {
		return nil
	}
	return []*sql.TxOptions{{Isolation: sql.LevelRepeatableRead, ReadOnly: true}}
}
