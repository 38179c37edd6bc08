package containers_test

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
	"github.com/gorm-tenancy/tenancy/example/polls/containers"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// tenant returns an active one.
func tenant(id string, domains ...string) catalog.Tenant {
	return catalog.Tenant{
		ID: tenancy.ID(id), Name: id, Domains: domains, State: catalog.Active,
		CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
}

func in(state catalog.State, t catalog.Tenant) catalog.Tenant {
	t.State = state
	return t
}

func files(t testing.TB, o containers.Options, tenants ...catalog.Tenant) map[string]string {
	t.Helper()
	topology, err := containers.New(tenants, o)
	if err != nil {
		t.Fatal(err)
	}
	rendered, err := topology.Files()
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for path, text := range rendered {
		texts[path] = string(text)
	}
	return texts
}

// TestGolden shows what is rendered in review.
func TestGolden(t *testing.T) {
	t.Parallel()
	tenants := []catalog.Tenant{
		tenant("thor"), tenant("potter", "polls.hogwarts.example", "vote.hogwarts.example"),
		in(catalog.Suspended, tenant("loki")), in(catalog.Maintenance, tenant("odin")), in(catalog.Creating, tenant("sif")),
		in(catalog.Deleting, tenant("hela")), in(catalog.Purged, tenant("ymir")),
	}
	for name, o := range map[string]containers.Options{"postgres": {}, "sqlite": {SQLite: true, Port: 80}} {
		got := files(t, o, tenants...)
		slices.Reverse(tenants)
		if again := files(t, o, tenants...); !maps.Equal(got, again) {
			t.Errorf("%s: the order of the tenants shows", name)
		}
		for path, text := range got {
			file := filepath.Join("testdata", name, filepath.Base(path))
			if *update {
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if text != string(want) {
				t.Errorf("%s differs from %s; if that is meant, go test . -run Golden -update", path, file)
			}
		}
	}
}
