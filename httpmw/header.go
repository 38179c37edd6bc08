package httpmw

import (
	"net/http"

	"github.com/gorm-tenancy/tenancy"
)

// FromHeader reads the tenant from a request header such as X-Tenant. A request without the header names no tenant. An
// empty value, or a list made by joining two ("thor, potter"), is [tenancy.ErrInvalidID]; two headers with different
// values are [tenancy.ErrTenantMismatch]. Responses carry the header's name in Vary.
//
// Trust: every client can send every header. Use it only behind a proxy that removes the header from what clients send
// and sets it itself, where the application cannot be reached except through that proxy; or for API clients together
// with [WithMembership].
//
// A name that cannot be a header makes [New] fail, and so do Host, X-Forwarded-Host and Forwarded: they hold hosts, see
// [FromSubdomain]. Safe for concurrent use.
func FromHeader(name string) Resolver {
	key := http.CanonicalHeaderKey(name)
	if !isToken(name) {
		return brokenf("FromHeader: %q is no header name", name)
	}
	switch key {
	case "Host", "X-Forwarded-Host", "Forwarded":
		return brokenf("FromHeader: %s holds a host, not a tenant", key)
	}
	return header{key}
}

type header struct{ key string }

func (h header) Resolve(r *http.Request) (tenancy.ID, error) { return one(r.Header[h.key]) }

func (h header) Vary() []string { return []string{h.key} }
