package httpmw

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/gorm-tenancy/tenancy"
)

// Option configures a [Middleware]. An option that cannot be followed makes [New] fail.
type Option func(*Middleware) error

// AllowCentral lets requests for the central site go on, with [tenancy.Central] in their context: sign-up, billing, the
// landing page. Without it they are answered with 404. Default: off.
func AllowCentral() Option {
	return func(m *Middleware) error {
		m.allowCentral = true
		return nil
	}
}

// Membership says whether the user of a request may act for a tenant. It returns nil for yes and [ErrNotMember], or any
// other error, for no. The middleware calls it from many goroutines at once, for every tenant that exists, also a
// suspended one, so that strangers do not see the state. ctx is the request's context and acts for the tenant.
//
// A no is answered with 403, which a stranger can tell from the 404 of a name that does not exist. Where even that must
// stay hidden, return [tenancy.ErrUnknownTenant]: the answer is the same 404, byte for byte; its timing is not made
// equal. An error that wraps [ErrUnavailable] is answered with 503 and logged.
type Membership func(ctx context.Context, r *http.Request, id tenancy.ID) error

// WithMembership checks each request's user. Authentication must have run before: the hook reads the user from the
// request's context. Default: no check here; then handlers must not trust a user of one tenant on another.
func WithMembership(check Membership) Option {
	return func(m *Middleware) error {
		if check == nil {
			return errors.New("httpmw: WithMembership: the function is nil")
		}
		m.membership = check
		return nil
	}
}

// ErrorHandler writes the answer to a request that was not admitted. Cache-Control, Vary and Retry-After are already
// set. It is called from many goroutines at once and must not show refusal.Err to the client.
type ErrorHandler func(w http.ResponseWriter, r *http.Request, refusal *Refusal)

// WithErrorHandler replaces the problem documents, for example by HTML pages. A handler may fall back on
// [WriteProblem]. Default: [WriteProblem].
func WithErrorHandler(handler ErrorHandler) Option {
	return func(m *Middleware) error {
		if handler == nil {
			return errors.New("httpmw: WithErrorHandler: the function is nil")
		}
		m.errorHandler = handler
		return nil
	}
}

// WithLogger says where the causes of 503 go. Nothing else is logged: the rest is the client's doing and would let it
// fill the log. Default: slog.Default() at the time of the request.
func WithLogger(logger *slog.Logger) Option {
	return func(m *Middleware) error {
		if logger == nil {
			return errors.New("httpmw: WithLogger: the logger is nil")
		}
		m.logger = logger
		return nil
	}
}
