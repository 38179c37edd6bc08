package migrate_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/migrate"
)

// failingFor is a step that fails in one tenant.
func failingFor(version int64, bad tenancy.ID) migrate.Step {
	s := shout(version)
	run := s.Run
	s.Run = func(ctx context.Context, tx *gorm.DB) error {
		if id, _ := tenancy.FromContext(ctx); id == bad {
			return errors.New("broken")
		}
		return run(ctx, tx)
	}
	return s
}

// TestCanary: the groups come first, in their order, and nobody behind a group that failed is touched.
func TestCanary(t *testing.T) {
	t.Parallel()
	e := sharedEnv(t, crew)
	canary := []migrate.Option{migrate.Canary("d", "nobody"), migrate.Canary("b", "d", "c")}
	r := e.runner([]migrate.Source{failingFor(1, "b")}, canary...)
	report, err := r.Up(t.Context())
	slices.Sort(report.Left)
	if err == nil || !strings.Contains(err.Error(), "canary") || report.Done != 2 || !slices.Equal(report.Left, []tenancy.ID{"a", "e"}) {
		t.Errorf("%v: %v", report, err)
	}
	for id, want := range map[tenancy.ID]int{"a": 0, "b": 0, "c": 2, "d": 2, "e": 0} {
		if got := strings.Count(e.titles(id), "!"); got != want {
			t.Errorf("%s has %s", id, e.titles(id))
		}
	}
	events := &journal{}
	r = e.runner([]migrate.Source{shout(1), shout(2)}, append(canary, migrate.Workers(1), migrate.OnEvent(events.add))...)
	plan, err := r.Plan(t.Context())
	must(t, err)
	var planned, began []tenancy.ID
	for _, p := range plan.Tenants {
		planned = append(planned, p.Tenant)
	}
	if plan.Tenants[0].Canary != 1 || plan.Tenants[1].Canary != 2 || plan.Tenants[4].Canary != 0 {
		t.Errorf("%+v", plan)
	}
	report, err = r.Up(t.Context())
	must(t, err)
	for _, event := range events.events {
		if event.Kind == migrate.Began {
			began = append(began, event.Tenant)
		}
	}
	if !slices.Equal(began, []tenancy.ID{"d", "b", "c", "a", "e"}) || !slices.Equal(planned, began) || report.Steps != 8 {
		t.Errorf("%v, planned %v, %v", began, planned, report)
	}
}

// TestStopAfter begins nobody after so many failures.
func TestStopAfter(t *testing.T) {
	t.Parallel()
	e := sharedEnv(t, crew)
	r := e.runner([]migrate.Source{failingFor(1, "b")}, migrate.StopAfter(1), migrate.Workers(1))
	report, err := r.Up(t.Context())
	var partial *migrate.PartialError
	if !errors.As(err, &partial) || partial.Stopped == "" || report.Done != 1 || !slices.Equal(report.Left, []tenancy.ID{"c", "d", "e"}) {
		t.Errorf("%v: %v", report, err)
	}
}

// TestCancelled: the end of the context rolls back the step that runs, and begins no other.
func TestCancelled(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, e *env) {
		ctx, cancel := context.WithCancel(t.Context())
		step := shout(1)
		run := step.Run
		step.Run = func(ctx context.Context, tx *gorm.DB) error {
			err := run(ctx, tx)
			cancel()
			return err
		}
		report, err := e.runner([]migrate.Source{step, shout(2)}, migrate.Workers(1)).Up(ctx)
		done, want := 0, ""
		if e.db.Name() == "mysql" { // what cannot be rolled back is let finish
			want = "!"
		}
		if !errors.Is(err, context.Canceled) || report.Done != done || !slices.Equal(report.Left, []tenancy.ID{"b"}) {
			t.Errorf("%v: %v", report, err)
		}
		if got := e.titles("a") + e.titles("b"); got != strings.ReplaceAll("a one#, a two#", "#", want)+"b one, b two" {
			t.Error(got)
		}
		report, err = e.runner([]migrate.Source{shout(1), shout(2)}).Up(t.Context())
		if got := e.titles("a"); err != nil || report.Done != 2 || got != "a one!!, a two!!" {
			t.Errorf("%v %v: %s", report, err, got)
		}
	})
}

// TestSome migrates those that are named, and knows nobody else.
func TestSome(t *testing.T) {
	t.Parallel()
	e := sharedEnv(t, crew)
	r := e.runner([]migrate.Source{shout(1)})
	report, err := r.Up(t.Context(), "b", "d")
	must(t, err)
	if report.Total != 2 || report.Done != 2 || e.titles("a") != "a one, a two" || e.titles("d") != "d one!, d two!" {
		t.Error(report)
	}
	if _, err := r.Up(t.Context(), "a", "z"); !errors.Is(err, tenancy.ErrUnknownTenant) || e.titles("a") != "a one, a two" {
		t.Error(err)
	}
	if err := r.Healthy(t.Context()); !errors.Is(err, migrate.ErrBehind) || !strings.Contains(err.Error(), "3 of 5") {
		t.Error(err)
	}
	status, err := r.Status(t.Context())
	must(t, err)
	if len(status) != 5 || status[0].AtHead || !status[1].AtHead || status[1].Version != 1 || status[0].Version != 0 {
		t.Errorf("%+v", status)
	}
}

// TestChecksum: a file that was changed after it was applied is an error for the tenants that have it, and nothing is done.
func TestChecksum(t *testing.T) {
	t.Parallel()
	siloed(t, func(t *testing.T, e *env) {
		file := func(version, sql string) fstest.MapFS {
			return fstest.MapFS{version + "_tags.sql": {Data: []byte("-- +goose Up\n" + sql + ";\n")}}
		}
		good := e.runner([]migrate.Source{migrate.Files(file("3", "CREATE TABLE tags (id int)"))})
		_, err := good.Up(t.Context(), "a")
		must(t, err)
		changed := e.runner([]migrate.Source{migrate.Files(file("3", "CREATE TABLE tags (id int, name int)")), shout(4)})
		report, err := changed.Up(t.Context())
		if !errors.Is(err, migrate.ErrChecksum) || !strings.Contains(err.Error(), "3 tags") || report.Done != 1 || e.titles("a") != "a one, a two" {
			t.Errorf("%v: %v", report, err)
		}
		if err := changed.Ready(t.Context(), "a"); !errors.Is(err, migrate.ErrChecksum) {
			t.Error(err)
		}
		if plan, err := changed.Plan(t.Context()); err != nil || len(plan.Tenants) != 1 || !errors.Is(plan.Tenants[0].Err, migrate.ErrChecksum) {
			t.Errorf("%+v %v", plan, err)
		}
		same := fstest.MapFS{"3_tags.sql": {Data: []byte("-- +goose Up\r\nCREATE TABLE tags (id int);\r\n")}}
		if err := e.runner([]migrate.Source{migrate.Files(same)}).Ready(t.Context(), "a"); err != nil {
			t.Error("the ends of lines are no change:", err)
		}
		// One below, and a program that is older.
		below := e.runner([]migrate.Source{migrate.Files(file("3", "CREATE TABLE tags (id int)")), shout(2)})
		if _, err := below.Up(t.Context(), "a"); !errors.Is(err, migrate.ErrOutOfOrder) {
			t.Error(err)
		}
		older := e.runner([]migrate.Source{shout(2)})
		if _, err := older.Up(t.Context(), "a"); !errors.Is(err, migrate.ErrAhead) {
			t.Error(err)
		}
		below = e.runner([]migrate.Source{migrate.Files(file("3", "CREATE TABLE tags (id int)")), shout(2)}, migrate.OutOfOrder())
		if _, err := below.Up(t.Context(), "a"); err != nil || e.titles("a") != "a one!, a two!" {
			t.Error(err)
		}
		if err := older.Ready(t.Context(), "a"); err != nil {
			t.Error("ahead is ready:", err)
		}
	})
}

// TestLockTimeout: a step that does not get a lock steps back and tries again.
func TestLockTimeout(t *testing.T) {
	t.Parallel()
	siloed(t, func(t *testing.T, e *env) {
		holder, err := e.raw.Conn(t.Context())
		must(t, err)
		defer holder.Close()
		hold := []string{"BEGIN", "LOCK TABLE " + e.prefix + "a.polls"}
		free := "COMMIT"
		source := migrate.Files(fstest.MapFS{"1_x.sql": {Data: []byte("-- +goose Up\nALTER TABLE polls ADD COLUMN x int;\n")}})
		timeout := 100 * time.Millisecond
		if e.db.Name() == "mysql" { // a function, which may be tried again
			hold, free = []string{"LOCK TABLES " + e.prefix + "a.polls WRITE"}, "UNLOCK TABLES"
			timeout = time.Second
			source = migrate.Step{Version: 1, Name: "x", Idempotent: true, Run: func(_ context.Context, tx *gorm.DB) error {
				return tx.Exec("ALTER TABLE polls ADD COLUMN x int").Error
			}}
		}
		for _, q := range hold {
			_, err := holder.ExecContext(t.Context(), q)
			must(t, err)
		}
		retried := 0
		r := e.runner([]migrate.Source{source}, migrate.LockTimeout(timeout), migrate.Retry(3, 10*time.Millisecond), migrate.OnEvent(func(event migrate.Event) {
			if event.Kind != migrate.Retried {
				return
			}
			if retried++; event.Tenant != "a" || event.Err == nil {
				t.Errorf("%+v", event)
			}
			if _, err := holder.ExecContext(context.Background(), free); err != nil {
				t.Error(err)
			}
		}))
		report, err := r.Up(t.Context())
		if err != nil || retried != 1 || report.Done != 2 {
			t.Errorf("%v, %d times again: %v", report, retried, err)
		}
	})
}

// TestLocked: a tenant that somebody else holds is waited for and then reported, and the others are done.
func TestLocked(t *testing.T) {
	t.Parallel()
	e := postgresEnv(t, []tenancy.ID{"a", "b"})
	e.exec("SELECT 1")
	inside, free := make(chan struct{}), make(chan struct{})
	step := shout(1)
	run := step.Run
	step.Run = func(ctx context.Context, tx *gorm.DB) error {
		close(inside)
		<-free
		return run(ctx, tx)
	}
	other, err := migrate.New(e.reopen(t), migrate.List("a"), []migrate.Source{step})
	must(t, err)
	ended := make(chan error)
	go func() {
		_, err := other.Up(context.Background())
		ended <- err
	}()
	<-inside
	r := e.runner([]migrate.Source{shout(1)}, migrate.Wait(50*time.Millisecond))
	report, err := r.Up(t.Context())
	if !errors.Is(err, migrate.ErrLocked) || report.Done != 1 || report.Failed[0].Tenant != "a" {
		t.Errorf("%v: %v", report, err)
	}
	close(free)
	must(t, <-ended)
	if report, err = r.Up(t.Context()); err != nil || report.AtHead != 2 || e.titles("a") != "a one!, a two!" {
		t.Errorf("%v: %v, %s", report, err, e.titles("a"))
	}
}
