package tenancy_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"

	"gorm.io/gorm"
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
	// differs is what holds instead on a backend, by its name, its silos' name ("schema") or its dialect.
	differs map[string]difference
	// own says that refused is what this backend's confinement calls for: it must be refused then.
	own bool
}

// difference is the other result of a route.
type difference struct {
	why     string
	want    string
	after   string // of the same afterQuery; empty: as elsewhere
	refused error
}

// on is the route as it is on a backend.
func (r route) on(b backend) route {
	keys := []string{b.name, b.kind, b.dialect}
	if b.apart != nil {
		keys = []string{b.name, "hybrid", b.dialect}
	}
	for _, key := range keys {
		d, ok := r.differs[key]
		if !ok {
			continue
		}
		if r.refused == nil && d.refused != nil {
			r.afterQuery = "" // what the legitimate use leaves
		}
		if d.after != "" {
			r.after = d.after
		}
		r.want, r.refused, r.own = d.want, d.refused, key != b.dialect
		break
	}
	return r
}

// outcome is what became of a route that leaked nothing.
type outcome int

const (
	failed outcome = iota
	usable
	refused
	confinedByDatabase
)

func TestRoutes(t *testing.T) {
	onAll(t, func(t *testing.T, b backend) {
		var counts [confinedByDatabase + 1]int
		for _, group := range routes {
			t.Run(group.name, func(t *testing.T) {
				for _, r := range group.routes {
					became := failed
					if d, ok := b.differs[group.name+"/"+r.name]; ok {
						r.differs = map[string]difference{b.name: d}
					}
					t.Run(r.name, func(t *testing.T) { became = r.on(b).test(t, b, gorm.Config{}) })
					counts[became]++
				}
			})
		}
		count := fmt.Sprintf("%s: %d routes: %d usable inside the tenant, %d refused, none leaks",
			b.name, counts[usable]+counts[refused]+counts[confinedByDatabase], counts[usable], counts[refused])
		if b.kind != "" {
			count = strings.Replace(count, "refused,", fmt.Sprintf("refused, %d confined by the database,", counts[confinedByDatabase]), 1)
		}
		t.Log(count)
		if page, err := os.ReadFile("docs/security.md"); err != nil || !strings.Contains(string(page), "> "+count+"\n") {
			t.Errorf("docs/security.md does not say %q (%v)", count, err)
		}
	})
}

// test runs the route. What the plugin alone would have to refuse may run where the database holds tenants: that nothing of
// b was seen or changed is the proof.
func (r route) test(t *testing.T, b backend, config gorm.Config) outcome {
	e := newEnvOn(t, b, &config)
	err := r.do(e)
	e.isolated()
	switch {
	case r.refused != nil && b.kind != "" && !r.own:
		if err == nil {
			return confinedByDatabase
		}
		return refused
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
	if r.refused != nil {
		return refused
	}
	e.stamped()
	return usable
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
