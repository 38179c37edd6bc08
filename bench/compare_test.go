package bench

import (
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"slices"
	"testing"
	"time"

	"gorm.io/gorm"
)

// variant is one way to write a statement.
type variant struct {
	name string
	run  func() *gorm.DB
}

// comparison sets a statement with the plugin against the same statement without it.
type comparison struct {
	name         string
	base, plugin variant
	others       []variant // further ones that the plugin is set against
}

// turn is how long one variant runs before the next has its turn: short against the noise of a shared machine, long
// against reading the clock.
const turn = 60 * time.Microsecond

// report runs the variants in turns and reports what came out. A round is one turn of each in random order; -benchtime
// sets how many there are. "plugin/hand" is the median of the rounds' own ratios, "quartiles" the ratio of the lower
// quartiles to the base's. The base has two turns: "control" compares it with itself and so shows the noise. The collector runs between rounds only: it would fall on whoever is at work.
func (c comparison) report(b *testing.B) {
	b.Helper()
	variants := append([]variant{c.base, c.plugin, {"control", c.base.run}}, c.others...)
	for _, v := range variants {
		result := v.run()
		if base := c.base.run(); result.Error != nil || result.RowsAffected != base.RowsAffected {
			b.Fatalf("%s: %v, %d rows; %s: %d rows", v.name, result.Error, result.RowsAffected, c.base.name, base.RowsAffected)
		}
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))

	batch, order := batchOf(c.base), rand.Perm(len(variants))
	times := make([][]float64, len(variants))
	for round := 0; b.Loop(); round++ {
		if round%16 == 0 {
			runtime.GC()
		}
		rand.Shuffle(len(order), func(i, k int) { order[i], order[k] = order[k], order[i] })
		for _, v := range order {
			times[v] = append(times[v], float64(timed(variants[v], batch))/float64(batch))
		}
	}
	b.ReportMetric(0, "ns/op")
	for i, v := range variants {
		if v.name != "control" {
			b.ReportMetric(quantile(times[i], 0.5), v.name+"-ns")
			b.ReportMetric(testing.AllocsPerRun(50, func() { v.run() }), v.name+"-allocs")
		}
		if v.name != "control" && v.name != c.plugin.name {
			b.ReportMetric(quantile(ratios(times[1], times[i]), 0.5), c.plugin.name+"/"+v.name)
		}
	}
	b.ReportMetric(quantile(times[1], 0.25)/quantile(times[0], 0.25), "quartiles")
	b.ReportMetric(quantile(ratios(times[2], times[0]), 0.5), "control")
}

// batchOf is how many statements fill a turn.
func batchOf(v variant) int {
	n := 100
	return max(1, int(turn*time.Duration(n)/timed(v, n)))
}

func timed(v variant, n int) time.Duration {
	start := time.Now()
	for range n {
		v.run()
	}
	return time.Since(start)
}

func ratios(of, to []float64) []float64 {
	out := make([]float64, len(of))
	for i := range of {
		out[i] = of[i] / to[i]
	}
	return out
}

func quantile(values []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[int(q*float64(len(sorted)-1))]
}
