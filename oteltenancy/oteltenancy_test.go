package oteltenancy_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/oteltenancy"
)

func as(id tenancy.ID) context.Context { return tenancy.WithTenant(context.Background(), id) }

// attributes starts a span in a context and returns what it was exported with.
func attributes(t *testing.T, ctx context.Context, during func(context.Context), opts ...trace.SpanStartOption) string {
	t.Helper()
	exporter := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(oteltenancy.Spans()), sdktrace.WithSyncer(exporter))
	ctx, span := provider.Tracer("test").Start(ctx, "span", opts...)
	if during != nil {
		during(ctx)
	}
	span.End()
	spans := exporter.GetSpans()
	if len(spans) != 1 {
		t.Fatalf("%d spans", len(spans))
	}
	var found []string
	for _, a := range spans[0].Attributes {
		found = append(found, string(a.Key)+"="+a.Value.Emit())
	}
	if err := provider.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	return strings.Join(found, " ")
}

func TestSpans(t *testing.T) {
	t.Parallel()
	spoofed := trace.WithAttributes(attribute.String(oteltenancy.TenantKey, "potter"))
	for what, tc := range map[string]struct {
		ctx    context.Context
		during func(context.Context)
		opts   []trace.SpanStartOption
		want   string
	}{
		"tenant":  {ctx: as("thor"), want: "tenant.id=thor"},
		"nothing": {ctx: t.Context()},
		"central": {ctx: tenancy.Central(as("thor"))},
		"invalid": {ctx: as("PO TTER")},
		"bypass":  {ctx: tenancy.Bypass(as("thor"), "ticket 8"), want: "tenant.bypass=ticket 8"},
		"spoofed": {ctx: as("thor"), opts: []trace.SpanStartOption{spoofed}, want: "tenant.id=thor"},
		"found later": {
			ctx: t.Context(), during: func(ctx context.Context) { oteltenancy.Mark(tenancy.WithTenant(ctx, "thor")) },
			want: "tenant.id=thor",
		},
		"never found": {ctx: t.Context(), during: oteltenancy.Mark},
	} {
		if got := attributes(t, tc.ctx, tc.during, tc.opts...); got != tc.want {
			t.Errorf("%s: %q, want %q", what, got, tc.want)
		}
	}
	oteltenancy.Mark(as("thor")) // no span
}

func TestBaggageOut(t *testing.T) {
	t.Parallel()
	p := oteltenancy.Baggage(propagation.Baggage{})
	full, err := baggage.Parse("k=" + strings.Repeat("v", 4090) + ",l=" + strings.Repeat("v", 4090))
	if err != nil {
		t.Fatal(err)
	}
	stale := carrying(t, "tenant.id=potter,plan=gold")
	for what, tc := range map[string]struct {
		ctx  context.Context
		want string
	}{
		"tenant":                {as("thor"), "tenant.id=thor"},
		"nothing":               {t.Context(), ""},
		"central":               {tenancy.Central(as("thor")), ""},
		"bypass":                {tenancy.Bypass(as("thor"), "test"), ""},
		"of another, as thor":   {tenancy.WithTenant(stale, "thor"), "plan=gold,tenant.id=thor"},
		"of another, as nobody": {stale, "plan=gold"},
		"no room":               {baggage.ContextWithBaggage(as("thor"), full), sorted(full.String())},
	} {
		carrier := propagation.MapCarrier{}
		p.Inject(tc.ctx, carrier)
		if got := sorted(carrier["baggage"]); got != tc.want {
			t.Errorf("%s: %.40q, want %.40q", what, got, tc.want)
		}
	}
	if got := p.Fields(); len(got) != 1 || got[0] != "baggage" {
		t.Errorf("fields %v", got)
	}
}

func carrying(t *testing.T, text string) context.Context {
	t.Helper()
	return propagation.Baggage{}.Extract(t.Context(), propagation.MapCarrier{"baggage": text})
}

func sorted(members string) string {
	one, two, both := strings.Cut(members, ",")
	if both && one > two {
		one, two = two, one
	}
	if !both {
		return members
	}
	return one + "," + two
}

// TestBaggageIn sends a tenant from outside: by default nothing of it is left, and it never changes whom the context acts for.
func TestBaggageIn(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"tenant.id=potter", "tenant.id=potter,plan=gold", "tenant.id=thor,tenant.id=potter", "plan=gold,tenant.id=potter;x=y"} {
		for _, before := range []context.Context{t.Context(), as("thor"), carrying(t, "tenant.id=potter")} {
			id, named := tenancy.FromContext(before)
			carrier := propagation.MapCarrier{"baggage": in}
			got := oteltenancy.Baggage(propagation.Baggage{}).Extract(before, carrier)
			text := baggage.FromContext(got).String()
			if strings.Contains(text, "potter") || strings.Contains(in, "gold") != strings.Contains(text, "gold") {
				t.Errorf("%s: kept %q", in, text)
			}
			if found, err := oteltenancy.Incoming(got); found != "" || !errors.Is(err, tenancy.ErrInvalidID) {
				t.Errorf("%s: %q, %v", in, found, err)
			}
			trusted := oteltenancy.Baggage(propagation.Baggage{}, oteltenancy.TrustIncoming()).Extract(before, carrier)
			if found, err := oteltenancy.Incoming(trusted); found != "potter" || err != nil { // control
				t.Errorf("%s: %q, %v", in, found, err)
			}
			for _, ctx := range []context.Context{got, trusted} {
				if is, ok := tenancy.FromContext(ctx); is != id || ok != named {
					t.Errorf("%s: acts for %q", in, is)
				}
			}
		}
	}
	if id, err := oteltenancy.Incoming(carrying(t, "tenant.id=A%20b")); id != "" || !errors.Is(err, tenancy.ErrInvalidID) {
		t.Errorf("%q, %v", id, err)
	}
}
