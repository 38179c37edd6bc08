package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
)

// take takes acme through a step.
func take(c *catalog.Catalog, step catalog.Step) (catalog.Tenant, error) {
	ctx := context.Background()
	switch step {
	case catalog.StepCreate:
		return c.Create(ctx, catalog.Tenant{ID: "acme"})
	case catalog.StepClone:
		return c.Clone(ctx, "acme", catalog.Tenant{ID: "copy"})
	case catalog.StepClaim:
		return c.Claim(ctx, catalog.Tenant{ID: "claimed"})
	case catalog.StepRename:
		return c.Rename(ctx, "acme", "zeta")
	case catalog.StepSuspend:
		return c.Suspend(ctx, "acme")
	case catalog.StepMaintain:
		return c.Maintain(ctx, "acme")
	case catalog.StepResume:
		return c.Resume(ctx, "acme")
	case catalog.StepDelete:
		return c.Delete(ctx, "acme")
	case catalog.StepUndelete:
		return c.Undelete(ctx, "acme")
	case catalog.StepPurge:
		return c.PurgeNow(ctx, "acme")
	case catalog.StepRelocate:
		return c.Relocate(ctx, "acme", "elsewhere", "", func(context.Context) error { return nil })
	case catalog.StepFill:
		n, err := c.Fill(ctx, 1)
		return catalog.Tenant{State: catalog.Ready, Name: fmt.Sprint(n)}, err
	}
	return catalog.Tenant{}, fmt.Errorf("no such step")
}

// TestTransitions takes every step from every state. The words are: the state it leads to, "=" for nothing to do, "-" for
// refused. Fill, and Claim from states other than ready, do not touch the tenant.
func TestTransitions(t *testing.T) {
	t.Parallel()
	table := map[catalog.Step]string{
		//                        creating  ready    active       suspended    maintenance renaming deleting     purging purged
		catalog.StepCreate:   "   exists    exists   exists       exists       exists      exists   exists       exists  exists",
		catalog.StepClone:    "   -         -        active       active       active      -        -            -       -     ",
		catalog.StepRename:   "   -         -        active       suspended    maintenance -        -            -       -     ",
		catalog.StepSuspend:  "   -         -        suspended    =            suspended   -        -            -       -     ",
		catalog.StepMaintain: "   -         -        maintenance  -            =           -        -            -       -     ",
		catalog.StepResume:   "   -         -        =            active       active      -        -            -       -     ",
		catalog.StepDelete:   "   -         -        deleting     deleting     deleting    -        =            -       -     ",
		catalog.StepUndelete: "   -         -        -            -            -           -        active       -       -     ",
		catalog.StepPurge:    "   purged    purged   -            -            -           -        purged       -       =     ",
		catalog.StepRelocate: "   -         -        active       suspended    maintenance -        -            -       -     ",
		catalog.StepClaim:    "   active    active   active       active       active      active   active       active  active",
		catalog.StepFill:     "   ready     ready    ready        ready        ready       ready    ready        ready   ready ",
	}
	if len(table) != len(catalog.Steps()) {
		t.Fatalf("%d of %d steps", len(table), len(catalog.Steps()))
	}
	for step, line := range table {
		cells := strings.Fields(line)
		if len(cells) != len(catalog.States()) {
			t.Fatalf("%s: %d of %d states", step, len(cells), len(catalog.States()))
		}
		for i, state := range catalog.States() {
			t.Run(fmt.Sprintf("%s while %s", step, state), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				record := catalog.Tenant{ID: "acme", State: state}
				if state == catalog.Deleting {
					record.Previous = catalog.Active
				}
				w.put(record)
				before := w.records() + w.places.dump()
				got, err := take(w.catalog(), step)
				unchanged := w.records()+w.places.dump() == before
				switch cell := cells[i]; cell {
				case "exists":
					want(t, err, catalog.ErrExists)
				case "-":
					want(t, err, catalog.ErrTransition)
					var facts *catalog.TransitionError
					if !errors.As(err, &facts) || facts.From != state || facts.Step != step {
						t.Errorf("facts %+v", facts)
					}
				case "=":
					must(t, err)
				default:
					must(t, err)
					if string(got.State) != cell || got.Step != "" {
						t.Errorf("came to %s %q", got.State, got.Step)
					}
					if step != catalog.StepFill || state != catalog.Ready {
						unchanged = !unchanged
					}
				}
				if !unchanged {
					t.Errorf("%s while %s: %v: from\n%sto\n%s%s", step, state, err, before, w.records(), w.places.dump())
				}
			})
		}
	}
}

// TestOnlyActiveIsServed looks up a tenant in every state, with and without a step under way.
func TestOnlyActiveIsServed(t *testing.T) {
	t.Parallel()
	for _, state := range catalog.States() {
		w := newWorld(t)
		w.put(catalog.Tenant{ID: "acme", State: state})
		err := w.catalog().Lookup(t.Context(), "acme")
		switch state {
		case catalog.Active:
			must(t, err)
		case catalog.Suspended:
			want(t, err, tenancy.ErrTenantSuspended)
		case catalog.Maintenance, catalog.Renaming:
			want(t, err, tenancy.ErrTenantMaintenance)
		default:
			want(t, err, tenancy.ErrUnknownTenant)
		}
	}
}

func TestVeto(t *testing.T) {
	t.Parallel()
	for _, step := range catalog.Steps() {
		t.Run(string(step), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			state := map[catalog.Step]catalog.State{
				catalog.StepResume: catalog.Suspended, catalog.StepUndelete: catalog.Deleting, catalog.StepPurge: catalog.Deleting,
			}[step]
			if state == "" {
				state = catalog.Active
			}
			if step != catalog.StepCreate {
				w.put(catalog.Tenant{ID: "acme", State: state, Previous: catalog.Active})
			}
			if step == catalog.StepClaim {
				w.put(catalog.Tenant{ID: "ready-1", State: catalog.Ready})
			}
			before := w.records() + w.places.dump()
			allow := false
			c := w.catalog(catalog.Hooks(catalog.Hook{
				Steps: []catalog.Step{step},
				Before: func(ctx context.Context, e catalog.Event) error {
					if e.Step != step || e.Tenant.ID == "" {
						t.Errorf("told of %+v", e)
					}
					e.Tenant.Name = "changed by the hook"
					if reach, _, err := tenancy.ReachOf(ctx); reach != tenancy.ReachCentral || err != nil {
						t.Errorf("the hook acts for %v, %v", reach, err)
					}
					if allow {
						return nil
					}
					return errTest
				},
			}))
			_, err := take(c, step)
			want(t, err, catalog.ErrVetoed)
			want(t, err, errTest)
			if after := w.records() + w.places.dump(); after != before {
				t.Errorf("from\n%sto\n%s", before, after)
			}
			allow = true // control
			_, err = take(c, step)
			must(t, err)
			if after := w.records() + w.places.dump(); after == before || strings.Contains(after, "by the hook") {
				t.Errorf("allowed: %s", after)
			}
		})
	}
}

// TestAfterHookIsRetried has the hook behind a step fail twice; before it succeeds, the tenant is not served.
func TestAfterHookIsRetried(t *testing.T) {
	t.Parallel()
	for _, step := range []catalog.Step{catalog.StepCreate, catalog.StepResume, catalog.StepSuspend, catalog.StepRename} {
		t.Run(string(step), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if step != catalog.StepCreate {
				w.put(catalog.Tenant{ID: "acme", State: catalog.Suspended})
			}
			if step == catalog.StepSuspend || step == catalog.StepRename {
				_, err := w.catalog().Resume(t.Context(), "acme")
				must(t, err)
			}
			calls := 0
			c := w.catalog(catalog.Hooks(catalog.Hook{After: func(_ context.Context, e catalog.Event) error {
				if calls++; e.Step != step {
					t.Errorf("told of %s", e.Step)
				}
				if calls < 3 {
					return errTest
				}
				return nil
			}}))
			_, err := take(c, step)
			want(t, err, catalog.ErrPending)
			_, err = c.Repair(t.Context(), "acme")
			want(t, err, errTest)
			if c.Lookup(t.Context(), "acme") == nil || c.Lookup(t.Context(), "zeta") == nil {
				t.Error("served while the step is under way")
			}
			got, err := c.Repair(t.Context(), "acme")
			must(t, err)
			if calls != 3 || got.Step != "" {
				t.Errorf("%d calls, then %+v", calls, got)
			}
			if _, err = c.Repair(t.Context(), got.ID); err != nil || calls != 3 {
				t.Errorf("repairing what is whole: %d calls, %v", calls, err)
			}
		})
	}
}

// TestSuspendDuringResume: whoever must stop a tenant need not wait for somebody who fails to resume it.
func TestSuspendDuringResume(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put(catalog.Tenant{ID: "acme", State: catalog.Suspended})
	c := w.catalog()
	failing := w.catalog(catalog.Hooks(catalog.Hook{After: func(context.Context, catalog.Event) error {
		_, err := c.Suspend(context.Background(), "acme")
		return err
	}}))
	_, err := failing.Resume(t.Context(), "acme")
	if err == nil {
		t.Error("resumed although it was suspended meanwhile")
	}
	must(t, c.RepairAll(t.Context(), catalog.EachOptions{}))
	want(t, c.Lookup(t.Context(), "acme"), tenancy.ErrTenantSuspended)
}

// TestStepsDuringRename leaves a tenant between its two ids, and tries to take either of them elsewhere.
func TestStepsDuringRename(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put(catalog.Tenant{ID: "acme", State: catalog.Active, Name: "Acme", Domains: []string{"acme.org"}})
	w.put(catalog.Tenant{ID: "b", State: catalog.Active, Domains: []string{"b.org"}})
	dying := w.process(&fuse{at: 3}) // behind renaming the place
	if _, err := dying.Rename(t.Context(), "acme", "zeta"); err == nil {
		t.Fatal("renamed")
	}
	before := w.records() + w.places.dump()
	c := w.catalog()
	for _, id := range []tenancy.ID{"acme", "zeta"} {
		for _, step := range []func(*catalog.Catalog, context.Context, tenancy.ID) (catalog.Tenant, error){
			(*catalog.Catalog).Suspend, (*catalog.Catalog).Maintain, (*catalog.Catalog).Resume, (*catalog.Catalog).Delete,
			(*catalog.Catalog).Undelete, (*catalog.Catalog).Purge, (*catalog.Catalog).PurgeNow,
		} {
			_, err := step(c, t.Context(), id)
			want(t, err, catalog.ErrTransition)
		}
		_, err := c.Create(t.Context(), catalog.Tenant{ID: id})
		want(t, err, catalog.ErrExists)
		_, err = c.Rename(t.Context(), "b", id)
		want(t, err, catalog.ErrExists)
		_, err = c.Rename(t.Context(), id, "other")
		want(t, err, catalog.ErrTransition)
	}
	if after := w.records() + w.places.dump(); after != before {
		t.Errorf("from\n%sto\n%s", before, after)
	}
	_, err := c.Repair(t.Context(), "zeta") // by either id
	must(t, err)
	if w.records() != scenarios["rename"].records || w.places.dump() != scenarios["rename"].places {
		t.Errorf("repaired to\n%s%s", w.records(), w.places.dump())
	}
}

func TestCreateFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put(catalog.Tenant{ID: "b", State: catalog.Active, Domains: []string{"b.org"}})
	c := w.catalog(catalog.BaseDomains("Example.com."))
	before := w.records() + w.places.dump()
	for _, tc := range []struct {
		tenant catalog.Tenant
		want   error
	}{
		{catalog.Tenant{ID: "B"}, tenancy.ErrInvalidID},
		{catalog.Tenant{ID: "www"}, tenancy.ErrInvalidID},
		{catalog.Tenant{}, tenancy.ErrInvalidID},
		{catalog.Tenant{ID: "b"}, catalog.ErrExists},
		{catalog.Tenant{ID: "c", Domains: []string{"B.org."}}, catalog.ErrDomainTaken},
		{catalog.Tenant{ID: "c", Domains: []string{"b.org:443"}}, catalog.ErrInvalidDomain},
		// What may be another tenant's subdomain, or the application's own.
		{catalog.Tenant{ID: "c", Domains: []string{"b.example.com"}}, catalog.ErrDomainTaken},
		{catalog.Tenant{ID: "c", Domains: []string{"B.EXAMPLE.com."}}, catalog.ErrDomainTaken},
		{catalog.Tenant{ID: "c", Domains: []string{"c.example.com"}}, catalog.ErrDomainTaken},
		{catalog.Tenant{ID: "c", Domains: []string{"example.com"}}, catalog.ErrDomainTaken},
		{catalog.Tenant{ID: "c", Domains: []string{"x.y.example.com"}}, catalog.ErrDomainTaken},
	} {
		_, err := c.Create(t.Context(), tc.tenant)
		want(t, err, tc.want)
		_, err = c.Update(t.Context(), "b", func(b *catalog.Tenant) error {
			b.Domains = tc.tenant.Domains
			return nil
		})
		if errors.Is(tc.want, catalog.ErrDomainTaken) && tc.tenant.Domains[0] != "B.org." || errors.Is(tc.want, catalog.ErrInvalidDomain) {
			want(t, err, tc.want)
		} else {
			must(t, err)
			_, err = c.Update(t.Context(), "b", func(b *catalog.Tenant) error {
				b.Domains = []string{"b.org"}
				return nil
			})
			must(t, err)
		}
		if after := w.records() + w.places.dump(); after != before {
			t.Errorf("%+v left\n%s", tc.tenant, after)
		}
	}
	_, err := c.Create(t.Context(), catalog.Tenant{ID: "c", Domains: []string{"example.com.c.org", "notexample.com"}}) // control
	must(t, err)
}

// TestUpdateKeepsTheLifecycle has an edit try to change what is not its business.
func TestUpdateKeepsTheLifecycle(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put(catalog.Tenant{ID: "acme", State: catalog.Suspended})
	w.put(catalog.Tenant{ID: "b", State: catalog.Active, Name: "B"})
	c := w.catalog()
	got, err := c.Update(t.Context(), "acme", func(a *catalog.Tenant) error {
		a.ID, a.State, a.Step, a.Peer, a.Revision, a.Name = "b", catalog.Active, catalog.StepPurge, "b", 0, "new"
		return nil
	})
	must(t, err)
	if got.State != catalog.Suspended || w.records() != "acme suspended \"new\"\nb active \"B\"\n" {
		t.Errorf("got %s", w.records())
	}
	_, err = c.Update(t.Context(), "acme", func(*catalog.Tenant) error { return errTest })
	want(t, err, errTest)
	_, err = c.Update(t.Context(), "nobody", func(*catalog.Tenant) error { return nil })
	want(t, err, tenancy.ErrUnknownTenant)
}

func TestGrace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put(catalog.Tenant{ID: "acme", State: catalog.Suspended, Domains: []string{"acme.org"}})
	w.put(catalog.Tenant{ID: "b", State: catalog.Active})
	c := w.catalog(catalog.Grace(time.Hour))
	got, err := c.Delete(t.Context(), "acme")
	must(t, err)
	if !got.DeleteAfter.Equal(w.clock.Now().Add(time.Hour)) {
		t.Errorf("grace ends %v", got.DeleteAfter)
	}
	w.clock.advance(time.Hour - time.Millisecond)
	_, err = c.Purge(t.Context(), "acme")
	want(t, err, catalog.ErrGrace)
	must(t, c.PurgeAll(t.Context(), catalog.EachOptions{}))
	got, err = c.Delete(t.Context(), "acme") // again: the period does not begin anew
	must(t, err)
	if !got.DeleteAfter.Equal(w.clock.Now().Add(time.Millisecond)) {
		t.Errorf("grace ends %v", got.DeleteAfter)
	}
	got, err = c.Undelete(t.Context(), "acme")
	must(t, err)
	if got.State != catalog.Suspended || !got.DeleteAfter.IsZero() {
		t.Errorf("undeleted to %+v", got)
	}
	_, err = c.Delete(t.Context(), "acme")
	must(t, err)
	w.clock.advance(time.Hour)
	must(t, c.PurgeAll(t.Context(), catalog.EachOptions{}))
	if got := w.records() + w.places.dump(); got != "acme purged\nb active\nb=[row of b] " {
		t.Errorf("left %s", got)
	}
	_, err = c.Undelete(t.Context(), "acme")
	want(t, err, catalog.ErrTransition)
}

// TestDeleteDuringUndelete takes back an undeletion that is not finished: the grace period and the state before it stay.
func TestDeleteDuringUndelete(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ends := w.clock.Now().Add(time.Hour)
	w.put(catalog.Tenant{
		ID: "acme", State: catalog.Deleting, Step: catalog.StepUndelete, Previous: catalog.Suspended, DeleteAfter: ends,
	})
	c := w.catalog()
	got, err := c.Delete(t.Context(), "acme")
	must(t, err)
	if got.State != catalog.Deleting || got.Step != "" || !got.DeleteAfter.Equal(ends) {
		t.Errorf("deleted to %+v", got)
	}
	got, err = c.Undelete(t.Context(), "acme")
	must(t, err)
	if got.State != catalog.Suspended {
		t.Errorf("undeleted to %s", got.State)
	}
}

// TestLifecycleRace has many processes take one tenant through everything. It must end whole.
func TestLifecycleRace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put(catalog.Tenant{ID: "acme", State: catalog.Active, Domains: []string{"acme.org"}})
	steps := []catalog.Step{
		catalog.StepSuspend, catalog.StepResume, catalog.StepMaintain, catalog.StepDelete, catalog.StepUndelete, catalog.StepResume,
	}
	var wg sync.WaitGroup
	var took atomic.Int64
	for i := range 16 {
		c := w.catalog()
		wg.Go(func() {
			for j := range 50 {
				_, err := take(c, steps[(i+j)%len(steps)])
				switch {
				case err == nil:
					took.Add(1)
				case !errors.Is(err, catalog.ErrTransition) && !errors.Is(err, catalog.ErrConflict):
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	must(t, w.catalog().RepairAll(t.Context(), catalog.EachOptions{}))
	got, err := w.store.Get(t.Context(), "acme")
	must(t, err)
	ends := []catalog.State{catalog.Active, catalog.Suspended, catalog.Maintenance, catalog.Deleting}
	if !slices.Contains(ends, got.State) || got.Step != "" || got.Primary() != "acme.org" || took.Load() < 100 {
		t.Errorf("after %d steps: %+v", took.Load(), got)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	store := catalog.NewMemory()
	for name, opts := range map[string][]catalog.Option{
		"size":     {catalog.CacheSize(0)},
		"poll":     {catalog.Poll(0)},
		"ttl":      {catalog.TTL(time.Millisecond)},
		"timeout":  {catalog.StoreTimeout(-1)},
		"grace":    {catalog.Grace(-1)},
		"repair":   {catalog.RepairAfter(-1)},
		"clock":    {catalog.Clock(nil)},
		"seed":     {catalog.Seed(nil)},
		"strategy": {catalog.Strategy(nil)},
		"base":     {catalog.BaseDomains("example.com:80")},
	} {
		if _, err := catalog.New(store, opts...); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	if _, err := catalog.New(nil); err == nil {
		t.Error("no store was accepted")
	}
	_, err := catalog.New(store)
	must(t, err)
}
