package archive

import (
	"encoding/base64"
	"fmt"
	"math"
	"strconv"
	"time"
	"unicode/utf8"
)

const (
	timeForm = "2006-01-02T15:04:05.999999Z"
	dateForm = "2006-01-02"
)

// appendRow writes one row, as an array in a line of its own.
func appendRow(b []byte, columns []Column, values []any) ([]byte, error) {
	b = append(b, '[')
	for i, c := range columns {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = appendValue(b, c.Kind, values[i]); err != nil {
			return nil, fmt.Errorf("%w: column %q is not of kind %s", err, c.Name, c.Kind)
		}
	}
	return append(b, ']', '\n'), nil
}

// appendValue writes what a driver gave for a column, or what [decodeValue] did.
func appendValue(b []byte, k Kind, v any) ([]byte, error) {
	if v == nil {
		return append(b, "null"...), nil
	}
	if raw, ok := v.([]byte); ok && k != Bytes {
		v = string(raw) // MySQL gives bytes for everything
	}
	switch k {
	case Bool:
		return appendBool(b, v)
	case Int:
		return appendInt(b, v)
	case Decimal:
		return appendDecimal(b, v)
	case Bytes:
		return appendBytes(b, v)
	case Time, Date:
		return appendTime(b, k, v)
	}
	s, ok := v.(string)
	if !ok {
		return nil, ErrValue
	}
	if k == JSON {
		s = canonicalJSON(s)
	}
	if utf8.ValidString(s) {
		return appendString(b, s), nil
	}
	b = append(b, `{"base64":"`...)
	b = base64.StdEncoding.AppendEncode(b, []byte(s))
	return append(b, `"}`...), nil
}

func appendBool(b []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case bool:
		return strconv.AppendBool(b, v), nil
	case int64:
		return strconv.AppendBool(b, v != 0), nil
	case string:
		if v == "\x01" || v == "\x00" { // bit(1) of MySQL
			return strconv.AppendBool(b, v == "\x01"), nil
		}
		if truth, err := strconv.ParseBool(v); err == nil {
			return strconv.AppendBool(b, truth), nil
		}
	}
	return nil, ErrValue
}

func appendInt(b []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case int64:
		return strconv.AppendInt(b, v, 10), nil
	case uint64:
		return strconv.AppendUint(b, v, 10), nil
	case bool:
		if v {
			return append(b, '1'), nil
		}
		return append(b, '0'), nil
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return strconv.AppendInt(b, int64(v), 10), nil
		}
	case string:
		if n, err := strconv.ParseInt(v, 10, 64); err == nil {
			return strconv.AppendInt(b, n, 10), nil
		}
		if n, err := strconv.ParseUint(v, 10, 64); err == nil {
			return strconv.AppendUint(b, n, 10), nil
		}
	}
	return nil, ErrValue
}

func appendDecimal(b []byte, v any) ([]byte, error) {
	var s string
	switch v := v.(type) {
	case int64:
		s = strconv.FormatInt(v, 10)
	case uint64:
		s = strconv.FormatUint(v, 10)
	case float64:
		s = strconv.FormatFloat(v, 'g', -1, 64)
	case float32:
		s = strconv.FormatFloat(float64(v), 'g', -1, 64)
	case string:
		s = v
	}
	n, ok := canonicalDecimal(s)
	if !ok {
		return nil, ErrValue
	}
	return append(append(append(b, '"'), n...), '"'), nil
}

func appendBytes(b []byte, v any) ([]byte, error) {
	raw, ok := v.([]byte)
	if s, isText := v.(string); isText {
		raw, ok = []byte(s), true
	}
	if !ok {
		return nil, ErrValue
	}
	b = append(b, '"')
	b = base64.StdEncoding.AppendEncode(b, raw)
	return append(b, '"'), nil
}

func appendTime(b []byte, k Kind, v any) ([]byte, error) {
	var t time.Time
	switch v := v.(type) {
	case time.Time:
		t = v
	case string:
		var err error
		if t, err = parseTime(v); err != nil {
			return nil, ErrValue
		}
	default:
		return nil, ErrValue
	}
	form := dateForm
	if k == Time {
		t, form = t.UTC().Truncate(time.Microsecond), timeForm
	}
	if t.Year() < 1 || t.Year() > 9999 {
		return nil, ErrValue
	}
	b = append(b, '"')
	b = t.AppendFormat(b, form)
	return append(b, '"'), nil
}

// parseTime reads the forms in which databases give times as text. Those without a zone are in UTC.
func parseTime(s string) (t time.Time, err error) {
	for _, form := range []string{
		time.RFC3339Nano, "2006-01-02 15:04:05.999999999-07:00", "2006-01-02 15:04:05.999999999-07", "2006-01-02 15:04:05.999999999",
		"2006-01-02T15:04:05.999999999", "2006-01-02 15:04", dateForm,
	} {
		if t, err = time.Parse(form, s); err == nil {
			return t, nil
		}
	}
	return t, err
}
