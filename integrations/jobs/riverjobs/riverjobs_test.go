package riverjobs_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
	"github.com/gorm-tenancy/tenancy/integrations/jobs/internal/polls"
)

func TestTenants(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.job(t, p.insert(t, "a", polls.Vote{Poll: 1}).ID, rivertype.JobStateCompleted)
	p.WantVotes(t, "a 1 0, b 0 0, c 0 0")
	p.job(t, p.insert(t, "a", polls.Vote{Tenant: "b", Poll: 2}).ID, rivertype.JobStateCompleted)
	p.WantVotes(t, "a 1 1, b 0 0, c 0 0")
	p.job(t, p.insert(t, "b", polls.Vote{Poll: 2}).ID, rivertype.JobStateCompleted)
	p.WantVotes(t, "a 1 1, b 0 1, c 0 0")
}

// TestUnique has two tenants enqueue the same unique job: river would hand a's job to b and never work b's.
func TestUnique(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	unique := &river.InsertOpts{UniqueOpts: river.UniqueOpts{ByArgs: true}}
	for _, id := range []tenancy.ID{"a", "b"} {
		first, err := p.client.Insert(polls.As(id), vote{Vote: polls.Vote{Poll: 1}, Once: "x"}, unique)
		polls.Must(t, err)
		second, err := p.client.Insert(polls.As(id), vote{Vote: polls.Vote{Poll: 1}, Once: "x"}, unique)
		polls.Must(t, err)
		if first.UniqueSkippedAsDuplicate || !second.UniqueSkippedAsDuplicate || first.Job.ID != second.Job.ID {
			t.Errorf("%s: %v %v, jobs %d and %d", id, first.UniqueSkippedAsDuplicate, second.UniqueSkippedAsDuplicate, first.Job.ID, second.Job.ID)
		}
		p.job(t, first.Job.ID, rivertype.JobStateCompleted)
	}
	p.WantVotes(t, "a 1 0, b 1 0, c 0 0")
}

func TestInsertRefuses(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for what, ctx := range map[string]context.Context{
		"nothing": t.Context(), "central": tenancy.Central(polls.As("a")), "bypass": tenancy.Bypass(polls.As("a"), "test"),
	} {
		_, err := p.client.InsertMany(ctx, []river.InsertManyParams{{Args: night{}}, {Args: vote{}}})
		if !errors.Is(err, tenancy.ErrNoTenant) {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := p.client.Insert(polls.As("a"), vote{}, &river.InsertOpts{Metadata: []byte(`{"Tenancy-Tenant":"b"}`)})
	if !errors.Is(err, tenancy.ErrTenantMismatch) {
		t.Errorf("metadata of another tenant: %v", err)
	}
	if n := p.jobs(t); n != 0 {
		t.Errorf("%d jobs", n)
	}
	kept, err := p.client.Insert(polls.As("a"), vote{Vote: polls.Vote{Poll: 1}}, &river.InsertOpts{Metadata: []byte(`{"trace":"x"}`)})
	polls.Must(t, err)
	if got := p.job(t, kept.Job.ID, rivertype.JobStateCompleted); string(got.Metadata) != `{"trace": "x", "Tenancy-Tenant": "a"}` {
		t.Errorf("metadata %s", got.Metadata)
	}
}

// TestWorkerRefuses enqueues past the middleware. The worker's base context acts for c.
func TestWorkerRefuses(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for what, data := range map[string]string{
		"none": ``, "empty": `{"Tenancy-Tenant":""}`, "malformed": `{"Tenancy-Tenant":"A,b"}`, "reserved": `{"Tenancy-Tenant":"central"}`,
		"unknown": `{"Tenancy-Tenant":"nobody"}`, "another key": `{"tenancy-tenant":"a"}`, "no text": `{"Tenancy-Tenant":["a"]}`,
	} {
		result, err := p.bare.Insert(t.Context(), vote{Vote: polls.Vote{Tenant: "a", Poll: 1}}, &river.InsertOpts{Metadata: []byte(data)})
		polls.Must(t, err)
		got := p.job(t, result.Job.ID, rivertype.JobStateCancelled, rivertype.JobStateCompleted, rivertype.JobStateRetryable)
		if got.State != rivertype.JobStateCancelled || got.Attempt != 1 {
			t.Errorf("%s: %s after %d attempts", what, got.State, got.Attempt)
		}
	}
	p.WantVotes(t, "a 0 0, b 0 0, c 0 0")
	control, err := p.bare.Insert(t.Context(), vote{Vote: polls.Vote{Poll: 1}}, &river.InsertOpts{Metadata: []byte(`{"Tenancy-Tenant":"a"}`)})
	polls.Must(t, err)
	p.job(t, control.Job.ID, rivertype.JobStateCompleted)
	p.WantVotes(t, "a 1 0, b 0 0, c 0 0")
}

// TestSuspended has a job that has one attempt wait for its tenant.
func TestSuspended(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for _, stop := range []func(context.Context, tenancy.ID) (catalog.Tenant, error){p.Tenants.Suspend, p.Tenants.Maintain} {
		_, err := stop(t.Context(), "b")
		polls.Must(t, err)
		waits, err := p.client.Insert(polls.As("b"), vote{Vote: polls.Vote{Poll: 1}}, &river.InsertOpts{MaxAttempts: 1})
		polls.Must(t, err)
		polls.Eventually(t, "the job was put off", func() bool {
			var n int
			polls.Must(t, p.pool.QueryRow(t.Context(), "SELECT coalesce((metadata->>'snoozes')::int, 0) FROM public.river_job WHERE id = $1",
				waits.Job.ID).Scan(&n))
			return n > 0
		})
		p.job(t, p.insert(t, "a", polls.Vote{Poll: 1}).ID, rivertype.JobStateCompleted) // control
		_, err = p.Tenants.Resume(t.Context(), "b")
		polls.Must(t, err)
		p.job(t, waits.Job.ID, rivertype.JobStateCompleted)
	}
	p.WantVotes(t, "a 2 0, b 2 0, c 0 0")
}

// TestEveryNight has river enqueue a periodic job, which belongs to no tenant and enqueues one for each.
func TestEveryNight(t *testing.T) {
	t.Parallel()
	p := newPlace(t, river.NewPeriodicJob(river.PeriodicInterval(time.Hour), func() (river.JobArgs, *river.InsertOpts) {
		return night{polls.Vote{Poll: 2}}, nil
	}, &river.PeriodicJobOpts{RunOnStart: true}))
	polls.Eventually(t, "all have voted", func() bool { return p.Votes(t) == "a 0 1, b 0 1, c 0 1" })
}
