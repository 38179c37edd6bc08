package httpmw

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/gorm-tenancy/tenancy"
)

// Chain asks all resolvers, in order, and goes on only if those that name something agree. Two tenants, or a tenant and
// the central site, are [tenancy.ErrTenantMismatch]. If none names anything the chain returns [ErrNotNamed]; any other
// error of a resolver is the error of the chain, so that a malformed host is not saved by a header.
//
// A chain is a conjunction, not a list of fallbacks: adding an untrusted source to a trusted one cannot widen what the
// trusted one allows where both name a tenant. It can where the trusted one names none. Trust: that of the least
// trusted resolver that may be alone in naming the tenant.
//
// No resolver, or a nil or misconfigured one, makes [New] fail. As safe for concurrent use as the resolvers.
func Chain(resolvers ...Resolver) Resolver {
	if len(resolvers) == 0 {
		return brokenf("Chain needs a resolver")
	}
	for i, r := range resolvers {
		if err := mistakeIn(r); err != nil {
			return brokenf("Chain: resolver %d: %w", i, err)
		}
	}
	return chain(slices.Clone(resolvers))
}

type chain []Resolver

var errDisagree = fmt.Errorf("%w: the sources of the request disagree", tenancy.ErrTenantMismatch)

func (c chain) Resolve(r *http.Request) (tenancy.ID, error) {
	var agreed answer
	for _, resolver := range c {
		id, err := resolver.Resolve(r)
		given := answer{given: true, id: id}
		switch {
		case errors.Is(err, ErrNotNamed):
			continue
		case errors.Is(err, ErrCentral):
			given = answer{given: true, central: true}
		case err != nil:
			return "", err
		}
		if agreed.given && agreed != given {
			return "", errDisagree
		}
		agreed = given
	}
	return agreed.result()
}

// answer is what a resolver says when it names something.
type answer struct {
	given   bool
	central bool
	id      tenancy.ID
}

func (a answer) result() (tenancy.ID, error) {
	switch {
	case !a.given:
		return "", ErrNotNamed
	case a.central:
		return "", ErrCentral
	}
	return a.id, nil
}

// Vary returns the headers that the resolvers read.
func (c chain) Vary() []string {
	var names []string
	for _, resolver := range c {
		names = append(names, varyOf(resolver)...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func varyOf(r Resolver) []string {
	if v, ok := r.(Varier); ok {
		return v.Vary()
	}
	return nil
}
