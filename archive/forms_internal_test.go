package archive

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestCanonicalDecimal(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"0": "0", "-0": "0", "+0.000": "0", "1": "1", "01.50": "1.5", "15e-1": "1.5", "-1.5E+2": "-150", "100": "100", "1e2": "100",
		".5": "0.5", "5.": "5", "0.001": "0.001", "1e-300": "1e-300", "12e300": "12e300", "123.4500e-1": "12.345", "NaN": "NaN",
		"-Infinity": "-Infinity", "1e40": "10000000000000000000000000000000000000000", "1e41": "1e41",
		"": "", ".": "", "1.2.3": "", "0x10": "", "1e": "", "1e9999999999": "", "--1": "", "1 ": "",
	} {
		got, ok := canonicalDecimal(in)
		if got != want || ok != (want != "") {
			t.Errorf("%q is %q, %v; want %q", in, got, ok, want)
		}
		if again, _ := canonicalDecimal(got); ok && again != got {
			t.Errorf("%q becomes %q", got, again)
		}
	}
}

func TestCanonicalJSON(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		` { "b" : [1, 2.50 , true] , "a" : null } `: `{"a":null,"b":[1,2.5,true]}`,
		`"\u00e9\n\/<"`:            `"é\u000a/<"`,
		`"\ud83d\ude00"`:           "\"\U0001F600\"",
		`"\ud83d"`:                 `"\ud83d"`, // half a pair would be lost
		`"\ufffd"`:                 "\"\uFFFD\"",
		`{"a":1} x`:                `{"a":1} x`,
		``:                         ``,
		`{"a":`:                    `{"a":`,
		"\"\xff\"":                 "\"\xff\"",
		`1e99999999999`:            `1e99999999999`,
		`{"a":{"d":1,"c":[{}]}}`:   `{"a":{"c":[{}],"d":1}}`,
		`12345678901234567890.123`: `12345678901234567890.123`,
	} {
		if got := canonicalJSON(in); got != want || canonicalJSON(got) != got {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}

// TestValues writes what drivers give, and reads it back.
func TestValues(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 5, 1, 14, 0, 0, 123456789, time.FixedZone("", 7200))
	for _, tc := range []struct {
		kind Kind
		in   any
		want string // "": refused
	}{
		{Bool, true, "true"},
		{Bool, int64(0), "false"},
		{Bool, int64(2), "true"},
		{Bool, []byte("\x01"), "true"},
		{Bool, []byte("t"), "true"},
		{Bool, "x", ""},
		{Int, int64(-5), "-5"},
		{Int, uint64(1 << 63), "9223372036854775808"},
		{Int, []byte("007"), "7"},
		{Int, "18446744073709551615", "18446744073709551615"},
		{Int, 3.0, "3"},
		{Int, 3.5, ""},
		{Int, "99999999999999999999", ""},
		{Int, noon, ""},
		{Int, true, "1"},
		{Decimal, 0.1, `"0.1"`},
		{Decimal, float32(0.1), `"0.10000000149011612"`},
		{Decimal, []byte("1.50"), `"1.5"`},
		{Decimal, int64(7), `"7"`},
		{Decimal, "x", ""},
		{Text, "a\"\\\x00\n<\u2028", "\"a\\\"\\\\\\u0000\\u000a<\u2028\""},
		{Text, []byte{0xff}, `{"base64":"/w=="}`},
		{Text, int64(1), ""},
		{Bytes, []byte{0, 255}, `"AP8="`},
		{Bytes, "a", `"YQ=="`},
		{Bytes, int64(1), ""},
		{Bytes, []byte{}, `""`},
		{Time, noon, `"2026-05-01T12:00:00.123456Z"`},
		{Time, "2026-05-01 14:00:00+02:00", `"2026-05-01T12:00:00Z"`},
		{Time, []byte("2026-05-01 12:00:00.5"), `"2026-05-01T12:00:00.5Z"`},
		{Time, "noon", ""},
		{Time, time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), ""},
		{Date, noon, `"2026-05-01"`},
		{Date, "2026-05-01", `"2026-05-01"`},
		{JSON, []byte(`{"b":1, "a":2}`), `"{\"a\":2,\"b\":1}"`},
		{JSON, "null", `"null"`},
		{Text, nil, "null"},
		{JSON, nil, "null"},
		{Bytes, nil, "null"},
	} {
		got, err := appendValue(nil, tc.kind, tc.in)
		if string(got) != tc.want || (err != nil) != (tc.want == "") || err != nil && !errors.Is(err, ErrValue) {
			t.Errorf("%s %v is %s, %v; want %s", tc.kind, tc.in, got, err, tc.want)
			continue
		}
		columns := []Column{{"c", tc.kind}}
		if err == nil {
			if _, err := decodeRow([]byte(fmt.Sprintf("[%s]", got)), columns); err != nil {
				t.Errorf("%s: %v", got, err)
			}
		}
	}
}

// TestKeyMap: references may be kept as text, and rows come in order.
func TestKeyMap(t *testing.T) {
	t.Parallel()
	var m keyMap
	for i, old := range []int64{-3, 1, 7} {
		if err := m.add(old, int64(100+i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.add(7, 1); !errors.Is(err, ErrMalformed) {
		t.Errorf("again: %v", err)
	}
	for old, want := range map[any]any{int64(7): int64(102), "1": "101", int64(-3): int64(100), int64(2): nil, "x": nil, 1.0: nil} {
		if got, ok := m.get(old); got != want || ok != (want != nil) {
			t.Errorf("%v is %v, %v", old, got, ok)
		}
	}
}
