package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
)

// many is a store with t00 to t19, of which t03 is suspended and t04 being made.
func many(t *testing.T) catalog.Store {
	t.Helper()
	store := catalog.NewMemory()
	for i := range 20 {
		state := catalog.Active
		switch i {
		case 3:
			state = catalog.Suspended
		case 4:
			state = catalog.Creating
		}
		must(t, store.Save(t.Context(), &catalog.Tenant{ID: tenancy.ID(fmt.Sprintf("t%02d", i)), State: state}))
	}
	return store
}

func TestEach(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var seen, finished []tenancy.ID
	var running, most atomic.Int64
	full := make(chan struct{})
	opts := catalog.EachOptions{Parallel: 3, Finished: func(t catalog.Tenant, err error) { finished = append(finished, t.ID) }}
	err := catalog.Each(tenancy.WithTenant(t.Context(), "other"), many(t), opts, func(ctx context.Context, tenant catalog.Tenant) error {
		if n := running.Add(1); n > most.Load() {
			most.Store(n)
		}
		if running.Load() == 3 {
			select {
			case <-full:
			default:
				close(full)
			}
		}
		<-full // so that three are seen at once
		defer running.Add(-1)
		id, err := tenancy.Require(ctx)
		if err != nil || id != tenant.ID {
			t.Errorf("acts for %q, %v, not %s", id, err, tenant.ID)
		}
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, id)
		return nil
	})
	must(t, err)
	slices.Sort(seen)
	slices.Sort(finished)
	if len(seen) != 18 || slices.Contains(seen, "t03") || slices.Contains(seen, "t04") || len(slices.Compact(seen)) != 18 {
		t.Errorf("ran for %v", seen)
	}
	if !slices.Equal(seen, finished) || most.Load() > 3 {
		t.Errorf("finished %v, %d at once", finished, most.Load())
	}
}

func TestEachFails(t *testing.T) {
	t.Parallel()
	fails := func(ids ...tenancy.ID) func(context.Context, catalog.Tenant) error {
		return func(_ context.Context, t catalog.Tenant) error {
			if slices.Contains(ids, t.ID) {
				return fmt.Errorf("%w of %s", errTest, t.ID)
			}
			return nil
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel) // behind the subtests
	broken := newSpy(many(t))
	broken.kill()
	for name, tc := range map[string]struct {
		ctx          context.Context
		store        catalog.Store
		opts         catalog.EachOptions
		fn           func(context.Context, catalog.Tenant) error
		done, failed int
		err          error
	}{
		"goes on": {opts: catalog.EachOptions{Parallel: 1}, fn: fails("t00", "t07"), done: 16, failed: 2},
		"stops": {
			opts: catalog.EachOptions{Parallel: 1, MaxFailures: 2}, fn: fails("t01", "t05", "t06"), done: 2, failed: 2,
			err: catalog.ErrTooManyFailures,
		},
		"stops at the last": {
			opts: catalog.EachOptions{Parallel: 1, MaxFailures: 1, Filter: catalog.Filter{After: "t17"}}, fn: fails("t18"), done: 0, failed: 1,
			err: catalog.ErrTooManyFailures,
		},
		"is cancelled": {
			ctx: ctx, opts: catalog.EachOptions{Parallel: 1}, done: 6, err: context.Canceled,
			fn: func(_ context.Context, t catalog.Tenant) error {
				if t.ID == "t07" {
					cancel()
				}
				return nil
			},
		},
		"no list": {store: broken, fn: fails(), err: errTest},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tc.ctx == nil {
				tc.ctx = t.Context()
			}
			if tc.store == nil {
				tc.store = many(t)
			}
			err := catalog.Each(tc.ctx, tc.store, tc.opts, tc.fn)
			var partial *catalog.PartialError
			if !errors.As(err, &partial) {
				t.Fatalf("got %v", err)
			}
			if len(partial.Done) != tc.done || len(partial.Failed) != tc.failed || !errors.Is(partial.Err, tc.err) {
				t.Errorf("got %+v", partial)
			}
			if tc.failed > 0 {
				want(t, err, errTest)
			}
		})
	}
}

func TestPartialErrorText(t *testing.T) {
	t.Parallel()
	err := &catalog.PartialError{
		Done: []tenancy.ID{"a"}, Failed: []catalog.Failure{{ID: "secret", Err: errors.New("secret")}}, Err: context.Canceled,
	}
	if got := err.Error(); got != "catalog: 1 tenants done, 1 failed, stopped: context canceled" {
		t.Error(got)
	}
}
