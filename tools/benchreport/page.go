package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// block is a generated part of the page.
var block = regexp.MustCompile(`(?s)(<!-- bench: ([^ ]+) -->\n).*?(<!-- end -->)`)

// filled writes the generated parts of the page anew. What stands between them is written by hand.
func filled(page string, all results) (string, error) {
	rows := all.rows()
	runs := runsOf(all)
	var failed error
	page = block.ReplaceAllStringFunc(page, func(found string) string {
		parts := block.FindStringSubmatch(found)
		text, err := generated(parts[2], rows, runs)
		if err != nil {
			failed = err
		}
		return parts[1] + "\n" + text + "\n" + parts[3]
	})
	return page, failed
}

func generated(name string, rows []*row, runs []occasion) (string, error) {
	switch name {
	case "runs":
		return machines(runs), nil
	case "hand", "plain":
		return summary("plugin/"+name, rows), nil
	case "once":
		return once(rows, runs), nil
	}
	if !slices.ContainsFunc(suites, func(s suite) bool { return s.name == suiteOf(name) }) {
		return "", fmt.Errorf("the page has a part %q, and no benchmark is called so", name)
	}
	return compared(below(rows, name), runs), nil
}

const unmeasured = "Not measured.\n"

// occasion is one call of this program.
type occasion struct {
	key  string
	busy []string
}

func runsOf(all results) []occasion {
	var runs []occasion
	for _, r := range all {
		key := runOf(r)
		at := slices.IndexFunc(runs, func(known occasion) bool { return known.key == key })
		if at < 0 {
			at = len(runs)
			runs = append(runs, occasion{key: key})
		}
		if share := r.GetConfig("busy"); !slices.Contains(runs[at].busy, share) {
			runs[at].busy = append(runs[at].busy, share)
		}
	}
	slices.SortFunc(runs, func(a, b occasion) int { return strings.Compare(a.key, b.key) })
	return runs
}

func machines(runs []occasion) string {
	var b strings.Builder
	b.WriteString("| Run | When | Processors | System | Go | GORM | PostgreSQL | MariaDB | Others used |\n|---|---|---|---|---|---|---|---|---|\n")
	for i, r := range runs {
		f := strings.Split(r.key, "\t")
		fmt.Fprintf(&b, "| %d | %s | %s × %s | %s, %s | %s | %s | %s | %s | %s |\n", i+1, f[0], f[2], f[1], f[3], f[4], f[5], f[6], f[7], f[8], spread(r.busy))
	}
	return b.String()
}

// spread is the least and the most of several shares.
func spread(shares []string) string {
	var of []int
	for _, s := range shares {
		var n int
		if _, err := fmt.Sscanf(s, "%d%%", &n); err != nil {
			return "unknown"
		}
		of = append(of, n)
	}
	if low, high := slices.Min(of), slices.Max(of); low != high {
		return fmt.Sprintf("%d to %d %%", low, high)
	}
	return fmt.Sprintf("%d %%", of[0])
}
