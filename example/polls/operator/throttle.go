package operator

import (
	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// throttle lets each network do something so often. It forgets those that it has not seen for longest. It is safe for
// concurrent use.
type throttle struct {
	pace  rate.Limit
	burst int
	seen  *lru.Cache[string, *rate.Limiter]
}

const mostNetworks = 10_000

func newThrottle(pace rate.Limit, burst int) (*throttle, error) {
	seen, err := lru.New[string, *rate.Limiter](mostNetworks)
	return &throttle{pace, burst, seen}, err
}

func (t *throttle) allow(who string) bool {
	limiter, known := t.seen.Get(who)
	if !known {
		limiter = rate.NewLimiter(t.pace, t.burst)
		if earlier, found, _ := t.seen.PeekOrAdd(who, limiter); found { // two came at once
			limiter = earlier
		}
	}
	return limiter.Allow()
}
