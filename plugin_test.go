package tenancy_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"
)

var silent = slog.New(slog.NewTextHandler(io.Discard, nil))

// route is one way a statement leaves GORM, tried as tenant a against a database where b has rows of the same shape.
type route struct {
	name string
	do   func(e *env) error
	// want is what a saw (see) in order; the route's legitimate use must work.
	want string
	// after, if set, is the raw result of afterQuery.
	afterQuery, after string
	// refused is the error of a route that cannot be confined, or an attack that must fail.
	refused error
}

func TestRoutes(t *testing.T) {
	usable, refused := 0, 0
	for _, group := range routes {
		t.Run(group.name, func(t *testing.T) {
			for _, r := range group.routes {
				t.Run(r.name, func(t *testing.T) { r.test(t) })
				if r.refused == nil {
					usable++
				} else {
					refused++
				}
			}
		})
	}
	count := fmt.Sprintf("%d routes: %d usable inside the tenant, %d refused, none leaks", usable+refused, usable, refused)
	t.Log(count)
	if page, err := os.ReadFile("docs/security.md"); err != nil || !strings.Contains(string(page), count) {
		t.Errorf("docs/security.md does not say %q (%v)", count, err)
	}
}

func (r route) test(t *testing.T) {
	e := newEnv(t)
	err := r.do(e)
	e.isolated()
	switch {
	case r.refused == nil && err != nil:
		t.Fatalf("the legitimate use failed: %v", err)
	case errors.Is(r.refused, errAny) && err != nil:
	case r.refused != nil && !errors.Is(err, r.refused):
		t.Fatalf("error %v, want %v", err, r.refused)
	}
	if got := strings.Join(e.seen, " "); got != r.want {
		t.Errorf("saw %q, want %q", got, r.want)
	}
	if r.afterQuery != "" {
		if got := e.query(r.afterQuery); got != r.after {
			t.Errorf("%s\ngave %q, want %q", r.afterQuery, got, r.after)
		}
	}
}

var routes = []struct {
	name   string
	routes []route
}{
	{"read", readRoutes},
	{"join", joinRoutes},
	{"subquery", subqueryRoutes},
	{"subquery without context", looseRoutes},
	{"text", textRoutes},
	{"create", createRoutes},
	{"upsert", upsertRoutes},
	{"update", updateRoutes},
	{"delete", deleteRoutes},
	{"association", associationRoutes},
	{"link", linkRoutes},
	{"composite key", compositeRoutes},
	{"session", sessionRoutes},
	{"config", configRoutes},
	{"where guard", whereGuardRoutes},
	{"generics", genericsRoutes},
	{"generic chain", genericChainRoutes},
	{"generic association", genericAssociationRoutes},
	{"raw", rawRoutes},
	{"raw more", rawMoreRoutes},
	{"from", fromRoutes},
	{"migrator", migratorRoutes},
}
