package archive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"slices"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
)

// Report says what [Import] and [Copy] did.
type Report struct {
	// Manifest is the archive's.
	Manifest Manifest
	// Erased are the rows that [Replace] erased; none otherwise.
	Erased []Count
	// Renumbered is how many rows got another key.
	Renumbered int64
}

// Count is a number of rows.
type Count struct {
	// Table is the table's name.
	Table string
	// Rows is how many.
	Rows int64
}

// Import writes the rows of an archive as rows of the tenant of ctx, which may be another than the one that was exported: no
// row of an archive says whose it is. Everything happens in one transaction, and nothing is left when it fails. Hooks of
// models do not run; times stay as they were exported. Central tables are not written: rows keep what they say about them.
// Two imports into one tenant wait for each other; not on MySQL where db is a transaction already.
//
// r is read into a temporary file, unless it is one (an io.ReaderAt and io.Seeker). It may come from anybody: only owned
// tables and their columns are written, and what is read is bounded by [MaxBytes] and [MaxRowBytes]. It fails with
//
//   - [ErrMalformed], [ErrVersion], [ErrChecksum] and [ErrTooLarge] for what is no archive, or was changed;
//   - [ErrSchema] for tables and columns that are not here, or not in the archive;
//   - [ErrNotEmpty] for a tenant that has rows, unless [Replace] or [Merge] is given;
//   - [ErrKeyTaken] where a key or another unique value is taken, for keys that all tenants share see [Renumber];
//   - [ErrReference], or tenancy.ErrTenantMismatch, for a row that refers to one that is not the tenant's;
//   - [ErrChanged] where a column cannot hold what was exported, see [AllowLoss];
//   - tenancy.ErrNoTenant, and the error of ctx, r or the database.
//
// Safe for concurrent use.
func Import(ctx context.Context, db *gorm.DB, r io.Reader, opts ...Option) (Report, error) {
	session, plugin, id, err := session(ctx, db)
	if err != nil {
		return Report{}, err
	}
	o := newOptions(opts)
	c, err := openContainer(r, o)
	if err != nil {
		return Report{}, err
	}
	defer c.close()
	in := &importer{options: o, container: c, keys: map[*table]*keyMap{}, report: Report{Manifest: c.manifest}}
	defer in.later.close()
	if err := locked(ctx, session, plugin, id, func(tx *gorm.DB) error { return in.run(ctx, tx, plugin) }); err != nil {
		return Report{}, err
	}
	return in.report, nil
}

// importer is one import. It is not safe for concurrent use.
type importer struct {
	*options
	container *container
	tx        *gorm.DB
	tables    []*incoming
	keys      map[*table]*keyMap // new keys, of tables that get some
	later     spool              // rows whose references are written at the end
	report    Report
	step      int // how far AUTO_INCREMENT goes at a time
}

// incoming is a table of the archive that is here, too.
type incoming struct {
	table // with the columns that are taken, in the archive's order
	here  *table
	file  Table
	take  []int     // where the columns stand in a row of the archive
	sum   hash.Hash // of the rows without the columns left out; nil if there are none
	key   int       // the auto-increment key, or -1
	max   int64     // the greatest one
}

func (in *importer) run(ctx context.Context, tx *gorm.DB, plugin *tenancy.Plugin) error {
	in.tx = tx
	tables, err := loadTables(tx, plugin, &options{skipColumns: true, skipTables: in.skipTables})
	if err != nil {
		return err
	}
	if err := in.match(tables); err != nil {
		return err
	}
	if err := in.makeRoom(tables); err != nil {
		return err
	}
	if err := in.readStep(); err != nil {
		return err
	}
	for i, t := range in.tables {
		if err := in.insert(ctx, i, t); err != nil {
			return fmt.Errorf("table %q: %w", t.name, err)
		}
	}
	if err := in.writeLater(ctx); err != nil {
		return err
	}
	for _, t := range in.tables {
		if err := in.raiseSequence(t); err != nil {
			return fmt.Errorf("table %q: %w", t.name, err)
		}
		if err := in.verify(ctx, t); err != nil {
			return fmt.Errorf("table %q: %w", t.name, err)
		}
	}
	return nil
}

// match finds the archive's tables and columns among those that are here, in the order of those.
func (in *importer) match(tables []*table) error {
	for _, file := range in.container.manifest.Tables {
		here := find(tables, file.Name)
		if here == nil {
			return fmt.Errorf("%w: no owned model has the archive's table %.64q", ErrSchema, file.Name)
		}
		t := &incoming{table: table{name: here.name, schema: here.schema, tenant: here.tenant}, here: here, file: file}
		for i, c := range file.Columns {
			if here.column(c.Name) < 0 {
				if in.skipColumns {
					continue
				}
				return fmt.Errorf("%w: table %q, or its model, has no column %.64q; leave it out with archive.SkipUnknownColumns",
					ErrSchema, here.name, c.Name)
			}
			t.columns, t.take = append(t.columns, c), append(t.take, i)
		}
		if err := t.readKeys(); err != nil {
			return err
		}
		for _, r := range here.refs {
			complete := r.typeColumn == "" || t.column(r.typeColumn) >= 0
			for _, p := range r.pairs {
				complete = complete && t.column(p.child) >= 0
			}
			if complete {
				t.refs = append(t.refs, r)
			}
		}
		t.key = t.auto()
		if len(t.take) < len(file.Columns) {
			t.sum = sha256.New()
		}
		if in.renumber && t.key >= 0 {
			in.keys[here] = &keyMap{}
		}
		in.tables = append(in.tables, t)
	}
	slices.SortStableFunc(in.tables, func(a, b *incoming) int {
		return slices.Index(tables, a.here) - slices.Index(tables, b.here)
	})
	return nil
}

// makeRoom sees to it that the tenant has no rows, or that they are wanted.
func (in *importer) makeRoom(tables []*table) (err error) {
	switch in.occupied {
	case mergeRows:
		return nil
	case replaceRows:
		in.report.Erased, err = eraseAll(in.tx, tables)
		return err
	}
	for _, t := range tables {
		empty, err := t.empty(in.tx)
		if err != nil {
			return err
		}
		if !empty {
			return fmt.Errorf("%w in table %q; see archive.Replace and archive.Merge", ErrNotEmpty, t.name)
		}
	}
	return nil
}

func (t *table) empty(tx *gorm.DB) (bool, error) {
	rows, err := tx.Table(t.name).Select("1").Limit(1).Rows()
	if err != nil {
		return false, fmt.Errorf("table %q: %w", t.name, err)
	}
	defer rows.Close()
	return !rows.Next(), rows.Err()
}

// verify reads what was written, and compares it with the archive as far as that still says what it must be.
func (in *importer) verify(ctx context.Context, t *incoming) error {
	if in.occupied == mergeRows {
		return nil
	}
	if in.renumber || in.allowLoss || t.sum != nil && t.keyless {
		var n int64
		if err := in.tx.Table(t.name).Count(&n).Error; err != nil || n == t.file.Rows {
			return err
		}
		return fmt.Errorf("%w: %d of %d rows are the tenant's", ErrChanged, n, t.file.Rows)
	}
	want := t.file.SHA256
	if t.sum != nil {
		want = hex.EncodeToString(t.sum.Sum(nil))
	}
	got, err := t.write(ctx, in.tx, &options{maxRow: in.maxRow}, nil)
	if err != nil {
		return err
	}
	if got.SHA256 != want {
		return fmt.Errorf("%w; if its columns are narrower than those of the archive, see archive.AllowLoss", ErrChanged)
	}
	return nil
}
