package asynqjobs_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
	"github.com/gorm-tenancy/tenancy/integrations/jobs/asynqjobs"
	"github.com/gorm-tenancy/tenancy/integrations/jobs/internal/polls"
	"github.com/gorm-tenancy/tenancy/internal/servers"
)

type place struct {
	*polls.Place
	client    *asynqjobs.Client
	bare      *asynq.Client
	inspector *asynq.Inspector
}

// newPlace runs a worker whose own context acts for c: no job may inherit that.
func newPlace(t *testing.T) *place {
	t.Helper()
	file := filepath.Join(t.TempDir(), "polls.db") + "?_busy_timeout=10000"
	redis := asynq.RedisClientOpt{Addr: servers.Redis(t)}
	p := &place{
		Place: polls.New(t, func() gorm.Dialector { return sqlite.Open(file) }),
		bare:  asynq.NewClient(redis), inspector: asynq.NewInspector(redis),
	}
	p.client = asynqjobs.NewClient(p.bare, "every-night")
	mux := asynq.NewServeMux()
	mux.Use(asynqjobs.Middleware(p.Tenants, "every-night"))
	mux.HandleFunc("vote", func(ctx context.Context, task *asynq.Task) error { return p.Vote(ctx, task.Payload()) })
	mux.HandleFunc("every-night", func(ctx context.Context, task *asynq.Task) error {
		if err := p.Vote(ctx, task.Payload()); !errors.Is(err, tenancy.ErrNoTenant) {
			t.Errorf("a job without a tenant: %v", err)
		}
		return catalog.Each(ctx, p.Store, catalog.EachOptions{}, func(ctx context.Context, _ catalog.Tenant) error {
			_, err := p.client.Enqueue(ctx, "vote", task.Payload())
			return err
		})
	})
	server := asynq.NewServer(redis, asynq.Config{
		LogLevel: asynq.FatalLevel, Concurrency: 4, BaseContext: func() context.Context { return polls.As("c") },
		TaskCheckInterval: 5 * time.Millisecond, DelayedTaskCheckInterval: 5 * time.Millisecond,
		IsFailure: asynqjobs.IsFailure, RetryDelayFunc: asynqjobs.RetryDelay(10*time.Millisecond, nil),
	})
	polls.Must(t, server.Start(mux))
	t.Cleanup(func() {
		server.Shutdown()
		_, _ = p.bare.Close(), p.inspector.Close()
	})
	return p
}

// task waits until a task is in one of the states.
func (p *place) task(t *testing.T, id string, states ...asynq.TaskState) *asynq.TaskInfo {
	t.Helper()
	var info *asynq.TaskInfo
	polls.Eventually(t, "task "+id, func() bool {
		got, err := p.inspector.GetTaskInfo("default", id)
		if err != nil {
			return false
		}
		info = got
		for _, s := range states {
			if info.State == s {
				return true
			}
		}
		return false
	})
	return info
}

func (p *place) enqueue(t *testing.T, id tenancy.ID, vote polls.Vote, opts ...asynq.Option) *asynq.TaskInfo {
	t.Helper()
	info, err := p.client.Enqueue(polls.As(id), "vote", vote.JSON(), append(opts, asynq.Retention(time.Hour))...)
	polls.Must(t, err)
	return info
}

func TestTenants(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	first := p.enqueue(t, "a", polls.Vote{Poll: 1})
	p.task(t, first.ID, asynq.TaskStateCompleted)
	p.WantVotes(t, "a 1 0, b 0 0, c 0 0")
	lying := p.enqueue(t, "a", polls.Vote{Tenant: "b", Poll: 2})
	p.task(t, lying.ID, asynq.TaskStateCompleted)
	p.WantVotes(t, "a 1 1, b 0 0, c 0 0")
	p.task(t, p.enqueue(t, "b", polls.Vote{Poll: 2}).ID, asynq.TaskStateCompleted)
	p.WantVotes(t, "a 1 1, b 0 1, c 0 0")
}

// TestSameTaskID has two tenants and one ID, for which asynq would refuse the second one's task.
func TestSameTaskID(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for _, id := range []tenancy.ID{"a", "b"} {
		info := p.enqueue(t, id, polls.Vote{Poll: 1}, asynq.TaskID("once"))
		p.task(t, info.ID, asynq.TaskStateCompleted)
		if _, err := p.client.Enqueue(polls.As(id), "vote", nil, asynq.TaskID("once")); !errors.Is(err, asynq.ErrTaskIDConflict) {
			t.Errorf("%s again: %v", id, err)
		}
	}
	p.WantVotes(t, "a 1 0, b 1 0, c 0 0")
}

func TestEnqueueRefuses(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for what, ctx := range map[string]context.Context{
		"nothing": t.Context(), "central": tenancy.Central(polls.As("a")), "bypass": tenancy.Bypass(polls.As("a"), "test"),
	} {
		if _, err := p.client.Enqueue(ctx, "vote", polls.Vote{Poll: 1}.JSON()); !errors.Is(err, tenancy.ErrNoTenant) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, opt := range []asynq.Option{asynq.Unique(time.Minute), asynq.Group("votes")} {
		if _, err := p.client.Enqueue(polls.As("a"), "vote", nil, opt); !errors.Is(err, asynqjobs.ErrShared) {
			t.Errorf("%s: %v", opt, err)
		}
	}
	if queues, err := p.inspector.Queues(); len(queues) != 0 || err != nil {
		t.Errorf("queues %v, %v", queues, err)
	}
}

// TestWorkerRefuses enqueues past the client. The worker's base context acts for c.
func TestWorkerRefuses(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for what, headers := range map[string]map[string]string{
		"none": nil, "empty": {catalog.CarrierKey: ""}, "malformed": {catalog.CarrierKey: "A,b"}, "reserved": {catalog.CarrierKey: "central"},
		"unknown": {catalog.CarrierKey: "nobody"}, "other key": {"tenant": "a"},
	} {
		info, err := p.bare.Enqueue(asynq.NewTaskWithHeaders("vote", polls.Vote{Tenant: "a", Poll: 1}.JSON(), headers))
		polls.Must(t, err)
		got := p.task(t, info.ID, asynq.TaskStateArchived, asynq.TaskStateCompleted, asynq.TaskStateRetry)
		if got.State != asynq.TaskStateArchived || got.Retried != 0 {
			t.Errorf("%s: %s after %d attempts", what, got.State, got.Retried)
		}
	}
	p.WantVotes(t, "a 0 0, b 0 0, c 0 0")
	of := map[string]string{catalog.CarrierKey: "a"}
	control, err := p.bare.Enqueue(asynq.NewTaskWithHeaders("vote", polls.Vote{Poll: 1}.JSON(), of), asynq.Retention(time.Hour))
	polls.Must(t, err)
	p.task(t, control.ID, asynq.TaskStateCompleted)
	p.WantVotes(t, "a 1 0, b 0 0, c 0 0")
}

// TestSuspended has a task wait for its tenant longer than it has attempts.
func TestSuspended(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for _, stop := range []func(context.Context, tenancy.ID) (catalog.Tenant, error){p.Tenants.Suspend, p.Tenants.Maintain} {
		_, err := stop(t.Context(), "b")
		polls.Must(t, err)
		info := p.enqueue(t, "b", polls.Vote{Poll: 1}, asynq.MaxRetry(1))
		var met time.Time
		for range 3 {
			got := p.task(t, info.ID, asynq.TaskStateRetry)
			polls.Eventually(t, "the next attempt", func() bool { return !p.task(t, info.ID, asynq.TaskStateRetry).LastFailedAt.Before(met) })
			if got.Retried != 0 {
				t.Errorf("%d attempts counted", got.Retried)
			}
			met = time.Now()
		}
		p.task(t, p.enqueue(t, "a", polls.Vote{Poll: 1}).ID, asynq.TaskStateCompleted) // control
		_, err = p.Tenants.Resume(t.Context(), "b")
		polls.Must(t, err)
		p.task(t, info.ID, asynq.TaskStateCompleted)
	}
	p.WantVotes(t, "a 2 0, b 2 0, c 0 0")
}

// TestEveryNight has a job of no tenant, as a timer enqueues it, that enqueues one for each tenant.
func TestEveryNight(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	_, err := p.client.Enqueue(t.Context(), "every-night", polls.Vote{Poll: 2}.JSON())
	polls.Must(t, err)
	polls.Eventually(t, "all have voted", func() bool { return p.Votes(t) == "a 0 1, b 0 1, c 0 1" })
}
