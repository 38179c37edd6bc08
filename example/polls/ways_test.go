package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
	"github.com/gorm-tenancy/tenancy/example/polls/hosting"
	"github.com/gorm-tenancy/tenancy/example/polls/polls"
	"github.com/gorm-tenancy/tenancy/internal/servers"
)

// BenchmarkWays makes tenants in each of the ways to keep them apart and serves a page of each: how long a tenant takes to
// launch, and what the process holds for one that was served and is idle. Run it with -benchtime 200x.
func BenchmarkWays(b *testing.B) {
	ways := map[string]func(b *testing.B) hosting.Options{
		"shared SQLite": func(b *testing.B) hosting.Options { return hosting.Options{Data: b.TempDir()} },
		"shared PostgreSQL, row-level security": func(b *testing.B) hosting.Options {
			return hosting.Options{DSN: freshPostgres(b), RowLevelSecurity: true}
		},
		"schema PostgreSQL": func(b *testing.B) hosting.Options {
			return hosting.Options{Strategy: hosting.Schema, DSN: freshPostgres(b)}
		},
		"database SQLite": func(b *testing.B) hosting.Options {
			return hosting.Options{Strategy: hosting.Database, Data: b.TempDir()}
		},
	}
	for name, options := range ways {
		b.Run(name, func(b *testing.B) { launches(b, options(b)) })
	}
	b.Run("container", containerLaunches)
}

func freshPostgres(b *testing.B) string {
	server := servers.Postgres(b)
	return server.DSN(servers.App, server.Database(b))
}

func launches(b *testing.B, o hosting.Options) {
	fail := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	o.Logger = slog.New(slog.DiscardHandler)
	ctx := tenancy.Central(b.Context())
	service, err := hosting.Open(ctx, o)
	fail(err)
	defer service.Close()
	fail(service.Prepare(ctx))
	handler, err := service.Handler(polls.Options{}, nil)
	fail(err)
	var made int
	var took []time.Duration
	launch := func() {
		made++
		id := fmt.Sprint("t", made)
		start := time.Now()
		_, err := service.Catalog.Create(ctx, catalog.Tenant{ID: tenancy.ID(id), Name: id})
		took = append(took, time.Since(start))
		fail(err)
		// A visitor who does not exist is looked for in the tenant's own rows.
		r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "http://"+id+".localhost/login/",
			strings.NewReader(`{"username":"nobody","password":"nothing"}`))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != http.StatusBadRequest {
			b.Fatal(w.Code, w.Body)
		}
	}
	for range 50 { // templates are made, statements recorded, pools and caches filled
		launch()
	}
	took = nil
	heap, files := held(b)
	for b.Loop() {
		launch()
	}
	heapAfter, filesAfter := held(b)
	n := float64(len(took))
	slices.Sort(took)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(took[len(took)/2].Seconds()*1000, "launch-ms")
	b.ReportMetric(float64(heapAfter-heap)/1024/n, "KiB/tenant")
	b.ReportMetric(float64(filesAfter-files)/n, "descriptors/tenant")
}

// held is the heap and the number of open files and sockets of this process.
func held(b *testing.B) (heap int64, descriptors int) {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		b.Fatal(err)
	}
	return int64(m.HeapAlloc), len(open)
}

// containerLaunches starts what a tenant's containers run: the migration, and then a process that serves.
func containerLaunches(b *testing.B) {
	program := filepath.Join(b.TempDir(), "polls")
	if out, err := exec.CommandContext(b.Context(), "go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	var took []time.Duration
	var resident []float64
	for b.Loop() {
		launch, rss := contain(b, program)
		took, resident = append(took, launch), append(resident, rss)
	}
	slices.Sort(took)
	slices.Sort(resident)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(took[len(took)/2].Seconds()*1000, "launch-ms")
	b.ReportMetric(resident[len(resident)/2], "KiB/tenant")
}

func freeAddr(b *testing.B) string {
	l, err := new(net.ListenConfig).Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func contain(b *testing.B, program string) (launch time.Duration, kib float64) {
	dir := b.TempDir()
	pinned := []string{"--strategy", "pinned", "--tenant", "thor", "--data", dir}
	start := time.Now()
	migration := exec.CommandContext(b.Context(), program, append([]string{"migrate", "up"}, pinned...)...)
	if out, err := migration.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	addr := freeAddr(b)
	ctx, stop := context.WithCancel(b.Context())
	server := exec.CommandContext(ctx, program, append([]string{"serve", "--addr", addr}, pinned...)...)
	if err := server.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() { _ = server.Wait() }()
	defer stop()
	for {
		r, err := http.Get("http://" + addr + hosting.HealthPath)
		if err == nil {
			_ = r.Body.Close()
			if r.StatusCode == http.StatusOK {
				break
			}
		}
		if time.Since(start) > time.Minute {
			b.Fatal("never healthy: ", err)
		}
	}
	launch = time.Since(start)
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", server.Process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if _, err := fmt.Sscanf(line, "VmRSS: %f kB", &kib); err == nil {
			return launch, kib
		}
	}
	b.Fatal("no VmRSS")
	return 0, 0
}
