package natsjobs_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
	"github.com/gorm-tenancy/tenancy/integrations/jobs/internal/polls"
	"github.com/gorm-tenancy/tenancy/integrations/jobs/natsjobs"
	"github.com/gorm-tenancy/tenancy/internal/servers"
)

type place struct {
	*polls.Place
	conn     *nats.Conn
	js       jetstream.JetStream
	consumer jetstream.Consumer
	refused  chan error
	done     chan error // what the handler said
}

// newPlace runs a worker whose own context acts for c: no message may inherit that.
func newPlace(t *testing.T) *place {
	t.Helper()
	file := filepath.Join(t.TempDir(), "polls.db") + "?_busy_timeout=10000"
	p := &place{
		Place:   polls.New(t, func() gorm.Dialector { return sqlite.Open(file) }),
		refused: make(chan error, 100), done: make(chan error, 100),
	}
	var err error
	p.conn, err = nats.Connect(servers.NATS(t))
	polls.Must(t, err)
	t.Cleanup(p.conn.Close)
	p.js, err = jetstream.New(p.conn)
	polls.Must(t, err)
	stream, err := p.js.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: "jobs", Subjects: []string{"jobs.>"}, Storage: jetstream.MemoryStorage, Duplicates: time.Hour,
	})
	polls.Must(t, err)
	p.consumer, err = stream.CreateConsumer(t.Context(), jetstream.ConsumerConfig{Durable: "worker", AckPolicy: jetstream.AckExplicitPolicy})
	polls.Must(t, err)
	worker := natsjobs.Worker{
		Tenants: p.Tenants, Later: 10 * time.Millisecond, Central: []string{"jobs.every-night"},
		Report: func(_ context.Context, _ jetstream.Msg, err error) {
			select {
			case p.refused <- err:
			default: // a suspended message comes back and back
			}
		},
	}
	consume, err := p.consumer.Consume(worker.Handler(polls.As("c"), p.work))
	polls.Must(t, err)
	t.Cleanup(consume.Stop)
	return p
}

func (p *place) work(ctx context.Context, msg jetstream.Msg) error {
	err := p.Vote(ctx, msg.Data())
	if msg.Subject() == "jobs.every-night" && errors.Is(err, tenancy.ErrNoTenant) {
		err = catalog.Each(ctx, p.Store, catalog.EachOptions{}, func(ctx context.Context, _ catalog.Tenant) error {
			return p.publish(ctx, vote(polls.Vote{Poll: 2}, nil))
		})
	}
	p.done <- err
	return err
}

func (p *place) publish(ctx context.Context, msg *nats.Msg) error {
	named, err := natsjobs.Inject(ctx, msg)
	if err != nil {
		return err
	}
	_, err = p.js.PublishMsg(ctx, named)
	return err
}

func vote(v polls.Vote, header nats.Header) *nats.Msg {
	return &nats.Msg{Subject: "jobs.vote", Data: v.JSON(), Header: header}
}

// idle waits until the consumer has nothing to do.
func (p *place) idle(t *testing.T) {
	t.Helper()
	polls.Eventually(t, "nothing is pending", func() bool {
		info, err := p.consumer.Info(t.Context())
		polls.Must(t, err)
		return info.NumPending == 0 && info.NumAckPending == 0
	})
}

func TestTenants(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	polls.Must(t, p.publish(polls.As("a"), vote(polls.Vote{Poll: 1}, nil)))
	polls.Must(t, <-p.done)
	p.WantVotes(t, "a 1 0, b 0 0, c 0 0")
	polls.Must(t, p.publish(polls.As("a"), vote(polls.Vote{Tenant: "b", Poll: 2}, nil)))
	polls.Must(t, <-p.done)
	p.WantVotes(t, "a 1 1, b 0 0, c 0 0")
	polls.Must(t, p.publish(polls.As("b"), vote(polls.Vote{Poll: 2}, nil)))
	polls.Must(t, <-p.done)
	p.WantVotes(t, "a 1 1, b 0 1, c 0 0")
	p.idle(t)
}

// TestSameID has two tenants publish the same ID twice: JetStream would drop b's message as a's.
func TestSameID(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	msg := vote(polls.Vote{Poll: 1}, nats.Header{jetstream.MsgIDHeader: {"once"}})
	for _, id := range []tenancy.ID{"a", "b", "a", "b"} {
		polls.Must(t, p.publish(polls.As(id), msg))
	}
	polls.Must(t, errors.Join(<-p.done, <-p.done))
	p.idle(t)
	p.WantVotes(t, "a 1 0, b 1 0, c 0 0")
	if got := msg.Header; len(got) != 1 || got.Get(jetstream.MsgIDHeader) != "once" {
		t.Errorf("the caller's header is %v", got)
	}
}

func TestInjectRefuses(t *testing.T) {
	t.Parallel()
	for what, ctx := range map[string]context.Context{
		"nothing": t.Context(), "central": tenancy.Central(polls.As("a")), "bypass": tenancy.Bypass(polls.As("a"), "test"),
	} {
		if msg, err := natsjobs.Inject(ctx, vote(polls.Vote{Poll: 1}, nil)); msg != nil || !errors.Is(err, tenancy.ErrNoTenant) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := natsjobs.Inject(polls.As("a"), vote(polls.Vote{}, nats.Header{catalog.CarrierKey: {"b"}})); !errors.Is(err, tenancy.ErrTenantMismatch) {
		t.Errorf("a header of another tenant: %v", err)
	}
	msg, err := natsjobs.Inject(polls.As("a"), vote(polls.Vote{}, nats.Header{catalog.CarrierKey: {"b", "c"}, "Trace": {"x"}}))
	polls.Must(t, err)
	if got := msg.Header.Values(catalog.CarrierKey); len(got) != 1 || got[0] != "a" || msg.Header.Get("Trace") != "x" {
		t.Errorf("header %v", msg.Header)
	}
}

// TestWorkerRefuses publishes past Inject. The worker's own context acts for c.
func TestWorkerRefuses(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for what, tc := range map[string]struct {
		header nats.Header
		want   error
	}{
		"none":        {nil, tenancy.ErrNoTenant},
		"empty":       {nats.Header{catalog.CarrierKey: {""}}, tenancy.ErrNoTenant},
		"two":         {nats.Header{catalog.CarrierKey: {"a", "b"}}, tenancy.ErrNoTenant},
		"malformed":   {nats.Header{catalog.CarrierKey: {"A,b"}}, tenancy.ErrInvalidID},
		"reserved":    {nats.Header{catalog.CarrierKey: {"central"}}, tenancy.ErrInvalidID},
		"another key": {nats.Header{"tenancy-tenant": {"a"}}, tenancy.ErrNoTenant},
		"unknown":     {nats.Header{catalog.CarrierKey: {"nobody"}}, tenancy.ErrUnknownTenant},
	} {
		_, err := p.js.PublishMsg(t.Context(), vote(polls.Vote{Tenant: "a", Poll: 1}, tc.header))
		polls.Must(t, err)
		if err := <-p.refused; !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", what, err)
		}
		p.idle(t)
	}
	p.WantVotes(t, "a 0 0, b 0 0, c 0 0")
	info, err := p.consumer.Info(t.Context())
	polls.Must(t, err)
	if info.NumRedelivered != 0 {
		t.Errorf("%d were delivered again", info.NumRedelivered)
	}
	_, err = p.js.PublishMsg(t.Context(), vote(polls.Vote{Poll: 1}, nats.Header{catalog.CarrierKey: {"a"}})) // control
	polls.Must(t, err)
	polls.Must(t, <-p.done)
	p.WantVotes(t, "a 1 0, b 0 0, c 0 0")
}

// TestSuspended has a message wait for its tenant.
func TestSuspended(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for _, tc := range []struct {
		stop func(context.Context, tenancy.ID) (catalog.Tenant, error)
		want error
	}{{p.Tenants.Suspend, tenancy.ErrTenantSuspended}, {p.Tenants.Maintain, tenancy.ErrTenantMaintenance}} {
		_, err := tc.stop(t.Context(), "b")
		polls.Must(t, err)
		for len(p.refused) > 0 {
			<-p.refused
		}
		polls.Must(t, p.publish(polls.As("b"), vote(polls.Vote{Poll: 1}, nil)))
		for range 3 { // it is delivered again and again
			if err := <-p.refused; !errors.Is(err, tc.want) {
				t.Error(err)
			}
		}
		polls.Must(t, p.publish(polls.As("a"), vote(polls.Vote{Poll: 1}, nil))) // control
		polls.Must(t, <-p.done)
		_, err = p.Tenants.Resume(t.Context(), "b")
		polls.Must(t, err)
		polls.Must(t, <-p.done)
		p.idle(t)
	}
	p.WantVotes(t, "a 2 0, b 2 0, c 0 0")
}

// TestEveryNight has a message of no tenant, as a timer publishes it, that publishes one for each tenant.
func TestEveryNight(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	_, err := p.js.Publish(t.Context(), "jobs.every-night", polls.Vote{Poll: 2}.JSON())
	polls.Must(t, err)
	polls.Must(t, errors.Join(<-p.done, <-p.done, <-p.done, <-p.done))
	p.idle(t)
	p.WantVotes(t, "a 0 1, b 0 1, c 0 1")
}

// TestRequest asks a service that answers without JetStream.
func TestRequest(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	_, err := p.conn.Subscribe("vote", func(msg *nats.Msg) {
		ctx, err := natsjobs.Extract(polls.As("c"), p.Tenants, msg.Header)
		if err == nil {
			err = p.Vote(ctx, msg.Data)
		}
		p.done <- errors.Join(err, msg.Respond(nil))
	})
	polls.Must(t, err)
	named, err := natsjobs.Inject(polls.As("a"), &nats.Msg{Subject: "vote", Data: polls.Vote{Tenant: "b", Poll: 1}.JSON()})
	polls.Must(t, err)
	for _, tc := range []struct {
		msg  *nats.Msg
		want error
	}{{named, nil}, {&nats.Msg{Subject: "vote", Data: named.Data}, tenancy.ErrNoTenant}} {
		_, err := p.conn.RequestMsgWithContext(t.Context(), tc.msg)
		polls.Must(t, err)
		if err := <-p.done; !errors.Is(err, tc.want) {
			t.Errorf("%v, want %v", err, tc.want)
		}
	}
	p.WantVotes(t, "a 1 0, b 0 0, c 0 0")
}
