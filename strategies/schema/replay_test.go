package schema_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/gorm-tenancy/tenancy/internal/servers"
	"github.com/gorm-tenancy/tenancy/internal/wire"
	"github.com/gorm-tenancy/tenancy/strategies/schema"
)

// TestReplayTrips: once the statements are recorded a tenant is made in one round trip, with the same tables as the first; what
// stands in the way is found out all the same, and left alone.
func TestReplayTrips(t *testing.T) {
	t.Parallel()
	var proxy *wire.Proxy
	e := bare(t, setup{through: func(dsn string) string {
		proxy = wire.New(t, servers.Postgres(t).Addr())
		return strings.Replace(dsn, servers.Postgres(t).Addr(), proxy.Addr(), 1)
	}})
	ctx := context.Background()
	must(t, e.strategy.Provision(ctx, "first"))
	must(t, e.strategy.Provision(ctx, "second"))
	proxy.Reset()
	must(t, e.strategy.Provision(ctx, "third"))
	if n := proxy.Trips(); n != 1 {
		t.Errorf("%d round trips", n)
	}
	must(t, e.strategy.Provision(ctx, "third")) // again
	for _, id := range []string{"second", "third"} {
		if got, want := e.dump("tenant_"+id, ownedTables...), e.dump("tenant_first", ownedTables...); got != want {
			t.Errorf("%s: %s, want %s", id, got, want)
		}
	}
	e.exec("CREATE SCHEMA tenant_stranger; CREATE TABLE tenant_stranger.polls (id int)")
	if err := e.strategy.Provision(ctx, "stranger"); !errors.Is(err, schema.ErrForeign) {
		t.Error(err)
	}
	must(t, e.db.WithContext(as("third")).Create(&Poll{Title: "made"}).Error)
}
