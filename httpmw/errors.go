package httpmw

import (
	"errors"
	"time"

	"github.com/gorm-tenancy/tenancy"
)

// The sentinels say why a request was not admitted, next to those of package tenancy: ErrInvalidID,
// ErrTenantMismatch, ErrUnknownTenant and ErrTenantSuspended. Test for them with errors.Is.
var (
	// ErrNotNamed: the source, or every source of a chain, names no tenant.
	ErrNotNamed = errors.New("httpmw: the request names no tenant")
	// ErrCentral: the source names the central site, which stands outside the tenants.
	ErrCentral = errors.New("httpmw: the request is for the central site")
	// ErrNotMember: the user may not act for the tenant.
	ErrNotMember = errors.New("httpmw: the user is not a member of the tenant")
	// ErrMaintenance is [tenancy.ErrTenantMaintenance]: the tenant exists and is not served for a while. See
	// [MaintenanceError] to say how long.
	ErrMaintenance = tenancy.ErrTenantMaintenance
	// ErrUnavailable: whoever was asked for the tenant could not answer. The cause is wrapped beside it.
	ErrUnavailable = errors.New("httpmw: the tenant cannot be looked up")
)

// MaintenanceError is an [ErrMaintenance] that says when to come back. It is immutable and safe for concurrent use.
type MaintenanceError struct {
	// RetryAfter becomes the Retry-After header, rounded up to seconds. Zero or less: no header.
	RetryAfter time.Duration
}

// Error returns the text of [ErrMaintenance].
func (e *MaintenanceError) Error() string { return ErrMaintenance.Error() }

// Unwrap returns [ErrMaintenance].
func (e *MaintenanceError) Unwrap() error { return ErrMaintenance }
