package httpmw

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gorm-tenancy/tenancy"
)

// FromPath reads the tenant from the path segment after prefix: with "/t" the path /t/thor/polls names thor. The prefix
// "/" takes the first segment. It needs no router, so it works around a mux as well as in it. The path is not changed:
// routes still see /t/thor/polls.
//
// A path that does not begin with the prefix, or ends with it (/t and /t/), names no tenant. A segment that cannot be a
// tenant ID, such as the empty one of /t//polls, is [tenancy.ErrInvalidID]. So is every path that routers read
// differently: one with the segments "." or "..", escaped or not, or with an escaped slash that changes which tenant is
// meant.
//
// Trust: as little as any part of a URL that anyone can type. All tenants share one web origin, so a script of one
// tenant's page can call the others with the user's cookies. The user must be checked with [WithMembership].
//
// A prefix that does not begin with a slash, or that is not written plainly, makes [New] fail. Safe for concurrent use.
func FromPath(prefix string) Resolver {
	segments, err := parsePrefix(prefix)
	if err != nil {
		return broken{err}
	}
	return pathSegment{segments}
}

type pathSegment struct{ prefix []string }

var errMalformedPath = fmt.Errorf("%w: the path can be read in two ways", tenancy.ErrInvalidID)

func (p pathSegment) Resolve(r *http.Request) (tenancy.ID, error) {
	plain := splitPath(r.URL.Path)
	if slices.ContainsFunc(plain, isDots) {
		return "", errMalformedPath
	}
	text, ok := p.after(plain)
	// Some routers split the path before unescaping it, some after. Both must find the same tenant.
	escaped, err := splitEscaped(r.URL)
	if err != nil {
		return "", errMalformedPath
	}
	if text2, ok2 := p.after(escaped); text2 != text || ok2 != ok {
		return "", errMalformedPath
	}
	if !ok {
		return "", ErrNotNamed
	}
	return tenancy.ParseID(text)
}

// after returns the segment after the prefix.
func (p pathSegment) after(segments []string) (text string, ok bool) {
	n := len(p.prefix)
	if len(segments) <= n || !slices.Equal(segments[:n], p.prefix) {
		return "", false
	}
	rest := segments[n:]
	if rest[0] == "" && len(rest) == 1 {
		return "", false
	}
	return rest[0], true
}

func splitPath(path string) []string {
	return strings.Split(strings.TrimPrefix(path, "/"), "/")
}

func splitEscaped(u *url.URL) ([]string, error) {
	segments := splitPath(u.EscapedPath())
	for i, segment := range segments {
		plain, err := url.PathUnescape(segment)
		if err != nil {
			return nil, err
		}
		segments[i] = plain
	}
	return segments, nil
}

func isDots(segment string) bool { return segment == "." || segment == ".." }

func parsePrefix(prefix string) ([]string, error) {
	inner, ok := strings.CutPrefix(prefix, "/")
	inner = strings.TrimSuffix(inner, "/")
	if !ok || strings.ContainsAny(inner, "%{}?#\\") {
		return nil, fmt.Errorf("httpmw: path prefix %q: want one like /t", prefix)
	}
	if inner == "" {
		return nil, nil
	}
	segments := strings.Split(inner, "/")
	if slices.ContainsFunc(segments, isDots) || slices.Contains(segments, "") {
		return nil, fmt.Errorf("httpmw: path prefix %q: want plain segments", prefix)
	}
	return segments, nil
}
