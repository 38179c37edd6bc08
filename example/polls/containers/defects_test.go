package containers_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// refuses is a machine whose nginx is shown something broken.
type refuses struct{ *machine }

// Test asks the real nginx about the configuration with its end cut off.
func (r refuses) Test(_ context.Context, file string) error {
	text, err := r.config(file)
	if err != nil {
		return err
	}
	return r.nginx.Test(text[:len(text)-3])
}

// TestBD15 is the book's compose file: one tenant's migration depended on another's database, and none waited until one was
// healthy. Here each waits for its own, and the application for the end of the migration.
func TestBD15(t *testing.T) {
	t.Parallel()
	m := newMachine(t, false)
	m.mustApply(t, tenant("thor"), tenant("potter"))
	c, err := m.read()
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"thor", "potter"} {
		order := []string{
			"start " + id + "_db", "healthy " + id + "_db", "start " + id + "_migration", "completed " + id + "_migration",
			"start " + id + "_web", "healthy " + id + "_web",
		}
		at := -1
		for _, event := range order {
			i := slices.Index(m.events, event)
			if i <= at {
				t.Errorf("%q is not in order: %q", event, m.events)
			}
			at = i
		}
		for name, s := range c.Services {
			for dependency := range s.DependsOn {
				if s.Labels["polls.tenant"] == id && !strings.HasPrefix(dependency, id+"_") {
					t.Errorf("%s depends on %s", name, dependency)
				}
			}
		}
	}

	// The race is real: without a database a migration fails, and so it is not run before there is one.
	m.block["sif_db"] = true
	if err := m.applied(t, tenant("thor"), tenant("potter"), tenant("sif")); err == nil {
		t.Error("started beside a database that is not healthy")
	}
	if slices.Contains(m.events, "start sif_migration") || slices.Contains(m.events, "start sif_web") {
		t.Errorf("%q", m.events)
	}
	m.up["sif_db"].db.Stop(t)
	if c, err = m.read(); err != nil {
		t.Fatal(err)
	}
	if err := m.startApp(c, "sif_migration"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := m.await(ctx, c, "sif_migration", "service_completed_successfully"); err == nil {
		t.Error("a migration without a database succeeds")
	}
}

// TestBD16 is the book's containers whose copy of the application had lost a check: anybody deleted anybody's poll. Here the
// containers run the one application there is.
func TestBD16(t *testing.T) {
	t.Parallel()
	m, thor, potter := pair(t, true)
	loki := m.member(t, thor.host, "loki")
	loki.must(t, http.StatusForbidden, "DELETE", "/polls/1/", nil)
	thor.must(t, 200, "GET", "/polls/1/", nil)
	thor.must(t, http.StatusNoContent, "DELETE", "/polls/1/", nil)
	thor.must(t, http.StatusNotFound, "GET", "/polls/1/", nil)
	potter.must(t, 200, "GET", "/polls/1/", nil)
}
