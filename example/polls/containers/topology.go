package containers

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
)

// MaxID is the longest id in bytes of a tenant with containers: a container's name on its network is the id and a suffix, and
// DNS allows 63 bytes.
const MaxID = 63 - len("_web")

var (
	// ErrConfig is a mistake in [Options].
	ErrConfig = errors.New("containers: wrong option")
	// ErrDomain is a domain that cannot be served: it is another tenant's, it belongs to the base domain, or it is no name.
	ErrDomain = errors.New("containers: the domain cannot be served")
)

// Options say what to render. The zero value is that of the example; they are not changed by the package.
type Options struct {
	// Project is the name of the compose project and of the application's image. Default: polls.
	Project string
	// Base is the domain whose subdomains are the tenants. Default: polls.local.
	Base string
	// Port is where the machine answers. It is part of the Host that the application sees, unless it is 80. Default: 8080.
	Port int
	// SQLite gives each tenant a volume with an SQLite file, in place of a PostgreSQL server.
	SQLite bool
}

var (
	projectName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,40}$`)
	domainName  = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$`)
)

func (o Options) complete() (Options, error) {
	if o.Project == "" {
		o.Project = "polls"
	}
	if o.Base == "" {
		o.Base = "polls.local"
	}
	if o.Port == 0 {
		o.Port = 8080
	}
	base, err := catalog.ParseDomain(o.Base)
	switch {
	case !projectName.MatchString(o.Project):
		return o, fmt.Errorf("%w: the project is named by a-z, 0-9, '-' and '_'", ErrConfig)
	case err != nil || base != o.Base || !domainName.MatchString(base):
		return o, fmt.Errorf("%w: the base is no domain in lower case", ErrConfig)
	case o.Port < 0 || o.Port > 65535:
		return o, fmt.Errorf("%w: the port is none", ErrConfig)
	}
	return o, nil
}

// Topology is what runs for the tenants of a catalog. It is immutable and safe for concurrent use.
type Topology struct {
	options Options
	sites   []site // by id
}

// site is a tenant that has containers.
type site struct {
	id      tenancy.ID
	since   string // when the record was made: a tenant that gets the id later is another one
	hosts   []string
	refusal int // the status that its hosts answer in place of the application; 0: they are served
}

// New checks the tenants and returns their topology. Tenants that are deleted have none. It fails with [ErrConfig], with
// [ErrDomain], and with tenancy.ErrInvalidID for an id that is invalid, there twice or longer than [MaxID].
func New(tenants []catalog.Tenant, o Options) (*Topology, error) {
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	t := &Topology{options: o}
	owners := map[string]bool{}
	for _, record := range tenants {
		s, err := t.site(record)
		if err != nil {
			return nil, err
		}
		for _, host := range s.hosts {
			if owners[host] {
				return nil, fmt.Errorf("%w: two tenants have it", ErrDomain)
			}
			owners[host] = true
		}
		if runs(record.State) {
			t.sites = append(t.sites, s)
		}
	}
	slices.SortFunc(t.sites, func(a, b site) int { return strings.Compare(string(a.id), string(b.id)) })
	return t, nil
}

// runs reports whether a tenant in the state has containers.
func runs(s catalog.State) bool {
	return !slices.Contains([]catalog.State{catalog.Deleting, catalog.Purging, catalog.Purged}, s)
}

func (t *Topology) site(record catalog.Tenant) (site, error) {
	if err := record.Normalize(); err != nil {
		return site{}, err
	}
	if len(record.ID) > MaxID {
		return site{}, fmt.Errorf("%w: it has %d bytes, containers have names up to %d", tenancy.ErrInvalidID, len(record.ID), MaxID)
	}
	s := site{id: record.ID, since: record.CreatedAt.Format("2006-01-02T15:04:05.000Z"), refusal: refusal(record.State)}
	own := string(record.ID) + "." + t.options.Base
	s.hosts = []string{own}
	for _, domain := range record.Domains {
		if domain == own {
			continue
		}
		if !domainName.MatchString(domain) || domain == t.options.Base || strings.HasSuffix(domain, "."+t.options.Base) {
			return site{}, fmt.Errorf("%w: a name below the base domain is given by the tenant's id", ErrDomain)
		}
		s.hosts = append(s.hosts, domain)
	}
	return s, nil
}

// refusal is the status that the hosts of a tenant in the state answer. It is that of package httpmw.
func refusal(s catalog.State) int {
	switch s {
	case catalog.Active:
		return 0
	case catalog.Suspended:
		return 403
	case catalog.Maintenance, catalog.Renaming:
		return 503
	}
	return 404
}

// The names of what a tenant has. No two are equal: the suffixes differ, and none ends another.
func (s site) web() string       { return string(s.id) + "_web" }
func (s site) db() string        { return string(s.id) + "_db" }
func (s site) migration() string { return string(s.id) + "_migration" }
func (s site) front() string     { return string(s.id) + "_front" } // nginx and the application
func (s site) back() string      { return string(s.id) + "_back" }  // the application and its database
func (s site) data() string      { return string(s.id) + "_data" }
func (s site) urlSecret() string { return string(s.id) + "_database_url" }
func (s site) password() string  { return string(s.id) + "_postgres_password" }
