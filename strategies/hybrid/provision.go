package hybrid

import (
	"context"
	"errors"
	"fmt"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/tenantconn"
)

// Provision makes the tenant's place by the member that its record names, which must be saved before. Where that member
// makes no places, the shared tables for example, there is nothing to do. It fails with [ErrNoMember], and as [Lookup] and
// the member do.
func (s *Strategy) Provision(ctx context.Context, id tenancy.ID) error {
	i, place, err := s.locate(ctx, id)
	if err != nil {
		return err
	}
	return s.provision(ctx, id, i, place)
}

func (s *Strategy) provision(ctx context.Context, id tenancy.ID, member int, place string) error {
	if p, ok := s.members[member].strategy.(tenancy.Provisioner); ok {
		return p.Provision(s.placed(ctx, id, member, place), id)
	}
	return nil
}

// Deprovision removes the tenant's rows wherever they are: its place at the member that its record names, and what a move
// may have left at the others; in shared tables it deletes the tenant's rows. A tenant without a record is removed from all
// members. It fails as [Lookup] and the members do; a member that cannot remove places is no error unless the record names
// it.
func (s *Strategy) Deprovision(ctx context.Context, id tenancy.ID) error {
	own, place, err := s.locate(ctx, id)
	if errors.Is(err, tenancy.ErrUnknownTenant) {
		own, err = -1, nil
	}
	if err != nil {
		return err
	}
	var errs []error
	for i := range s.members {
		at := place
		if i != own {
			at = ""
		}
		err := s.deprovision(ctx, id, i, at)
		if i == own || !errors.Is(err, tenancy.ErrUnsupported) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (s *Strategy) deprovision(ctx context.Context, id tenancy.ID, member int, place string) error {
	if p, ok := s.members[member].strategy.(tenancy.Provisioner); ok {
		return p.Deprovision(s.placed(ctx, id, member, place), id)
	}
	return s.erase(ctx, id, member)
}

// Rename gives the tenant's place, and its rows, to another id, by the member that the record of one of them names. It is
// tenancy.ErrUnsupported where that member is no tenancy.Renamer.
func (s *Strategy) Rename(ctx context.Context, from, to tenancy.ID) error {
	i, place, err := s.locate(ctx, from)
	if err != nil { // a rename that is taken back: the record of to names the place
		var second error
		if i, place, second = s.locate(ctx, to); second != nil {
			return err
		}
	}
	r, ok := s.members[i].strategy.(tenancy.Renamer)
	if !ok {
		return fmt.Errorf("%w: the member %q cannot rename tenants", tenancy.ErrUnsupported, s.members[i].name)
	}
	return r.Rename(s.placed(ctx, from, i, place), from, to)
}

// Clone makes the place of to with the rows of from, by the member that serves both. It is tenancy.ErrUnsupported where that
// member is no tenancy.Cloner, and where the records name different places.
func (s *Strategy) Clone(ctx context.Context, from, to tenancy.ID) error {
	i, place, err := s.locate(ctx, from)
	if err != nil {
		return err
	}
	other, otherPlace, err := s.locate(ctx, to)
	if err != nil {
		return err
	}
	c, ok := s.members[i].strategy.(tenancy.Cloner)
	if !ok || other != i || otherPlace != place {
		return fmt.Errorf("%w: the member %q cannot clone tenants there", tenancy.ErrUnsupported, s.members[i].name)
	}
	return c.Clone(s.placed(ctx, from, i, place), from, to)
}

// locate is where the record says that a tenant lives, also while it is moved.
func (s *Strategy) locate(ctx context.Context, id tenancy.ID) (member int, place string, err error) {
	if _, err := tenancy.ParseID(string(id)); err != nil {
		return 0, "", err
	}
	if s.allow != nil {
		if err := s.allow(id); err != nil {
			return 0, "", err
		}
	}
	name, place, err := s.lookup(ctx, id)
	if err != nil {
		return 0, "", err
	}
	member, err = s.named(name)
	return member, place, err
}

// placed is a context in which a member makes or removes a tenant's place.
func (s *Strategy) placed(ctx context.Context, id tenancy.ID, member int, place string) context.Context {
	if place != "" {
		ctx = tenantconn.WithPlace(ctx, place)
	}
	return s.at(ctx, member, "")
}
