package httpmw

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/internal/hostname"
)

// Domains knows which tenant owns a custom domain such as polls.thor.org. [FromDomain] asks it once a request, from
// many goroutines at once, so put a cache in front of a table.
type Domains interface {
	// TenantOf returns the tenant of a domain. The domain comes from the client; it is lower-case ASCII (international
	// names as xn--), without port and trailing dot. ctx acts for the central site ([tenancy.Central]).
	//
	// It returns [tenancy.ErrUnknownTenant] for a domain it does not know and [ErrCentral] for one of the application's
	// own. Any other error means that it cannot say now, and is answered with 503.
	TenantOf(ctx context.Context, domain string) (tenancy.ID, error)
}

// DomainsFunc makes a function a [Domains]. It is as safe for concurrent use as the function.
type DomainsFunc func(ctx context.Context, domain string) (tenancy.ID, error)

// TenantOf calls f.
func (f DomainsFunc) TenantOf(ctx context.Context, domain string) (tenancy.ID, error) {
	return f(ctx, domain)
}

// DomainMap returns a fixed [Domains] for tests and small sites. Keys may be written in any case and in Unicode. A key
// that is no domain name, a key given twice or a malformed ID makes [New] fail. The map is copied; the result is safe
// for concurrent use.
func DomainMap(tenants map[string]tenancy.ID) Domains {
	table := make(domainMap, len(tenants))
	for domain, id := range tenants {
		canonical, err := hostname.Domain(domain)
		if err != nil {
			return brokenf("DomainMap: %q: want a domain name without a port", domain)
		}
		if _, err := tenancy.ParseID(string(id)); err != nil {
			return brokenf("DomainMap: tenant of %q: %w", domain, err)
		}
		if _, taken := table[canonical]; taken {
			return brokenf("DomainMap: %q is there twice", domain)
		}
		table[canonical] = id
	}
	return table
}

type domainMap map[string]tenancy.ID

func (m domainMap) TenantOf(_ context.Context, domain string) (tenancy.ID, error) {
	if id, ok := m[domain]; ok {
		return id, nil
	}
	return "", tenancy.ErrUnknownTenant
}

// FromDomain reads the tenant from the host when tenants bring domains of their own: polls.thor.org. Hosts at and below
// baseDomains, if there are any, are read as by [FromSubdomain] and never asked of domains, so that no tenant can
// register another one's subdomain as its own domain. IP addresses are [ErrCentral]; a domain that domains does not
// know is [tenancy.ErrUnknownTenant].
//
// Trust: as for [FromSubdomain]. In addition, let a tenant register a domain only after it has shown that it owns it
// (a DNS record with a secret), and remove it when the proof is gone: whoever takes over a lapsed domain takes over its
// visitors.
//
// Nil domains or a base domain that is no domain name makes [New] fail. As safe for concurrent use as domains.
func FromDomain(domains Domains, baseDomains ...string) Resolver {
	if err := mistakeIn(domains); err != nil {
		return brokenf("FromDomain: domains: %w", err)
	}
	bases, err := parseBases(baseDomains)
	if err != nil {
		return broken{err}
	}
	return customDomain{domains, bases}
}

type customDomain struct {
	domains Domains
	bases   bases
}

func (c customDomain) Resolve(r *http.Request) (tenancy.ID, error) {
	h, err := hostname.Parse(r.Host)
	if err != nil {
		return "", err
	}
	id, err := c.bases.tenant(h)
	if !errors.Is(err, errForeignHost) {
		return id, err
	}
	return c.ask(r.Context(), h.Name)
}

func (c customDomain) ask(ctx context.Context, domain string) (tenancy.ID, error) {
	id, err := c.domains.TenantOf(tenancy.Central(ctx), domain)
	if errors.Is(err, tenancy.ErrUnknownTenant) || errors.Is(err, ErrCentral) {
		return "", err
	}
	if err == nil {
		// A bad ID is a mistake in the table, not in the request.
		_, err = tenancy.ParseID(string(id))
	}
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return id, nil
}
