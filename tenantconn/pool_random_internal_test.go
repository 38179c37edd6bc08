package tenantconn

import (
	"context"
	"database/sql/driver"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestPoolRandom: whatever happens in whatever order, the limits hold at every moment, nobody waits for ever, and nothing
// is left.
func TestPoolRandom(t *testing.T) {
	t.Parallel()
	rounds := 30
	if testing.Short() {
		rounds = 5
	}
	for seed := range rounds {
		random := rand.New(rand.NewPCG(uint64(seed), 1))
		b := Budget{MaxOpen: 1 + random.IntN(6), BackOff: time.Microsecond, IdleTime: time.Millisecond, OpenTimeout: time.Second}
		b.MaxPerPlace = 1 + random.IntN(b.MaxOpen)
		b.MaxIdle = 1 + random.IntN(b.MaxOpen)
		stress(t, b, uint64(seed))
	}
}

// TestPoolGoroutines runs alone, so that it can count: nothing goes on when a pool is closed.
func TestPoolGoroutines(t *testing.T) {
	before := runtime.NumGoroutine()
	stress(t, Budget{MaxOpen: 3, MaxPerPlace: 2, MaxIdle: 3, OpenTimeout: time.Second, IdleTime: time.Millisecond, BackOff: time.Microsecond}, 1)
	await(t, func() bool { return runtime.NumGoroutine() <= before })
}

func stress(t *testing.T, b Budget, seed uint64) {
	t.Helper()
	f := newFakes()
	p := newPool(b, f.find)
	var failures atomic.Int64
	f.fail = func(string) error {
		if failures.Add(1)%13 == 0 {
			return errors.New("down")
		}
		return nil
	}
	var users sync.WaitGroup
	for g := range 16 {
		users.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(g)))
			for range 150 {
				use(t, p, random)
			}
		})
	}
	users.Wait()
	s := p.stats()
	p.close()
	if f.mostAll > b.MaxOpen {
		t.Errorf("%+v: %d were open", b, f.mostAll)
	}
	for key, most := range f.most {
		if most > b.MaxPerPlace {
			t.Errorf("%+v: %d were open at %s", b, most, key)
		}
	}
	if f.crowded {
		t.Errorf("%+v: two callers opened one place", b)
	}
	if s.Waiting != 0 || s.Idle > b.MaxIdle || s.Open != s.Idle || f.total != 0 || f.opens != f.closes {
		t.Errorf("%+v: %+v, %d left", b, s, f.total)
	}
}

// use is what one caller does with the pool.
func use(t *testing.T, p *pool, random *rand.Rand) {
	key := string(rune('a' + min(random.IntN(8), random.IntN(8)))) // skewed
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	if random.IntN(5) == 0 {
		ctx, cancel = context.WithTimeout(t.Context(), time.Duration(random.IntN(200))*time.Microsecond)
	}
	defer cancel()
	if random.IntN(60) == 0 {
		if release, err := p.vacate(ctx, key); err == nil {
			if p.stats(); random.IntN(2) == 0 {
				runtime.Gosched()
			}
			release()
		}
		return
	}
	c, err := p.acquire(ctx, at(key))
	if err != nil {
		if errors.Is(err, ErrBusy) && ctx.Err() == nil {
			t.Error("somebody waited for ever")
		}
		return
	}
	fake := c.Conn.(*fakeConn)
	if fake.key != key || fake.closed {
		t.Errorf("asked for %s, got %s, closed %v", key, fake.key, fake.closed)
	}
	runtime.Gosched()
	switch random.IntN(20) {
	case 0:
		fake.bad = true
	case 1:
		fake.reset = driver.ErrBadConn
	case 2:
		p.release(c, true)
		return
	}
	p.release(c, false)
}
