package database_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/internal/servers"
	"github.com/gorm-tenancy/tenancy/internal/wire"
	"github.com/gorm-tenancy/tenancy/strategies/database"
	"github.com/gorm-tenancy/tenancy/tenantconn"
)

// TestFaults: while one tenant's database is down, one answers late and one has no connections left, the others work on
// within the same budget; and all recover without a restart. With PrepareStmt they would share GORM's statement cache.
func TestFaults(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]gorm.Config{"plain": {}, "PrepareStmt": {PrepareStmt: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faults(t, config)
		})
	}
}

func faults(t *testing.T, config gorm.Config) {
	server := servers.Postgres(t)
	prefix := server.Prefix(t)
	at := database.PostgresDatabases(server.DSN(servers.Superuser, "postgres"), secrets(t), database.Prefix(prefix))
	down, slow := wire.New(t, server.Addr()), wire.New(t, server.Addr())
	through := map[tenancy.ID]*wire.Proxy{"down": down, "slow": slow}
	opener := func(ctx context.Context, id tenancy.ID) (gorm.Dialector, error) {
		d, err := at.Open(ctx, id)
		if proxy := through[id]; proxy != nil && err == nil {
			d = postgres.Open(strings.Replace(d.(*postgres.Dialector).DSN, server.Addr(), proxy.Addr(), 1))
		}
		return d, err
	}
	strategy := database.New(opener, database.WithProvisioner(at), database.Budget(tenantconn.Budget{
		MaxOpen: 4, MaxPerPlace: 1, BackOff: 10 * time.Millisecond, WaitTime: 2 * time.Minute, OpenTimeout: 2 * time.Minute,
	}))
	db := open(t, postgres.Open(server.DSN(servers.App, server.Database(t))), config)
	must(t, db.Use(plugin(strategy)))
	ill, well := []tenancy.ID{"down", "slow", "full"}, []tenancy.ID{"one", "two", "three", "four"}
	for _, id := range append(ill, well...) {
		must(t, strategy.Provision(t.Context(), id))
		must(t, db.WithContext(as(id)).Create(&Book{ID: 1, Title: string(id)}).Error)
	}
	past := openRaw(t, "pgx", server.DSN(servers.Superuser, "postgres"))
	// The faults begin: for connections that are open, and for new ones.
	down.Refuse(true)
	down.Cut()
	slow.Delay(10 * time.Second) // each way
	exec(t, past, "ALTER DATABASE "+prefix+"full CONNECTION LIMIT 0")
	exec(t, past, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '"+prefix+"full'")

	read := func(ctx context.Context, id tenancy.ID) error {
		var b Book
		err := db.WithContext(tenancy.WithTenant(ctx, id)).Where("id = 1").Take(&b).Error
		if err == nil && b.Title != string(id) {
			err = fmt.Errorf("read a book of %s", b.Title)
		}
		return err
	}
	waiting, cancel := context.WithCancel(t.Context())
	var late atomic.Int64
	var late16 sync.WaitGroup
	for range 16 { // they wait for the slow tenant all the time
		late16.Go(func() {
			if err := read(waiting, "slow"); err == nil {
				late.Add(1)
			}
		})
	}
	for range 25 {
		var others sync.WaitGroup
		for _, id := range append(well, "down", "full") {
			others.Go(func() {
				err := read(t.Context(), id)
				if sick := id == "down" || id == "full"; (err != nil) != sick {
					t.Errorf("%s: %v", id, err)
				}
				if err != nil && (strings.Contains(err.Error(), prefix) || strings.Contains(err.Error(), "127.0.0.1")) {
					t.Errorf("the error says too much: %v", err)
				}
			})
		}
		others.Wait()
	}
	if late.Load() != 0 {
		t.Fatal("the slow tenant was not slow")
	}
	cancel()
	late16.Wait()
	if c := strategy.Counters(); c.Open > 4 || c.Waiting != 0 {
		t.Errorf("%+v", c)
	}
	// And end.
	down.Refuse(false)
	slow.Delay(0)
	slow.Cut()
	exec(t, past, "ALTER DATABASE "+prefix+"full CONNECTION LIMIT -1")
	for _, id := range append(ill, well...) {
		await(t, func() bool { return read(t.Context(), id) == nil })
	}
	if err := read(t.Context(), "nobody"); !errors.Is(err, tenantconn.ErrUnreachable) {
		t.Error(err)
	}
}

// await polls, because a tenant that recovers tells nobody.
func await(t *testing.T, f func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !f(); {
		if time.Now().After(end) {
			t.Fatal("waited in vain")
		}
		time.Sleep(time.Millisecond)
	}
}
