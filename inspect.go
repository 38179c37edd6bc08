package tenancy

import (
	"context"
	"iter"

	"gorm.io/gorm"
)

// Defect is one thing in a database that breaks isolation: what [Verifier] and [Inspector] report, joined when there are
// several. It is an error that wraps a sentinel. It is immutable and safe for concurrent use.
type Defect struct {
	// Code names the kind of defect, for programs. It does not change between versions.
	Code string
	// Table, Role and Tenant say what is meant; each is empty where it does not apply.
	Table, Role string
	// Tenant is the tenant in whose place the defect is.
	Tenant ID
	// Message says what is wrong.
	Message string
	// Mend says how to mend it: a call, or SQL.
	Mend string
	// Err is the sentinel: [ErrUnconfined] or [ErrUnsupported].
	Err error
}

// Error returns the sentinel's text, what is wrong, and how to mend it.
func (d *Defect) Error() string { return d.Err.Error() + ": " + d.Message + "; " + d.Mend }

// Unwrap returns the sentinel.
func (d *Defect) Unwrap() error { return d.Err }

// Inspector is an optional power of a [Strategy]: checks that are too slow for db.Use, or find what concerns some tenants
// only. Package doctor asks it, after [Verifier].
type Inspector interface {
	// Inspect returns each [Defect], joined, or why it could not look. It changes nothing.
	Inspect(ctx context.Context, db *gorm.DB, p *Plugin) error
}

// Place is where the rows of one tenant are, as found in the database.
type Place struct {
	// Name is that of the schema, database or file.
	Name string
	// Tenant is whose it is by its name; empty where no tenant can have that name.
	Tenant ID
	// Foreign reports that it has a tenant's name and was not made by Provision for that tenant.
	Foreign bool
	// Member is which of several strategies has it; empty where there is but one.
	Member string
	// Left reports that its tenant is served by another member now, and has moved away from here.
	Left bool
}

// Surveyor is an optional power of a [Provisioner]: it lists what Provision has made. Package doctor compares it with the
// catalog. It is called after db.Use, from any goroutine.
type Surveyor interface {
	// Places lists all places, and what stands in their way by its name, in any order. After an error it ends.
	Places(ctx context.Context) iter.Seq2[Place, error]
	// PlaceOf returns the name of the place that a tenant has or would have. It fails with [ErrInvalidID] where the id
	// cannot name one, and with [ErrUnsupported] where the tenant has none of its own.
	PlaceOf(id ID) (string, error)
}
