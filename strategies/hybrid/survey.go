package hybrid

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
)

var (
	_ tenancy.Inspector = (*Strategy)(nil)
	_ tenancy.Surveyor  = (*Strategy)(nil)
)

// Inspect runs the slow checks of all members that have some. All that is wrong is reported at once.
func (s *Strategy) Inspect(ctx context.Context, db *gorm.DB, p *tenancy.Plugin) error {
	var wrong []error
	for i, m := range s.members {
		if inspector, ok := m.strategy.(tenancy.Inspector); ok {
			at := s.at(ctx, i, "")
			if err := inspector.Inspect(at, db.Session(&gorm.Session{NewDB: true, Context: at}), p); err != nil {
				wrong = append(wrong, fmt.Errorf("member %q: %w", m.name, err))
			}
		}
	}
	return errors.Join(wrong...)
}

// Places lists those of all members that make places, with the member's name, and says of each whether its tenant is at
// another member now. It fails as [Lookup] and the members do: with tenancy.ErrUnsupported if one of them cannot list its
// places.
func (s *Strategy) Places(ctx context.Context) iter.Seq2[tenancy.Place, error] {
	return func(yield func(tenancy.Place, error) bool) {
		for i, m := range s.members {
			surveyor, ok := m.strategy.(tenancy.Surveyor)
			if !ok {
				continue
			}
			for p, err := range surveyor.Places(s.at(ctx, i, "")) {
				if err == nil {
					p.Member = m.name
					p.Left, err = s.left(ctx, p)
				}
				if !yield(p, err) || err != nil {
					return
				}
			}
		}
	}
}

// left reports whether the record of a place's tenant names another member.
func (s *Strategy) left(ctx context.Context, p tenancy.Place) (bool, error) {
	if p.Tenant == "" || p.Foreign {
		return false, nil
	}
	member, _, err := s.lookup(ctx, p.Tenant)
	switch {
	case errors.Is(err, tenancy.ErrUnknownTenant):
		return false, nil
	case err == nil, errors.Is(err, tenancy.ErrTenantMaintenance):
		return member != p.Member, nil
	}
	return false, err
}

// PlaceOf returns the name of the place that the tenant has at the member which its record names. It is
// tenancy.ErrUnsupported where that member makes no places, and fails as [Lookup] does.
func (s *Strategy) PlaceOf(id tenancy.ID) (string, error) {
	i, _, err := s.locate(context.Background(), id)
	if err != nil && !errors.Is(err, tenancy.ErrTenantMaintenance) {
		return "", err
	}
	surveyor, ok := s.members[i].strategy.(tenancy.Surveyor)
	if err != nil || !ok {
		return "", fmt.Errorf("%w: no place is known", tenancy.ErrUnsupported)
	}
	return surveyor.PlaceOf(id)
}
