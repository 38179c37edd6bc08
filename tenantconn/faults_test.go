package tenantconn_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/internal/servers"
	"github.com/gorm-tenancy/tenancy/internal/wire"
)

// TestWaitersGetTheirOwnTenant: when a connection dies while the pool is full, database/sql opens one for the waiters
// with a context of its own and without resetting it. A wall that hangs on ResetSession or on connecting is open then.
func TestWaitersGetTheirOwnTenant(t *testing.T) {
	t.Parallel()
	through(t, func(t *testing.T, f fixture) {
		db := f.open()
		db.SetMaxOpenConns(1)
		c, err := db.Conn(asA)
		if err != nil {
			t.Fatal(err)
		}
		var waiters sync.WaitGroup
		for i := range 20 {
			id := []string{"a", "b"}[i%2]
			waiters.Go(func() { f.wantOwner(tenancy.WithTenant(context.Background(), tenancy.ID(id)), db, id) })
		}
		for db.Stats().WaitCount < 20 {
			time.Sleep(time.Millisecond) // there is nothing to wait on
		}
		_, _ = c.ExecContext(asA, "SELECT pg_terminate_backend(pg_backend_pid())")
		c.Close()
		waiters.Wait()
	})
}

func TestCancel(t *testing.T) {
	t.Parallel()
	through(t, func(t *testing.T, f fixture) {
		db := f.open()
		db.SetMaxOpenConns(2)
		for query, args := range map[string][]any{"SELECT pg_sleep(60)": nil, "SELECT pg_sleep($1)": {60}} {
			ctx, cancel := context.WithTimeout(asA, 30*time.Millisecond)
			if _, err := db.ExecContext(ctx, query, args...); err == nil {
				t.Error("not cancelled")
			}
			cancel()
			f.wantOwner(asB, db, "b")
		}
		ctx, cancel := context.WithCancel(asA)
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		f.exec(ctx, tx, "UPDATE notes SET body = 'lost' WHERE id = 1")
		cancel() // database/sql rolls back
		for range 5 {
			f.wantOwner(asB, db, "b")
			f.wantOwner(asA, db, "a")
		}
		var body string
		if err := db.QueryRowContext(asA, "SELECT body FROM notes WHERE id = 1").Scan(&body); err != nil || body == "lost" {
			t.Errorf("the transaction of a cancelled context was committed: %q %v", body, err)
		}
	})
}

// eventually is right or an error, until it is right.
func eventually(f fixture, ctx context.Context, db *sql.DB, want string) {
	f.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		got, err := owner(ctx, db)
		if err == nil && got != want {
			f.Errorf("read a note of %s as %s", got, want)
		}
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			f.Fatalf("never again: %v", err)
		}
		time.Sleep(10 * time.Millisecond) // a server that starts says no to whom it wants
	}
}

// TestServerDies kills the server in the middle of a transaction; what was not committed is gone, and the next calls work.
func TestServerDies(t *testing.T) {
	t.Parallel()
	server := servers.NewPostgres(t)
	name := server.Database(t)
	fill(t, server, name, "a", "b")
	for _, m := range []mode{modes[0], modes[4], modes[5]} {
		f := fixture{t, m, server, name}
		db := f.open()
		eventually(f, asA, db, "a")
		tx, err := db.BeginTx(asA, nil)
		if err != nil {
			t.Fatal(err)
		}
		f.exec(asA, tx, "UPDATE notes SET body = 'lost'")
		server.Kill(t)
		if _, err := owner(asA, tx); err == nil {
			t.Error("the server is dead and answers")
		}
		if err := tx.Commit(); err == nil {
			t.Error("committed on a dead server")
		}
		if _, err := owner(asB, db); err == nil {
			t.Error("the server is dead and answers")
		}
		server.Start(t)
		eventually(f, asB, db, "b")
		eventually(f, asA, db, "a")
		var lost int
		if err := db.QueryRowContext(asA, "SELECT count(*) FROM notes WHERE body = 'lost'").Scan(&lost); err != nil || lost != 0 {
			t.Errorf("%d rows of the lost transaction: %v", lost, err)
		}
	}
}

// TestNetworkBreaks cuts the network while statements of two tenants are under way: between the application and the
// server, and behind PgBouncer, between the pooler and the server.
func TestNetworkBreaks(t *testing.T) {
	t.Parallel()
	through(t, func(t *testing.T, f fixture) {
		proxy := wire.New(t, f.server.Addr())
		var db *sql.DB
		if f.mode.pooled {
			direct := strings.Replace(f.server.DSN(servers.App, f.name), f.server.Addr(), proxy.Addr(), 1)
			db = f.openBehind(servers.PgBouncer(t, direct, 2))
		} else {
			db = f.openAt(proxy.Addr(), f.wall())
		}
		db.SetMaxOpenConns(4)
		done := make(chan struct{})
		var users sync.WaitGroup
		for i := range 6 {
			users.Go(func() { f.keepReading(db, []string{"a", "b"}[i%2], done) })
		}
		for range 15 {
			time.Sleep(15 * time.Millisecond) // cuts come at any moment
			proxy.Cut()
		}
		close(done)
		users.Wait()
		eventually(f, asA, db, "a")
		eventually(f, asB, db, "b")
	})
}

// keepReading reads the tenant's note, in transactions and without, until done. Errors are to be expected, foreign notes not.
func (f fixture) keepReading(db *sql.DB, id string, done <-chan struct{}) {
	ctx := tenancy.WithTenant(context.Background(), tenancy.ID(id))
	check := func(got string, err error) {
		if err == nil && got != id {
			f.Errorf("read a note of %s as %s", got, id)
		}
	}
	for {
		select {
		case <-done:
			return
		default:
		}
		check(owner(ctx, db))
		if tx, err := db.BeginTx(ctx, nil); err == nil {
			check(owner(ctx, tx))
			_ = tx.Commit()
		}
	}
}

func TestPanicInTransaction(t *testing.T) {
	t.Parallel()
	through(t, func(t *testing.T, f fixture) {
		db := f.open()
		db.SetMaxOpenConns(1)
		func() {
			defer func() { _ = recover() }()
			tx, err := db.BeginTx(asA, nil)
			if err != nil {
				t.Error(err)
				return
			}
			defer tx.Rollback()
			f.exec(asA, tx, "UPDATE notes SET body = 'lost'")
			panic(errors.New("in a handler"))
		}()
		f.wantOwner(asB, db, "b")
		f.wantOwner(asA, db, "a")
	})
}
