package oteltenancy

import (
	"context"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"

	"github.com/gorm-tenancy/tenancy"
)

// Baggage returns a propagator around next, which is, or contains, propagation.Baggage, that tells other services the tenant
// of the context as the member [TenantKey] of the baggage. Use it for clients of your own services only: the name of a
// tenant leaves the process. Where the context names no tenant, the member is taken out.
//
// What comes in is not trusted: whoever sends a request could choose the tenant, so the member is taken out of every
// incoming baggage, unless TrustIncoming says that only your own services send them. Even then no context acts for it by
// itself: see [Incoming]. Safe for concurrent use, if next is.
func Baggage(next propagation.TextMapPropagator, opts ...Option) propagation.TextMapPropagator {
	p := &propagator{next: next}
	for _, opt := range opts {
		opt(p)
	}
	return p
}

// Option configures [Baggage].
type Option func(*propagator)

// TrustIncoming keeps the member in incoming baggage. It is right only where a network policy or mutual TLS keeps everybody
// but your own services away. Default off.
func TrustIncoming() Option { return func(p *propagator) { p.trust = true } }

// Incoming returns the tenant that trusted baggage names, for tenancy.WithTenant when the catalog has said that the tenant
// is served. The error is tenancy.ErrInvalidID if there is none or what is there cannot be a tenant. Safe for concurrent
// use.
func Incoming(ctx context.Context) (tenancy.ID, error) {
	return tenancy.ParseID(baggage.FromContext(ctx).Member(TenantKey).Value())
}

type propagator struct {
	next  propagation.TextMapPropagator
	trust bool
}

// Inject implements propagation.TextMapPropagator.
func (p *propagator) Inject(ctx context.Context, to propagation.TextMapCarrier) {
	bag := baggage.FromContext(ctx).DeleteMember(TenantKey)
	if id, ok := tenancy.FromContext(ctx); ok {
		bag = with(bag, id)
	}
	p.next.Inject(baggage.ContextWithBaggage(ctx, bag), to)
}

// with returns the baggage with the tenant, or without it if a receiver would refuse it all as too large.
func with(bag baggage.Baggage, id tenancy.ID) baggage.Baggage {
	member, err := baggage.NewMember(TenantKey, id.String())
	if err != nil {
		return bag
	}
	named, err := baggage.New(append(bag.Members(), member)...)
	if err != nil {
		return bag
	}
	return named
}

// Extract implements propagation.TextMapPropagator.
func (p *propagator) Extract(ctx context.Context, from propagation.TextMapCarrier) context.Context {
	ctx = p.next.Extract(ctx, from)
	if p.trust {
		return ctx
	}
	return baggage.ContextWithBaggage(ctx, baggage.FromContext(ctx).DeleteMember(TenantKey))
}

// Fields implements propagation.TextMapPropagator.
func (p *propagator) Fields() []string { return p.next.Fields() }
