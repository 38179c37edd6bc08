package programs

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/strategies/strategytest"
)

// Options are how programs are tried. The zero value is right for a strategy that treats all tenants alike.
type Options struct {
	// Tenants are who acts, and are a, b and c by default. The first is the one that the harness says what the strategy lacks about.
	// Each is one letter.
	Tenants []tenancy.ID
	// Mixed says that what the harness lacks, or does not lack, is about the first tenant only: raw SQL and central tables may be
	// refused to the others.
	Mixed bool
	// Operations ends the check when so many were run with the strategy. By default -rapid.checks alone ends it.
	Operations int
}

// Fault is what is wrong with how a program ran.
type Fault int

// The faults.
const (
	// None is that everything is right.
	None Fault = iota
	// Crossing is that a tenant saw what is another's, was not refused what it must be, or left a row where only others' may be.
	Crossing
	// Wrong is that an operation did not return what plain GORM does.
	Wrong
	// Changed is that a tenant's rows are not what plain GORM leaves: another changed them, or the strategy did.
	Changed
	// Broken is that the rows could not be read.
	Broken
)

// String is a word for it.
func (f Fault) String() string {
	return []string{"no fault", "CROSSING", "WRONG RESULT", "WRONG ROWS", "BROKEN"}[f]
}

// Report is what was run.
type Report struct {
	// Programs and Operations are how many were run with the strategy.
	Programs, Operations int
	// Refused is how many operations ended in an error as they must, or may, because they name another tenant or what the strategy
	// lacks. Failed is how many others ended in one, which must be that of plain GORM.
	Refused, Failed int
	// Faults are how many programs had a fault, those included that were tried while the first was shrunk.
	Faults int
}

// Check draws programs and fails the test with the shortest that it finds a fault with.
func Check(t *testing.T, h strategytest.Harness, o Options) Report {
	t.Helper()
	if len(o.Tenants) == 0 {
		o.Tenants = []tenancy.ID{"a", "b", "c"}
	}
	w := newWorld(t, h, o.Tenants)
	report := Report{}
	rapid.Check(t, func(rt *rapid.T) {
		if o.Operations > 0 && report.Operations >= o.Operations && report.Faults == 0 {
			return
		}
		p := w.draw(rt, o)
		if err := w.reset(); err != nil {
			rt.Fatal(err)
		}
		before := w.operations
		fault, what := w.run(p)
		report.Programs++
		report.Operations += w.operations - before
		report.Refused, report.Failed = w.refused, w.failed
		if fault != None {
			report.Faults++
			rt.Fatalf("%s: %s\nThe program:\n%s", fault, what, p)
		}
	})
	return report
}

// draw draws a program.
func (w *world) draw(rt *rapid.T, o Options) program {
	p := program{mode: rapid.IntRange(0, len(modes)-1).Draw(rt, ""), concurrent: rapid.IntRange(0, 5).Draw(rt, "") == 5}
	prepare := true
	for name := range w.h.Lacks {
		if strings.HasPrefix(string(name), "PrepareStmt") {
			prepare, p.mode = false, p.mode%2
		}
	}
	all := kinds()
	p.statements = rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) statement {
		id := w.acting[rapid.IntRange(0, len(w.acting)-1).Draw(rt, "")]
		d := &drawer{T: rt, id: id, kinds: all, can: w.abilities(id, o), inTx: p.concurrent, pinned: p.concurrent}
		d.can.prepare = prepare
		for _, other := range w.tenants {
			if other != id {
				d.others = append(d.others, other)
			}
		}
		return statement{id, d.step(2)}
	}), 1, 30).Draw(rt, "")
	return p
}

func (w *world) abilities(id tenancy.ID, o Options) abilities {
	lacks := func(c strategytest.Capability) bool { return w.h.Lacks[c] != "" }
	return abilities{
		text: !lacks(strategytest.SQLText), connections: !lacks(strategytest.Connections),
		centralInTx: !lacks(strategytest.CentralTables), centralJoins: !lacks(strategytest.CentralJoins),
		unsure: o.Mixed && id != w.tenants[0],
	}
}

// String is one line.
func (r Report) String() string {
	return fmt.Sprintf("%d operations in %d programs, %d refused, %d failed as with plain GORM, %d faults",
		r.Operations, r.Programs, r.Refused, r.Failed, r.Faults)
}
