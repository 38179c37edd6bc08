package storetest

import (
	"fmt"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
)

func (s *suite) changes() {
	at := func(since int64) catalog.Changes {
		s.Helper()
		c, err := s.store.Changes(s.ctx, since)
		s.must(err)
		return c
	}
	if c := at(-1); !c.All || c.Revision != 0 || len(c.Tenants) > 0 {
		s.Errorf("empty store, negative: %+v", c)
	}
	if c := at(0); c.All || c.Revision != 0 || len(c.Tenants) > 0 {
		s.Errorf("empty store: %+v", c)
	}
	a, b := tenant("a", "a.org"), tenant("b")
	s.save(a)
	s.save(b)
	start := at(-1).Revision
	if c := at(start); c.All || len(c.Tenants) > 0 || c.Revision != start {
		s.Errorf("nothing changed: %+v", c)
	}
	a.State = catalog.Suspended
	s.save(a)
	if c := at(start); c.All || len(c.Tenants) != 1 || c.Tenants[0].State != catalog.Suspended || c.Revision != a.Revision ||
		c.Tenants[0].Primary() != "a.org" {
		s.Errorf("one changed: %+v", c)
	}
	stale := *b
	stale.Revision = 999
	s.want(s.store.Save(s.ctx, &stale), catalog.ErrConflict)
	if c := at(a.Revision); len(c.Tenants) > 0 || c.All {
		s.Errorf("a refused change counts: %+v", c)
	}
	s.must(s.store.Delete(s.ctx, "b", b.Revision))
	if c := at(a.Revision); !c.All {
		s.Errorf("one deleted: %+v", c)
	}
	if c := at(at(-1).Revision); c.All {
		s.Errorf("after the deletion: %+v", c)
	}
}

// changesInOrder has a reader follow writers: once it has seen a revision it must not have missed a lower one.
func (s *suite) changesInOrder() {
	s.save(tenant("first"))
	start, err := s.store.Changes(s.ctx, -1)
	s.must(err)
	done := make(chan struct{})
	missed := make(chan string, 1)
	go func() {
		defer close(missed)
		have, last := map[tenancy.ID]bool{}, start.Revision
		for end := false; !end; {
			select {
			case <-done:
				end = true // and look once more
			default:
			}
			c, err := s.store.Changes(s.ctx, last)
			if err != nil || c.All {
				missed <- fmt.Sprintf("all %v, error %v", c.All, err)
				return
			}
			for _, t := range c.Tenants {
				have[t.ID] = true
			}
			last = c.Revision
		}
		if len(have) != 64 {
			missed <- fmt.Sprintf("%d of 64 changes were seen", len(have))
		}
	}()
	many(func(i int) {
		for j := range 4 {
			if err := s.store.Save(s.ctx, tenant(tenancy.ID(fmt.Sprintf("t%d-%d", i, j)))); err != nil {
				s.Error(err)
			}
		}
	})
	close(done)
	if why, ok := <-missed; ok {
		s.Error(why)
	}
}
