package archive

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"

	"gorm.io/gorm/clause"
)

// spool keeps rows in a temporary file until all rows are there that they may refer to.
type spool struct {
	file *os.File
	out  *bufio.Writer
}

func (s *spool) add(table int, line []byte) (err error) {
	if s.file == nil {
		if s.file, err = os.CreateTemp("", "tenancy-archive-*"); err != nil {
			return err
		}
		s.out = bufio.NewWriter(s.file)
	}
	var head [12]byte
	binary.LittleEndian.PutUint32(head[:], uint32(table))
	binary.LittleEndian.PutUint64(head[4:], uint64(len(line)))
	if _, err = s.out.Write(head[:]); err == nil {
		_, err = s.out.Write(line)
	}
	return err
}

func (s *spool) each(f func(table int, line []byte) error) error {
	if s.file == nil {
		return nil
	}
	if err := s.out.Flush(); err != nil {
		return err
	}
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	in := bufio.NewReader(s.file)
	for {
		var head [12]byte
		if _, err := io.ReadFull(in, head[:]); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		line := make([]byte, binary.LittleEndian.Uint64(head[4:]))
		if _, err := io.ReadFull(in, line); err != nil {
			return err
		}
		if err := f(int(binary.LittleEndian.Uint32(head[:])), line); err != nil {
			return err
		}
	}
}

func (s *spool) close() {
	if s.file != nil {
		_ = s.file.Close()
		_ = os.Remove(s.file.Name())
	}
}

// writeLater gives rows the references that had to wait.
func (in *importer) writeLater(ctx context.Context) error {
	return in.later.each(func(place int, line []byte) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		t := in.tables[place]
		if err := in.update(t, line); err != nil {
			return fmt.Errorf("table %q: %w", t.name, err)
		}
		return nil
	})
}

func (in *importer) update(t *incoming, line []byte) error {
	values, err := t.decode(line)
	if err != nil {
		return err
	}
	row := map[string]any{}
	for _, r := range t.refs {
		if !r.deferred {
			continue
		}
		key, ok := r.applies(&t.table, values)
		if !ok {
			continue
		}
		now, err := in.target(r, key)
		if err != nil {
			return err
		}
		set(r, row, now)
		if r.typeColumn != "" {
			row[r.typeColumn] = r.typeValue
		}
	}
	query := in.tx.Table(t.name)
	for _, k := range t.keys {
		c, v := t.columns[k], values[k]
		if keys := in.renumbered(t.here, c.Name); keys != nil {
			now, ok := keys.get(v)
			if !ok {
				return fmt.Errorf("%w: a key is not in the archive", ErrReference)
			}
			v = now
		}
		query = query.Where(clause.Eq{Column: clause.Column{Name: c.Name}, Value: in.bind(t, c, v)})
	}
	if err := query.Updates(row).Error; err != nil {
		return in.explain(err)
	}
	return nil
}
