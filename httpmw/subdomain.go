package httpmw

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/internal/hostname"
)

// FromSubdomain reads the tenant from the host: thor.example.com is tenant thor of the base domain example.com. Case,
// port, one trailing dot and the IDNA form of the host do not matter.
//
//   - The base domain itself and IP addresses are [ErrCentral].
//   - A host that is not below a base domain, or more than one label below it, is [tenancy.ErrUnknownTenant].
//   - A label that cannot be a tenant ID is [tenancy.ErrInvalidID]. That includes reserved ones such as www: let the
//     proxy redirect www.example.com, or list it as one more base domain, which makes it central.
//
// Of several base domains the longest that fits counts. International names are given to the tenant in their ASCII
// form: bücher.example.com is tenant xn--bcher-kva.
//
// Trust: a browser sends the host of the address it opens, but a page of one tenant can make it open another one's, and
// other clients write what they like. A foreign name that an attacker's DNS points here (rebinding) is refused, as it is
// not below a base domain. So the host says which tenant is wanted, never that the user may act for it: a session or
// token must belong to the tenant, which [WithMembership] checks, and session cookies must be bound to the full host
// (prefix __Host-, no Domain attribute). A proxy in front must pass Host on unchanged; X-Forwarded-Host is never read.
//
// No base domain, or one that is no domain name, makes [New] fail. Safe for concurrent use.
func FromSubdomain(baseDomains ...string) Resolver {
	if len(baseDomains) == 0 {
		return brokenf("FromSubdomain needs a base domain")
	}
	bases, err := parseBases(baseDomains)
	if err != nil {
		return broken{err}
	}
	return subdomain{bases}
}

type subdomain struct{ bases bases }

func (s subdomain) Resolve(r *http.Request) (tenancy.ID, error) {
	h, err := hostname.Parse(r.Host)
	if err != nil {
		return "", err
	}
	return s.bases.tenant(h)
}

var (
	errForeignHost = fmt.Errorf("%w: the host is not below a base domain", tenancy.ErrUnknownTenant)
	errDeepHost    = fmt.Errorf("%w: the host is more than one label below the base domain", tenancy.ErrUnknownTenant)
)

// bases are the base domains in canonical form with a dot in front, the longest first.
type bases []string

func parseBases(domains []string) (bases, error) {
	parsed := make(bases, 0, len(domains))
	for _, domain := range domains {
		h, err := hostname.Parse(domain)
		if err != nil || h.IP || strings.Contains(domain, ":") {
			return nil, fmt.Errorf("httpmw: base domain %q: want a domain name without a port", domain)
		}
		parsed = append(parsed, "."+h.Name)
	}
	slices.SortFunc(parsed, func(a, b string) int { return len(b) - len(a) })
	return parsed, nil
}

// tenant returns the tenant of a host, or errForeignHost when the host has nothing to do with the base domains.
func (b bases) tenant(h hostname.Host) (tenancy.ID, error) {
	if h.IP {
		return "", ErrCentral
	}
	for _, base := range b {
		if h.Name == base[1:] {
			return "", ErrCentral
		}
		label, ok := strings.CutSuffix(h.Name, base)
		if !ok {
			continue
		}
		if strings.Contains(label, ".") {
			return "", errDeepHost
		}
		return tenancy.ParseID(label)
	}
	return "", errForeignHost
}
