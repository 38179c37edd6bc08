package archive

import (
	"database/sql"
	"fmt"

	"github.com/gorm-tenancy/tenancy"
)

// sequence returns the name of PostgreSQL's sequence of a column, or "".
func (in *importer) sequence(t *incoming, column string) (string, error) {
	var name sql.NullString
	err := in.tx.Raw("SELECT pg_get_serial_sequence(?, ?)", in.tx.Statement.Quote(t.name), column).Row().Scan(&name)
	return name.String, err
}

// A sequence is raised by drawing from it, which needs no more rights than inserting does and cannot take a key from
// somebody who draws at the same moment. Where too much is missing, by setting it.
const (
	drawn    = 100_000
	maxDrawn = 20_000_000
)

// raiseSequence has PostgreSQL's next key come after those of the archive. Other databases see to it themselves.
func (in *importer) raiseSequence(t *incoming) error {
	if in.tx.Name() != "postgres" || t.key < 0 || in.keys[t.here] != nil || t.max <= 0 {
		return nil
	}
	sequence, err := in.sequence(t, t.columns[t.key].Name)
	if err != nil || sequence == "" {
		return err
	}
	var last sql.NullInt64
	if err := in.tx.Raw("SELECT pg_sequence_last_value(CAST(? AS regclass))", sequence).Row().Scan(&last); err != nil {
		return err
	}
	missing := t.max - last.Int64
	if missing <= 0 {
		return nil
	}
	var allowed bool
	if missing > drawn {
		if err := in.tx.Raw("SELECT has_sequence_privilege(?, 'UPDATE')", sequence).Row().Scan(&allowed); err != nil {
			return err
		}
	}
	var n int64
	switch {
	case allowed:
		return in.tx.Raw("SELECT setval(CAST(? AS regclass), ?)", sequence, t.max).Row().Scan(&n)
	case missing <= maxDrawn:
		return in.tx.Raw("SELECT count(nextval(CAST(? AS regclass))) FROM generate_series(1, ?)", sequence, missing).Row().Scan(&n)
	}
	return fmt.Errorf("%w: this role may not set the table's sequence, whose next key is far below those of the archive; import "+
		"as the role that owns it (schema.AsOwner), or with archive.Renumber()", tenancy.ErrUnsupported)
}
