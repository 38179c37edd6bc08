package catalog_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
)

func TestCarrier(t *testing.T) {
	t.Parallel()
	for name, carrier := range map[string]catalog.Carrier{"map": catalog.Map{"other": "x"}, "header": http.Header{}} {
		as := tenancy.WithTenant(t.Context(), "acme")
		must(t, catalog.Inject(as, carrier))
		must(t, catalog.Inject(as, carrier)) // a job that is put back
		want(t, catalog.Inject(tenancy.WithTenant(t.Context(), "b"), carrier), tenancy.ErrTenantMismatch)
		for _, ctx := range []context.Context{
			t.Context(), tenancy.WithTenant(t.Context(), "b"), tenancy.Bypass(t.Context(), "worker"), tenancy.Central(t.Context()),
		} {
			got, err := catalog.Extract(ctx, carrier)
			must(t, err)
			if id, err := tenancy.Require(got); id != "acme" || err != nil {
				t.Errorf("%s: acts for %q, %v", name, id, err)
			}
		}
	}
}

func TestInjectRefuses(t *testing.T) {
	t.Parallel()
	for _, ctx := range []context.Context{
		t.Context(), tenancy.Central(t.Context()), tenancy.Bypass(t.Context(), "test"), tenancy.WithTenant(t.Context(), "A B"),
	} {
		m := catalog.Map{}
		want(t, catalog.Inject(ctx, m), tenancy.ErrNoTenant)
		if len(m) > 0 {
			t.Errorf("wrote %v", m)
		}
	}
}

// nobody fails if a context may reach anything.
func nobody(t *testing.T, ctx context.Context) {
	t.Helper()
	_, _, err := tenancy.ReachOf(ctx)
	want(t, err, tenancy.ErrNoTenant)
}

// TestExtractRefuses has workers whose own context may reach much: what is refused may reach nothing.
func TestExtractRefuses(t *testing.T) {
	t.Parallel()
	c, s, _ := cached(t)
	_, err := c.Suspend(t.Context(), "b")
	must(t, err)
	for _, ctx := range []context.Context{tenancy.WithTenant(t.Context(), "acme"), tenancy.Bypass(t.Context(), "worker")} {
		for text, wanted := range map[string]error{
			"": tenancy.ErrNoTenant, " ": tenancy.ErrInvalidID, "ACME": tenancy.ErrInvalidID, "acme ": tenancy.ErrInvalidID,
			"public": tenancy.ErrInvalidID, "acme,b": tenancy.ErrInvalidID, "acme\x00": tenancy.ErrInvalidID,
		} {
			m := catalog.Map{catalog.CarrierKey: text}
			got, err := catalog.Extract(ctx, m)
			want(t, err, tenancy.ErrNoTenant)
			want(t, err, wanted)
			nobody(t, got)
			got, err = c.Extract(ctx, m)
			want(t, err, wanted)
			nobody(t, got)
		}
		got, err := c.Extract(ctx, catalog.Map{"tenancy-tenant": "acme"}) // another key
		want(t, err, tenancy.ErrNoTenant)
		nobody(t, got)
		got, err = c.Extract(ctx, catalog.Map{catalog.CarrierKey: "b"})
		want(t, err, tenancy.ErrTenantSuspended)
		nobody(t, got)
		got, err = c.Extract(ctx, catalog.Map{catalog.CarrierKey: "gone"})
		want(t, err, tenancy.ErrUnknownTenant)
		nobody(t, got)
		got, err = c.Extract(ctx, catalog.Map{catalog.CarrierKey: "acme"}) // control
		must(t, err)
		if id, err := tenancy.Require(got); id != "acme" || err != nil {
			t.Errorf("acts for %q, %v", id, err)
		}
	}
	s.kill()
	got, err := c.Extract(t.Context(), catalog.Map{catalog.CarrierKey: "cold"})
	want(t, err, catalog.ErrUnavailable)
	nobody(t, got)
}
