package migrate_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/migrate"
	"github.com/gorm-tenancy/tenancy/strategies/schema"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
)

var crew = []tenancy.ID{"a", "b", "c", "d", "e"}

// TestKilled kills a process in the middle of a run, by kill -9, and finishes in another: each tenant has each step once.
func TestKilled(t *testing.T) {
	if kind := os.Getenv("MIGRATE_CHILD"); kind != "" {
		child(t, kind)
		return
	}
	t.Parallel()
	for name, tc := range map[string]struct {
		open   func(testing.TB) *env
		moment string // "inside" a step; "between" the tenant's commit and the ledger
		half   bool   // somebody has to look
	}{
		"postgres inside":  {func(t testing.TB) *env { return postgresEnv(t, crew) }, "inside", false},
		"postgres between": {func(t testing.TB) *env { return postgresEnv(t, crew) }, "between", false},
		"mariadb inside":   {func(t testing.TB) *env { return mariaEnv(t, crew) }, "inside", true},
		"sqlite inside":    {func(t testing.TB) *env { return sharedEnv(t, crew) }, "inside", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := tc.open(t)
			kill(t, e, tc.moment)
			r := e.runner(killedSteps(func(context.Context) {}), migrate.Leases(0), migrate.Workers(2))
			plan, err := r.Plan(t.Context())
			must(t, err)
			if plan.AtHead != 2 || len(plan.Tenants) != 3 || plan.Tenants[0].Tenant != "c" {
				t.Errorf("%+v", plan)
			}
			if entry := mustHistory(t, r, "c")[0]; entry.State == migrate.StateDone || entry.FinishedAt != nil {
				t.Errorf("the ledger says %+v", entry)
			}
			report, err := r.Up(t.Context())
			if tc.half {
				if !errors.Is(err, migrate.ErrHalfDone) || report.Done != 2 || e.titles("c") != "c one, c two" {
					t.Errorf("%v: %v", report, err)
				}
				must(t, r.Resolve(t.Context(), "c", 1, migrate.Undone))
				report, err = r.Up(t.Context())
				report.Done += 2
			}
			if err != nil || report.Done != 3 {
				t.Errorf("%v: %v", report, err)
			}
			for _, id := range crew {
				if got, want := e.titles(id), strings.ReplaceAll("# one!!, # two!!", "#", string(id)); got != want {
					t.Errorf("%s has %q", id, got)
				}
			}
			if report, err = r.Up(t.Context()); err != nil || report.AtHead != len(crew) {
				t.Errorf("%v: %v", report, err)
			}
		})
	}
}

// killedSteps are two, and tell when the first is inside c.
func killedSteps(inside func(context.Context)) []migrate.Source {
	first := shout(1)
	run := first.Run
	first.Run = func(ctx context.Context, tx *gorm.DB) error {
		if err := run(ctx, tx); err != nil {
			return err
		}
		if id, _ := tenancy.FromContext(ctx); id == "c" {
			inside(ctx)
		}
		return nil
	}
	return []migrate.Source{first, shout(2)}
}

// kill starts a process that migrates and ends it at a moment.
func kill(t *testing.T, e *env, moment string) {
	t.Helper()
	c := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestKilled$")
	c.Env = append(os.Environ(), "MIGRATE_CHILD="+e.db.Name(), "MIGRATE_DSN="+e.dsn, "MIGRATE_PREFIX="+e.prefix)
	out, err := c.StdoutPipe()
	must(t, err)
	in, err := c.StdinPipe()
	must(t, err)
	must(t, c.Start())
	lines := bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != "inside c" {
		t.Fatalf("the child says %q", lines.Text())
	}
	if moment == "between" { // let it commit, and not reach the ledger
		tx, err := e.raw.BeginTx(t.Context(), nil)
		must(t, err)
		defer tx.Rollback()
		_, err = tx.Exec("LOCK TABLE tenancy_ledger IN EXCLUSIVE MODE")
		must(t, err)
		fmt.Fprintln(in, "go on")
		for deadline := time.Now().Add(20 * time.Second); e.titles("c") != "c one!, c two!"; <-time.After(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("the child does not commit")
			}
		}
	}
	must(t, c.Process.Kill())
	_ = c.Wait()
	if moment == "between" { // the server would still do what it was told last
		e.exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
	}
}

// child migrates with one worker, says when it is inside c, and waits there.
func child(t *testing.T, kind string) {
	dsn, prefix := os.Getenv("MIGRATE_DSN"), os.Getenv("MIGRATE_PREFIX")
	var db *gorm.DB
	switch kind {
	case "postgres":
		db = use(t, postgres.Open(dsn), schema.New(schema.Prefix(prefix)))
	case "mysql":
		db = use(t, mysql.Open(dsn), schema.New(schema.Prefix(prefix)))
	case "sqlite":
		db = use(t, sqlite.Open(dsn), shared.New())
	}
	opts := []migrate.Option{migrate.Workers(1)}
	if kind == "sqlite" {
		opts = append(opts, migrate.Leases(time.Second))
	}
	r, err := migrate.New(db, migrate.List(crew...), killedSteps(func(context.Context) {
		fmt.Println("inside c")
		_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	}), opts...)
	must(t, err)
	_, err = r.Up(context.Background())
	t.Error("the child was not killed", err)
}

// TestTogether: runners of several processes share the work and make no step twice.
func TestTogether(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, e *env) {
		for _, leases := range []time.Duration{0, time.Minute} {
			sources := []migrate.Source{shout(1), shout(2)}
			if leases > 0 {
				sources = append(sources, shout(3))
			}
			reports := make(chan migrate.Report)
			for range 3 {
				r, err := migrate.New(e.reopen(t), migrate.List(e.tenants...), sources, migrate.Leases(leases))
				must(t, err)
				go func() {
					report, err := r.Up(context.Background())
					if err != nil {
						t.Error(err)
					}
					reports <- report
				}()
			}
			steps := 0
			for range 3 {
				steps += (<-reports).Steps
			}
			made := len(sources)
			if leases > 0 {
				steps += 2 * 2 // of the round before
			}
			if steps != made*len(e.tenants) {
				t.Errorf("%d steps for %d tenants", steps, len(e.tenants))
			}
			for _, id := range e.tenants {
				if got := strings.Count(e.titles(id), "!"); got != 2*made {
					t.Errorf("%s has %s", id, e.titles(id))
				}
			}
		}
	})
}
