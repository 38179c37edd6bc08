package migrate_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/mattn/go-sqlite3"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/internal/servers"
	"github.com/gorm-tenancy/tenancy/internal/wire"
	"github.com/gorm-tenancy/tenancy/migrate"
	"github.com/gorm-tenancy/tenancy/strategies/schema"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
)

// TestFleet adds a column in 1,000 schemas, one of which is broken, and then has nothing to do: one round trip.
func TestFleet(t *testing.T) {
	server := servers.Postgres(t)
	name := server.Database(t)
	raw, err := sql.Open("pgx", server.DSN(servers.App, name))
	must(t, err)
	defer raw.Close()
	const size = 1000
	_, err = raw.Exec(fmt.Sprintf(`DO $$ BEGIN FOR i IN 1..%d LOOP
	EXECUTE format('CREATE SCHEMA tenant_t%%s', i);
	EXECUTE format('CREATE TABLE tenant_t%%s.polls (id bigserial PRIMARY KEY, tenant_id text, title text)', i);
	COMMIT; END LOOP; END $$`, size))
	must(t, err)
	_, err = raw.Exec("DROP TABLE tenant_t500.polls")
	must(t, err)
	var ids []tenancy.ID
	for i := range size {
		ids = append(ids, tenancy.ID(fmt.Sprintf("t%d", i+1)))
	}
	proxy := wire.New(t, server.Addr())
	db := use(t, postgres.Open(strings.ReplaceAll(server.DSN(servers.App, name), server.Addr(), proxy.Addr())+"&default_query_exec_mode=exec"), schema.New())
	shown := 0
	r, err := migrate.New(db, migrate.List(ids...), []migrate.Source{
		migrate.Files(fstest.MapFS{"1_open.sql": {Data: []byte("-- +goose Up\nALTER TABLE polls ADD COLUMN open boolean;\n")}}),
	}, migrate.OnEvent(func(e migrate.Event) {
		if n := e.Progress.Done + e.Progress.Failed; e.Kind == migrate.Finished && n%250 == 0 {
			shown++
			t.Log(e.Progress)
			if e.Progress.Rate <= 0 || (n < size) != (e.Progress.Left > 0) {
				t.Errorf("%+v", e.Progress)
			}
		}
	}))
	must(t, err)
	report, err := r.Up(t.Context())
	t.Log(report)
	if err == nil || report.Done != size-1 || len(report.Failed) != 1 || report.Failed[0].Tenant != "t500" || shown < 3 {
		t.Errorf("%v: %v", report, err)
	}
	_, err = raw.Exec("CREATE TABLE tenant_t500.polls (id bigint)")
	must(t, err)
	if report, err = r.Up(t.Context()); err != nil || report.Steps != 1 || report.AtHead != size-1 {
		t.Errorf("%v: %v", report, err)
	}
	var columns int
	must(t, raw.QueryRow("SELECT count(*) FROM information_schema.columns WHERE column_name = 'open' AND table_name = 'polls'").Scan(&columns))
	if columns != size {
		t.Errorf("%d columns", columns)
	}
	proxy.Reset()
	began := time.Now()
	report, err = r.Up(t.Context())
	trips, took := proxy.Trips(), time.Since(began)
	t.Logf("nothing to do: %d round trips, %s", trips, took)
	if err != nil || report.AtHead != size || trips != 1 || took > 2*time.Second {
		t.Errorf("%v: %v: %d round trips in %s", report, err, trips, took)
	}
}

// TestLargeLedger has 10,000 tenants in SQLite's ledger: nothing to do is one query.
func TestLargeLedger(t *testing.T) {
	t.Parallel()
	var queries atomic.Int64
	pool := sql.OpenDB(counting{filepath.Join(t.TempDir(), "ledger.db"), &queries})
	defer pool.Close()
	db := use(t, sqlite.Dialector{Conn: pool}, shared.New())
	must(t, db.WithContext(tenancy.Bypass(t.Context(), "test")).AutoMigrate(&Poll{}))
	source := []migrate.Source{shout(1)}
	one, err := migrate.New(db, migrate.List("t1"), source)
	must(t, err)
	_, err = one.Up(t.Context())
	must(t, err)
	const size = 10_000
	_, err = pool.Exec(fmt.Sprintf("WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < %d) "+
		"INSERT INTO tenancy_heads SELECT 't' || i, version, chain, updated_at FROM n, tenancy_heads", size))
	must(t, err)
	var ids []tenancy.ID
	for i := range size {
		ids = append(ids, tenancy.ID(fmt.Sprintf("t%d", i+1)))
	}
	all, err := migrate.New(db, migrate.List(ids...), source)
	must(t, err)
	for name, ask := range map[string]func(context.Context) error{
		"up": func(ctx context.Context) error {
			report, err := all.Up(ctx)
			if report.AtHead != size {
				t.Error(report)
			}
			return err
		},
		"healthy": all.Healthy,
		"ready":   func(ctx context.Context) error { return all.Ready(ctx, "t9999") },
		"plan": func(ctx context.Context) error {
			_, err := all.Plan(ctx)
			return err
		},
	} {
		queries.Store(0)
		began := time.Now()
		err := ask(t.Context())
		took := time.Since(began)
		t.Logf("%s: %d queries, %s", name, queries.Load(), took)
		if n := queries.Load(); err != nil || n != 1 || took > 3*time.Second {
			t.Errorf("%s: %d queries in %s: %v", name, n, took, err)
		}
	}
	more, err := migrate.New(db, migrate.List(append(ids, "late")...), source)
	must(t, err)
	if err := more.Healthy(t.Context()); !errors.Is(err, migrate.ErrBehind) {
		t.Error(err)
	}
}

// counting opens SQLite and counts statements.
type counting struct {
	file string
	n    *atomic.Int64
}

// Connect is called by database/sql.
func (c counting) Connect(context.Context) (driver.Conn, error) {
	conn, err := c.Driver().Open(c.file)
	if err != nil {
		return nil, err
	}
	return countingConn{conn.(*sqlite3.SQLiteConn), c.n}, nil
}

// Driver is called by database/sql.
func (counting) Driver() driver.Driver { return &sqlite3.SQLiteDriver{} }

type countingConn struct {
	*sqlite3.SQLiteConn
	n *atomic.Int64
}

// QueryContext is called by database/sql.
func (c countingConn) QueryContext(ctx context.Context, q string, args []driver.NamedValue) (driver.Rows, error) {
	c.n.Add(1)
	return c.SQLiteConn.QueryContext(ctx, q, args)
}

// ExecContext is called by database/sql.
func (c countingConn) ExecContext(ctx context.Context, q string, args []driver.NamedValue) (driver.Result, error) {
	c.n.Add(1)
	return c.SQLiteConn.ExecContext(ctx, q, args)
}

// PrepareContext is called by database/sql.
func (c countingConn) PrepareContext(ctx context.Context, q string) (driver.Stmt, error) {
	c.n.Add(1)
	return c.SQLiteConn.PrepareContext(ctx, q)
}
