package archive

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
)

// FormatVersion is the version of the archives that this package writes, and the only one that it reads.
const FormatVersion = 1

// Manifest describes an archive: what is in it and how to tell that it is whole.
type Manifest struct {
	// Format is [FormatVersion].
	Format int `json:"format"`
	// Tenant is the tenant that was exported.
	Tenant string `json:"tenant"`
	// Time is when.
	Time time.Time `json:"time"`
	// SchemaVersion is what the option of that name said.
	SchemaVersion string `json:"schema_version,omitempty"`
	// Tables are all owned tables, those that others refer to first.
	Tables []Table `json:"tables"`
	// SHA256 is the checksum of the checksums, in hexadecimal digits. Two tenants with the same rows have the same one,
	// whatever their ids, databases and strategies.
	SHA256 string `json:"sha256"`
}

// Table describes the rows of a table.
type Table struct {
	// Name is the table's.
	Name string `json:"name"`
	// Columns are those of each row, in this order. The tenant column is not among them.
	Columns []Column `json:"columns"`
	// Rows is how many there are.
	Rows int64 `json:"rows"`
	// SHA256 is the checksum of the table's file, in hexadecimal digits: its rows in the order of their keys.
	SHA256 string `json:"sha256"`
}

// Column describes the values of a column.
type Column struct {
	// Name is the column's.
	Name string `json:"name"`
	// Kind says how values are written.
	Kind Kind `json:"kind"`
}

// Kind is how the values of a column are written in an archive. NULL is null in all of them.
type Kind string

// The kinds of values, and how they are written as JSON.
const (
	// Bool is true or false.
	Bool Kind = "bool"
	// Int is a number without fraction.
	Int Kind = "int"
	// Decimal is a string, without zeros that say nothing: "12.5". Floating-point numbers are of this kind.
	Decimal Kind = "decimal"
	// Text is a string, or {"base64": "…"} where it is not UTF-8.
	Text Kind = "text"
	// Bytes is a string in base64.
	Bytes Kind = "bytes"
	// Time is a string, in UTC and to the microsecond: "2026-05-01T12:00:00.5Z".
	Time Kind = "time"
	// Date is a string: "2026-05-01".
	Date Kind = "date"
	// JSON is a string that holds a JSON text with sorted keys and without white space.
	JSON Kind = "json"
)

// maxManifest bounds the manifest of an archive, in bytes.
const maxManifest = 4 << 20

// seal computes the checksum of the whole.
func (m *Manifest) seal() string {
	lines := make([]string, len(m.Tables))
	for i, t := range m.Tables {
		var columns strings.Builder
		for _, c := range t.Columns {
			fmt.Fprintf(&columns, " %q", c.Name)
		}
		lines[i] = fmt.Sprintf("%q %d %s%s\n", t.Name, t.Rows, t.SHA256, columns.String())
	}
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "")))
	return hex.EncodeToString(sum[:])
}

// validate judges a manifest that comes from outside.
func (m *Manifest) validate() error {
	if m.Format != FormatVersion {
		return fmt.Errorf("%w: this version reads %d", ErrVersion, FormatVersion)
	}
	seen := map[string]bool{}
	for _, t := range m.Tables {
		if t.Name == "" || seen[tableKey(t.Name)] || t.Rows < 0 || len(t.Columns) == 0 {
			return fmt.Errorf("%w: the manifest lists a table twice, or without name, rows or columns", ErrMalformed)
		}
		seen[tableKey(t.Name)] = true
		columns := map[string]bool{}
		for _, c := range t.Columns {
			if c.Name == "" || columns[strings.ToLower(c.Name)] || !slices.Contains(kinds(), c.Kind) {
				return fmt.Errorf("%w: the manifest lists a column twice, or of an unknown kind", ErrMalformed)
			}
			columns[strings.ToLower(c.Name)] = true
		}
	}
	if m.seal() != m.SHA256 {
		return fmt.Errorf("%w: of the manifest", ErrChecksum)
	}
	return nil
}

func kinds() []Kind { return []Kind{Bool, Int, Decimal, Text, Bytes, Time, Date, JSON} }

// tableKey is a table's name without its schema, as the plugin compares it.
func tableKey(name string) string {
	return strings.ToLower(name[strings.LastIndexByte(name, '.')+1:])
}
