// Benchreport runs the benchmarks and writes what came out into docs/benchmarks.md: make bench.
//
// Those that set the plugin against something run in several binaries, each with its functions in another order: within one
// binary a ratio repeats to 0.2 %, but where the linker puts the functions moves it by 1.5 %. The results are kept, in the
// standard format, in docs/benchmarks.txt; the page and its chart are made of that file alone.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"
)

const (
	dataFile  = "docs/benchmarks.txt"
	pageFile  = "docs/benchmarks.md"
	chartFile = "docs/images/benchmarks.svg"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "benchreport:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("benchreport", flag.ContinueOnError)
	flags.SetOutput(stderr)
	dir := flags.String("dir", ".", "the repository")
	bench := flags.String("bench", "", "run what matches, as of go test -bench, and print it (default: run all and keep it)")
	keep := flags.Bool("keep", false, "with -bench: replace what matches in "+dataFile+" and write the page")
	from := flags.String("from", "", "leave out the benchmarks in front of this one, which were kept")
	render := flags.Bool("render", false, "run nothing, write the page of "+dataFile)
	r := runner{progress: stderr}
	flags.StringVar(&r.benchtime, "benchtime", "0.5s", "of the benchmarks that compare")
	flags.IntVar(&r.layouts, "layouts", 3, "in how many binaries they run")
	flags.StringVar(&r.goCommand, "go", "go", "the go command")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *render {
		return write(*dir)
	}
	chosen, err := choose(*bench, *from)
	if err != nil {
		return err
	}
	r.dir = *dir
	return r.all(ctx, chosen, *keep || *bench == "", stdout)
}

// all runs suites one after the other. What is kept is written after each, so that those in front of a failure are there.
func (r *runner) all(ctx context.Context, chosen []selection, keep bool, stdout io.Writer) error {
	builds, err := os.MkdirTemp("", "benchreport")
	if err != nil {
		return err
	}
	defer os.RemoveAll(builds)
	r.builds = builds
	if r.machine, err = machine(ctx, r.goCommand, r.dir, time.Now()); err != nil {
		return err
	}
	var all results
	for _, s := range chosen {
		got, err := r.run(ctx, s)
		if err != nil {
			return fmt.Errorf("%s: %w; to go on from here: -from %[1]s", s.name, err)
		}
		all = append(all, got...)
		if !keep {
			continue
		}
		if err := merge(filepath.Join(r.dir, dataFile), got); err != nil {
			return err
		}
		if err := write(r.dir); err != nil {
			return err
		}
	}
	if len(all) == 0 {
		return errors.New("no benchmark matches")
	}
	return printed(stdout, all)
}

// write makes the page and the chart of the data.
func write(dir string) error {
	all, err := read(filepath.Join(dir, dataFile))
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(dir, pageFile))
	if err != nil {
		return err
	}
	page, err := filled(string(text), all)
	if err != nil {
		return err
	}
	chart, err := drawn(all)
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(filepath.Join(dir, pageFile), []byte(page), 0o644),
		os.WriteFile(filepath.Join(dir, chartFile), chart, 0o644))
}

// printed is what a run that is not kept leaves.
func printed(to io.Writer, all results) error {
	var b strings.Builder
	for _, w := range all.rows() {
		fmt.Fprintf(&b, "%-40s", w.name)
		if !w.has("control") {
			fmt.Fprintf(&b, " %s\n", w.measured())
			continue
		}
		for _, base := range bases {
			if unit := "plugin/" + base[0]; w.has(unit) {
				fmt.Fprintf(&b, "  against %s %.3f (%s)", base[1], w.median(unit), w.rangeOf(unit))
			}
		}
		fmt.Fprintf(&b, "  control %s  %s\n", w.rangeOf("control"), w.cell("plugin-ns", "%.4g µs", 1e-3))
	}
	_, err := io.WriteString(to, b.String())
	return err
}
