package riverjobs_test

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
	"github.com/gorm-tenancy/tenancy/integrations/jobs/internal/polls"
	"github.com/gorm-tenancy/tenancy/integrations/jobs/riverjobs"
	"github.com/gorm-tenancy/tenancy/internal/servers"
)

// vote and night are jobs; night belongs to no tenant.
type (
	vote struct {
		polls.Vote
		Once string `json:"once"`
	}
	night struct{ polls.Vote }
)

func (vote) Kind() string  { return "vote" }
func (night) Kind() string { return "every-night" }

type place struct {
	*polls.Place
	dsn    string
	pool   *pgxpool.Pool // river's own
	client *river.Client[pgx.Tx]
	bare   *river.Client[pgx.Tx] // enqueues past the middleware
	within *river.Client[*sql.Tx]
}

// newPlace runs a worker whose own context acts for c: no job may inherit that.
func newPlace(t *testing.T, periodic ...*river.PeriodicJob) *place {
	t.Helper()
	server := servers.Postgres(t)
	dsn := server.DSN(servers.App, server.Database(t))
	p := &place{Place: polls.New(t, func() gorm.Dialector { return postgres.Open(dsn) }), dsn: dsn}
	var err error
	p.pool, err = pgxpool.New(t.Context(), dsn)
	polls.Must(t, err)
	t.Cleanup(p.pool.Close)
	tables, err := rivermigrate.New(riverpgxv5.New(p.pool), &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	polls.Must(t, err)
	_, err = tables.Migrate(t.Context(), rivermigrate.DirectionUp, nil)
	polls.Must(t, err)

	config := river.Config{
		Logger: slog.New(slog.DiscardHandler), Workers: p.workers(t), Schema: "public",
		Middleware: []rivertype.Middleware{riverjobs.New(p.Tenants, 10*time.Millisecond, "every-night")},
	}
	p.within, err = river.NewClient(riverdatabasesql.New(nil), &config)
	polls.Must(t, err)
	bare := config
	bare.Middleware = nil
	p.bare, err = river.NewClient(riverpgxv5.New(p.pool), &bare)
	polls.Must(t, err)
	config.Queues = map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 4}}
	config.FetchPollInterval = 20 * time.Millisecond
	config.PeriodicJobs = periodic
	config.FetchCooldown = 5 * time.Millisecond
	p.client, err = river.NewClient(riverpgxv5.New(p.pool), &config)
	polls.Must(t, err)
	polls.Must(t, p.client.Start(polls.As("c")))
	t.Cleanup(func() { polls.Must(t, p.client.Stop(context.WithoutCancel(t.Context()))) })
	return p
}

func (p *place) workers(t *testing.T) *river.Workers {
	workers := river.NewWorkers()
	river.AddWorker(workers, river.WorkFunc(func(ctx context.Context, job *river.Job[vote]) error {
		return p.Vote(ctx, job.Args.JSON())
	}))
	river.AddWorker(workers, river.WorkFunc(func(ctx context.Context, job *river.Job[night]) error {
		if err := p.Vote(ctx, job.Args.JSON()); !errors.Is(err, tenancy.ErrNoTenant) {
			t.Errorf("a job without a tenant: %v", err)
		}
		return catalog.Each(ctx, p.Store, catalog.EachOptions{}, func(ctx context.Context, _ catalog.Tenant) error {
			_, err := p.client.Insert(ctx, vote{Vote: job.Args.Vote}, nil)
			return err
		})
	}))
	return workers
}

// job waits until a job is in one of the states.
func (p *place) job(t *testing.T, id int64, states ...rivertype.JobState) *rivertype.JobRow {
	t.Helper()
	var row *rivertype.JobRow
	polls.Eventually(t, "job", func() bool {
		var err error
		row, err = p.client.JobGet(t.Context(), id)
		polls.Must(t, err)
		for _, s := range states {
			if row.State == s {
				return true
			}
		}
		return false
	})
	return row
}

func (p *place) insert(t *testing.T, id tenancy.ID, v polls.Vote) *rivertype.JobRow {
	t.Helper()
	result, err := p.client.Insert(polls.As(id), vote{Vote: v}, nil)
	polls.Must(t, err)
	return result.Job
}

// jobs is how many jobs there are.
func (p *place) jobs(t *testing.T) (n int) {
	t.Helper()
	polls.Must(t, p.pool.QueryRow(t.Context(), "SELECT count(*) FROM public.river_job").Scan(&n))
	return n
}
