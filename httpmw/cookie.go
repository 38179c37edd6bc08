package httpmw

import (
	"net/http"

	"github.com/gorm-tenancy/tenancy"
)

// FromCookie reads the tenant from a cookie, as sites do that let a user choose among tenants after login. A request
// without the cookie names no tenant; an empty value is [tenancy.ErrInvalidID]; two cookies of the name with different
// values are [tenancy.ErrTenantMismatch]. Responses carry Vary: Cookie.
//
// Trust: the user can write any cookie, and so can a page on a sibling subdomain, by setting one for the parent domain.
// Prefix the name with __Host-, which browsers refuse from siblings, and check the user with [WithMembership]. A cookie
// that is signed, or a session on the server, is a claim: use [FromClaim].
//
// A name that cannot be a cookie makes [New] fail. Safe for concurrent use.
func FromCookie(name string) Resolver {
	if !isToken(name) {
		return brokenf("FromCookie: %q is no cookie name", name)
	}
	return cookie{name}
}

type cookie struct{ name string }

func (c cookie) Resolve(r *http.Request) (tenancy.ID, error) {
	cookies := r.CookiesNamed(c.name)
	values := make([]string, len(cookies))
	for i, found := range cookies {
		values[i] = found.Value
	}
	return one(values)
}

func (c cookie) Vary() []string { return []string{"Cookie"} }
