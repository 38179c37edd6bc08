package archive

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"time"

	"gorm.io/gorm/schema"
)

// decodeRow reads a line of an archive. There is one way to write a row; a line that is written otherwise is refused, so
// that what is read is what was summed.
func decodeRow(line []byte, columns []Column) ([]any, error) {
	var raw []json.RawMessage
	if err := json.Unmarshal(line, &raw); err != nil || len(raw) != len(columns) {
		return nil, fmt.Errorf("%w: a line is not a row of its table", ErrMalformed)
	}
	values := make([]any, len(raw))
	for i, c := range columns {
		v, err := decodeValue(raw[i], c.Kind)
		if err != nil {
			return nil, fmt.Errorf("%w: a value of column %q is not of kind %s", ErrMalformed, c.Name, c.Kind)
		}
		values[i] = v
	}
	again, err := appendRow(make([]byte, 0, len(line)+1), columns, values)
	if err != nil || !bytes.Equal(bytes.TrimSuffix(again, []byte("\n")), line) {
		return nil, fmt.Errorf("%w: a row is not written as this format writes it", ErrMalformed)
	}
	return values, nil
}

// decodeValue returns nil, bool, int64, uint64 (too large for int64), string (text, decimal and JSON), []byte or time.Time.
func decodeValue(raw json.RawMessage, k Kind) (any, error) {
	if string(raw) == "null" {
		return nil, nil
	}
	switch k {
	case Bool:
		return strconv.ParseBool(string(raw))
	case Int:
		if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
			return n, nil
		}
		return strconv.ParseUint(string(raw), 10, 64)
	}
	if (k == Text || k == JSON) && raw[0] == '{' {
		var escaped struct {
			Base64 []byte `json:"base64"`
		}
		err := json.Unmarshal(raw, &escaped)
		return string(escaped.Base64), err
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, err
	}
	switch k {
	case Bytes:
		return base64.StdEncoding.DecodeString(s)
	case Time:
		return time.Parse(timeForm, s)
	case Date:
		return time.Parse(dateForm, s)
	}
	return s, nil
}

// bind is a value as the database takes it for a field.
func bind(dialect string, f *schema.Field, k Kind, v any) any {
	switch v := v.(type) {
	case uint64: // database/sql refuses the highest bit
		return strconv.FormatUint(v, 10)
	case string: // SQLite gives back the type that it was given, and database/sql copies no string into a json.RawMessage
		if t := f.IndirectFieldType; dialect == "sqlite" && t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8 {
			return []byte(v)
		}
	case time.Time:
		switch {
		case k == Date:
			return v.Format(dateForm)
		case dialect == "sqlite":
			return v.Local() // it keeps the zone, and compares as text: write what GORM writes
		}
	}
	return v
}
