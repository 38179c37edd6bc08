package httpmw

import (
	"fmt"
	"net/http"
	"net/url"

	"github.com/gorm-tenancy/tenancy"
)

// FromQuery reads the tenant from a parameter of the URL's query: ?tenant=thor. Form bodies are not read. A request
// without the parameter names no tenant; an empty value is [tenancy.ErrInvalidID], and so is a query that does not
// parse, because the next reader might find another tenant in it. Two parameters with different values are
// [tenancy.ErrTenantMismatch].
//
// Trust: none. Anyone can put a link with another tenant on any page, and browsers follow it with the user's cookies;
// the name also ends in access logs and Referer headers. Use it for downloads and webhooks whose URL is signed as a
// whole, or with [WithMembership].
//
// An empty name makes [New] fail. Safe for concurrent use.
func FromQuery(name string) Resolver {
	if name == "" {
		return brokenf("FromQuery needs the name of a parameter")
	}
	return query{name}
}

type query struct{ name string }

func (q query) Resolve(r *http.Request) (tenancy.ID, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return "", errMalformedQuery
	}
	return one(values[q.name])
}

var errMalformedQuery = fmt.Errorf("%w: the query does not parse", tenancy.ErrInvalidID)
