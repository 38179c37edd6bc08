package hybrid

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/tenantconn"
)

// ErrNoMember says that a tenant's record names no member, or one that this process does not have. The tenant is not
// served: nothing falls back to another member.
var ErrNoMember = errors.New("hybrid: the tenant's record names no strategy of this process")

// Lookup says which member serves a tenant, and which of its places the tenant has; place is empty where the member needs no
// more than the id. It is called for every statement, several times and from many goroutines: it must be safe for concurrent
// use and do no I/O when warm. ctx is the statement's. It returns tenancy.ErrUnknownTenant for a tenant without a record,
// and tenancy.ErrTenantMaintenance, beside both names, while the tenant is moved (see [Strategy.Move]). Its error ends the
// statement. catalog.Catalog.Place is one.
type Lookup func(ctx context.Context, id tenancy.ID) (member, place string, err error)

// Members are the strategies, by the name that records have for them. Each is a tenantconn.Confiner, as shared, schema and
// database are, with options of its own. At most one shares tables. Several may be database strategies, for several
// servers.
type Members map[string]tenancy.Strategy

// Strategy serves each tenant by one of its members. It is safe for concurrent use.
type Strategy struct {
	lookup  Lookup
	members []member // by name
	index   map[string]int
	budget  tenantconn.Budget
	allow   func(tenancy.ID) error
	wrong   error

	central, all int // the members that statements without a tenant are sent to

	seats sync.Map // tenancy.ID → *seat

	mu     sync.Mutex
	db     *gorm.DB        // guarded by mu; the first that was attached
	plugin *tenancy.Plugin // guarded by mu
}

type member struct {
	name      string
	strategy  tenantconn.Confiner
	isolation tenancy.Isolation
}

var (
	_ tenancy.Strategy    = (*Strategy)(nil)
	_ tenancy.Isolator    = (*Strategy)(nil)
	_ tenancy.Verifier    = (*Strategy)(nil)
	_ tenancy.Restrictor  = (*Strategy)(nil)
	_ tenancy.Provisioner = (*Strategy)(nil)
	_ tenancy.Renamer     = (*Strategy)(nil)
	_ tenancy.Cloner      = (*Strategy)(nil)
)

// Option configures the strategy.
type Option func(*Strategy)

// Budget limits the connections to the database that GORM was opened with, of all members together; database strategies
// have each a budget of their own. The default is that of tenantconn.Budget, with MaxPerPlace as large as MaxOpen.
func Budget(b tenantconn.Budget) Option { return func(s *Strategy) { s.budget = b } }

// New returns the hybrid strategy. A mistake in members or options makes db.Use fail.
func New(lookup Lookup, members Members, opts ...Option) *Strategy {
	s := &Strategy{lookup: lookup, index: map[string]int{}}
	for _, opt := range opts {
		opt(s)
	}
	if s.budget.MaxOpen == 0 {
		s.budget.MaxOpen = 100
	}
	if s.budget.MaxPerPlace == 0 {
		s.budget.MaxPerPlace = s.budget.MaxOpen
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		c, ok := members[name].(tenantconn.Confiner)
		if !ok {
			s.wrong = fmt.Errorf("%w: member %q is no strategy that can stand beside others", tenancy.ErrUnsupported, name)
			continue
		}
		m := member{name: name, strategy: c}
		if i, ok := members[name].(tenancy.Isolator); ok {
			m.isolation = i.Isolation()
		}
		s.index[name] = len(s.members)
		s.members = append(s.members, m)
	}
	s.central, s.all = s.apart()
	return s
}

// apart chooses where statements without a tenant go. Those on central tables go where no owned table is in reach, if there
// is such a member on the database GORM was opened with; those under Bypass to the shared tables.
func (s *Strategy) apart() (central, all int) {
	rank := func(m member) int {
		switch {
		case m.isolation.Siloed && !m.isolation.CentralApart:
			return 2
		case !m.isolation.Siloed:
			return 1
		}
		return 0
	}
	for i, m := range s.members {
		if rank(m) > rank(s.members[central]) {
			central = i
		}
	}
	if i := slices.IndexFunc(s.members, member.shares); i >= 0 {
		return central, i
	}
	return central, central
}

// shares reports whether the member's tenants share tables.
func (m member) shares() bool { return !m.isolation.Siloed }

func (s *Strategy) validate() error {
	shares := 0
	for _, m := range s.members {
		if m.name == "" {
			return errors.New("hybrid: a member has no name")
		}
		if m.shares() {
			shares++
		}
	}
	switch {
	case s.wrong != nil:
		return s.wrong
	case s.lookup == nil:
		return errors.New("hybrid: New needs a look-up of which member serves a tenant")
	case len(s.members) == 0:
		return errors.New("hybrid: New needs members")
	case shares > 1:
		return fmt.Errorf("%w: two members that share tables would share the same ones", tenancy.ErrUnsupported)
	}
	return nil
}

// Name returns "hybrid".
func (*Strategy) Name() string { return "hybrid" }

// Members returns the names of the members, sorted.
func (s *Strategy) Members() []string {
	names := make([]string, len(s.members))
	for i, m := range s.members {
		names[i] = m.name
	}
	return names
}

// Isolation is the least that holds for every member, so that what works for one tenant works for all: models have a tenant
// column if any member shares tables, and central tables stand apart if they do for any.
func (s *Strategy) Isolation() tenancy.Isolation {
	i := tenancy.Isolation{Siloed: true, Connections: true}
	for _, m := range s.members {
		i.CentralApart = i.CentralApart || m.isolation.CentralApart
		if m.shares() {
			i.Siloed, i.Mixed = false, len(s.members) > 1
		}
	}
	return i
}

// Route is that of the member that serves the tenant. SQL text of tenants in shared tables is judged, in spite of row-level
// security, where others have schemas in the same database: by their names it would reach these. It fails with
// [ErrNoMember], and as [Lookup] and the member do.
func (s *Strategy) Route(ctx context.Context, id tenancy.ID) (tenancy.Route, error) {
	seat, err := s.seat(ctx, id)
	if err != nil {
		return tenancy.Route{}, err
	}
	route, err := s.members[seat.choice.Side].strategy.Route(ctx, id)
	if route.Shared && s.schemas() {
		route.Confined = false // policies hold the shared tables, and not those of tenants' schemas beside them
	}
	return route, err
}

// Restrict makes connections ask allow for every statement of a tenant. Call it before db.Use.
func (s *Strategy) Restrict(allow func(tenancy.ID) error) { s.allow = allow }

// Attach replaces db's connections: each statement then runs on one of the member that serves its tenant (see
// tenantconn.AttachSides). Settings of the old pool, such as its limits, are lost; see [Budget]. It fails as the members do,
// for example with tenancy.ErrUnsupported for the schema strategy on SQLite.
func (s *Strategy) Attach(db *gorm.DB) error {
	if err := s.validate(); err != nil {
		return err
	}
	if old, err := db.DB(); err == nil && tenantconn.Confined(old) {
		return nil
	}
	beside := slices.ContainsFunc(s.members, member.shares)
	sides := make([]tenantconn.Side, len(s.members))
	for i, m := range s.members {
		var err error
		if sides[i], err = m.strategy.Confine(db, beside); err != nil {
			return fmt.Errorf("hybrid: member %q: %w", m.name, err)
		}
	}
	if err := tenantconn.AttachSides(db, s.budget, sides, s.choose); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.db == nil { // replicas come later
		s.db = db
	}
	return nil
}

// Verify runs the checks of all members. All that is wrong is reported at once.
func (s *Strategy) Verify(db *gorm.DB, p *tenancy.Plugin) error {
	s.mu.Lock()
	if s.plugin == nil {
		s.plugin = p
	}
	s.mu.Unlock()
	var wrong []error
	for i, m := range s.members {
		v, ok := m.strategy.(tenancy.Verifier)
		if !ok {
			continue
		}
		on := db.Session(&gorm.Session{NewDB: true, Context: s.at(db.Statement.Context, i, "")})
		if err := s.besides(on.Statement.Context, v.Verify(on, p)); err != nil {
			wrong = append(wrong, fmt.Errorf("member %q: %w", m.name, err))
		}
	}
	return errors.Join(wrong...)
}
