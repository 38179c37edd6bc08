package tenancy

import (
	"context"
	"fmt"
)

// access is what a context may reach. A context without one may reach nothing.
type access struct {
	mode   mode
	id     ID
	bind   any    // id boxed once, so that binding it costs a statement no allocation
	reason string // of a bypass
	err    error  // why a context that was meant to name a tenant does not

	several []*access // of modeSeveral

	central bool    // of a Bypass that changes central tables
	origin  *access // of a statement on central tables: what its context was before (see Plugin.place)
}

type mode uint8

const (
	modeNone mode = iota
	modeTenant
	modeCentral
	modeBypass
	modeSeveral  // some tenants under Bypass (see ForTenants)
	modeInternal // a question of the plugin's own
)

type contextKey struct{}

var nothing = &access{}

func accessOf(ctx context.Context) *access {
	if ctx == nil {
		return nothing
	}
	if a, ok := ctx.Value(contextKey{}).(*access); ok {
		return a
	}
	return nothing
}

// WithTenant returns a context that acts for one tenant. It replaces whatever the parent allowed: another tenant,
// [Central] or [Bypass]. An ID that [ParseID] would not accept gives a context that acts for nobody: [Require] and
// every statement report [ErrNoTenant] together with [ErrInvalidID]. Whether the tenant exists is not checked here.
// Safe for concurrent use.
func WithTenant(ctx context.Context, id ID) context.Context {
	a := &access{mode: modeTenant, id: id, bind: string(id)}
	if _, err := ParseID(string(id)); err != nil {
		a = &access{err: err}
	}
	return context.WithValue(ctx, contextKey{}, a)
}

// FromContext returns the tenant the context acts for. ok is false when it names none, also under [Central] and
// [Bypass]: the absence of a tenant is never permission. Safe for concurrent use.
func FromContext(ctx context.Context) (id ID, ok bool) {
	a := accessOf(ctx)
	return a.id, a.mode == modeTenant
}

// Require returns the tenant the context acts for, or [ErrNoTenant]. Safe for concurrent use.
func Require(ctx context.Context) (ID, error) {
	a := accessOf(ctx)
	if a.mode == modeTenant {
		return a.id, nil
	}
	return "", a.noTenant()
}

// Reach is what a context may reach. Strategies and connection walls ask [ReachOf]; applications need not.
type Reach uint8

const (
	// ReachTenant is one tenant, and the central tables.
	ReachTenant Reach = iota + 1
	// ReachCentral is the central tables only (see [Central]).
	ReachCentral
	// ReachAll is everything (see [Bypass]).
	ReachAll
)

// ReachOf returns what a context may reach, and the tenant where it is [ReachTenant]. The context of a statement on central
// tables that stand apart (see [Isolation]) reaches those only, also inside a tenant. A context that may reach nothing is
// [ErrNoTenant]. Safe for concurrent use.
func ReachOf(ctx context.Context) (Reach, ID, error) {
	switch a := accessOf(ctx); {
	case a.origin != nil, a.central:
		return ReachCentral, "", nil
	case a.mode == modeTenant, a.mode == modeInternal && a.id != "":
		return ReachTenant, a.id, nil
	case a.mode == modeCentral:
		return ReachCentral, "", nil
	case a.mode == modeBypass, a.mode == modeSeveral, a.mode == modeInternal:
		return ReachAll, "", nil
	default:
		return 0, "", a.noTenant()
	}
}

// Central returns a context that acts for no tenant: statements on central tables work, statements on owned tables
// are [ErrNoTenant]. Use it for sign-up, billing and other code that stands outside the tenants.
// Safe for concurrent use.
func Central(ctx context.Context) context.Context {
	return context.WithValue(ctx, contextKey{}, &access{mode: modeCentral})
}

// Bypass returns a context that sees the rows of all tenants and may run any statement, DDL included. reason says why
// and is reported, with the statement's operation and table, to the plugin's OnBypass hook and logger each time a
// statement uses it. Without a reason there is no bypass: the context acts for nobody. Rows written under Bypass must
// name their tenant themselves. Safe for concurrent use.
func Bypass(ctx context.Context, reason string) context.Context {
	a := &access{mode: modeBypass, reason: reason}
	if reason == "" {
		a = &access{err: errBypassReason}
	}
	return context.WithValue(ctx, contextKey{}, a)
}

// BypassReason returns the reason of a [Bypass] context, for logs and traces. ok is false for every other context.
// Safe for concurrent use.
func BypassReason(ctx context.Context) (reason string, ok bool) {
	a := accessOf(ctx)
	return a.reason, a.mode == modeBypass
}

var errBypassReason = fmt.Errorf("tenancy: Bypass needs a reason")

func (a *access) noTenant() error {
	if a.err != nil {
		return fmt.Errorf("%w: %w", ErrNoTenant, a.err)
	}
	return ErrNoTenant
}
