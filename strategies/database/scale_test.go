package database_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	process "os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/internal/servers"
	"github.com/gorm-tenancy/tenancy/strategies/database"
	"github.com/gorm-tenancy/tenancy/tenantconn"
)

// longEnv makes the tests of this file run at their full size.
const longEnv = "TENANCY_LONG"

// sized returns the full size of a test, or the one of every day.
func sized(short, long int) int {
	if os.Getenv(longEnv) != "" {
		return long
	}
	return short
}

const manyEnv = "TENANCY_TEST_MANY"

// TestManyFiles: thousands of SQLite tenants in a process that may open 256 files.
func TestManyFiles(t *testing.T) {
	t.Parallel()
	child := process.CommandContext(t.Context(), os.Args[0], "-test.run=^TestManyFilesChild$", "-test.v", "-test.count=1", "-test.timeout=30m")
	child.Env = append(os.Environ(), manyEnv+"="+strconv.Itoa(sized(400, 10000)))
	out, err := child.CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "_test.go") {
			t.Log(strings.TrimSpace(line))
		}
	}
	if err != nil {
		t.Fatalf("%v\n%.3000s", err, out)
	}
}

// TestManyFilesChild is what the child process runs.
func TestManyFilesChild(t *testing.T) {
	tenants, err := strconv.Atoi(os.Getenv(manyEnv))
	if err != nil {
		return // it is not the child
	}
	must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 256, Max: 256}))
	dir := t.TempDir()
	places := database.SQLiteFiles(filepath.Join(dir, "tenants"), sqlite.Open)
	strategy := database.New(places.Open, database.WithProvisioner(places), database.Budget(tenantconn.Budget{MaxOpen: 64}))
	db, err := gorm.Open(sqlite.Open(filepath.Join(dir, "central.db")), &gorm.Config{Logger: logger.Discard})
	must(t, err)
	must(t, db.Use(plugin(strategy)))

	start := time.Now()
	provision(t, strategy, db, tenants)
	t.Logf("%d tenants made and filled, %v each", tenants, time.Since(start)/time.Duration(tenants))
	settled := measure()
	for name, pick := range map[string]func(*rand.Rand) int{
		"uniform": func(r *rand.Rand) int { return r.IntN(tenants) },
		"skewed": func(r *rand.Rand) int {
			return int(float64(tenants) * r.Float64() * r.Float64() * r.Float64() * r.Float64())
		},
	} {
		start, before := time.Now(), strategy.Counters()
		ops := max(4000, tenants)
		work(t, db, ops, pick)
		c := strategy.Counters()
		t.Logf("%s: %v each of %d operations by 16 goroutines, %d opened, %d waits; %d files", name, time.Since(start)/time.Duration(ops), ops,
			c.Opened-before.Opened, c.Waits-before.Waits, openFiles(t))
		if c.Open > 64 || c.Places > 64 || c.Failed != 0 || c.Waiting != 0 {
			t.Errorf("%+v", c)
		}
		after := measure()
		t.Logf("%s: heap %d KiB, before %d KiB; %d goroutines, before %d", name, after.heap>>10, settled.heap>>10, after.goroutines, settled.goroutines)
		if after.heap > settled.heap+4<<20 || after.goroutines > settled.goroutines+4 {
			t.Errorf("%s: something grows: %+v, before %+v", name, after, settled)
		}
	}
	// What a known tenant costs when it is not connected.
	pool, err := db.DB()
	must(t, err)
	must(t, pool.Close())
	if left := openFiles(t); left > 32 {
		t.Errorf("%d files open after Close", left)
	}
}

func provision(t *testing.T, strategy *database.Strategy, db *gorm.DB, tenants int) {
	t.Helper()
	var next atomic.Int64
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			for n := next.Add(1) - 1; n < int64(tenants); n = next.Add(1) - 1 {
				id := tenancy.ID(fmt.Sprint("t", n))
				if err := strategy.Provision(context.Background(), id); err != nil {
					t.Errorf("%s: %v", id, err)
					return
				}
				if err := db.WithContext(as(id)).Create(&Book{ID: 1, Title: string(id)}).Error; err != nil {
					t.Errorf("%s: %v", id, err)
					return
				}
			}
		})
	}
	workers.Wait()
}

// work reads and writes as tenants in 16 goroutines, and fails at any error and any row of another.
func work(t *testing.T, db *gorm.DB, ops int, pick func(*rand.Rand) int) {
	t.Helper()
	var workers sync.WaitGroup
	for g := range 16 {
		workers.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), 7))
			for range ops / 16 {
				id := tenancy.ID(fmt.Sprint("t", pick(r)))
				if err := once(db.WithContext(as(id)), id, r); err != nil {
					t.Errorf("%s: %v", id, err)
				}
			}
		})
	}
	workers.Wait()
}

func once(db *gorm.DB, id tenancy.ID, r *rand.Rand) error {
	if r.IntN(5) == 0 {
		if err := db.Model(&Book{ID: 1}).Update("pages", r.IntN(100)).Error; err != nil {
			return err
		}
	}
	var books []Book
	if err := db.Find(&books).Error; err != nil {
		return err
	}
	if len(books) != 1 || books[0].Title != string(id) {
		return fmt.Errorf("read %+v", books)
	}
	return nil
}

type usage struct {
	heap       uint64
	goroutines int
}

func measure() usage {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return usage{m.HeapAlloc, runtime.NumGoroutine()}
}

func openFiles(t *testing.T) int {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return len(files)
}

// TestManyDatabases: many PostgreSQL tenants within a server's connections; none is refused.
func TestManyDatabases(t *testing.T) {
	t.Parallel()
	tenants, connections := sized(12, 300), sized(6, 40)
	server := servers.NewPostgres(t, fmt.Sprintf("max_connections=%d", connections+3+4)) // 3 are reserved, 4 for the test and the provisioner
	main := server.Database(t)
	at := database.PostgresDatabases(server.DSN(servers.Superuser, "postgres"), secrets(t))
	strategy := database.New(at.Open, database.WithProvisioner(at), database.Budget(tenantconn.Budget{MaxOpen: connections, MaxPerPlace: connections}))
	db := open(t, postgres.Open(server.DSN(servers.App, main)), gorm.Config{})
	must(t, db.Use(plugin(strategy)))
	for n := range tenants {
		must(t, strategy.Provision(t.Context(), tenancy.ID(fmt.Sprint("t", n))))
		must(t, db.WithContext(as(tenancy.ID(fmt.Sprint("t", n)))).Create(&Book{ID: 1, Title: fmt.Sprint("t", n)}).Error)
	}
	var most atomic.Int64
	var inFlight sync.WaitGroup
	start := time.Now()
	const rounds = 20
	for g := range connections {
		inFlight.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), 9))
			for range rounds {
				id := tenancy.ID(fmt.Sprint("t", r.IntN(tenants)))
				if err := once(db.WithContext(as(id)), id, r); err != nil {
					t.Errorf("%s: %v", id, err)
				}
				open := int64(strategy.Counters().Open)
				for known := most.Load(); open > known && !most.CompareAndSwap(known, open); known = most.Load() {
				}
			}
		})
	}
	inFlight.Wait()
	c := strategy.Counters()
	t.Logf("%d tenants, %d in flight: %v each; at most %d connections, %d opened", tenants, connections,
		time.Since(start)/time.Duration(rounds*connections), most.Load(), c.Opened)
	if most.Load() > int64(connections) || c.Failed != 0 {
		t.Errorf("%d connections: %+v", most.Load(), c)
	}
}
