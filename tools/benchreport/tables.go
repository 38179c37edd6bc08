package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// bases are what the plugin is set against, as units and in words.
var bases = [][2]string{{"hand", "by hand"}, {"member", "the member alone"}, {"plain", "plain GORM"}}

// compared is a table of benchmarks that set the plugin against something.
func compared(rows []*row, runs []occasion) string {
	if len(rows) == 0 {
		return unmeasured
	}
	with := slices.DeleteFunc(slices.Clone(bases), func(b [2]string) bool { return !rows[0].has("plugin/" + b[0]) })
	var b strings.Builder
	b.WriteString("| Statement |")
	for _, base := range with {
		fmt.Fprintf(&b, " Against %s | Range |", base[1])
	}
	b.WriteString(" Control |")
	for _, what := range []string{"µs", "allocations"} {
		for _, base := range with {
			fmt.Fprintf(&b, " %s, %s |", capital(base[1]), what)
		}
		fmt.Fprintf(&b, " Plugin, %s |", what)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", 4*len(with)+3) + "\n")
	for _, w := range rows {
		fmt.Fprintf(&b, "| %s |", w.name[strings.LastIndex(w.name, "/")+1:])
		for _, base := range with {
			unit := "plugin/" + base[0]
			fmt.Fprintf(&b, " %s | %s |", w.cell(unit, "%.3f", 1), w.rangeOf(unit))
		}
		fmt.Fprintf(&b, " %s |", w.rangeOf("control"))
		for _, base := range append(slices.Clone(with), [2]string{"plugin"}) {
			fmt.Fprintf(&b, " %s |", w.cell(base[0]+"-ns", "%.4g", 1e-3))
		}
		for _, base := range append(slices.Clone(with), [2]string{"plugin"}) {
			fmt.Fprintf(&b, " %s |", w.cell(base[0]+"-allocs", "%.0f", 1))
		}
		b.WriteString("\n")
	}
	return b.String() + "\n" + ranIn(rows, runs)
}

// cell is the median, or nothing where nothing was measured.
func (w *row) cell(unit, format string, scale float64) string {
	if !w.has(unit) {
		return ""
	}
	return fmt.Sprintf(format, w.median(unit)*scale)
}

// ranIn says which runs rows are of, and how many binaries.
func ranIn(rows []*row, runs []occasion) string {
	var numbers []string
	for i, r := range runs {
		if slices.ContainsFunc(rows, func(w *row) bool { return slices.Contains(w.runs, r.key) }) {
			numbers = append(numbers, fmt.Sprint(i+1))
		}
	}
	binaries := len(rows[0].values[rows[0].units[0]])
	text := "Run " + strings.Join(numbers, ", ")
	if binaries > 1 {
		return fmt.Sprintf("%s; medians of %d binaries.\n", text, binaries)
	}
	return text + "; one binary.\n"
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// summary is a table of the strategies that are set against one thing.
func summary(unit string, rows []*row) string {
	var b strings.Builder
	b.WriteString("| |")
	for _, s := range statements {
		fmt.Fprintf(&b, " %s |", s[1])
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(statements)) + "\n")
	lines := 0
	for _, p := range panels {
		cells, any := "", false
		for _, s := range statements {
			w := find(rows, p.name+"/"+s[0])
			if w == nil || !w.has(unit) {
				cells += " |"
				continue
			}
			any = true
			cells += fmt.Sprintf(" %.2f |", w.median(unit))
		}
		if any {
			lines++
			fmt.Fprintf(&b, "| %s |%s\n", p.title, cells)
		}
	}
	if lines == 0 {
		return unmeasured
	}
	return b.String()
}

func find(rows []*row, name string) *row {
	if at := slices.IndexFunc(rows, func(w *row) bool { return w.name == name }); at >= 0 {
		return rows[at]
	}
	return nil
}

// once lists the benchmarks that measure something by itself.
func once(rows []*row, runs []occasion) string {
	var b strings.Builder
	b.WriteString("| Package | Benchmark | Measured |\n|---|---|---|\n")
	var listed []*row
	for _, s := range suites {
		if s.once == "" {
			continue
		}
		for _, w := range rows {
			if suiteOf(w.name) == s.name {
				listed = append(listed, w)
				fmt.Fprintf(&b, "| %s | %s | %s |\n", strings.TrimPrefix(s.pkg, "./"), strings.ReplaceAll(w.name, "_", " "), w.measured())
			}
		}
	}
	if len(listed) == 0 {
		return unmeasured
	}
	return b.String() + "\n" + ranIn(listed, runs)
}

// measured are the values of a row, each with its unit.
func (w *row) measured() string {
	var all []string
	for _, unit := range w.units {
		value := w.median(unit)
		switch {
		case unit == "ns/op" && value == 0: // the benchmark reports times of its own
		case unit == "ns/op":
			d := time.Duration(value)
			if d > 100*time.Nanosecond {
				d = d.Round(time.Duration(value / 100)) // three digits
			}
			all = append(all, d.String())
		case unit == "B/op":
		default:
			all = append(all, fmt.Sprintf("%s %s", digits(value), unit))
		}
	}
	return strings.Join(all, ", ")
}

// digits prints three of them, and whole numbers whole.
func digits(value float64) string {
	if value >= 100 {
		return fmt.Sprintf("%.0f", value)
	}
	return fmt.Sprintf("%.3g", value)
}
