package tenantconn_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/internal/servers"
)

// crowd lets 16 goroutines read notes of 50 tenants through two pools, which play two processes, and counts the answers
// that were another tenant's.
func crowd(t *testing.T, pools [2]*sql.DB, statements int, read func(ctx context.Context, db *sql.DB, id string, n int) (string, error)) (wrong, failed int64) {
	t.Helper()
	var group sync.WaitGroup
	var wrongs, failures atomic.Int64
	const goroutines = 16
	for g := range goroutines {
		group.Go(func() {
			for n := range statements / goroutines {
				id := fmt.Sprintf("t%d", (g*31+n*7)%50)
				got, err := read(tenancy.WithTenant(context.Background(), tenancy.ID(id)), pools[g%2], id, n)
				switch {
				case err != nil:
					failures.Add(1)
				case got != id:
					wrongs.Add(1)
				}
			}
		})
	}
	group.Wait()
	return wrongs.Load(), failures.Load()
}

// TestPoolerKeepsTenantsApart puts two pools on one server connection of PgBouncer. The same crowd with a plain SET in
// front of each statement reads other tenants' rows, which shows that the test can fail.
func TestPoolerKeepsTenantsApart(t *testing.T) {
	t.Parallel()
	server := servers.Postgres(t)
	name := server.Database(t)
	ids := make([]string, 50)
	for i := range ids {
		ids[i] = fmt.Sprintf("t%d", i)
	}
	fill(t, server, name, ids...)
	bouncer := servers.PgBouncer(t, server.DSN(servers.App, name), 1)

	for _, exec := range []string{"exec", "simple_protocol"} {
		m := mode{exec: exec, pooled: true}
		var pools [2]*sql.DB
		for i := range pools {
			pools[i] = fixture{t, m, server, name}.openBehind(bouncer)
		}
		wrong, failed := crowd(t, pools, 50_000, func(ctx context.Context, db *sql.DB, _ string, n int) (s string, err error) {
			switch n % 10 {
			case 0: // in a transaction
				tx, err := db.BeginTx(ctx, nil)
				if err != nil {
					return "", err
				}
				defer tx.Rollback()
				return owner(ctx, tx)
			case 1:
				return s, db.QueryRowContext(ctx, "SELECT owner FROM notes WHERE id = 2").Scan(&s)
			}
			return owner(ctx, db)
		})
		if wrong != 0 || failed != 0 {
			t.Errorf("%s: %d wrong and %d failed of 50000", exec, wrong, failed)
		}
		plain := fixture{t, m, server, name}.plain(bouncer)
		var path string
		if err := plain.QueryRow("SHOW search_path").Scan(&path); err != nil || path != "pg_catalog" {
			t.Errorf("%s: left behind on the server connection: %q %v", exec, path, err)
		}
	}

	var plain [2]*sql.DB
	for i := range plain {
		plain[i] = fixture{t, mode{exec: "exec"}, server, name}.plain(bouncer)
	}
	wrong, _ := crowd(t, plain, 2_000, func(ctx context.Context, db *sql.DB, id string, _ int) (string, error) {
		c, err := db.Conn(ctx)
		if err != nil {
			return "", err
		}
		defer c.Close()
		if _, err := c.ExecContext(ctx, "SET search_path = t_"+id); err != nil {
			return "", err
		}
		return owner(ctx, c)
	})
	if wrong == 0 {
		t.Error("a plain SET behind the pooler was right every time: this test shows nothing")
	}
}

// TestCrowdWithTimeouts shares three connections among many, of whom some give up.
func TestCrowdWithTimeouts(t *testing.T) {
	t.Parallel()
	through(t, func(t *testing.T, f fixture) {
		db := f.open()
		db.SetMaxOpenConns(3)
		var group sync.WaitGroup
		var right atomic.Int64
		for g := range 16 {
			group.Go(func() {
				for n := range 40 {
					id := []string{"a", "b"}[(g+n)%2]
					ctx, cancel := context.WithTimeout(tenancy.WithTenant(context.Background(), tenancy.ID(id)), 20*time.Second)
					if n%8 == 0 {
						ctx, cancel = context.WithTimeout(ctx, time.Duration(g*100)*time.Microsecond)
					}
					got, err := owner(ctx, db)
					switch {
					case err == nil && got == id:
						right.Add(1)
					case err == nil:
						t.Errorf("read a note of %s as %s", got, id)
					case n%8 != 0:
						t.Errorf("as %s: %v", id, err)
					case !errors.Is(err, context.DeadlineExceeded):
						t.Logf("gave up: %v", err)
					}
					cancel()
				}
			})
		}
		group.Wait()
		if right.Load() < 16*35 {
			t.Errorf("only %d answers", right.Load())
		}
	})
}
