package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"math"
	"text/template"
)

// panels are what the summary and the chart show of the suites.
var panels = []struct{ title, name string }{
	{"shared, SQLite", "SharedSQLite"},
	{"shared, PostgreSQL", "SharedPostgres"},
	{"shared with row-level security", "RowLevelSecurity"},
	{"schema, PostgreSQL", "SchemaLoopback/local/1"},
	{"database, SQLite", "DatabaseWarm/SQLite/1"},
	{"database, PostgreSQL", "DatabaseWarm/PostgreSQL/1"},
}

var statements = [][2]string{
	{"First", "First by key"},
	{"Find", "Find 100 rows"},
	{"Update", "Update by key"},
	{"Delete", "Delete by key"},
	{"Create", "Create"},
	{"Create1000", "Create 1,000"},
}

// leastAt and mostAt are the ends of the longest axis. Ratios beyond are drawn at its edge.
const leastAt, mostAt = 0.8, 1.5

// The geometry, in pixels.
const (
	width, top          = 920, 96
	panelWidth          = 442
	labels, plot        = 112, 232 // the names of the statements, and the axis
	heading, lineHeight = 32, 24
	panelHeight         = 206
	between, padding    = 12, 12
)

//go:embed chart.svg
var chartText string

var chart = template.Must(template.New("chart").Parse(chartText))

type (
	drawing struct {
		Width, Height int
		Panels        []drawnPanel
	}
	drawnPanel struct {
		X, Y, Width, Height float64
		Labels, Top, Bottom float64 // where labels end, and the plot begins and ends
		Title               string
		Ticks               []tick
		Lines               []line
	}
	tick struct {
		X    float64
		Text string
	}
	line struct {
		Y     float64
		Label string
		Dots  []dot
	}
	dot struct {
		Class           string // what it is against
		X, Y, Low, High float64
		Beyond          string // "left" or "right" of the axis
		Text            string
		TextX, TextY    float64
	}
)

// drawn is the chart of the panels: for each statement the median of its ratios, and a bar from the least to the greatest.
func drawn(all results) ([]byte, error) {
	rows := all.rows()
	scale := axis(rows)
	height := top + (len(panels)+1)/2*(panelHeight+between)
	picture := drawing{Width: width, Height: height}
	for i, p := range panels {
		x, y := float64(padding+i%2*(panelWidth+between)), float64(top+i/2*(panelHeight+between))
		first := y + heading
		panel := drawnPanel{
			X: x, Y: y, Width: panelWidth, Height: panelHeight, Title: p.title,
			Labels: x + labels - 10, Top: first, Bottom: first + float64(len(statements)*lineHeight),
		}
		for _, ratio := range scale.ticks() {
			panel.Ticks = append(panel.Ticks, tick{scale.at(x, ratio), fmt.Sprintf("%.1f", ratio)})
		}
		for k, s := range statements {
			l := line{Y: first + (float64(k)+0.5)*lineHeight, Label: s[1]}
			if w := find(rows, p.name+"/"+s[0]); w != nil {
				l.Dots = scale.dots(w, x, l.Y)
			}
			panel.Lines = append(panel.Lines, l)
		}
		picture.Panels = append(picture.Panels, panel)
	}
	var b bytes.Buffer
	err := chart.Execute(&b, picture)
	return b.Bytes(), err
}

// span is what the axis shows.
type span struct{ low, high float64 }

// axis covers all ratios that are near enough to 1.
func axis(rows []*row) span {
	s := span{0.9, 1.1}
	for _, p := range panels {
		for _, w := range below(rows, p.name) {
			for _, base := range bases {
				if unit := "plugin/" + base[0]; w.has(unit) {
					low, high := w.bounds(unit)
					s.low, s.high = min(s.low, low), max(s.high, high)
				}
			}
		}
	}
	s.low, s.high = max(s.low, leastAt), min(s.high, mostAt)
	return span{math.Floor(s.low*10) / 10, math.Ceil(s.high*10) / 10}
}

func (s span) ticks() (ratios []float64) {
	for tenth := math.Round(s.low * 10); tenth <= math.Round(s.high*10); tenth++ {
		ratios = append(ratios, tenth/10)
	}
	return ratios
}

// at is where a panel's axis has a ratio.
func (s span) at(x, ratio float64) float64 {
	return x + labels + (min(max(ratio, s.low), s.high)-s.low)/(s.high-s.low)*plot
}

// dots are a statement's ratios, by hand above and plain GORM below where both were measured.
func (s span) dots(w *row, x, y float64) []dot {
	var dots []dot
	for _, class := range []string{"hand", "plain"} {
		unit := "plugin/" + class
		if !w.has(unit) {
			continue
		}
		ratio := w.median(unit)
		low, high := w.bounds(unit)
		d := dot{Class: class, X: s.at(x, ratio), Y: y, Low: s.at(x, low), High: s.at(x, high)}
		d.Text, d.TextX, d.TextY = fmt.Sprintf("%.2f", ratio), x+labels+plot+44, y
		if class == "plain" {
			d.TextX += 40
		}
		switch {
		case ratio < s.low:
			d.Beyond = "left"
		case ratio > s.high:
			d.Beyond = "right"
		}
		dots = append(dots, d)
	}
	if len(dots) == 2 {
		dots[0].Y, dots[1].Y = y-5, y+5
	}
	return dots
}
