package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const header = "date: 2026-01-02 03:04 UTC\ncpus: 2\nos: Debian\ngo: 1.26\ngorm: 1.31\npostgresql: 15.1\nmariadb: 10.11\n" +
	"busy: 3%\ngoos: linux\ngoarch: amd64\ncpu: Test\n\n"

const two = header +
	"BenchmarkSharedSQLite/First-2 9 1.001 control 86 hand-allocs 2000 hand-ns 72 plain-allocs 1000 plain-ns 77 plugin-allocs " +
	"2100 plugin-ns 1.05 plugin/hand 2.1 plugin/plain\n" +
	"BenchmarkSharedSQLite/First-2 9 0.999 control 86 hand-allocs 2000 hand-ns 72 plain-allocs 1000 plain-ns 77 plugin-allocs " +
	"2200 plugin-ns 1.10 plugin/hand 2.2 plugin/plain\n" +
	"BenchmarkSharedSQLite/First-2 9 1.000 control 86 hand-allocs 2000 hand-ns 72 plain-allocs 1000 plain-ns 77 plugin-allocs " +
	"1800 plugin-ns 0.90 plugin/hand 0.5 plugin/plain\n" +
	"BenchmarkLookup/cached-2 100 250 ns/op 16 B/op 1 allocs/op\n"

func parsed(t *testing.T, text string) results {
	t.Helper()
	all, err := parse(strings.NewReader(text), "test")
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestRows(t *testing.T) {
	t.Parallel()
	rows := parsed(t, two).rows()
	if len(rows) != 2 || rows[0].name != "SharedSQLite/First" || rows[1].name != "Lookup/cached" {
		t.Fatalf("rows are %v", rows)
	}
	if got := rows[0].median("plugin/hand"); got != 1.05 {
		t.Errorf("the median is %v", got)
	}
	if got := rows[0].rangeOf("plugin/hand"); got != "0.900 to 1.100" {
		t.Errorf("the range is %q", got)
	}
	if got := rows[1].measured(); got != "250ns, 1 allocs/op" {
		t.Errorf("measured is %q", got)
	}
}

func TestReplacedKeepsOthers(t *testing.T) {
	t.Parallel()
	old := parsed(t, two)
	fresh := parsed(t, header+"BenchmarkLookup/cached-2 100 900 ns/op\n")
	text, err := format(replaced(old, fresh))
	if err != nil {
		t.Fatal(err)
	}
	rows := parsed(t, string(text)).rows()
	if len(rows) != 2 {
		t.Fatalf("%d rows of\n%s", len(rows), text)
	}
	if got := rows[0].rangeOf("plugin/hand"); got != "0.900 to 1.100" {
		t.Errorf("another's row changed to %q", got)
	}
	if got := rows[1].measured(); got != "900ns" {
		t.Errorf("the new row is %q", got)
	}
}

func TestFilled(t *testing.T) {
	t.Parallel()
	page := "By hand.\n<!-- bench: runs -->\nold\n<!-- end -->\nKept.\n<!-- bench: SharedSQLite -->\n<!-- end -->\n" +
		"<!-- bench: plain -->\n<!-- end -->\n<!-- bench: once -->\n<!-- end -->\n<!-- bench: Build -->\n<!-- end -->\n"
	got, err := filled(page, parsed(t, two))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"By hand.\n", "\nKept.\n", "| 1 | 2026-01-02 03:04 UTC | 2 × Test | Debian, amd64 | 1.26 | 1.31 | 15.1 | 10.11 | 3 % |",
		"| First | 1.050 | 0.900 to 1.100 | 2.100 | 0.500 to 2.200 | 0.999 to 1.001 | 2 | 1 | 2.1 | 86 | 72 | 77 |",
		"Run 1; medians of 3 binaries.", "| shared, SQLite | 2.10 | | | | | |", "| catalog | Lookup/cached | 250ns, 1 allocs/op |", unmeasured,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if strings.Contains(got, "old") {
		t.Error("the old text is still there")
	}
	if again, err := filled(got, parsed(t, two)); err != nil || again != got {
		t.Errorf("filled again it differs: %v\n%s", err, again)
	}
	if t.Failed() {
		t.Log(got)
	}
	if _, err := filled("<!-- bench: Nobody -->\n<!-- end -->", nil); err == nil {
		t.Error("a part that no benchmark fills is accepted")
	}
}

// TestDrawn finds a ratio within the axis, and one beyond each of its ends, in a chart that is well-formed.
func TestDrawn(t *testing.T) {
	t.Parallel()
	text := two + header + "BenchmarkDatabaseWarm/SQLite/1/Find-2 9 1 control 1000 plain-ns 300 plugin-ns 0.30 plugin/plain\n"
	chart, err := drawn(parsed(t, text))
	if err != nil {
		t.Fatal(err)
	}
	decoder := xml.NewDecoder(bytes.NewReader(chart))
	seen := map[string]int{}
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("not well-formed: %v\n%s", err, chart)
		}
		if data, ok := token.(xml.CharData); ok {
			seen[string(data)]++
		}
	}
	for _, want := range []string{"1.05", "2.10", "0.30", "shared, SQLite", "First by key"} {
		if seen[want] == 0 {
			t.Errorf("the chart does not say %q", want)
		}
	}
	for _, want := range []string{"l7 -4v8z", "l-7 -4v8z"} {
		if n := strings.Count(string(chart), want); n != 1 {
			t.Errorf("%d arrows %q", n, want)
		}
	}
}

func TestChoose(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ pattern, from, want string }{
		{"SharedSQLite$/First", "", "^BenchmarkSharedSQLite$/First"},
		{"SharedSQLite$/(First|Find)|Lookup", "", "^BenchmarkSharedSQLite$/(First|Find) ^BenchmarkLookup$"},
		{"", "Tenant", "^BenchmarkTenant$ ^BenchmarkStages$"},
		{"Nobody", "", ""},
	} {
		chosen, err := choose(test.pattern, test.from)
		var got []string
		for _, s := range chosen {
			got = append(got, s.pattern)
		}
		if joined := strings.Join(got, " "); joined != test.want || (err != nil) != (test.want == "") {
			t.Errorf("%q from %q: %q, %v", test.pattern, test.from, joined, err)
		}
	}
}

// TestNothingForgotten looks whether every benchmark of the repository is run.
func TestNothingForgotten(t *testing.T) {
	t.Parallel()
	declared := regexp.MustCompile(`(?m)^func Benchmark(\w+)\(b \*testing\.B\)`)
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, found := range declared.FindAllStringSubmatch(string(text), -1) {
			rel, _ := filepath.Rel(root, filepath.Dir(path))
			known := slices.ContainsFunc(suites, func(s suite) bool {
				return s.name == found[1] && filepath.Clean(s.pkg) == rel
			})
			if !known && found[1] != "Alone" {
				t.Errorf("%s: Benchmark%s is in no suite", path, found[1])
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestPage makes the page of the results that are kept with it.
func TestPage(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	all, err := read(filepath.Join(root, dataFile))
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(root, pageFile))
	if err != nil {
		t.Fatal(err)
	}
	chart, err := os.ReadFile(filepath.Join(root, chartFile))
	if err != nil {
		t.Fatal(err)
	}
	text, err := filled(string(page), all)
	if err != nil || text != string(page) {
		t.Errorf("%s is not of %s: %v", pageFile, dataFile, err)
	}
	if picture, err := drawn(all); err != nil || !bytes.Equal(picture, chart) {
		t.Errorf("%s is not of %s: %v", chartFile, dataFile, err)
	}
}
