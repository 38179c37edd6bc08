package httpmw

import (
	"fmt"
	"net/http"

	"github.com/gorm-tenancy/tenancy"
)

// Resolver reads the name of the tenant from a request. The middleware calls it once a request, from many goroutines
// at once, before it knows anything about the tenant. It returns one of
//
//   - an ID: this tenant is named; whether it exists is the [Directory]'s business
//   - [ErrNotNamed]: this source names no tenant; another source of a [Chain] may
//   - [ErrCentral]: this source names the central site
//   - [tenancy.ErrInvalidID]: there is a name and it is malformed; use [tenancy.ParseID]
//   - [tenancy.ErrTenantMismatch]: the source names more than one tenant
//   - [tenancy.ErrUnknownTenant]: this cannot be any of our tenants
//   - any other error: the source cannot say now; it is logged and answered with 503
//
// A Resolver must not change the request and must not read its body. One whose source is a header also has a method
// Vary, see [Varier].
type Resolver interface {
	Resolve(r *http.Request) (tenancy.ID, error)
}

// ResolverFunc makes a function a [Resolver]. It is as safe for concurrent use as the function.
type ResolverFunc func(r *http.Request) (tenancy.ID, error)

// Resolve calls f.
func (f ResolverFunc) Resolve(r *http.Request) (tenancy.ID, error) { return f(r) }

// Varier is implemented by a [Resolver] that reads request headers other than Host. The middleware adds the names to
// the Vary header of every response, so that a cache does not hand one tenant's page to another.
type Varier interface {
	// Vary returns the names of the headers. It is called once, by New.
	Vary() []string
}

// one returns the tenant that the values of one source name. Repeating a name is harmless; two names are not, because
// a proxy and a handler may each believe another one.
func one(values []string) (tenancy.ID, error) {
	if len(values) == 0 {
		return "", ErrNotNamed
	}
	first, err := tenancy.ParseID(values[0])
	if err != nil {
		return "", err
	}
	for _, value := range values[1:] {
		if value != values[0] {
			return "", errTwoValues
		}
	}
	return first, nil
}

var errTwoValues = fmt.Errorf("%w: one source holds different values", tenancy.ErrTenantMismatch)
