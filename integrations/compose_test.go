package integrations_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
	"github.com/gorm-tenancy/tenancy/example/polls/containers"
)

// TestComposeFile loads what is rendered by the loader of docker compose: its schema, its interpolation, its checks of what
// refers to what.
func TestComposeFile(t *testing.T) {
	t.Parallel()
	for _, sqlite := range []bool{false, true} {
		t.Run(fmt.Sprintf("sqlite=%t", sqlite), func(t *testing.T) {
			t.Parallel()
			ids := []tenancy.ID{"thor", "007", "1e3", "true", "2026-01-02", "a_db", "a"}
			p := project(t, containers.Options{SQLite: sqlite}, ids)
			each := 3
			if sqlite {
				each = 2
			}
			if len(p.Services) != 1+each*len(ids) {
				t.Errorf("%d services", len(p.Services))
			}
			for _, id := range ids {
				web := p.Services[string(id)+"_web"]
				if got := web.Environment["POLLS_TENANT"]; got == nil || *got != string(id) {
					t.Errorf("%s serves %s", id, *got)
				}
				if d := web.DependsOn[string(id)+"_migration"]; d.Condition != types.ServiceConditionCompletedSuccessfully {
					t.Errorf("%s waits for %q", id, d.Condition)
				}
			}
			hardened(t, p)
		})
	}
}

func project(t *testing.T, o containers.Options, ids []tenancy.ID) *types.Project {
	t.Helper()
	var tenants []catalog.Tenant
	for _, id := range ids {
		tenants = append(tenants, catalog.Tenant{ID: id, State: catalog.Active, CreatedAt: time.Unix(0, 0)})
	}
	topology, err := containers.New(tenants, o)
	if err != nil {
		t.Fatal(err)
	}
	files, err := topology.Files()
	if err != nil {
		t.Fatal(err)
	}
	p, err := loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir:  t.TempDir(),
		ConfigFiles: []types.ConfigFile{{Filename: "compose.yaml", Content: files["compose.yaml"]}},
	}, func(o *loader.Options) { o.SetProjectName("polls", true) })
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// hardened looks at what compose understood, not at the text.
func hardened(t *testing.T, p *types.Project) {
	t.Helper()
	for name, s := range p.Services {
		switch {
		case !s.ReadOnly, len(s.CapDrop) != 1 || s.CapDrop[0] != "ALL", s.Privileged, len(s.CapAdd) > 0,
			len(s.SecurityOpt) != 1 || s.SecurityOpt[0] != "no-new-privileges:true",
			s.MemLimit == 0, s.PidsLimit == 0, s.User == "", s.User[0] == '0':
			t.Errorf("%s is not hardened: %+v", name, s)
		case name != "nginx" && len(s.Ports) > 0:
			t.Errorf("%s has a port", name)
		}
		for network := range s.Networks {
			if network != "public" && !bool(p.Networks[network].Internal) {
				t.Errorf("%s leads out by %s", name, network)
			}
		}
	}
}
