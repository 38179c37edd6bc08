package httpmw

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/gorm-tenancy/tenancy"
)

// Middleware admits requests to their tenants. [New] makes it; the zero value is of no use. It is safe for concurrent
// use and may wrap any number of handlers.
type Middleware struct {
	resolver     Resolver
	directory    Directory
	vary         []string
	allowCentral bool
	membership   Membership // nil: not checked here
	errorHandler ErrorHandler
	logger       *slog.Logger // nil: slog.Default()
}

// New returns a middleware that finds the tenant with resolver and lets it pass if directory says so. It fails if
// either is nil or made with a wrong configuration (no base domain, a header name with a space, …) or an option cannot
// be followed, so check the error at start-up.
func New(resolver Resolver, directory Directory, options ...Option) (*Middleware, error) {
	if err := mistakeIn(resolver); err != nil {
		return nil, fmt.Errorf("httpmw: resolver: %w", err)
	}
	if err := mistakeIn(directory); err != nil {
		return nil, fmt.Errorf("httpmw: directory: %w", err)
	}
	m := &Middleware{resolver: resolver, directory: directory, vary: varyOf(resolver), errorHandler: WriteProblem}
	for _, option := range options {
		if err := option(m); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// Handler returns a handler that admits requests to next, with their tenant in the context, and answers the others
// itself. Its signature is what routers take as middleware. Safe for concurrent use.
func (m *Middleware) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if admitted, ok := m.Admit(w, r); ok {
			next.ServeHTTP(w, admitted)
		}
	})
}

// Admit is for adapters to frameworks that have their own kind of handler; others use Handler. It returns the request
// with its tenant in the context. If ok is false it has written the answer, and the request must go no further. Safe
// for concurrent use.
func (m *Middleware) Admit(w http.ResponseWriter, r *http.Request) (admitted *http.Request, ok bool) {
	for _, name := range m.vary {
		w.Header().Add("Vary", name)
	}
	ctx, err := m.admit(r)
	if err == nil {
		return r.WithContext(ctx), true
	}
	refusal := refusalFor(err)
	m.log(r.Context(), refusal)
	refusal.setHeaders(w.Header())
	m.errorHandler(w, r, refusal)
	return nil, false
}

// admit returns the context in which the request may go on, or why it may not.
func (m *Middleware) admit(r *http.Request) (context.Context, error) {
	outer, nested := tenancy.FromContext(r.Context())
	id, err := m.resolve(r)
	if errors.Is(err, ErrCentral) && m.allowCentral && !nested {
		return tenancy.Central(r.Context()), nil
	}
	if err != nil {
		return nil, err
	}
	// A middleware inside another one is one more source, and sources must agree.
	if nested && outer != id {
		return nil, errDisagree
	}
	ctx := tenancy.WithTenant(r.Context(), id)
	state := m.lookup(r.Context(), id)
	if errors.Is(state, tenancy.ErrUnknownTenant) || errors.Is(state, ErrUnavailable) {
		return nil, state
	}
	// Strangers are turned away before they learn the state.
	if err := m.checkMember(ctx, r, id); err != nil {
		return nil, err
	}
	return ctx, state
}

// resolve trusts no resolver to have validated the name.
func (m *Middleware) resolve(r *http.Request) (tenancy.ID, error) {
	id, err := m.resolver.Resolve(r)
	if err != nil {
		return "", err
	}
	return tenancy.ParseID(string(id))
}

// lookup returns the directory's answer. An error that is no answer means that it is down, whatever it wraps.
func (m *Middleware) lookup(ctx context.Context, id tenancy.ID) error {
	err := m.directory.Lookup(tenancy.Central(ctx), id)
	switch {
	case err == nil,
		errors.Is(err, tenancy.ErrUnknownTenant),
		errors.Is(err, tenancy.ErrTenantSuspended),
		errors.Is(err, ErrMaintenance):
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// checkMember returns the hook's answer. Any error it does not classify is a no.
func (m *Middleware) checkMember(ctx context.Context, r *http.Request, id tenancy.ID) error {
	if m.membership == nil {
		return nil
	}
	err := m.membership(ctx, r, id)
	switch {
	case err == nil, errors.Is(err, tenancy.ErrUnknownTenant), errors.Is(err, ErrUnavailable):
		return err
	}
	return fmt.Errorf("%w: %w", ErrNotMember, err)
}

// log reports what only the operator can mend. A client that has left explains the error by itself.
func (m *Middleware) log(ctx context.Context, refusal *Refusal) {
	if refusal.Status != http.StatusServiceUnavailable || errors.Is(refusal.Err, ErrMaintenance) || ctx.Err() != nil {
		return
	}
	logger := m.logger
	if logger == nil {
		logger = slog.Default()
	}
	logger.ErrorContext(ctx, "tenant lookup failed", "error", refusal.Err)
}
