package tenancy

import (
	"errors"
	"fmt"
	"strings"
)

// The sentinels say what went wrong; test for them with errors.Is. No error of this package holds a DSN, a bind
// value or the name of another tenant.
var (
	// ErrInvalidID: the text cannot be a tenant ID.
	ErrInvalidID = errors.New("tenancy: invalid tenant id")
	// ErrNoTenant: the context names no tenant and the statement needs one.
	ErrNoTenant = errors.New("tenancy: no tenant in the context")
	// ErrUnknownTenant: no such tenant exists, or its ID cannot be a value of the tenant column.
	ErrUnknownTenant = errors.New("tenancy: unknown tenant")
	// ErrTenantSuspended: the tenant exists and may not be served now.
	ErrTenantSuspended = errors.New("tenancy: tenant is suspended")
	// ErrTenantMaintenance: the tenant exists and is not served for a while.
	ErrTenantMaintenance = errors.New("tenancy: the tenant is in maintenance")
	// ErrTenantMismatch: a row, a reference or a bound value belongs to another tenant than the context names.
	ErrTenantMismatch = errors.New("tenancy: another tenant's row")
	// ErrUnconfined: the statement cannot be held inside the tenant. The message names the way out.
	ErrUnconfined = errors.New("tenancy: statement cannot be confined to the tenant")
	// ErrUnsupported: the database cannot do what the strategy needs. The message names another strategy.
	ErrUnsupported = errors.New("tenancy: not supported by this database")
	// ErrUndeclared: the model or table is neither owned by tenants nor declared central.
	ErrUndeclared = errors.New("tenancy: undeclared model")
)

// StatementError says which statement was refused. It wraps the sentinel, so errors.Is works through it.
// It is immutable and safe for concurrent use.
type StatementError struct {
	// Op is the kind of statement: "query", "create", "update", "delete" or "raw".
	Op string
	// Table is the table the statement works on; empty for raw SQL and unknown tables.
	Table string
	// Err is the reason.
	Err error
}

// Error returns the reason with the operation and the table.
func (e *StatementError) Error() string {
	var b strings.Builder
	b.WriteString(e.Err.Error())
	b.WriteString(" (")
	b.WriteString(e.Op)
	if e.Table != "" {
		fmt.Fprintf(&b, " %q", e.Table)
	}
	b.WriteByte(')')
	return b.String()
}

// Unwrap returns the reason.
func (e *StatementError) Unwrap() error { return e.Err }
