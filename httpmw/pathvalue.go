package httpmw

import (
	"net/http"

	"github.com/gorm-tenancy/tenancy"
)

// FromPathValue reads the tenant from a wildcard of the route that matched: with "tenant", the pattern
// "/t/{tenant}/polls" of http.ServeMux. The middleware must stand inside the mux, around the handler of the route.
// Around the mux nothing has matched yet, every request names no tenant, and the answer is 404: use [FromPath] there.
//
// Trust: as for [FromPath].
//
// An empty name makes [New] fail. Safe for concurrent use.
func FromPathValue(name string) Resolver {
	if name == "" {
		return brokenf("FromPathValue needs the name of a wildcard")
	}
	return pathValue{name}
}

type pathValue struct{ name string }

func (p pathValue) Resolve(r *http.Request) (tenancy.ID, error) {
	text := r.PathValue(p.name)
	if text == "" {
		return "", ErrNotNamed
	}
	return tenancy.ParseID(text)
}
