package tenantconn_test

import (
	"context"
	"database/sql"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/gorm-tenancy/tenancy/internal/wire"
)

// TestNoExtraRoundTrips counts what crosses the network, with the wall and without, for one tenant and for two in turns.
func TestNoExtraRoundTrips(t *testing.T) {
	t.Parallel()
	work := map[string]func(f fixture, ctx context.Context, db *sql.DB){
		"query": func(f fixture, ctx context.Context, db *sql.DB) {
			var owner string
			if err := db.QueryRowContext(ctx, "SELECT owner FROM notes WHERE id = $1", 1).Scan(&owner); err != nil {
				f.Fatal(err)
			}
		},
		"exec": func(f fixture, ctx context.Context, db *sql.DB) {
			f.exec(ctx, db, "UPDATE notes SET body = $1 WHERE id = $2", "x", 2)
		},
		"exec without arguments": func(f fixture, ctx context.Context, db *sql.DB) {
			f.exec(ctx, db, "UPDATE notes SET body = 'x' WHERE id = 2")
		},
		"transaction": func(f fixture, ctx context.Context, db *sql.DB) {
			tx, err := db.BeginTx(ctx, nil)
			if err != nil {
				f.Fatal(err)
			}
			f.exec(ctx, tx, "UPDATE notes SET body = $1 WHERE id = $2", "x", 2)
			f.exec(ctx, tx, "UPDATE notes SET body = $1 WHERE id = $2", "x", 3)
			if err := tx.Commit(); err != nil {
				f.Fatal(err)
			}
		},
	}
	through(t, func(t *testing.T, f fixture) {
		if f.mode.pooled {
			return // the proxy stands where the pooler does
		}
		counted := func(wrapped bool, contexts ...context.Context) map[string]int {
			proxy := wire.New(t, f.server.Addr())
			var db *sql.DB
			if wrapped {
				db = f.openAt(proxy.Addr(), f.wall(), stdlib.OptionShouldPing(never))
			} else {
				config, err := pgx.ParseConfig(f.dsn(proxy.Addr()))
				if err != nil {
					t.Fatal(err)
				}
				config.RuntimeParams["search_path"] = "t_a, shared"
				db = stdlib.OpenDB(*config, stdlib.OptionShouldPing(never))
				t.Cleanup(func() { db.Close() })
			}
			db.SetMaxOpenConns(1)
			trips := map[string]int{}
			for name, run := range work {
				for _, ctx := range contexts { // connect, prepare
					run(f, ctx, db)
				}
				proxy.Reset()
				for range 5 {
					for _, ctx := range contexts {
						run(f, ctx, db)
					}
				}
				trips[name] = proxy.Trips()
			}
			return trips
		}
		plain := counted(false, asA, asA)
		hit := counted(true, asA, asA)
		switching := counted(true, asA, asB)
		for name := range work {
			if plain[name] == 0 || hit[name] != plain[name] || switching[name] != plain[name] {
				t.Errorf("%s: %d round trips plain, %d confined, %d switching", name, plain[name], hit[name], switching[name])
			}
		}
	})
}

func never(context.Context, stdlib.ShouldPingParams) bool { return false }
