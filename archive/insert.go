package archive

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
)

// An insert has at most reportEvery rows, this many values (SQLite takes 32,766) and about this many bytes.
const (
	maxValues = 16_000
	maxInsert = 4 << 20
)

// batch is the rows of the next insert.
type batch struct {
	rows  []map[string]any
	old   []int64 // their old keys, where they get new ones
	bytes int
}

// insert writes the rows of a table.
func (in *importer) insert(ctx context.Context, place int, t *incoming) error {
	var b batch
	most := min(reportEvery, max(1, maxValues/(len(t.columns)+1)))
	if in.step != 1 && in.keys[t.here] != nil {
		most = 1
	}
	done := int64(0)
	in.options.report(t.name, 0, t.file.Rows)
	flush := func() error {
		if len(b.rows) == 0 {
			return nil
		}
		if err := in.flush(t, &b); err != nil {
			return err
		}
		done += int64(len(b.rows))
		in.options.report(t.name, done, t.file.Rows)
		b = batch{}
		return nil
	}
	err := in.container.rows(t.file, func(line []byte) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := in.add(&b, place, t, line); err != nil {
			return err
		}
		if len(b.rows) >= most || b.bytes >= maxInsert {
			return flush()
		}
		return nil
	})
	if err != nil {
		return err
	}
	return flush()
}

// add makes a row of a line.
func (in *importer) add(b *batch, place int, t *incoming, line []byte) error {
	values, err := t.decode(line)
	if err != nil {
		return err
	}
	if t.sum != nil {
		kept, err := appendRow(nil, t.columns, values)
		if err != nil {
			return err
		}
		t.sum.Write(kept)
	}
	row := make(map[string]any, len(values)+1)
	for i, c := range t.columns {
		row[c.Name] = in.bind(t, c, values[i])
	}
	if t.key >= 0 {
		key, ok := values[t.key].(int64)
		if !ok {
			return fmt.Errorf("%w: a key is no number", ErrMalformed)
		}
		t.max = max(t.max, key)
		if in.keys[t.here] != nil {
			row[t.columns[t.key].Name] = nil // SQLite and MySQL choose one; see flush for PostgreSQL
			b.old = append(b.old, key)
		}
	}
	wait, err := in.refer(t, row, values)
	if err != nil {
		return err
	}
	if wait {
		if err := in.later.add(place, line); err != nil {
			return err
		}
	}
	b.rows, b.bytes = append(b.rows, row), b.bytes+len(line)
	return nil
}

func (in *importer) bind(t *incoming, c Column, v any) any {
	return bind(in.tx.Name(), t.schema.FieldsByDBName[c.Name], c.Kind, v)
}

// decode returns the values that are taken of a line.
func (t *incoming) decode(line []byte) ([]any, error) {
	values, err := decodeRow(line, t.file.Columns)
	if err != nil || len(t.take) == len(values) {
		return values, err
	}
	taken := make([]any, len(t.take))
	for i, from := range t.take {
		taken[i] = values[from]
	}
	return taken, nil
}

// refer rewrites the references of a row to rows that have new keys. wait reports that some are NULL for now.
func (in *importer) refer(t *incoming, row map[string]any, values []any) (wait bool, err error) {
	for _, r := range t.refs {
		if !in.renumber && !r.deferred {
			continue
		}
		key, ok := r.applies(&t.table, values)
		if !ok {
			continue
		}
		now, err := in.target(r, key)
		switch {
		case err == nil && (!r.deferred || in.written(t, r, key, values)):
			set(r, row, now)
		case r.deferred:
			wait = true
			for _, p := range r.pairs {
				row[p.child] = nil
			}
		default:
			return false, err
		}
	}
	return wait, nil
}

// set gives a row the columns of a reference.
func set(r *reference, row, target map[string]any) {
	for _, p := range r.pairs {
		row[p.child] = target[p.parent]
	}
}

// written reports whether the row that a deferred reference points at is in the database: rows come in the order of their
// keys.
func (in *importer) written(t *incoming, r *reference, key map[string]any, values []any) bool {
	if r.parent != t.here || t.key < 0 || len(r.pairs) != 1 || r.pairs[0].parent != t.columns[t.key].Name {
		return false
	}
	if in.renumber {
		return true // its new key is known
	}
	parent, ok := key[r.pairs[0].parent].(int64)
	own, isNumber := values[t.key].(int64)
	return ok && isNumber && parent <= own
}

// flush inserts a batch.
func (in *importer) flush(t *incoming, b *batch) error {
	keys := in.keys[t.here]
	var column string
	if keys != nil {
		column = t.columns[t.key].Name
		if err := in.drawKeys(t, column, b.rows); err != nil {
			return err
		}
	}
	if err := in.tx.Table(t.name).Create(&b.rows).Error; err != nil {
		return in.explain(err)
	}
	if keys == nil {
		return nil
	}
	in.report.Renumbered += int64(len(b.rows))
	for i, row := range b.rows {
		now, ok := row[column].(int64)
		if !ok {
			now, ok = row["@id"].(int64) // GORM puts it there
		}
		if !ok {
			return fmt.Errorf("%w: the database does not tell new keys", tenancy.ErrUnsupported)
		}
		if err := keys.add(b.old[i], now); err != nil {
			return err
		}
	}
	return nil
}

// explain turns what the database says about a key into an error that holds no value of it.
func (in *importer) explain(err error) error {
	translator, ok := in.tx.Dialector.(gorm.ErrorTranslator)
	if !ok {
		return err
	}
	switch known := translator.Translate(err); {
	case errors.Is(known, gorm.ErrDuplicatedKey):
		if in.renumber {
			return fmt.Errorf("%w: it is no auto-increment key, which archive.Renumber would change, or the table's sequence is "+
				"behind its keys", ErrKeyTaken)
		}
		return fmt.Errorf("%w: archive.Renumber() gives auto-increment keys anew", ErrKeyTaken)
	case errors.Is(known, gorm.ErrForeignKeyViolated):
		return fmt.Errorf("%w: a foreign key of the database does not hold", ErrReference)
	}
	return err
}
