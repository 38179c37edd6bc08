//go:build !race

package bench

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"gorm.io/gorm"
)

var rewrite = flag.Bool("update", false, "rewrite testdata/counts.txt")

// transaction is counted in round trips alone: database/sql watches each in a goroutine, which allocates when it comes to it.
const transaction = "Transaction"

// statement is what is counted, with the plugin and without.
type statement struct {
	name        string
	plain, with func(*gorm.DB) error
}

// statements are those of the benchmarks, and with a server a transaction. Without the plugin inserts set the tenant column by hand, so
// that the rows are the same.
func (c contender) statements() []statement {
	var all []statement
	failing := func(run func(*gorm.DB) *gorm.DB) func(*gorm.DB) error {
		return func(db *gorm.DB) error { return run(db).Error }
	}
	if c.tenantColumn {
		for _, op := range operations {
			s := statement{op.name, failing(op.plain), failing(op.plain)}
			if strings.HasPrefix(op.name, "Create") {
				s.plain = failing(op.hand)
			}
			all = append(all, s)
		}
	} else {
		for _, op := range noteOperations {
			all = append(all, statement{op.name, failing(op.run), failing(op.run)})
		}
	}
	if c.server == nil {
		return all
	}
	read := all[0].with
	write := all[slices.IndexFunc(all, func(s statement) bool { return s.name == "Update" })].with
	both := func(db *gorm.DB) error {
		return db.Transaction(func(tx *gorm.DB) error { return errors.Join(read(tx), write(tx)) })
	}
	return append(all, statement{transaction, both, both})
}

// TestCounts holds what a statement costs to testdata/counts.txt: exact numbers, which no busy machine changes. A line has
// the allocations more, or fewer, than plain GORM's, and the round trips to the server beside plain GORM's. It fails when
// there are fewer, too: then the file is rewritten with -update, and reviewed like code.
//
// It is not parallel, because it counts what the whole process allocates, and is left out with -race, under which there are
// other numbers; scripts/test.sh runs it without.
func TestCounts(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // a collection empties pools, which allocate again
	lines := map[string]string{}
	var order []string
	for _, c := range contenders {
		c.count(t, func(statement, cost string) {
			key := fmt.Sprintf("%-11s | %-26s | %-10s |", statement, c.strategy, c.engine)
			lines[key], order = cost, append(order, key)
		})
	}
	var b strings.Builder
	for _, key := range order {
		b.WriteString(key + " " + lines[key] + "\n")
	}
	file := filepath.Join("testdata", "counts.txt")
	if *rewrite {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for line := range strings.Lines(string(want)) {
		end := strings.LastIndex(line, " | allocs") + len(" |")
		key, cost := line[:end], strings.TrimSpace(line[end:])
		known[key] = true
		if got := lines[key]; got != cost {
			t.Errorf("%s\nhas %s\nand had %s", key, got, cost)
		}
	}
	for _, key := range order {
		if !known[key] {
			t.Errorf("%s is not in %s", key, file)
		}
	}
	if t.Failed() {
		t.Log("if that is meant: go test ./bench -run TestCounts -update, and say in the commit why")
	}
}

// count reports the cost of each statement.
func (c contender) count(t *testing.T, report func(statement, cost string)) {
	all := c.statements()
	plain, with := c.open(stage{t, nil})
	allocs := make([]string, len(all))
	for i, s := range all {
		if s.name == transaction {
			allocs[i] = "allocs vary"
			continue
		}
		allocs[i] = fmt.Sprintf("allocs %+d", allocations(t, s.name, s.with, with)-allocations(t, s.name, s.plain, plain))
	}
	if c.server == nil {
		for i, s := range all {
			report(s.name, allocs[i]+" | no server")
		}
		return
	}
	through := stage{t, newProxy(t, c.server(t))}
	plain, with = c.open(through)
	for i, s := range all {
		report(s.name, fmt.Sprintf("%s | round trips %d, plain %d", allocs[i], through.trips(s.name, s.with, with), through.trips(s.name, s.plain, plain)))
	}
}

// allocations is the least of several counts: what else the process does only adds.
func allocations(t *testing.T, name string, run func(*gorm.DB) error, db *gorm.DB) int {
	t.Helper()
	for range 3 { // everything is connected, prepared and parsed
		if err := run(db); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	var counts []float64
	for range 40 {
		counts = append(counts, testing.AllocsPerRun(1, func() { _ = run(db) }))
	}
	return int(slices.Min(counts))
}
