package archive_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy/archive"
)

// benchRows is how many choices the tenant has.
const benchRows = 200_000

// peak runs f and returns the largest heap meanwhile, in bytes.
func peak(f func()) uint64 {
	runtime.GC()
	var most atomic.Uint64
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most.Store(max(most.Load(), m.HeapAlloc))
			select {
			case <-stop:
				return
			case <-tick.C:
			}
		}
	}()
	f()
	close(stop)
	<-stopped
	return most.Load()
}

// BenchmarkTenant exports, erases and imports a tenant of 200,000 rows, and copies it.
func BenchmarkTenant(b *testing.B) {
	for _, name := range []string{"shared SQLite", "shared PostgreSQL", "row-level security", "shared MariaDB", "schema PostgreSQL"} {
		b.Run(name, func(b *testing.B) {
			back := backends[name](b).fill()
			choices := make([]Choice, benchRows)
			for i := range choices {
				choices[i] = Choice{PollID: uint(1 + i%2), Text: fmt.Sprint("the text of choice number ", i)}
			}
			must(b, back.db.WithContext(as("a")).Session(&gorm.Session{SkipHooks: true}).CreateInBatches(choices, 1000).Error)
			choices = nil
			file, err := os.Create(filepath.Join(b.TempDir(), "a.zip"))
			must(b, err)
			defer file.Close()
			steps := map[string]func() error{
				"1 export": func() error { _, err := archive.Export(as("a"), back.db, file); return err },
				"2 sum":    func() error { _, err := archive.Sum(as("a"), back.db); return err },
				"3 erase":  func() error { _, err := archive.Erase(as("a"), back.db); return err },
				"4 import": func() error { _, err := archive.Import(as("a"), back.db, file); return err },
				"5 copy": func() error {
					_, err := archive.Copy(b.Context(), back.db, "a", "b", archive.Replace())
					return err
				},
			}
			names := make([]string, 0, len(steps))
			for step := range steps {
				names = append(names, step)
			}
			slices.Sort(names)
			for b.Loop() {
				must(b, file.Truncate(0))
				for _, step := range names {
					begin := time.Now()
					heap := peak(func() { must(b, steps[step]()) })
					b.ReportMetric(benchRows/time.Since(begin).Seconds(), step[2:]+"-rows/s")
					b.ReportMetric(float64(heap)/(1<<20), step[2:]+"-peak-MB")
				}
			}
		})
	}
}
