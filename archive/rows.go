package archive

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"hash"
	"io"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// reportEvery is how many rows are done between two reports of progress, and the most that one insert has.
const reportEvery = 500

// query reads the rows of a table in the order of their keys, which must not depend on the collation of a database.
func (t *table) query(tx *gorm.DB) *gorm.DB {
	columns := make([]clause.Column, len(t.columns))
	for i, c := range t.columns {
		columns[i] = clause.Column{Table: clause.CurrentTable, Name: c.Name}
	}
	order := clause.OrderBy{Columns: make([]clause.OrderByColumn, len(t.keys))}
	for i, key := range t.keys {
		order.Columns[i].Column = clause.Column{Table: clause.CurrentTable, Name: t.columns[key].Name}
		if k := t.columns[key].Kind; k == Text || k == JSON {
			order.Columns[i].Column = clause.Column{Name: bytewise(tx, order.Columns[i].Column), Raw: true}
		}
	}
	return tx.Table(t.name).Clauses(clause.Select{Columns: columns}, order)
}

// bytewise compares text by its bytes.
func bytewise(tx *gorm.DB, c clause.Column) string {
	name := tx.Statement.Quote(clause.Column{Name: c.Name})
	switch tx.Name() {
	case "postgres":
		return "CAST(" + name + ` AS text) COLLATE "C"`
	case "mysql":
		return "CAST(" + name + " AS BINARY)"
	}
	return name + " COLLATE BINARY"
}

// rowWriter writes and sums the rows of a table. It is not safe for concurrent use.
type rowWriter struct {
	*options
	table *table
	total int64
	out   io.Writer // nil: only the sum is wanted
	sum   hash.Hash
	done  int64
	line  []byte
}

// write reads all rows of a table, one by one, and returns what the manifest says about them.
func (t *table) write(ctx context.Context, tx *gorm.DB, o *options, out io.Writer) (Table, error) {
	w := &rowWriter{options: o, table: t, out: out, sum: sha256.New()}
	if o.progress != nil {
		if err := tx.Table(t.name).Count(&w.total).Error; err != nil {
			return Table{}, fmt.Errorf("table %q: %w", t.name, err)
		}
	}
	o.report(t.name, 0, w.total)
	rows, err := t.query(tx).Rows()
	if err != nil {
		return Table{}, fmt.Errorf("table %q: %w", t.name, err)
	}
	defer rows.Close()
	if err := w.all(ctx, rows); err != nil {
		return Table{}, fmt.Errorf("table %q: %w", t.name, err)
	}
	if w.done%reportEvery != 0 {
		o.report(t.name, w.done, w.total)
	}
	return Table{Name: t.name, Columns: t.columns, Rows: w.done, SHA256: hex.EncodeToString(w.sum.Sum(nil))}, nil
}

func (w *rowWriter) all(ctx context.Context, rows *sql.Rows) error {
	values := make([]any, len(w.table.columns))
	places := make([]any, len(values))
	for i := range values {
		places[i] = &values[i]
	}
	for rows.Next() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := rows.Scan(places...); err != nil {
			return err
		}
		if err := w.one(values); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (w *rowWriter) one(values []any) (err error) {
	if w.line, err = appendRow(w.line[:0], w.table.columns, values); err != nil {
		return err
	}
	if len(w.line) > w.maxRow {
		return fmt.Errorf("%w: a row has more bytes than archive.MaxRowBytes allows", ErrTooLarge)
	}
	w.sum.Write(w.line)
	if w.out != nil {
		if _, err := w.out.Write(w.line); err != nil {
			return err
		}
	}
	w.done++
	if w.done%reportEvery == 0 {
		w.report(w.table.name, w.done, w.total)
	}
	return nil
}
