package matrix

import (
	"maps"
	"testing"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/strategies/pinned"
	"github.com/gorm-tenancy/tenancy/strategies/strategytest"
)

// pinnedTo serves a alone, where another strategy has the rows of both.
func pinnedTo(within func(t testing.TB) Harness) func(t testing.TB) Harness {
	return func(t testing.TB) Harness {
		p := within(t)
		inner := p.make
		p.make = func() tenancy.Strategy {
			if p.first == nil { // it makes the places
				return inner()
			}
			return pinned.New("a", pinned.Over(inner()))
		}
		p.Lacks = maps.Clone(p.Lacks)
		if p.Lacks == nil {
			p.Lacks = map[strategytest.Capability]string{}
		}
		p.Lacks[strategytest.Others] = "the process serves a"
		return p
	}
}
