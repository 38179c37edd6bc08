package catalog

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/internal/hostname"
)

// Tenant is one record of the catalog. It is a value: changing it changes nothing until it is saved. It is not safe for
// concurrent use; each caller gets a copy of its own.
type Tenant struct {
	// ID names the tenant in contexts, schemas and databases.
	ID tenancy.ID
	// Name is shown to people, at most [MaxName] bytes.
	Name string
	// Domains are the tenant's own domains, the primary one first. They are kept in the form that [ParseDomain] returns and
	// are unique over all tenants.
	Domains []string
	// Strategy and Place say where the tenant's rows live, for strategies that ask; the catalog only keeps them.
	Strategy, Place string
	// Version is that of the tenant's tables, for migrators; the catalog only keeps it.
	Version string
	// Metadata is kept as JSON: numbers come back as float64. At most [MaxMetadata] bytes.
	Metadata map[string]any

	// The rest is the lifecycle's, which is the only one to change it (see [Catalog.Update]).

	// State is where the tenant stands in its life; only [Active] ones are served.
	State State
	// Step is the step under way, empty when none is. A step that a crash left under way is finished by [Catalog.Repair].
	Step Step
	// Previous is the state before the step, or before the deletion.
	Previous State
	// Peer is the other tenant of a step under way: the source of a clone, or the other id of a renamed tenant.
	Peer tenancy.ID
	// DeleteAfter is the end of a deleted tenant's grace period; zero for all others.
	DeleteAfter time.Time

	// The store sets these. Times are UTC, in milliseconds.

	// Revision is the number of the store's last change that touched the record. Zero: it is in no store.
	Revision int64
	// CreatedAt and UpdatedAt are when the record was first and last saved.
	CreatedAt, UpdatedAt time.Time
}

// The limits of texts in a record, in bytes. They are those of the columns.
const (
	MaxName     = 255
	MaxText     = 255       // Strategy, Place, Version
	MaxMetadata = 60 * 1024 // as JSON
	MaxDomains  = 100
)

// Primary returns the primary domain, or "" if the tenant has none.
func (t Tenant) Primary() string {
	if len(t.Domains) == 0 {
		return ""
	}
	return t.Domains[0]
}

// Err returns nil if the tenant may be served, and otherwise what a directory of package httpmw returns:
// tenancy.ErrTenantSuspended, tenancy.ErrTenantMaintenance, or tenancy.ErrUnknownTenant for a tenant that is not made yet,
// or deleted.
func (t Tenant) Err() error { return refused(t.State) }

// ParseDomain returns the one form of a domain that all its spellings share: lower-case ASCII, international names as
// xn--, no trailing dot. It is the form in which package httpmw asks for domains. It fails with [ErrInvalidDomain].
// Safe for concurrent use.
func ParseDomain(s string) (string, error) {
	h, err := hostname.Parse(s)
	if err != nil || h.IP || strings.Contains(s, ":") {
		return "", ErrInvalidDomain
	}
	return h.Name, nil
}

// Normalize checks the record and brings its domains and times to the form that stores keep. Stores call it before they
// save. It fails with tenancy.ErrInvalidID, [ErrInvalidDomain], or [ErrDomainTaken] for a domain that is there twice.
func (t *Tenant) Normalize() error {
	if _, err := tenancy.ParseID(string(t.ID)); err != nil {
		return err
	}
	if err := t.State.validate(); err != nil {
		return err
	}
	if len(t.Name) > MaxName || len(t.Strategy) > MaxText || len(t.Place) > MaxText || len(t.Version) > MaxText {
		return fmt.Errorf("catalog: Name, Strategy, Place and Version have at most %d bytes", MaxText)
	}
	if len(t.Domains) > MaxDomains {
		return fmt.Errorf("catalog: a tenant has at most %d domains", MaxDomains)
	}
	domains := make([]string, 0, len(t.Domains))
	for _, d := range t.Domains {
		name, err := ParseDomain(d)
		if err != nil {
			return err
		}
		if slices.Contains(domains, name) {
			return fmt.Errorf("%w: by the same tenant", ErrDomainTaken)
		}
		domains = append(domains, name)
	}
	t.Domains = domains
	t.DeleteAfter = stamp(t.DeleteAfter)
	return nil
}

// stamp brings a time to what every database keeps.
func stamp(at time.Time) time.Time {
	if at.IsZero() {
		return time.Time{}
	}
	return at.UTC().Truncate(time.Millisecond)
}

// encode returns the metadata as JSON.
func encode(metadata map[string]any) (string, error) {
	if len(metadata) == 0 {
		return "", nil
	}
	b, err := json.Marshal(metadata)
	if err != nil {
		return "", fmt.Errorf("catalog: metadata: %w", err)
	}
	if len(b) > MaxMetadata {
		return "", fmt.Errorf("catalog: the metadata has more than %d bytes", MaxMetadata)
	}
	return string(b), nil
}

func decode(text string) (metadata map[string]any, err error) {
	if text == "" {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(text), &metadata); err != nil {
		return nil, fmt.Errorf("catalog: metadata: %w", err)
	}
	return metadata, nil
}

// copied returns a record that shares nothing with t.
func copied(t Tenant) (Tenant, error) {
	t.Domains = slices.Clone(t.Domains)
	text, err := encode(t.Metadata)
	if err != nil {
		return Tenant{}, err
	}
	t.Metadata, err = decode(text)
	return t, err
}
