package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// runner builds and runs benchmarks of the repository in dir.
type runner struct {
	dir, builds string
	goCommand   string
	benchtime   string
	layouts     int
	machine     string // lines of configuration in front of all results
	progress    io.Writer
}

// run returns the results of one suite, in all its binaries.
func (r *runner) run(ctx context.Context, s selection) (results, error) {
	layouts, benchtime := r.layouts, r.benchtime
	if s.once != "" {
		layouts, benchtime = 1, s.once
	}
	others := busy(ctx, time.Second)
	var all results
	for layout := 1; layout <= layouts; layout++ {
		program, err := r.build(ctx, s.pkg, layout)
		if err != nil {
			return nil, err
		}
		start := time.Now()
		out, err := r.execute(ctx, program, s.pkg, "-test.run=^$", "-test.bench="+s.pattern, "-test.benchtime="+benchtime, "-test.timeout=30m")
		if err != nil {
			return nil, err
		}
		got, err := parse(io.MultiReader(strings.NewReader(r.machine+"busy: "+others+"\n"), bytes.NewReader(out)), s.name)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(r.progress, "%-26s %d of %d: %3d results in %3.0f s\n", s.name, layout, layouts, len(got), time.Since(start).Seconds())
		all = append(all, got...)
	}
	return all, nil
}

// build links a package's tests in one of the layouts, unless that was done.
func (r *runner) build(ctx context.Context, pkg string, layout int) (program string, err error) {
	name := strings.NewReplacer(".", "_", "/", "_").Replace(pkg)
	if program, err = filepath.Abs(filepath.Join(r.builds, fmt.Sprintf("%s%d.test", name, layout))); err != nil {
		return "", err
	}
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	_, err = r.execute(ctx, r.goCommand, ".", "test", "-c", "-o", program, fmt.Sprint("-ldflags=-randlayout=", layout), pkg)
	return program, err
}

// execute runs a program in a package's directory and returns what it printed. TENANCY_REQUIRE_ALL makes whoever lacks a
// server fail instead of being left out.
func (r *runner) execute(ctx context.Context, program, pkg string, args ...string) ([]byte, error) {
	c := exec.CommandContext(ctx, program, args...)
	c.Dir = filepath.Join(r.dir, pkg)
	c.Env = append(os.Environ(), "TENANCY_REQUIRE_ALL=1")
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.WaitDelay = 10 * time.Second
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s%s", filepath.Base(program), err, out, stderr.String())
	}
	return out, nil
}
