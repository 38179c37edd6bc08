package archive

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/gorm-tenancy/tenancy"
)

// keyMap knows the new key of each row of a table. Old keys come in ascending order.
type keyMap struct{ old, now []int64 }

func (m *keyMap) add(old, now int64) error {
	if n := len(m.old); n > 0 && m.old[n-1] >= old {
		return fmt.Errorf("%w: rows are not in the order of their keys", ErrMalformed)
	}
	m.old, m.now = append(m.old, old), append(m.now, now)
	return nil
}

// get returns the new key in the form of the old one: polymorphic references may keep numbers as text.
func (m *keyMap) get(old any) (any, bool) {
	text, isText := old.(string)
	key, ok := old.(int64)
	if isText {
		n, err := strconv.ParseInt(text, 10, 64)
		key, ok = n, err == nil
	}
	i, found := slices.BinarySearch(m.old, key)
	switch {
	case !ok || !found:
		return nil, false
	case isText:
		return strconv.FormatInt(m.now[i], 10), true
	}
	return m.now[i], true
}

// renumbered returns the new keys that a column holds: the table's own, or those of the tables it refers to. nil: they are
// the old ones.
func (in *importer) renumbered(t *table, column string) *keyMap {
	for range len(in.tables) { // references may go in a circle
		if keys := in.keys[t]; keys != nil && t.schema.PrimaryFields[0].DBName == column {
			return keys
		}
		parent, key, ok := t.refersTo(column)
		if !ok {
			return nil
		}
		t, column = parent, key
	}
	return nil
}

// refersTo returns what a column refers to in whatever row.
func (t *table) refersTo(column string) (parent *table, key string, ok bool) {
	for _, r := range t.refs {
		for _, p := range r.pairs {
			if r.typeColumn == "" && p.child == column {
				return r.parent, p.parent, true
			}
		}
	}
	return nil, "", false
}

// target returns the columns of the row that a reference points at, as they are now.
func (in *importer) target(r *reference, key map[string]any) (map[string]any, error) {
	if !in.renumber {
		return key, nil
	}
	now := make(map[string]any, len(key))
	for column, v := range key {
		now[column] = v
		keys := in.renumbered(r.parent, column)
		if keys == nil {
			continue
		}
		fresh, ok := keys.get(v)
		if !ok {
			return nil, fmt.Errorf("%w: a row refers to a row of table %q that is not in the archive", ErrReference, r.parent.name)
		}
		now[column] = fresh
	}
	return now, nil
}

// drawKeys takes keys from PostgreSQL's sequence, so that they are known.
func (in *importer) drawKeys(t *incoming, column string, rows []map[string]any) error {
	if in.tx.Name() != "postgres" {
		return nil
	}
	sequence, err := in.sequence(t, column)
	if err != nil {
		return err
	}
	if sequence == "" {
		return fmt.Errorf("%w: the key has no sequence", tenancy.ErrUnsupported)
	}
	drawn, err := in.tx.Raw("SELECT nextval(CAST(? AS regclass)) FROM generate_series(1, ?)", sequence, len(rows)).Rows()
	if err != nil {
		return err
	}
	defer drawn.Close()
	for i := 0; drawn.Next(); i++ {
		var key int64
		if err := drawn.Scan(&key); err != nil {
			return err
		}
		rows[i][column] = key
	}
	return drawn.Err()
}

// readStep asks how far apart MySQL's keys are: GORM takes those of one insert for consecutive.
func (in *importer) readStep() error {
	in.step = 1
	if in.tx.Name() != "mysql" || !in.renumber {
		return nil
	}
	return in.tx.Raw("SELECT @@auto_increment_increment").Row().Scan(&in.step)
}
