// Package oteltenancy shows in OpenTelemetry's traces whom a context acts for, and carries the tenant between one's own
// services.
//
//	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(oteltenancy.Spans()), sdktrace.WithBatcher(exporter))
//
// It adds nothing to metrics: a label with a value for each tenant multiplies the series of each metric by the number of
// tenants, and shows one tenant's traffic to whoever reads another's dashboard.
//
// The package has a module of its own, so that the library does not depend on OpenTelemetry.
package oteltenancy

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/gorm-tenancy/tenancy"
)

const (
	// TenantKey is the attribute of a span, and the member of a baggage, that names the tenant.
	TenantKey = "tenant.id"
	// BypassKey is the attribute that holds the reason of a tenancy.Bypass.
	BypassKey = "tenant.bypass"
)

// Spans returns a processor that sets [TenantKey] on each span that starts in a tenant's context, and [BypassKey] on each
// that starts under tenancy.Bypass. It overrules what the starter set under these keys. A span that starts in front of the
// middleware that finds the tenant, such as that of an HTTP server, gets nothing: see [Mark]. Safe for concurrent use.
func Spans() sdktrace.SpanProcessor { return spans{} }

type spans struct{}

// OnStart implements sdktrace.SpanProcessor.
func (spans) OnStart(parent context.Context, s sdktrace.ReadWriteSpan) { mark(parent, s) }

// OnEnd implements sdktrace.SpanProcessor.
func (spans) OnEnd(sdktrace.ReadOnlySpan) {}

// Shutdown implements sdktrace.SpanProcessor.
func (spans) Shutdown(context.Context) error { return nil }

// ForceFlush implements sdktrace.SpanProcessor.
func (spans) ForceFlush(context.Context) error { return nil }

// Mark sets the attributes of [Spans] on the context's span. Call it behind the middleware that finds the tenant, so that
// the span of the request shows it, too. Safe for concurrent use.
func Mark(ctx context.Context) { mark(ctx, trace.SpanFromContext(ctx)) }

func mark(ctx context.Context, s trace.Span) {
	if id, ok := tenancy.FromContext(ctx); ok {
		s.SetAttributes(attribute.String(TenantKey, id.String()))
	} else if reason, ok := tenancy.BypassReason(ctx); ok {
		s.SetAttributes(attribute.String(BypassKey, reason))
	}
}
