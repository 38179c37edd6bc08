package catalog

import (
	"errors"
	"fmt"

	"github.com/gorm-tenancy/tenancy"
)

// The sentinels say what went wrong, next to those of package tenancy; test for them with errors.Is. No error of this
// package names a tenant other than by the text the caller passed in.
var (
	// ErrExists: a tenant has this id, or had it until it was purged.
	ErrExists = errors.New("catalog: the tenant id is taken")
	// ErrConflict: the record was changed since it was read, or the tenant was taken to another state meanwhile.
	ErrConflict = errors.New("catalog: the tenant was changed meanwhile")
	// ErrDomainTaken: another tenant, or the application itself, has the domain.
	ErrDomainTaken = errors.New("catalog: the domain is taken")
	// ErrInvalidDomain: the text is no domain name. A port, an IP address and a scheme are no part of one.
	ErrInvalidDomain = errors.New("catalog: invalid domain name")
	// ErrTransition: the tenant's state does not allow the step. See [TransitionError].
	ErrTransition = errors.New("catalog: the tenant's state does not allow this")
	// ErrGrace: the grace period of a deleted tenant has not ended. It is an ErrTransition, too.
	ErrGrace = fmt.Errorf("%w: its grace period has not ended", ErrTransition)
	// ErrVetoed: a hook refused the step before anything changed. The hook's error is wrapped beside it.
	ErrVetoed = errors.New("catalog: refused by a hook")
	// ErrPending: the step began and could not be finished; the cause is wrapped beside it. [Catalog.Repair] goes on.
	ErrPending = errors.New("catalog: the step is not finished")
	// ErrOccupied: the new tenant has rows already, so that nothing can be cloned into it.
	ErrOccupied = errors.New("catalog: the tenant has rows already")
	// ErrUnavailable: the store cannot be asked and the cache does not know. The cause is wrapped beside it.
	ErrUnavailable = errors.New("catalog: the tenant cannot be looked up")
)

// TransitionError says which step a state does not allow. It is an [ErrTransition], immutable, and safe for concurrent use.
type TransitionError struct {
	// Step is the step that was refused, or "update" or "forget".
	Step Step
	// From is the tenant's state.
	From State
}

// Error returns the text of [ErrTransition] with the step and the state.
func (e *TransitionError) Error() string {
	return fmt.Sprintf("%v: %s while %s", ErrTransition, e.Step, e.From)
}

// Unwrap returns [ErrTransition].
func (e *TransitionError) Unwrap() error { return ErrTransition }

// refused returns what the middleware of package httpmw expects for a tenant in the state.
func refused(s State) error {
	switch s {
	case Active:
		return nil
	case Suspended:
		return tenancy.ErrTenantSuspended
	case Maintenance, Renaming:
		return tenancy.ErrTenantMaintenance
	}
	return tenancy.ErrUnknownTenant
}
