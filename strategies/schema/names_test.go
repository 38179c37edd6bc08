package schema_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/strategies/schema"
)

// TestRoute: an id either names a schema that is no other's, or is refused.
func TestRoute(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		id      tenancy.ID
		options []schema.Option
		refused bool
	}{
		{id: "a"},
		{id: "9-a_b"},
		{id: tenancy.ID(strings.Repeat("x", 56))},
		{id: tenancy.ID(strings.Repeat("x", 57)), refused: true}, // PostgreSQL would cut it to the one before
		{id: tenancy.ID(strings.Repeat("x", 61)), options: []schema.Option{schema.Prefix("t_")}},
		{id: tenancy.ID(strings.Repeat("x", 62)), options: []schema.Option{schema.Prefix("t_")}, refused: true},
		{id: "", refused: true},
		{id: "A", refused: true},
		{id: `a"b`, refused: true},
		{id: "a.b", refused: true},
		{id: "ä", refused: true},
		{id: "public", refused: true},
		{id: "shared", refused: true}, // the group of all roles
		{id: "x", options: []schema.Option{schema.Prefix("pg_")}, refused: true},
		{id: "g_x", options: []schema.Option{schema.Prefix("p")}, refused: true},
		{id: "c", options: []schema.Option{schema.Prefix("publi")}, refused: true},
		{id: "common", options: []schema.Option{schema.Shared("Tenant_Common")}, refused: true},
	} {
		route, err := schema.New(tc.options...).Route(context.Background(), tc.id)
		if tc.refused != errors.Is(err, tenancy.ErrInvalidID) || (err == nil) != route.Confined || route.Shared {
			t.Errorf("%q: %+v %v", tc.id, route, err)
		}
	}
}
