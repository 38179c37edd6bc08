package hybrid

import (
	"context"
	"fmt"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/tenantconn"
)

// seat is where a tenant is served. It is replaced when the record says something else, and not changed; its gate stays the
// tenant's, wherever it moves.
type seat struct {
	member, place string // as the record names them
	choice        tenantconn.Choice
}

// seat looks a tenant up. What was known before is only kept to spare allocations: the look-up has the last word.
func (s *Strategy) seat(ctx context.Context, id tenancy.ID) (*seat, error) {
	if at, ok := ctx.Value(atKey{}).(*seat); ok {
		return at, nil
	}
	member, place, err := s.lookup(ctx, id)
	if err != nil {
		return nil, err
	}
	known, ok := s.seats.Load(id)
	if ok {
		if at := known.(*seat); at.member == member && at.place == place {
			return at, nil
		}
	}
	i, err := s.named(member)
	if err != nil {
		return nil, err
	}
	gate := new(tenantconn.Gate)
	if !ok {
		known, ok = s.seats.LoadOrStore(id, s.sit(i, place, id, gate))
	}
	if ok { // the tenant was moved, or another goroutine was faster
		next := s.sit(i, place, id, known.(*seat).choice.Gate)
		s.seats.Store(id, next)
		return next, nil
	}
	return known.(*seat), nil
}

func (s *Strategy) named(member string) (int, error) {
	i, ok := s.index[member]
	if !ok {
		return 0, fmt.Errorf("%w: %q", ErrNoMember, member)
	}
	return i, nil
}

func (s *Strategy) sit(member int, place string, id tenancy.ID, gate *tenantconn.Gate) *seat {
	at := &seat{s.members[member].name, place, tenantconn.Choice{Side: member, Gate: gate}}
	if place != "" {
		at.choice.Place = tenantconn.PlaceKey(id, place)
	}
	return at
}

// choose is the tenantconn.Chooser.
func (s *Strategy) choose(ctx context.Context) (tenantconn.Choice, error) {
	reach, id, err := tenancy.ReachOf(ctx)
	if err != nil {
		return tenantconn.Choice{}, err
	}
	if at, ok := ctx.Value(atKey{}).(*seat); ok {
		return at.choice, nil
	}
	switch reach {
	case tenancy.ReachCentral:
		return tenantconn.Choice{Side: s.central}, nil
	case tenancy.ReachAll:
		return tenantconn.Choice{Side: s.all}, nil
	}
	if s.allow != nil {
		if err := s.allow(id); err != nil {
			return tenantconn.Choice{}, err
		}
	}
	at, err := s.seat(ctx, id)
	if err != nil {
		return tenantconn.Choice{}, err
	}
	return at.choice, nil
}

// atKey marks contexts of this package's own that act at one member, whatever the look-up says: to make, check, fill and
// remove places.
type atKey struct{}

// at returns a context that acts at a member. It enters no gate.
func (s *Strategy) at(ctx context.Context, member int, key string) context.Context {
	at := &seat{member: s.members[member].name, choice: tenantconn.Choice{Side: member, Place: key}}
	return context.WithValue(ctx, atKey{}, at)
}
