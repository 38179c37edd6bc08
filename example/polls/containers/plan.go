package containers

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/gorm-tenancy/tenancy"
)

// Kind is what happens to something in a plan.
type Kind string

// The kinds.
const (
	Added   Kind = "add"
	Changed Kind = "change"
	Removed Kind = "remove"
)

// Change is a part of what runs that a plan changes.
type Change struct {
	// Kind is what happens to it.
	Kind Kind `json:"kind"`
	// Name is that of the file, the service or the tenant.
	Name string `json:"name"`
	// Tenant is whose service it is; empty for those that are everybody's, and for files.
	Tenant tenancy.ID `json:"tenant,omitempty"`
	// Hosts says that a tenant is found by other hosts, or not served by the same ones.
	Hosts bool `json:"hosts,omitempty"`
}

// Plan is what applying a topology would change, each list by name. It is a value that nothing refers to.
type Plan struct {
	// Tenants are those that are new, differ or are gone.
	Tenants []Change `json:"tenants"`
	// Services are those of the compose file.
	Services []Change `json:"services"`
	// Files are those that are rendered.
	Files []Change `json:"files"`
	// Restart says that nginx itself starts anew, which interrupts all tenants for a moment: more than its networks changed.
	Restart bool `json:"restart"`
	// Kept are tenants that are gone and whose secrets and volumes are there.
	Kept []tenancy.ID `json:"kept"`
}

// Empty reports whether there is nothing to apply.
func (p Plan) Empty() bool { return len(p.Tenants)+len(p.Services)+len(p.Files) == 0 }

// Plan compares the topology with what was applied last. It changes nothing.
func (d *Dir) Plan(t *Topology) (Plan, error) {
	files, err := t.Files()
	if err != nil {
		return Plan{}, err
	}
	var p Plan
	for _, path := range slices.Sorted(maps.Keys(files)) {
		old, err := d.read(appliedDir, path)
		if err != nil {
			return Plan{}, err
		}
		if kind := kindOf(old != nil, true, bytes.Equal(old, files[path])); kind != "" {
			p.Files = append(p.Files, Change{Kind: kind, Name: path})
		}
	}
	before, err := d.applied()
	if err != nil {
		return Plan{}, err
	}
	after, err := parts(files[composePath], files[nginxPath])
	if err != nil {
		return Plan{}, err
	}
	p.Services = services(before, after)
	p.Tenants = tenants(before, after)
	p.Restart = !reflect.DeepEqual(fixed(before.services["nginx"]), fixed(after.services["nginx"]))
	p.Kept, err = d.kept(t)
	p.Kept = append(p.Kept, gone(p)...)
	slices.Sort(p.Kept)
	p.Kept = slices.Compact(p.Kept)
	return p, err
}

func gone(p Plan) []tenancy.ID {
	var ids []tenancy.ID
	for _, c := range p.Tenants {
		if c.Kind == Removed {
			ids = append(ids, c.Tenant)
		}
	}
	return ids
}

// kindOf is the kind of change from before to after; "" is none.
func kindOf(before, after, same bool) Kind {
	switch {
	case !before && after:
		return Added
	case before && !after:
		return Removed
	case before && !same:
		return Changed
	}
	return ""
}

// state is what was rendered, in parts that can be compared.
type state struct {
	services map[string]map[string]any
	hosts    map[tenancy.ID]string // the blocks in nginx's configuration
	tenants  map[tenancy.ID]bool
}

func (d *Dir) applied() (state, error) {
	compose, err := d.read(appliedDir, composePath)
	if err != nil {
		return state{}, err
	}
	nginx, err := d.read(appliedDir, nginxPath)
	if err != nil {
		return state{}, err
	}
	return parts(compose, nginx)
}

// parts reads files that the package has written.
func parts(compose, nginx []byte) (state, error) {
	var c struct {
		Services map[string]map[string]any `yaml:"services"`
	}
	if err := yaml.Unmarshal(compose, &c); err != nil {
		return state{}, fmt.Errorf("containers: the applied compose file: %w", err)
	}
	s := state{c.Services, blocks(nginx), map[tenancy.ID]bool{}}
	for _, service := range c.Services {
		if id := tenantOf(service); id != "" {
			s.tenants[id] = true
		}
	}
	return s, nil
}

// tenantOf returns whose service it is, "" for those that are everybody's.
func tenantOf(service map[string]any) tenancy.ID {
	labels, _ := service["labels"].(map[string]any)
	id, _ := labels[tenantLabel].(string)
	return tenancy.ID(id)
}

// blocks returns the part of each tenant in nginx's configuration.
func blocks(nginx []byte) map[tenancy.ID]string {
	found := map[tenancy.ID]string{}
	for _, block := range strings.Split(string(nginx), "\n\t# tenant ")[1:] {
		id, rest, _ := strings.Cut(block, "\n")
		rest, _, _ = strings.Cut(rest, "\n\t}\n")
		found[tenancy.ID(id)] = rest
	}
	return found
}

// fixed is what of a service cannot be changed while it runs.
func fixed(service map[string]any) map[string]any {
	rest := maps.Clone(service)
	delete(rest, "networks")
	return rest
}

func services(before, after state) []Change {
	var changes []Change
	for _, name := range union(before.services, after.services) {
		old, was := before.services[name]
		now, is := after.services[name]
		owner := now
		if !is {
			owner = old
		}
		if kind := kindOf(was, is, reflect.DeepEqual(old, now)); kind != "" {
			changes = append(changes, Change{Kind: kind, Name: name, Tenant: tenantOf(owner)})
		}
	}
	return changes
}

func tenants(before, after state) []Change {
	touched := map[tenancy.ID]bool{}
	for _, c := range services(before, after) {
		touched[c.Tenant] = true
	}
	var changes []Change
	for _, id := range union(before.tenants, after.tenants) {
		hosts := before.hosts[id] != after.hosts[id]
		if kind := kindOf(before.tenants[id], after.tenants[id], !hosts && !touched[id]); kind != "" {
			changes = append(changes, Change{Kind: kind, Name: string(id), Tenant: id, Hosts: hosts})
		}
	}
	return changes
}

func union[K ~string, V any](a, b map[K]V) []K {
	keys := slices.Collect(maps.Keys(a))
	for k := range b {
		if _, ok := a[k]; !ok {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}
