// Package storetest is the suite that every catalog.Store passes. It is for authors of stores.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
)

// Run checks a store. open is called once for each test, concurrently, and returns an empty store.
func Run(t *testing.T, open func(t *testing.T) catalog.Store) {
	for name, test := range map[string]func(*suite){
		"a record comes back as it was saved": (*suite).roundTrip,
		"a copy shares nothing":               (*suite).copies,
		"unknown":                             (*suite).unknown,
		"ids are unique":                      (*suite).uniqueIDs,
		"domains are unique":                  (*suite).uniqueDomains,
		"domains move in one save":            (*suite).domainsMove,
		"all or none":                         (*suite).allOrNone,
		"malformed records":                   (*suite).malformed,
		"compare and swap":                    (*suite).compareAndSwap,
		"one of many wins":                    (*suite).race,
		"one of many has the domain":          (*suite).domainRace,
		"delete":                              (*suite).remove,
		"list":                                (*suite).list,
		"list in pages":                       (*suite).pages,
		"changes":                             (*suite).changes,
		"changes in order":                    (*suite).changesInOrder,
		"a cancelled context":                 (*suite).cancelled,
		"whatever the context acts for":       (*suite).contexts,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(&suite{t, open(t), t.Context()})
		})
	}
}

type suite struct {
	*testing.T
	store catalog.Store
	ctx   context.Context
}

func (s *suite) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *suite) want(err, want error) {
	s.Helper()
	if !errors.Is(err, want) {
		s.Errorf("got %v, want %v", err, want)
	}
}

func (s *suite) save(tenants ...*catalog.Tenant) {
	s.Helper()
	s.must(s.store.Save(s.ctx, tenants...))
}

func (s *suite) get(id tenancy.ID) catalog.Tenant {
	s.Helper()
	t, err := s.store.Get(s.ctx, id)
	s.must(err)
	return t
}

// owner is who has a domain, "" if nobody has.
func (s *suite) owner(domain string) tenancy.ID {
	s.Helper()
	t, err := s.store.ByDomain(s.ctx, domain)
	if errors.Is(err, tenancy.ErrUnknownTenant) {
		return ""
	}
	s.must(err)
	return t.ID
}

func tenant(id tenancy.ID, domains ...string) *catalog.Tenant {
	return &catalog.Tenant{ID: id, State: catalog.Active, Domains: domains}
}

// all is everything the store holds.
func (s *suite) all(f catalog.Filter) []catalog.Tenant {
	s.Helper()
	var all []catalog.Tenant
	for t, err := range s.store.List(s.ctx, f) {
		s.must(err)
		all = append(all, t)
	}
	return all
}

func (s *suite) roundTrip() {
	t := &catalog.Tenant{
		ID: "acme", Name: "Ácme “Ltd” 🦊'\"\\", Domains: []string{"Polls.ACME.org.", "bücher.example"},
		Strategy: "schema", Place: "db7", Version: "00042", State: catalog.Deleting, Step: catalog.StepDelete,
		Previous: catalog.Suspended, Peer: "other", DeleteAfter: time.Date(2030, 1, 2, 3, 4, 5, 678912345, time.FixedZone("", 7200)),
		Metadata: map[string]any{"plan": "gold", "seats": 3.0, "deep": map[string]any{"list": []any{true, nil, "x"}}},
	}
	before := time.Now().Add(-time.Second)
	s.save(t)
	want := *t
	want.Domains = []string{"polls.acme.org", "xn--bcher-kva.example"}
	want.DeleteAfter = time.Date(2030, 1, 2, 1, 4, 5, 678000000, time.UTC)
	if t.Revision == 0 || t.CreatedAt.Before(before) || !t.CreatedAt.Equal(t.UpdatedAt) {
		s.Errorf("revision %d, created %v, updated %v", t.Revision, t.CreatedAt, t.UpdatedAt)
	}
	byDomain, err := s.store.ByDomain(s.ctx, "xn--bcher-kva.example")
	s.must(err)
	for _, got := range append(s.all(catalog.Filter{}), s.get("acme"), byDomain) {
		if !reflect.DeepEqual(got, want) {
			s.Errorf("\ngot  %+v\nwant %+v", got, want)
		}
	}
	t.Name, t.Metadata, t.DeleteAfter, t.Domains = "", nil, time.Time{}, nil
	s.save(t)
	got := s.get("acme")
	if got.Name != "" || len(got.Metadata) != 0 || !got.DeleteAfter.IsZero() || len(got.Domains) != 0 || !got.CreatedAt.Equal(want.CreatedAt) {
		s.Errorf("emptied: %+v", got)
	}
	if s.owner("polls.acme.org") != "" {
		s.Error("a domain stayed")
	}
}

func (s *suite) copies() {
	t := tenant("acme", "acme.org")
	t.Metadata = map[string]any{"in": map[string]any{"a": "1"}}
	s.save(t)
	spoil := func(t *catalog.Tenant) {
		t.Domains[0] = "evil.org"
		t.Metadata["in"].(map[string]any)["a"] = "2"
	}
	spoil(t)
	got := s.get("acme")
	spoil(&got)
	if got := s.get("acme"); got.Primary() != "acme.org" || got.Metadata["in"].(map[string]any)["a"] != "1" {
		s.Errorf("spoilt: %+v", got)
	}
}

func (s *suite) unknown() {
	s.save(tenant("acme", "acme.org"))
	for _, id := range []tenancy.ID{"", "acm", "acme2", "ACME", "acme ", "%", "a_me", "acme'"} {
		_, err := s.store.Get(s.ctx, id)
		s.want(err, tenancy.ErrUnknownTenant)
	}
	for _, d := range []string{"", "org", "cme.org", "acme.org.evil.com", "x.acme.org", "ACME.org", "acme.org.", "acme.org ", "%", "acme_org", "acme"} {
		_, err := s.store.ByDomain(s.ctx, d)
		s.want(err, tenancy.ErrUnknownTenant)
	}
	if s.get("acme").ID != "acme" || s.owner("acme.org") != "acme" {
		s.Error("control")
	}
}

func (s *suite) uniqueIDs() {
	s.save(tenant("acme", "acme.org"))
	s.want(s.store.Save(s.ctx, tenant("acme", "other.org")), catalog.ErrExists)
	if s.owner("other.org") != "" || s.owner("acme.org") != "acme" {
		s.Error("the refused record left a domain, or took one")
	}
	s.save(tenant("acme-2"), tenant("acme_2"))
	s.want(s.store.Save(s.ctx, tenant("twin"), tenant("twin")), catalog.ErrConflict)
}

func (s *suite) uniqueDomains() {
	a, b := tenant("a", "münchen.example", "a.org"), tenant("b", "b.org")
	s.save(a)
	s.save(b)
	for _, same := range []string{
		"a.org", "A.ORG", "a.org.", "A.oRg.", "münchen.example", "MÜNCHEN.example", "xn--mnchen-3ya.example", "XN--MNCHEN-3YA.EXAMPLE.",
	} {
		b.Domains = []string{"b.org", same}
		s.want(s.store.Save(s.ctx, b), catalog.ErrDomainTaken)
		s.want(s.store.Save(s.ctx, tenant("c", same)), catalog.ErrDomainTaken)
		s.want(s.store.Save(s.ctx, tenant("c", "c.org"), tenant("d", "c.org", same)), catalog.ErrDomainTaken)
	}
	s.want(s.store.Save(s.ctx, tenant("c", "c.org", "C.org")), catalog.ErrDomainTaken)
	s.want(s.store.Save(s.ctx, tenant("c", "c.org"), tenant("d", "C.org")), catalog.ErrDomainTaken)
	if s.owner("a.org") != "a" || s.owner("b.org") != "b" || s.owner("c.org") != "" {
		s.Error("a domain changed hands")
	}
	b.Domains = []string{"x.a.org", "b.org"} // control: one below is another one
	s.save(b)
	if s.owner("x.a.org") != "b" || s.get("b").Primary() != "x.a.org" {
		s.Error("control")
	}
}

func (s *suite) domainsMove() {
	a, b := tenant("a", "one.org", "two.org"), tenant("b", "three.org")
	s.save(a, b)
	a.Domains, b.Domains = []string{"three.org", "two.org"}, []string{"one.org"}
	s.save(b, a)
	if s.owner("one.org") != "b" || s.owner("two.org") != "a" || s.owner("three.org") != "a" {
		s.Error("not swapped")
	}
	a.Domains, b.Domains = []string{"one.org", "two.org"}, []string{"three.org"}
	s.save(a, b)
	if s.owner("one.org") != "a" || s.owner("two.org") != "a" || s.owner("three.org") != "b" {
		s.Error("not swapped back")
	}
}

func (s *suite) allOrNone() {
	a := tenant("a", "a.org")
	s.save(a)
	stale := *a
	s.save(a)
	before := s.all(catalog.Filter{})
	stale.Name = "stale"
	s.want(s.store.Save(s.ctx, tenant("b", "b.org"), &stale), catalog.ErrConflict)
	s.want(s.store.Save(s.ctx, tenant("b", "b.org"), tenant("c", "a.org")), catalog.ErrDomainTaken)
	s.want(s.store.Save(s.ctx, tenant("b", "b.org"), tenant("B")), tenancy.ErrInvalidID)
	if after := s.all(catalog.Filter{}); !reflect.DeepEqual(before, after) || s.owner("b.org") != "" {
		s.Errorf("half saved: %+v", after)
	}
}

func (s *suite) malformed() {
	for _, id := range []tenancy.ID{"", "A", "a b", "public", "../x"} {
		s.want(s.store.Save(s.ctx, tenant(id)), tenancy.ErrInvalidID)
	}
	for _, d := range []string{"", "a.org:80", "a.org:", "https://a.org", "1.2.3.4", "[::1]", "a..org", "a.org/x", "*.a.org", "u@a.org"} {
		s.want(s.store.Save(s.ctx, tenant("a", d)), catalog.ErrInvalidDomain)
	}
	if err := s.store.Save(s.ctx, &catalog.Tenant{ID: "a", State: "alive"}); err == nil {
		s.Error("an unknown state was saved")
	}
	if err := s.store.Save(s.ctx, &catalog.Tenant{ID: "a", State: catalog.Active, Metadata: map[string]any{"f": func() {}}}); err == nil {
		s.Error("metadata that is no JSON was saved")
	}
	if all := s.all(catalog.Filter{}); len(all) != 0 {
		s.Errorf("saved: %+v", all)
	}
}

func (s *suite) compareAndSwap() {
	t := tenant("acme")
	s.save(t)
	old := *t
	t.Name = "second"
	s.save(t)
	if t.Revision <= old.Revision {
		s.Errorf("revision %d after %d", t.Revision, old.Revision)
	}
	old.Name = "lost"
	s.want(s.store.Save(s.ctx, &old), catalog.ErrConflict)
	future := *t
	future.Revision++
	s.want(s.store.Save(s.ctx, &future), catalog.ErrConflict)
	s.want(s.store.Delete(s.ctx, "acme", old.Revision), catalog.ErrConflict)
	s.want(s.store.Delete(s.ctx, "acme", 0), catalog.ErrConflict)
	gone := *tenant("gone")
	gone.Revision = t.Revision
	s.want(s.store.Save(s.ctx, &gone), tenancy.ErrUnknownTenant)
	if s.get("acme").Name != "second" {
		s.Error("a stale record won")
	}
}

// many calls f at once.
func many(f func(i int)) {
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}

func (s *suite) race() {
	s.save(tenant("acme"))
	const each = 5
	var won atomic.Int64
	many(func(int) {
		for done := 0; done < each; {
			t, err := s.store.Get(s.ctx, "acme")
			if err != nil {
				s.Error(err)
				return
			}
			t.Version += "x"
			switch err := s.store.Save(s.ctx, &t); {
			case err == nil:
				won.Add(1)
				done++
			case !errors.Is(err, catalog.ErrConflict):
				s.Error(err)
				return
			}
		}
	})
	if got := len(s.get("acme").Version); got != 16*each || int(won.Load()) != got {
		s.Errorf("%d of %d changes are there", got, won.Load())
	}
}

func (s *suite) domainRace() {
	s.save(tenant("first"))
	var won atomic.Int64
	spellings := []string{"PRIZE.example", "prize.example.", "Prize.Example"}
	many(func(i int) {
		err := s.store.Save(s.ctx, tenant(tenancy.ID(fmt.Sprintf("t%d", i)), spellings[i%len(spellings)]))
		if err == nil {
			won.Add(1)
		} else if !errors.Is(err, catalog.ErrDomainTaken) {
			s.Error(err)
		}
	})
	if all := s.all(catalog.Filter{}); won.Load() != 1 || len(all) != 2 {
		s.Errorf("%d tenants have the domain, %d records", won.Load(), len(all))
	}
}

func (s *suite) remove() {
	a, b := tenant("a", "a.org"), tenant("b", "b.org")
	s.save(a, b)
	s.must(s.store.Delete(s.ctx, "a", a.Revision))
	s.want(s.store.Delete(s.ctx, "a", a.Revision), tenancy.ErrUnknownTenant)
	if all := s.all(catalog.Filter{}); len(all) != 1 || s.owner("a.org") != "" || s.owner("b.org") != "b" {
		s.Errorf("left: %+v", all)
	}
	again := tenant("a", "a.org")
	s.save(again)
	if again.Revision <= a.Revision {
		s.Error("a revision was used twice")
	}
}

func (s *suite) list() {
	for i, state := range catalog.States() {
		t := &catalog.Tenant{ID: tenancy.ID(fmt.Sprintf("t%d", i)), State: state}
		if i%2 == 0 {
			t.Step = catalog.StepSuspend
		}
		s.save(t)
	}
	ids := func(f catalog.Filter) (ids []tenancy.ID) {
		for _, t := range s.all(f) {
			ids = append(ids, t.ID)
		}
		return ids
	}
	for name, tc := range map[string]struct {
		filter catalog.Filter
		want   []tenancy.ID
	}{
		"all":     {catalog.Filter{}, []tenancy.ID{"t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7", "t8"}},
		"states":  {catalog.Filter{States: []catalog.State{catalog.Active, catalog.Creating}}, []tenancy.ID{"t0", "t2"}},
		"pending": {catalog.Filter{Pending: true}, []tenancy.ID{"t0", "t2", "t4", "t6", "t8"}},
		"after":   {catalog.Filter{After: "t6"}, []tenancy.ID{"t7", "t8"}},
		"both":    {catalog.Filter{After: "t0", Pending: true, States: []catalog.State{catalog.Creating, catalog.Active}}, []tenancy.ID{"t2"}},
		"none":    {catalog.Filter{After: "t8"}, nil},
	} {
		if got := ids(tc.filter); !slices.Equal(got, tc.want) {
			s.Errorf("%s: got %v, want %v", name, got, tc.want)
		}
	}
}

func (s *suite) pages() {
	const n = 1003
	batch := make([]*catalog.Tenant, n)
	for i := range batch {
		batch[i] = tenant(tenancy.ID(fmt.Sprintf("t%04d", i)))
	}
	s.save(batch...)
	seen := map[tenancy.ID]bool{}
	for t, err := range s.store.List(s.ctx, catalog.Filter{}) {
		s.must(err)
		if seen[t.ID] {
			s.Fatalf("%s twice", t.ID)
		}
		seen[t.ID] = true
	}
	if len(seen) != n {
		s.Errorf("%d of %d", len(seen), n)
	}
	for range s.store.List(s.ctx, catalog.Filter{}) {
		break // must be possible, and leave the store usable
	}
	c, err := s.store.Changes(s.ctx, 0)
	s.must(err)
	if !c.All || len(c.Tenants) > catalog.MaxChanges {
		s.Errorf("%d changes: all is %v with %d tenants", n, c.All, len(c.Tenants))
	}
}

func (s *suite) cancelled() {
	t := tenant("acme", "acme.org")
	s.save(t)
	ctx, cancel := context.WithCancel(s.ctx)
	cancel()
	_, err := s.store.Get(ctx, "acme")
	s.want(err, context.Canceled)
	_, err = s.store.ByDomain(ctx, "acme.org")
	s.want(err, context.Canceled)
	_, err = s.store.Changes(ctx, 0)
	s.want(err, context.Canceled)
	s.want(s.store.Save(ctx, t), context.Canceled)
	s.want(s.store.Delete(ctx, "acme", t.Revision), context.Canceled)
	n := 0
	for _, err := range s.store.List(ctx, catalog.Filter{}) {
		s.want(err, context.Canceled)
		n++
	}
	if n != 1 {
		s.Errorf("%d items", n)
	}
}

// contexts has callers that act for a tenant, for nobody, and for all.
func (s *suite) contexts() {
	for i, ctx := range []context.Context{
		tenancy.WithTenant(s.ctx, "b"), tenancy.Central(s.ctx), tenancy.Bypass(s.ctx, "test"), s.ctx,
	} {
		s.ctx = ctx
		id := tenancy.ID(fmt.Sprintf("t%d", i))
		s.save(tenant(id, string(id)+".org"))
		if s.get(id).ID != id || s.owner(string(id)+".org") != id || len(s.all(catalog.Filter{})) != i+1 {
			s.Errorf("context %d", i)
		}
	}
}
