package migrate

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gorm-tenancy/tenancy"
)

// Report is what a run did.
type Report struct {
	// Total is how many tenants there are, and AtHead how many had nothing to do.
	Total int
	// AtHead is how many had nothing to do.
	AtHead int
	// Done is how many are at head now and were not before.
	Done int
	// Steps is how many steps were made in all tenants together.
	Steps int
	// Failed are the tenants that did not reach head, in the order in which they failed.
	Failed []*StepError
	// Left are those that were behind and not tried.
	Left []tenancy.ID
	// Duration is how long it took.
	Duration time.Duration
}

// String is one line: "1000 tenants: 990 at head, 9 migrated, 1 failed, 0 left, 12 steps in 1.2s".
func (r Report) String() string {
	return fmt.Sprintf("%d tenants: %d at head, %d migrated, %d failed, %d left, %d steps in %s", r.Total, r.AtHead, r.Done,
		len(r.Failed), len(r.Left), r.Steps, r.Duration.Round(100*time.Millisecond))
}

// Up brings all tenants to head, or those given. Tenants at head are found by one query of the ledger, whatever their number.
// A tenant that fails does not stop the others (but see [StopAfter] and [Canary]); it is tried again by the next Up, which
// goes on where this one ended, a crash included.
//
// When some failed or were left it returns a *[PartialError] with the same report; tenancy.ErrUnknownTenant when a given id
// is not among the tenants; other errors mean that nothing was done. When ctx ends no further tenant is begun, steps in a
// transaction are cancelled and rolled back, and others are let finish.
func (r *Runner) Up(ctx context.Context, ids ...tenancy.ID) (Report, error) {
	began := time.Now()
	f, err := r.fleet(ctx, ids)
	if err != nil {
		return Report{}, err
	}
	report := Report{Total: len(f.all), AtHead: len(f.all) - len(f.behind)}
	if len(f.behind) == 0 {
		report.Duration = time.Since(began)
		return report, nil
	}
	if err := r.ledger.prepare(ctx); err != nil {
		return report, err
	}
	workers, err := r.workers()
	if err != nil {
		return report, err
	}
	owner := rand.Text()
	locks, err := r.newLocker(ctx, owner)
	if err != nil {
		return report, err
	}
	defer locks.close(context.WithoutCancel(ctx))
	run := &run{Runner: r, locks: locks, workers: workers, began: began, report: report}
	run.progress.Total = len(f.behind)
	run.tell(Event{Kind: Planned})
	stopped := run.groups(ctx, r.groups(f.behind))
	run.report.Duration = time.Since(began)
	if len(run.report.Failed) > 0 || len(run.report.Left) > 0 {
		return run.report, &PartialError{Report: run.report, Stopped: stopped}
	}
	return run.report, nil
}

// workers leaves connections for the locks and the ledger.
func (r *Runner) workers() (int, error) {
	pool, err := r.db.DB()
	if err != nil {
		return 0, err
	}
	most := pool.Stats().MaxOpenConnections
	if most == 0 || r.config.workers+2 <= most {
		return r.config.workers, nil
	}
	if r.ledger.db.Name() == "sqlite" {
		return 1, nil // no connection is held for locks
	}
	if most < 3 {
		return 0, fmt.Errorf("migrate: a runner needs 3 connections, and the pool is limited to %d", most)
	}
	return most - 2, nil
}

// run is one call of Up.
type run struct {
	*Runner
	locks   locker
	workers int
	began   time.Time

	mu       sync.Mutex // guards what follows, and calls of OnEvent
	report   Report
	progress Progress
}

// groups works through the groups and says why it stopped, if it did.
func (r *run) groups(ctx context.Context, groups [][]tenancy.ID) (stopped string) {
	for i, group := range groups {
		if stopped == "" {
			stopped = r.group(ctx, group)
			if stopped == "" && i+1 < len(groups) && len(r.report.Failed) > 0 {
				stopped = "a canary failed"
			}
			continue
		}
		r.report.Left = append(r.report.Left, group...)
	}
	return stopped
}

func (r *run) group(ctx context.Context, ids []tenancy.ID) (stopped string) {
	var workers errgroup.Group
	workers.SetLimit(r.workers)
	for _, id := range ids {
		workers.Go(func() error {
			if r.stop(ctx) != "" {
				r.mu.Lock()
				defer r.mu.Unlock()
				r.report.Left = append(r.report.Left, id)
				return nil
			}
			r.tenant(ctx, id)
			return nil
		})
	}
	_ = workers.Wait() // they report by themselves
	return r.stop(ctx)
}

// stop says why no further tenant is begun.
func (r *run) stop(ctx context.Context) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch n := r.config.stopAfter; {
	case ctx.Err() != nil:
		return context.Cause(ctx).Error()
	case n > 0 && len(r.report.Failed) >= n:
		return fmt.Sprintf("stopped after %d failures", n)
	}
	return ""
}

// tenant brings one tenant to head and reports how it went.
func (r *run) tenant(ctx context.Context, id tenancy.ID) {
	began := time.Now()
	r.tell(Event{Kind: Began, Tenant: id})
	failed := r.advance(ctx, id)
	r.mu.Lock()
	kind := Finished
	var err error
	if failed != nil {
		kind, err = Failed, failed
		r.report.Failed = append(r.report.Failed, failed)
		r.progress.Failed++
	} else {
		r.report.Done++
		r.progress.Done++
	}
	r.mu.Unlock()
	r.tell(Event{Kind: kind, Tenant: id, Duration: time.Since(began), Err: err})
}

func (r *run) tell(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.Kind == Stepped {
		r.report.Steps++
	}
	e.Progress = r.progress.after(time.Since(r.began))
	r.config.onEvent(e)
}
