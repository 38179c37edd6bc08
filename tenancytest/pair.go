package tenancytest

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
)

// tenants are those given by [Tenants].
type tenants [2]tenancy.ID

// Tenants names the two tenants of [Seed] and [RequireIsolated]; pass it among the models. first acts, second is attacked. The
// default is "a" and "b", where a tenant column is a number "1" and "2", and where it is a UUID two UUIDs.
func Tenants(first, second tenancy.ID) any { return tenants{first, second} }

// rows is what [Rows] returns.
type rows struct {
	model any
	set   func(n int, row any)
}

// Rows is a model whose rows the application completes; pass it among the models in place of the model. set is called with each
// row before it is created: n counts the rows of one tenant from 1, foreign keys are in place, and the other fields but that of
// the tenant hold what was derived from the schema. It is for what no schema tells, such as a CHECK constraint or a hook that
// validates:
//
//	tenancytest.Rows(func(n int, c *Coupon) { c.Percent = 10 * n })
//
// Where a column is unique, set must give each row of a tenant another value, and best each tenant others.
func Rows[M any](set func(n int, row *M)) any {
	return rows{model: new(M), set: func(n int, row any) { set(n, row.(*M)) }}
}

// given is what callers pass as models.
type given struct {
	models []any
	sets   map[reflect.Type]func(n int, row any)
	pair   tenants
}

func readModels(plugin *tenancy.Plugin, args []any) (given, error) {
	g := given{sets: map[reflect.Type]func(int, any){}}
	for _, arg := range args {
		switch arg := arg.(type) {
		case tenants:
			g.pair = arg
		case rows:
			g.models = append(g.models, arg.model)
			g.sets[reflect.TypeOf(arg.model).Elem()] = arg.set
		default:
			g.models = append(g.models, arg)
		}
	}
	if g.pair == (tenants{}) {
		g.pair = usual(plugin)
	}
	for _, id := range g.pair {
		if _, err := tenancy.ParseID(string(id)); err != nil {
			return g, fmt.Errorf("tenancytest.Tenants: %w", err)
		}
	}
	if g.pair[0] == g.pair[1] {
		return g, errors.New("tenancytest.Tenants: two different tenants are needed")
	}
	return g, nil
}

// usual are the first tenants that every tenant column can hold.
func usual(p *tenancy.Plugin) tenants {
	pairs := []tenants{{"a", "b"}, {"1", "2"}, {"0a000000-0000-4000-8000-00000000000a", "0b000000-0000-4000-8000-00000000000b"}}
	for _, pair := range pairs {
		if _, err := p.ColumnChanges(pair[0], pair[1]); err == nil {
			return pair
		}
	}
	return pairs[0]
}

// pluginOf returns the plugin of db.
func pluginOf(db *gorm.DB) (*tenancy.Plugin, error) {
	p, ok := db.Plugins[tenancy.PluginName].(*tenancy.Plugin)
	if !ok {
		return nil, errors.New("tenancytest: db has no plugin, so nothing keeps tenants apart: call db.Use(tenancy.New(…))")
	}
	return p, nil
}

// provisioned makes the places of the tenants, where the strategy has places, and asks for their routes.
func provisioned(ctx context.Context, p *tenancy.Plugin, ids ...tenancy.ID) ([]tenancy.Route, error) {
	routes := make([]tenancy.Route, len(ids))
	for i, id := range ids {
		if maker, ok := p.Strategy().(tenancy.Provisioner); ok {
			if err := maker.Provision(ctx, id); err != nil && !errors.Is(err, tenancy.ErrUnsupported) {
				return nil, fmt.Errorf("tenancytest: provision the tenant %q: %w", id, err)
			}
		}
		var err error
		if routes[i], err = p.Strategy().Route(tenancy.WithTenant(ctx, id), id); err != nil {
			return nil, fmt.Errorf("tenancytest: the tenant %q is not served; name two that are with tenancytest.Tenants: %w", id, err)
		}
	}
	return routes, nil
}
