// Package natsjobs carries tenants through NATS, in the headers of its messages.
package natsjobs

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
	"github.com/gorm-tenancy/tenancy/integrations/jobs"
)

// Inject returns a copy of a message that names the context's tenant, to publish with or without JetStream. The error is
// tenancy.ErrNoTenant without one, also under tenancy.Central and tenancy.Bypass, and tenancy.ErrTenantMismatch if the
// message names another one. The message's ID becomes the tenant's own: JetStream would drop one tenant's message as the
// other's. Set it in the header, jetstream.MsgIDHeader; what jetstream.WithMsgID sets later is the same for all tenants.
// Safe for concurrent use.
func Inject(ctx context.Context, msg *nats.Msg) (*nats.Msg, error) {
	named := *msg
	named.Header = maps.Clone(msg.Header)
	if named.Header == nil {
		named.Header = nats.Header{}
	}
	if err := catalog.Inject(ctx, header(named.Header)); err != nil {
		return nil, err
	}
	for _, key := range []string{jetstream.MsgIDHeader, jetstream.ExpectedLastMsgIDHeader} {
		id := named.Header.Get(key)
		if id == "" {
			continue
		}
		own, err := tenancy.CacheKey(ctx, id)
		if err != nil {
			return nil, err
		}
		named.Header.Set(key, own)
	}
	return &named, nil
}

// Extract returns a context that acts for the tenant of a message's header, as catalog.Catalog.Extract does. A header that
// names several is tenancy.ErrNoTenant. Safe for concurrent use.
func Extract(ctx context.Context, tenants *catalog.Catalog, from nats.Header) (context.Context, error) {
	return tenants.Extract(ctx, header(from))
}

// header is a catalog.Carrier that takes no choice between several tenants.
type header nats.Header

// Get implements catalog.Carrier.
func (h header) Get(key string) string {
	if len(h[key]) != 1 {
		return ""
	}
	return h[key][0]
}

// Set implements catalog.Carrier.
func (h header) Set(key, value string) { h[key] = []string{value} }

// Worker handles the messages of a JetStream consumer with explicit acknowledgement, each for its tenant. Safe for
// concurrent use, if it is not changed.
type Worker struct {
	// Tenants is asked whether a message's tenant is served. Required.
	Tenants *catalog.Catalog
	// Later is when a message is delivered again whose tenant is suspended or in maintenance, or which met a catalog that does
	// not answer. Default a minute. Such a delivery counts for the consumer's MaxDeliver.
	Later time.Duration
	// Central are subjects, without wildcards, whose messages belong to no tenant. Default none.
	Central jobs.Central
	// Report is called with each refusal and error, those of acknowledgements included. Default nothing.
	Report func(ctx context.Context, msg jetstream.Msg, err error)
}

// Handler returns the handler for jetstream.Consumer.Consume. next gets a context that acts for the message's tenant,
// whatever ctx acts for, and under tenancy.Central for central subjects. If it succeeds the message is acknowledged, if it
// fails delivered again as the consumer says. A message of no tenant, or of one that is gone, is terminated: it is not
// delivered again.
func (w Worker) Handler(ctx context.Context, next func(ctx context.Context, msg jetstream.Msg) error) jetstream.MessageHandler {
	if w.Later == 0 {
		w.Later = time.Minute
	}
	return func(msg jetstream.Msg) {
		if err := w.handle(ctx, msg, next); err != nil && w.Report != nil {
			w.Report(ctx, msg, err)
		}
	}
}

func (w Worker) handle(ctx context.Context, msg jetstream.Msg, next func(context.Context, jetstream.Msg) error) error {
	as, err := tenancy.Central(ctx), error(nil)
	if !w.Central.Has(msg.Subject()) {
		as, err = Extract(ctx, w.Tenants, msg.Headers())
	}
	switch {
	case err == nil:
	case jobs.Hopeless(err):
		return errors.Join(err, msg.Term())
	default:
		return errors.Join(err, msg.NakWithDelay(w.Later))
	}
	if err := next(as, msg); err != nil {
		return errors.Join(err, msg.Nak())
	}
	return msg.Ack()
}
