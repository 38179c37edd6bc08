package riverjobs_test

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/rivertype"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/integrations/jobs/internal/polls"
	"github.com/gorm-tenancy/tenancy/integrations/jobs/riverjobs"
	"github.com/gorm-tenancy/tenancy/strategies/schema"
)

// note is owned. Under the schema strategy each tenant has a table of its own.
type note struct {
	ID       uint
	TenantID string
}

// inSchemas opens the same database with the schema strategy, whose connections are confined.
func (p *place) inSchemas(t *testing.T, prepare bool) *gorm.DB {
	t.Helper()
	db, err := gorm.Open(postgres.Open(p.dsn), &gorm.Config{Logger: logger.Discard, PrepareStmt: prepare})
	polls.Must(t, err)
	pool, err := db.DB()
	polls.Must(t, err)
	t.Cleanup(func() { _ = pool.Close() })
	strategy := schema.New()
	polls.Must(t, db.Use(tenancy.New(strategy, tenancy.OwnedModels(&note{}), tenancy.Logger(slog.New(slog.DiscardHandler)))))
	for _, id := range []tenancy.ID{"a", "b"} {
		polls.Must(t, strategy.Provision(t.Context(), id))
		polls.Must(t, db.WithContext(polls.As(id)).AutoMigrate(&note{}))
	}
	return db
}

// TestInsertTx enqueues in transactions that are committed and rolled back, on plain connections and on confined ones.
func TestInsertTx(t *testing.T) {
	t.Parallel()
	undo := errors.New("undo")
	for what, open := range map[string]func(p *place) *gorm.DB{
		"shared":           func(p *place) *gorm.DB { return p.DB },
		"shared, prepared": func(p *place) *gorm.DB { return p.DB.Session(&gorm.Session{PrepareStmt: true}) },
		"schema":           func(p *place) *gorm.DB { return p.inSchemas(t, false) },
		"schema, prepared": func(p *place) *gorm.DB { return p.inSchemas(t, true) },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			db := open(p)
			insert := func(end error) (id int64, err error) {
				err = db.WithContext(polls.As("a")).Transaction(func(tx *gorm.DB) error {
					result, err := riverjobs.InsertTx(tx, p.within, vote{Vote: polls.Vote{Tenant: "b", Poll: 1}}, nil)
					if err != nil {
						return err
					}
					id = result.Job.ID
					return end
				})
				return id, err
			}
			if _, err := insert(undo); !errors.Is(err, undo) {
				t.Fatal(err)
			}
			if n := p.jobs(t); n != 0 {
				t.Errorf("%d jobs of a transaction that was rolled back", n)
			}
			id, err := insert(nil)
			polls.Must(t, err)
			p.job(t, id, rivertype.JobStateCompleted)
			p.WantVotes(t, "a 1 0, b 0 0, c 0 0")

			if _, err := riverjobs.InsertTx(db.WithContext(polls.As("a")), p.within, vote{}, nil); !errors.Is(err, gorm.ErrInvalidTransaction) {
				t.Errorf("outside a transaction: %v", err)
			}
			err = db.WithContext(tenancy.Bypass(t.Context(), "test")).Transaction(func(tx *gorm.DB) error {
				_, err := riverjobs.InsertTx(tx, p.within, vote{}, nil)
				return err
			})
			if !errors.Is(err, tenancy.ErrNoTenant) {
				t.Errorf("under Bypass: %v", err)
			}
			if n := p.jobs(t); n != 1 {
				t.Errorf("%d jobs", n)
			}
		})
	}
}

// TestInsertTxOfAnother has a's transaction and b's context: a confined connection refuses what the caller confused.
func TestInsertTxOfAnother(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	err := p.inSchemas(t, false).WithContext(polls.As("a")).Transaction(func(tx *gorm.DB) error {
		_, err := riverjobs.InsertTx(tx.WithContext(polls.As("b")), p.within, vote{}, nil)
		return err
	})
	if !errors.Is(err, tenancy.ErrTenantMismatch) || p.jobs(t) != 0 {
		t.Errorf("%v, %d jobs", err, p.jobs(t))
	}
}

// TestInsertTxWakes listens as workers do: without a Schema, river tells the tenant's own schema, where nobody listens.
func TestInsertTxWakes(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	db := p.inSchemas(t, false).WithContext(polls.As("a"))
	unnamed, err := river.NewClient(riverdatabasesql.New(nil), &river.Config{
		Logger: slog.New(slog.DiscardHandler), Middleware: []rivertype.Middleware{riverjobs.New(p.Tenants, 0)},
	})
	polls.Must(t, err)
	conn, err := pgx.Connect(t.Context(), p.dsn)
	polls.Must(t, err)
	defer func() { polls.Must(t, conn.Close(t.Context())) }()
	_, err = conn.Exec(t.Context(), `LISTEN "public.river_insert"; LISTEN "tenant_a.river_insert"`)
	polls.Must(t, err)
	for want, client := range map[string]*river.Client[*sql.Tx]{"public.river_insert": p.within, "tenant_a.river_insert": unnamed} {
		polls.Must(t, db.Transaction(func(tx *gorm.DB) error {
			_, err := riverjobs.InsertTx(tx, client, vote{Vote: polls.Vote{Poll: 1}}, nil)
			return err
		}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		got, err := conn.WaitForNotification(ctx)
		cancel()
		polls.Must(t, err)
		if got.Channel != want {
			t.Errorf("woke %s, want %s", got.Channel, want)
		}
	}
}
