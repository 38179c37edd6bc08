package tenantconn

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// BenchmarkPoolHit is what finding a tenant's connection and giving it back costs when there is one.
func BenchmarkPoolHit(b *testing.B) {
	for _, places := range []int{1, 100, 10000} {
		b.Run(fmt.Sprint(places), func(b *testing.B) {
			f := newFakes()
			p := newPool(Budget{MaxOpen: places + 1, MaxPerPlace: 1}, f.find)
			routes := make([]Route, places)
			for i := range routes {
				routes[i] = at(fmt.Sprint("t", i))
				c, err := p.acquire(b.Context(), routes[i])
				if err != nil {
					b.Fatal(err)
				}
				p.release(c, false)
			}
			for b.Loop() {
				c, err := p.acquire(b.Context(), routes[rand.IntN(places)])
				if err != nil {
					b.Fatal(err)
				}
				p.release(c, false)
			}
			p.close()
		})
	}
}
