package archive

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// appendString writes a JSON string in the one way of this format: only what must be escaped is.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"', c == '\\':
			b = append(b, '\\', c)
		case c < ' ':
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

// canonicalJSON writes a JSON text with sorted keys and without white space. What is none, or would lose something, stays
// as it is.
func canonicalJSON(text string) string {
	if !utf8.ValidString(text) {
		return text
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return text
	}
	if _, err := d.Token(); err != io.EOF {
		return text
	}
	out, ok := appendJSON(nil, v)
	// The decoder replaces halves of surrogate pairs.
	if !ok || bytes.Count(out, []byte("\uFFFD")) > strings.Count(text, "\uFFFD")+strings.Count(strings.ToLower(text), `\ufffd`) {
		return text
	}
	return string(out)
}

func appendJSON(b []byte, v any) (_ []byte, ok bool) {
	ok = true
	switch v := v.(type) {
	case nil:
		return append(b, "null"...), true
	case bool:
		if v {
			return append(b, "true"...), true
		}
		return append(b, "false"...), true
	case string:
		return appendString(b, v), true
	case json.Number:
		n, isNumber := canonicalDecimal(v.String())
		return append(b, n...), isNumber
	case []any:
		b = append(b, '[')
		for i, one := range v {
			if i > 0 {
				b = append(b, ',')
			}
			var fits bool
			b, fits = appendJSON(b, one)
			ok = ok && fits
		}
		return append(b, ']'), ok
	case map[string]any:
		b = append(b, '{')
		for i, key := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendString(b, key), ':')
			var fits bool
			b, fits = appendJSON(b, v[key])
			ok = ok && fits
		}
		return append(b, '}'), ok
	}
	return b, false
}
