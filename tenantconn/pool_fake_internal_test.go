package tenantconn

import (
	"context"
	"database/sql/driver"
	"errors"
	"sync"
	"testing"
	"time"
)

// fakes is a driver whose connections count themselves.
type fakes struct {
	mu      sync.Mutex
	open    map[string]int
	total   int
	mostAll int
	most    map[string]int
	opens   int
	closes  int
	opening map[string]int
	crowded bool // two callers opened one place at the same time

	fail  func(key string) error
	block func(ctx context.Context, key string) // in Connect
}

type fakeConn struct {
	f      *fakes
	key    string
	closed bool
	reset  error
	bad    bool
}

func newFakes() *fakes {
	return &fakes{open: map[string]int{}, most: map[string]int{}, opening: map[string]int{}}
}

func (f *fakes) find(_ context.Context, r Route) (driver.Connector, error) {
	return fakeConnector{f, r.Place}, nil
}

type fakeConnector struct {
	f   *fakes
	key string
}

func (c fakeConnector) Driver() driver.Driver { return nil }

func (c fakeConnector) Connect(ctx context.Context) (driver.Conn, error) {
	f := c.f
	f.mu.Lock()
	f.opening[c.key]++
	f.crowded = f.crowded || f.opening[c.key] > 1
	f.count(c.key, 1) // what is being opened takes a file, too
	fail, block := f.fail, f.block
	f.mu.Unlock()
	if block != nil {
		block(ctx, c.key)
	}
	err := ctx.Err()
	if err == nil && fail != nil {
		err = fail(c.key)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.opening[c.key]--
	if err != nil {
		f.count(c.key, -1)
		return nil, err
	}
	f.opens++
	return &fakeConn{f: f, key: c.key}, nil
}

// count is called under the lock.
func (f *fakes) count(key string, by int) {
	f.open[key] += by
	f.total += by
	f.most[key] = max(f.most[key], f.open[key])
	f.mostAll = max(f.mostAll, f.total)
}

func (c *fakeConn) Prepare(string) (driver.Stmt, error) { return nil, errors.New("no statements") }
func (c *fakeConn) Begin() (driver.Tx, error)           { return nil, errors.New("no transactions") }
func (c *fakeConn) ResetSession(context.Context) error  { return c.reset }
func (c *fakeConn) IsValid() bool                       { return !c.bad }

func (c *fakeConn) Close() error {
	c.f.mu.Lock()
	defer c.f.mu.Unlock()
	if c.closed {
		panic("closed twice")
	}
	c.closed = true
	c.f.closes++
	c.f.count(c.key, -1)
	return nil
}

func at(key string) Route { return Route{Place: key} }

// clock is the time of a test.
type clock struct {
	mu  sync.Mutex
	now time.Duration
}

func (c *clock) Now() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now += d
}

func fakePool(t *testing.T, b Budget) (*pool, *fakes, *clock) {
	t.Helper()
	f := newFakes()
	p := newPool(b, f.find)
	c := &clock{now: time.Hour}
	p.now = c.Now
	t.Cleanup(func() {
		p.close()
		if f.total != 0 || f.opens != f.closes {
			t.Errorf("%d connections left, %d opened, %d closed", f.total, f.opens, f.closes)
		}
		if s := p.stats(); s.Open != 0 || s.Idle != 0 || s.Waiting != 0 {
			t.Errorf("after close %+v", s)
		}
	})
	return p, f, c
}

func get(t *testing.T, p *pool, key string) *real {
	t.Helper()
	c, err := p.acquire(t.Context(), at(key))
	if err != nil {
		t.Fatalf("%s: %v", key, err)
	}
	if fake := c.Conn.(*fakeConn); fake.key != key || fake.closed {
		t.Fatalf("asked for %s, got %s, closed %v", key, fake.key, fake.closed)
	}
	return c
}

// later asks in the background and returns when the caller waits.
func later(t *testing.T, p *pool, ctx context.Context, key string) <-chan outcome {
	t.Helper()
	before := p.stats().Waits
	done := make(chan outcome, 1)
	go func() {
		c, err := p.acquire(ctx, at(key))
		done <- outcome{c, err}
	}()
	await(t, func() bool { return p.stats().Waits > before })
	return done
}

type outcome struct {
	real *real
	err  error
}

// await polls, because what it waits for has no event.
func await(t *testing.T, f func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !f(); {
		if time.Now().After(end) {
			t.Fatal("waited in vain")
		}
		time.Sleep(50 * time.Microsecond)
	}
}

func pending(done <-chan outcome) bool {
	select {
	case <-done:
		return false
	default:
		return true
	}
}
