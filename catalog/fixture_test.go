package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
)

var errTest = errors.New("test")

// clock is a time that tests move.
type clock struct{ now atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.now.Store(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano())
	return c
}

func (c *clock) Now() time.Time          { return time.Unix(0, c.now.Load()).UTC() }
func (c *clock) advance(d time.Duration) { c.now.Add(int64(d)) }

// fuse counts what a process does to the world and kills it at one of these deeds: before it or, with after, just behind
// it. A dead process does nothing more. The zero value never burns.
type fuse struct {
	mu    sync.Mutex
	count int
	at    int
	after bool
	dead  bool
}

// do does one deed.
func (f *fuse) do(deed func() error) error {
	f.mu.Lock()
	f.count++
	burns := f.at > 0 && f.count == f.at
	if f.dead || burns && !f.after {
		f.dead = true
		f.mu.Unlock()
		return errTest
	}
	f.mu.Unlock()
	err := deed()
	if burns {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.dead = true
		return errTest
	}
	return err
}

func (f *fuse) exploded() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.dead
}

// places is a strategy whose tenants' rows are texts. It is shared by the processes of a test; each has a fuse.
type places struct {
	mu   sync.Mutex
	rows map[tenancy.ID][]string

	renameErr, provisionErr error
}

func newPlaces() *places { return &places{rows: map[tenancy.ID][]string{}} }

func (p *places) dump() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var b strings.Builder
	for _, id := range slices.Sorted(maps.Keys(p.rows)) {
		fmt.Fprintf(&b, "%s=%v ", id, p.rows[id])
	}
	return b.String()
}

// insert adds a row once, if the place is there.
func (p *places) insert(ctx context.Context, row string) error {
	id, err := tenancy.Require(ctx)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	rows, ok := p.rows[id]
	if !ok {
		return fmt.Errorf("no place for a row")
	}
	if !slices.Contains(rows, row) {
		p.rows[id] = append(rows, row)
	}
	return nil
}

type strategy struct {
	*places
	fuse *fuse
}

var (
	_ tenancy.Renamer = (*strategy)(nil)
	_ tenancy.Cloner  = (*strategy)(nil)
)

func (*strategy) Name() string                                                 { return "places" }
func (*strategy) Attach(*gorm.DB) error                                        { return nil }
func (*strategy) Route(context.Context, tenancy.ID) (r tenancy.Route, _ error) { return r, nil }

// with does something to the places as one deed.
func (s *strategy) with(deed func(rows map[tenancy.ID][]string) error) error {
	return s.fuse.do(func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		return deed(s.rows)
	})
}

func (s *strategy) Provision(_ context.Context, id tenancy.ID) error {
	return s.with(func(rows map[tenancy.ID][]string) error {
		if s.provisionErr != nil {
			return s.provisionErr
		}
		if _, ok := rows[id]; !ok {
			rows[id] = nil
		}
		return nil
	})
}

func (s *strategy) Deprovision(_ context.Context, id tenancy.ID) error {
	return s.with(func(rows map[tenancy.ID][]string) error {
		delete(rows, id)
		return nil
	})
}

func (s *strategy) Rename(_ context.Context, from, to tenancy.ID) error {
	return s.with(func(rows map[tenancy.ID][]string) error {
		if s.renameErr != nil {
			return s.renameErr
		}
		old, source := rows[from]
		_, target := rows[to]
		switch {
		case source && target:
			return errors.New("both are there")
		case !source && !target:
			return tenancy.ErrUnknownTenant
		case source:
			rows[to] = old
			delete(rows, from)
		}
		return nil
	})
}

func (s *strategy) Clone(_ context.Context, from, to tenancy.ID) error {
	return s.with(func(rows map[tenancy.ID][]string) error {
		old, ok := rows[from]
		if !ok {
			return tenancy.ErrUnknownTenant
		}
		rows[to] = slices.Clone(old)
		return nil
	})
}

// copier copies rows where the strategy does not.
type copier struct{ *strategy }

func (c copier) Empty(_ context.Context, id tenancy.ID) (empty bool, err error) {
	err = c.with(func(rows map[tenancy.ID][]string) error {
		empty = len(rows[id]) == 0
		return nil
	})
	return empty, err
}

func (c copier) Copy(ctx context.Context, from, to tenancy.ID) error { return c.Clone(ctx, from, to) }

// mortal is a store as one process sees it, until its fuse burns.
type mortal struct {
	catalog.Store
	fuse *fuse
}

func (m mortal) Save(ctx context.Context, tenants ...*catalog.Tenant) error {
	return m.fuse.do(func() error { return m.Store.Save(ctx, tenants...) })
}

func (m mortal) Delete(ctx context.Context, id tenancy.ID, revision int64) error {
	return m.fuse.do(func() error { return m.Store.Delete(ctx, id, revision) })
}

// world is what outlives processes.
type world struct {
	testing.TB
	store  catalog.Store
	places *places
	clock  *clock
	copies bool // the strategy is no tenancy.Cloner
}

func newWorld(t testing.TB) *world {
	return &world{TB: t, store: catalog.NewMemory(), places: newPlaces(), clock: newClock()}
}

// process starts one whose fuse burns at its n-th deed; 0: never. Its After hooks are deeds, too.
func (w *world) process(f *fuse, opts ...catalog.Option) *catalog.Catalog {
	w.Helper()
	s := &strategy{w.places, f}
	if w.copies {
		opts = append(opts, catalog.CopyWith(copier{s}), catalog.Strategy(struct {
			tenancy.Strategy
			tenancy.Provisioner
		}{s, s}))
	}
	c, err := catalog.New(mortal{w.store, f}, append([]catalog.Option{
		catalog.Lag(0),
		catalog.Strategy(s), catalog.Clock(w.clock.Now), catalog.RepairAfter(0), catalog.TTL(10 * time.Second),
		catalog.Seed(func(ctx context.Context, _ catalog.Tenant) error {
			return f.do(func() error { return w.places.insert(ctx, "seed") })
		}),
		catalog.Hooks(catalog.Hook{After: func(context.Context, catalog.Event) error {
			return f.do(func() error { return nil })
		}}),
	}, opts...)...)
	must(w, err)
	return c
}

func (w *world) catalog(opts ...catalog.Option) *catalog.Catalog { return w.process(&fuse{}, opts...) }

// records is what the store holds, without revisions and times.
func (w *world) records() string {
	w.Helper()
	var b strings.Builder
	for t, err := range w.store.List(context.Background(), catalog.Filter{}) {
		must(w, err)
		fmt.Fprintf(&b, "%s %s", t.ID, t.State)
		for _, s := range []string{string(t.Step), string(t.Previous), string(t.Peer), t.Name, t.Strategy, t.Place, strings.Join(t.Domains, ",")} {
			if s != "" {
				fmt.Fprintf(&b, " %q", s)
			}
		}
		if !t.DeleteAfter.IsZero() {
			b.WriteString(" with grace")
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// put saves a record as it is, with a place.
func (w *world) put(t catalog.Tenant) catalog.Tenant {
	w.Helper()
	must(w, w.store.Save(context.Background(), &t))
	w.places.rows[t.ID] = []string{"row of " + string(t.ID)}
	return t
}

func want(t testing.TB, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("got %v, want %v", err, target)
	}
}

// spy is a store that counts, fails and waits as it is told.
type spy struct {
	catalog.Store
	gets, domains, changes atomic.Int64
	fail                   atomic.Pointer[error]
	gate                   atomic.Pointer[chan struct{}] // Get answers when it is closed
	askedWith              atomic.Pointer[context.Context]
	entered                chan struct{} // receives when a Get has read and waits
}

func newSpy(store catalog.Store) *spy { return &spy{Store: store, entered: make(chan struct{}, 100)} }

func (s *spy) broken() error {
	if err := s.fail.Load(); err != nil {
		return *err
	}
	return nil
}

func (s *spy) kill()   { s.fail.Store(&errTest) }
func (s *spy) revive() { s.fail.Store(nil) }

func (s *spy) Get(ctx context.Context, id tenancy.ID) (catalog.Tenant, error) {
	s.gets.Add(1)
	s.askedWith.Store(&ctx)
	if err := s.broken(); err != nil {
		return catalog.Tenant{}, err
	}
	t, err := s.Store.Get(ctx, id)
	if gate := s.gate.Load(); gate != nil {
		s.entered <- struct{}{}
		<-*gate
	}
	return t, err
}

func (s *spy) ByDomain(ctx context.Context, domain string) (catalog.Tenant, error) {
	s.domains.Add(1)
	if err := s.broken(); err != nil {
		return catalog.Tenant{}, err
	}
	return s.Store.ByDomain(ctx, domain)
}

func (s *spy) Changes(ctx context.Context, since int64) (catalog.Changes, error) {
	s.changes.Add(1)
	if err := s.broken(); err != nil {
		return catalog.Changes{}, err
	}
	return s.Store.Changes(ctx, since)
}

func (s *spy) List(ctx context.Context, f catalog.Filter) iter.Seq2[catalog.Tenant, error] {
	if err := s.broken(); err != nil {
		return func(yield func(catalog.Tenant, error) bool) { yield(catalog.Tenant{}, err) }
	}
	return s.Store.List(ctx, f)
}
