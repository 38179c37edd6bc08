package tenantconn

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorm-tenancy/tenancy"
)

func TestPoolReuse(t *testing.T) {
	t.Parallel()
	p, f, _ := fakePool(t, Budget{MaxOpen: 4, MaxPerPlace: 2})
	a := get(t, p, "a")
	p.release(a, false)
	if again := get(t, p, "a"); again != a {
		t.Error("an idle connection was not used again")
	} else {
		p.release(again, false)
	}
	if f.opens != 1 {
		t.Errorf("%d opened", f.opens)
	}
}

// TestPoolEvicts: what was used longest ago goes first, and the victim is closed before the other is opened.
func TestPoolEvicts(t *testing.T) {
	t.Parallel()
	p, f, clock := fakePool(t, Budget{MaxOpen: 3, MaxPerPlace: 3})
	for _, key := range []string{"a", "b", "c", "a"} { // b is the oldest now
		clock.add(time.Second)
		p.release(get(t, p, key), false)
	}
	p.release(get(t, p, "d"), false)
	if fmt.Sprint(f.open) != "map[a:1 b:0 c:1 d:1]" || f.mostAll != 3 {
		t.Errorf("%v, at most %d", f.open, f.mostAll)
	}
	if s := p.stats(); s.Evicted != 1 || s.Open != 3 || s.Idle != 3 || s.Places != 3 {
		t.Errorf("%+v", s)
	}
}

// TestPoolCap: a hot place at its cap starves nobody.
func TestPoolCap(t *testing.T) {
	t.Parallel()
	p, f, _ := fakePool(t, Budget{MaxOpen: 4, MaxPerPlace: 2})
	one, two := get(t, p, "hot"), get(t, p, "hot")
	var queue []<-chan outcome
	for range 50 {
		queue = append(queue, later(t, p, t.Context(), "hot"))
	}
	cold := get(t, p, "cold") // at once
	p.release(cold, false)
	p.release(one, false)
	p.release(two, false)
	for _, done := range queue {
		got := <-done
		if got.err != nil {
			t.Fatal(got.err)
		}
		p.release(got.real, false)
	}
	if f.most["hot"] != 2 || f.opens != 3 {
		t.Errorf("at most %d of one place, %d opened", f.most["hot"], f.opens)
	}
}

// TestPoolTurns: when one place holds the whole budget, another gets its turn however long the queue of the first is.
func TestPoolTurns(t *testing.T) {
	t.Parallel()
	p, _, _ := fakePool(t, Budget{MaxOpen: 1, MaxPerPlace: 1})
	c := get(t, p, "hot")
	hot := make([]<-chan outcome, 3*mostTurns)
	for i := range hot {
		hot[i] = later(t, p, t.Context(), "hot")
	}
	cold := later(t, p, t.Context(), "cold")
	served, turn := 0, false
	for {
		p.release(c, false)
		select {
		case got := <-cold:
			if got.err != nil {
				t.Fatal(got.err)
			}
			turn = true
			if served < mostTurns/2 || served > mostTurns+1 {
				t.Errorf("the other place came after %d", served)
			}
			c = got.real
		case got := <-hot[served]:
			served++
			c = got.real
			if served < len(hot) {
				continue
			}
		}
		if served == len(hot) {
			if !turn {
				t.Error("the other place had to wait for the whole queue")
			}
			p.release(c, false)
			return
		}
	}
}

// TestPoolOrder: who waits longest at a place is served first there.
func TestPoolOrder(t *testing.T) {
	t.Parallel()
	p, _, _ := fakePool(t, Budget{MaxOpen: 1})
	c := get(t, p, "a")
	first, second := later(t, p, t.Context(), "a"), later(t, p, t.Context(), "a")
	p.release(c, false)
	got := <-first
	if !pending(second) {
		t.Fatal("the second overtook")
	}
	p.release(got.real, false)
	p.release((<-second).real, false)
}

// TestPoolSingleFlight: a place is opened by one caller at a time, and its failure costs that place alone, until BackOff
// has passed.
func TestPoolFailure(t *testing.T) {
	t.Parallel()
	p, f, clock := fakePool(t, Budget{MaxOpen: 4, BackOff: time.Second})
	down := errors.New("host=secret.internal user=root")
	var tries atomic.Int64
	release := make(chan struct{})
	f.fail = func(key string) error {
		if key == "down" {
			tries.Add(1)
			return down
		}
		return nil
	}
	f.block = func(_ context.Context, key string) {
		if key == "down" {
			<-release
		}
	}
	began, first := time.Now(), make(chan outcome, 1)
	go func() {
		c, err := p.acquire(t.Context(), at("down"))
		first <- outcome{c, err}
	}()
	await(t, func() bool { return p.stats().Open == 1 })
	waiting := []<-chan outcome{later(t, p, t.Context(), "down"), later(t, p, t.Context(), "down")}
	p.release(get(t, p, "up"), false)
	close(release)
	for _, done := range append(waiting, first) {
		got := <-done
		var unreachable *UnreachableError
		if !errors.Is(got.err, ErrUnreachable) || !errors.Is(got.err, down) || !errors.As(got.err, &unreachable) {
			t.Errorf("%v", got.err)
		}
		if strings.Contains(got.err.Error(), "secret") || unreachable.RetryAt.Before(began.Add(time.Second)) ||
			unreachable.RetryAt.After(time.Now().Add(time.Second)) {
			t.Errorf("%v", got.err)
		}
	}
	if _, err := p.acquire(t.Context(), at("down")); !errors.Is(err, ErrUnreachable) || tries.Load() != 1 {
		t.Errorf("within the back-off: %v, %d tries", err, tries.Load())
	}
	p.release(get(t, p, "up"), false)
	clock.add(time.Second)
	f.mu.Lock()
	f.fail = nil
	f.mu.Unlock()
	p.release(get(t, p, "down"), false) // recovers by itself
	if f.crowded {
		t.Error("two callers opened one place at a time")
	}
	if s := p.stats(); s.Failed != 1 || s.Opened != 2 {
		t.Errorf("%+v", s)
	}
}

// TestPoolUnknown: whoever asks for a place that does not exist costs nobody a connection, and nothing is remembered.
func TestPoolUnknown(t *testing.T) {
	t.Parallel()
	p, f, _ := fakePool(t, Budget{MaxOpen: 1})
	p.find = func(ctx context.Context, r Route) (driver.Connector, error) {
		if r.Place == "a" {
			return f.find(ctx, r)
		}
		return nil, tenancy.ErrUnknownTenant
	}
	p.release(get(t, p, "a"), false)
	for i := range 100 {
		if _, err := p.acquire(t.Context(), at(fmt.Sprint("ghost", i))); !errors.Is(err, tenancy.ErrUnknownTenant) {
			t.Fatal(err)
		}
	}
	if s := p.stats(); s.Places != 1 || s.Evicted != 0 || s.Idle != 1 {
		t.Errorf("%+v", s)
	}
}

func TestPoolHurry(t *testing.T) {
	t.Parallel()
	p, f, _ := fakePool(t, Budget{MaxOpen: 2})
	ctx, cancel := context.WithCancel(t.Context())
	f.block = func(ctx context.Context, _ string) { <-ctx.Done() }
	failed := make(chan error, 1)
	go func() {
		_, err := p.acquire(ctx, at("a"))
		failed <- err
	}()
	await(t, func() bool { return p.stats().Open == 1 })
	other := later(t, p, t.Context(), "a")
	f.mu.Lock()
	f.block = nil
	f.mu.Unlock()
	cancel()
	if err := <-failed; !errors.Is(err, ErrUnreachable) || !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	got := <-other // it was not the place's fault
	if got.err != nil {
		t.Fatal(got.err)
	}
	p.release(got.real, false)
}

func TestPoolOpenTimeout(t *testing.T) {
	t.Parallel()
	p, f, _ := fakePool(t, Budget{MaxOpen: 2, OpenTimeout: time.Millisecond})
	f.block = func(ctx context.Context, _ string) { <-ctx.Done() }
	if _, err := p.acquire(t.Context(), at("a")); !errors.Is(err, ErrUnreachable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

// TestPoolCancel: callers that give up leave nothing behind, whatever they were given in the same moment.
func TestPoolCancel(t *testing.T) {
	t.Parallel()
	p, _, _ := fakePool(t, Budget{MaxOpen: 1, WaitTime: time.Hour})
	for range 200 {
		c := get(t, p, "a")
		ctx, cancel := context.WithCancel(t.Context())
		same, other := later(t, p, ctx, "a"), later(t, p, ctx, "b")
		go cancel()
		p.release(c, false)
		for _, done := range []<-chan outcome{same, other} {
			got := <-done
			switch {
			case got.err == nil:
				p.release(got.real, false)
			case !errors.Is(got.err, ErrBusy) && !errors.Is(got.err, ErrUnreachable), !errors.Is(got.err, context.Canceled):
				t.Fatal(got.err)
			}
		}
		p.release(get(t, p, "b"), false) // nothing is lost
		if s := p.stats(); s.Waiting != 0 || s.Open != 1 || s.Idle != 1 {
			t.Fatalf("%+v", s)
		}
	}
}

func TestPoolWaitTime(t *testing.T) {
	t.Parallel()
	p, _, _ := fakePool(t, Budget{MaxOpen: 1, WaitTime: time.Millisecond})
	c := get(t, p, "a")
	if _, err := p.acquire(t.Context(), at("b")); !errors.Is(err, ErrBusy) || !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	p.release(c, false)
	if s := p.stats(); s.Waits != 1 || s.Places != 1 {
		t.Errorf("%+v", s)
	}
}

func TestPoolAges(t *testing.T) {
	t.Parallel()
	p, f, clock := fakePool(t, Budget{MaxOpen: 4, IdleTime: time.Minute, LifeTime: 3 * time.Minute})
	p.release(get(t, p, "a"), false)
	p.release(get(t, p, "b"), false)
	clock.add(60 * time.Second)
	p.clean()
	if fmt.Sprint(f.open) != "map[a:1 b:1]" {
		t.Error("a connection was closed within a sweep of its time:", f.open)
	}
	p.release(get(t, p, "b"), false)
	clock.add(15 * time.Second)
	p.clean() // a has been idle for a minute and a sweep, b for a sweep
	if fmt.Sprint(f.open) != "map[a:0 b:1]" {
		t.Error(f.open)
	}
	for range 4 {
		clock.add(31 * time.Second)
		p.clean()
		p.release(get(t, p, "b"), false)
	}
	if f.opens != 3 || f.open["b"] != 1 {
		t.Errorf("b was not replaced when it was too old: %d opened, %v", f.opens, f.open)
	}
	for range 6 { // used so often that no sweep meets it idle
		c := get(t, p, "b")
		clock.add(45 * time.Second)
		p.clean()
		p.release(c, false)
	}
	c := get(t, p, "b")
	if age := clock.Now() - c.born; age > 3*time.Minute+45*time.Second {
		t.Error("an old connection was used again:", age)
	}
	clock.add(4 * time.Minute)
	p.clean()
	p.release(c, false)
	if s := p.stats(); s.Open != 0 || s.Places != 0 || s.Expired != 4 {
		t.Errorf("%+v", s)
	}
}

func TestPoolMaxIdle(t *testing.T) {
	t.Parallel()
	p, f, _ := fakePool(t, Budget{MaxOpen: 4, MaxIdle: 1, MaxPerPlace: 4})
	a, b := get(t, p, "a"), get(t, p, "b")
	p.release(a, false)
	p.release(b, false)
	if fmt.Sprint(f.open) != "map[a:0 b:1]" {
		t.Error(f.open)
	}
}

// TestPoolStale: one dead connection means that the idle ones to the same place are dead, too, and no others.
func TestPoolStale(t *testing.T) {
	t.Parallel()
	for name, die := range map[string]func(p *pool, c *real){
		"in use": func(p *pool, c *real) { p.release(c, true) },
		"when used again": func(p *pool, c *real) {
			c.Conn.(*fakeConn).reset = driver.ErrBadConn
			p.release(c, false)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, f, _ := fakePool(t, Budget{MaxOpen: 8, MaxPerPlace: 4})
			c, idle := get(t, p, "a"), get(t, p, "a")
			p.release(get(t, p, "b"), false)
			p.release(idle, false)
			die(p, c)
			p.release(get(t, p, "a"), false)
			if fmt.Sprint(f.open) != "map[a:1 b:1]" || f.opens != 4 {
				t.Errorf("%v, %d opened", f.open, f.opens)
			}
		})
	}
}

func TestPoolInvalid(t *testing.T) {
	t.Parallel()
	p, f, _ := fakePool(t, Budget{})
	c := get(t, p, "a")
	c.Conn.(*fakeConn).bad = true
	p.release(c, false)
	if f.total != 0 {
		t.Error("an invalid connection was kept")
	}
}

// TestPoolVacate: nobody is at a place that is being removed, and others do not notice.
func TestPoolVacate(t *testing.T) {
	t.Parallel()
	p, f, _ := fakePool(t, Budget{MaxOpen: 4, MaxPerPlace: 2})
	inUse, idle := get(t, p, "a"), get(t, p, "a")
	waiting := later(t, p, t.Context(), "a")
	p.release(get(t, p, "b"), false)
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.vacate(canceled, "a"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := (<-waiting).err; !errors.Is(err, ErrVacated) {
		t.Error(err)
	}
	p.release(idle, false)
	done := make(chan func())
	go func() {
		release, err := p.vacate(t.Context(), "a")
		if err != nil {
			t.Error(err)
		}
		done <- release
	}()
	await(t, func() bool {
		c, err := p.acquire(t.Context(), at("a"))
		if err == nil {
			p.release(c, false)
		}
		return errors.Is(err, ErrVacated)
	})
	p.release(inUse, false)
	release := <-done
	if f.open["a"] != 0 || f.open["b"] != 1 {
		t.Error(f.open)
	}
	p.release(get(t, p, "b"), false)
	if _, err := p.acquire(t.Context(), at("a")); !errors.Is(err, ErrVacated) {
		t.Error(err)
	}
	release()
	p.release(get(t, p, "a"), false)
	if release, err := p.vacate(t.Context(), "nobody"); err != nil {
		t.Error(err)
	} else {
		release()
	}
	if s := p.stats(); s.Places != 2 {
		t.Errorf("%+v", s)
	}
}

// TestPoolClose: close waits for what is in use, ends who waits, and lets nobody in.
func TestPoolClose(t *testing.T) {
	t.Parallel()
	p, f, _ := fakePool(t, Budget{MaxOpen: 1})
	c := get(t, p, "a")
	waiting := later(t, p, t.Context(), "b")
	closed := make(chan struct{})
	go func() { p.close(); close(closed) }()
	if err := (<-waiting).err; !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if _, err := p.acquire(t.Context(), at("a")); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	select {
	case <-closed:
		t.Error("close did not wait")
	default:
	}
	p.release(c, false)
	<-closed
	if f.total != 0 {
		t.Error(f.total)
	}
}
