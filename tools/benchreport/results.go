package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/perf/benchfmt"
)

// results are lines of benchmarks with what is known of the machine they ran on.
type results []*benchfmt.Result

// parse reads the standard format. Of what a benchmark prints beside results nothing is kept.
func parse(from io.Reader, name string) (results, error) {
	reader := benchfmt.NewReader(from, name)
	var all results
	for reader.Scan() {
		switch r := reader.Result().(type) {
		case *benchfmt.Result:
			all = append(all, r.Clone())
		case *benchfmt.SyntaxError:
			return nil, r
		}
	}
	return all, reader.Err()
}

func read(file string) (results, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return parse(bytes.NewReader(text), file)
}

// merge puts new results in the place of those of the same benchmarks in a file, which need not exist.
func merge(file string, fresh results) error {
	all, err := read(file)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	text, err := format(replaced(all, fresh))
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o644)
}

// replaced is in the order of the suites.
func replaced(old, fresh results) results {
	names := map[string]bool{}
	for _, r := range fresh {
		names[fullName(r)] = true
	}
	all := slices.DeleteFunc(slices.Clone(old), func(r *benchfmt.Result) bool { return names[fullName(r)] })
	all = append(all, fresh...)
	slices.SortStableFunc(all, func(a, b *benchfmt.Result) int { return cmp.Compare(position(a), position(b)) })
	return all
}

func position(r *benchfmt.Result) int {
	return slices.IndexFunc(suites, func(s suite) bool { return s.name == suiteOf(fullName(r)) })
}

func format(all results) ([]byte, error) {
	var b bytes.Buffer
	writer := benchfmt.NewWriter(&b)
	for _, r := range all {
		if err := writer.Write(r); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

// fullName is the name without the number of processors.
func fullName(r *benchfmt.Result) string {
	base, parts := r.Name.Parts()
	name := string(base)
	for _, p := range parts {
		if p[0] != '-' {
			name += string(p)
		}
	}
	return name
}

func suiteOf(name string) string {
	first, _, _ := strings.Cut(name, "/")
	return first
}

// row is one benchmark over all its binaries.
type row struct {
	name   string
	units  []string // in the order of the output
	values map[string][]float64
	runs   []string // distinct ones, see runOf
}

// rows sums results up, in their order.
func (all results) rows() []*row {
	var rows []*row
	known := map[string]*row{}
	for _, r := range all {
		name := fullName(r)
		if known[name] == nil {
			known[name] = &row{name: name, values: map[string][]float64{}}
			rows = append(rows, known[name])
		}
		known[name].add(r)
	}
	return rows
}

func (w *row) add(r *benchfmt.Result) {
	for _, v := range r.Values {
		unit, value := v.Unit, v.Value
		if v.OrigUnit != "" {
			unit, value = v.OrigUnit, v.OrigValue
		}
		if w.values[unit] == nil {
			w.units = append(w.units, unit)
		}
		w.values[unit] = append(w.values[unit], value)
	}
	if run := runOf(r); !slices.Contains(w.runs, run) {
		w.runs = append(w.runs, run)
	}
}

// below returns the rows of a benchmark's own sub-benchmarks: those of a/b for b, not those of a/b/c.
func below(rows []*row, name string) []*row {
	var found []*row
	for _, w := range rows {
		if rest, ok := strings.CutPrefix(w.name, name+"/"); ok && !strings.Contains(rest, "/") {
			found = append(found, w)
		}
	}
	return found
}

// has reports whether the unit was measured.
func (w *row) has(unit string) bool { return len(w.values[unit]) > 0 }

// median is the lower one of an even number.
func (w *row) median(unit string) float64 {
	sorted := slices.Sorted(slices.Values(w.values[unit]))
	return sorted[(len(sorted)-1)/2]
}

func (w *row) bounds(unit string) (low, high float64) {
	return slices.Min(w.values[unit]), slices.Max(w.values[unit])
}

// rangeOf is the extremes as text, or nothing where nothing was measured.
func (w *row) rangeOf(unit string) string {
	if !w.has(unit) {
		return ""
	}
	low, high := w.bounds(unit)
	return fmt.Sprintf("%.3f to %.3f", low, high)
}

// runOf is all that is known of the machine and the time, but for the package and how busy others were.
func runOf(r *benchfmt.Result) string {
	var known []string
	for _, key := range []string{"date", "cpu", "cpus", "os", "goarch", "go", "gorm", "postgresql", "mariadb"} {
		known = append(known, r.GetConfig(key))
	}
	return strings.Join(known, "\t")
}
