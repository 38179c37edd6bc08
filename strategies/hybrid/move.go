package hybrid

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/tenantconn"
)

// ErrOccupied says that a tenant has rows where it is to be moved: of a move that failed, or left by one away from there.
// [Strategy.Clear] removes them.
var ErrOccupied = errors.New("hybrid: the tenant has rows there already")

// ErrIncomplete says that a copy has not the rows of the original.
var ErrIncomplete = errors.New("hybrid: the copy is not complete")

// Copier copies the rows of one tenant. Both contexts act for the tenant and end with the one that was given to
// [Strategy.Move]: statements with from reach its rows where they are, those with to where they are to be, in tables that
// are there and empty. Neither may be kept. archive.Mover is one. Central tables are where they always are, from
// tenancy.Central of either; contexts made of them for other tenants are tenancy.ErrTenantMismatch.
type Copier = func(from, to context.Context) error

// Move copies a tenant's rows to another member, or to another place of the same one, while nobody writes them. Call it
// while [Lookup] answers with tenancy.ErrTenantMaintenance in every process, and change the record after it: that is what
// catalog.Catalog.Relocate does around it.
//
// It waits as long as ctx allows for this process's connections that work for the tenant: from now on their statements and
// commits fail with tenancy.ErrTenantMaintenance, so a transaction that was open is rolled back, and a row that was not
// committed when the copy begins is never committed where it was. Then it makes the place, by a member that is a
// tenancy.Provisioner, copies, and compares the number of rows in each owned table ([ErrIncomplete]). The rows stay where
// they were until [Strategy.Clear].
//
// It fails with tenancy.ErrTenantMismatch when the tenant is not in maintenance, [ErrNoMember], [ErrOccupied], and as the
// members and the Copier do. After an error the tenant is where it was, and the target may hold a part.
func (s *Strategy) Move(ctx context.Context, id tenancy.ID, member, place string, copy Copier) error {
	if _, err := tenancy.ParseID(string(id)); err != nil {
		return err
	}
	name, old, err := s.lookup(ctx, id)
	switch {
	case err == nil:
		return fmt.Errorf("%w: others write the tenant's rows; move it within (*catalog.Catalog).Relocate", tenancy.ErrTenantMismatch)
	case !errors.Is(err, tenancy.ErrTenantMaintenance):
		return err
	case name == member && old == place:
		return fmt.Errorf("%w: that is where the tenant is", ErrOccupied)
	}
	source, err := s.named(name)
	if err != nil {
		return err
	}
	target, err := s.named(member)
	if err != nil {
		return err
	}
	open, err := s.gate(source, old, id).Shut(ctx)
	if err != nil {
		return err
	}
	defer open()
	if err := s.provision(ctx, id, target, place); err != nil {
		return err
	}
	return s.copy(s.inside(ctx, id, source, old), s.inside(ctx, id, target, place), copy)
}

// gate is the tenant's, whether or not a statement of it has ever run here.
func (s *Strategy) gate(member int, place string, id tenancy.ID) *tenantconn.Gate {
	at, _ := s.seats.LoadOrStore(id, s.sit(member, place, id, new(tenantconn.Gate)))
	return at.(*seat).choice.Gate
}

// inside acts for the tenant at a member, past the look-up and the gate.
func (s *Strategy) inside(ctx context.Context, id tenancy.ID, member int, place string) context.Context {
	ctx = tenancy.WithTenant(ctx, id)
	if place == "" {
		return s.atFor(ctx, id, member, "")
	}
	return s.atFor(tenantconn.WithPlace(ctx, place), id, member, tenantconn.PlaceKey(id, place))
}

func (s *Strategy) copy(from, to context.Context, copy Copier) error {
	db, tables, err := s.home()
	if err != nil {
		return err
	}
	for _, t := range tables {
		n, err := count(db.WithContext(to), t)
		if err != nil {
			return err
		}
		if n > 0 {
			return fmt.Errorf("%w: in table %q", ErrOccupied, t.Name)
		}
	}
	if err := copy(from, to); err != nil {
		return err
	}
	for _, t := range tables {
		want, err := count(db.WithContext(from), t)
		if err != nil {
			return err
		}
		got, err := count(db.WithContext(to), t)
		if err != nil {
			return err
		}
		if got != want {
			return fmt.Errorf("%w: table %q has %d rows of %d", ErrIncomplete, t.Name, got, want)
		}
	}
	return nil
}

func count(db *gorm.DB, t tenancy.OwnedTable) (n int64, err error) {
	err = db.Table(t.Name).Count(&n).Error
	return n, err
}

// home is the first gorm.DB and the owned tables.
func (s *Strategy) home() (*gorm.DB, []tenancy.OwnedTable, error) {
	s.mu.Lock()
	db, plugin := s.db, s.plugin
	s.mu.Unlock()
	if plugin == nil {
		return nil, nil, errors.New("hybrid: call db.Use first")
	}
	return db.Session(&gorm.Session{NewDB: true, SkipDefaultTransaction: true}), plugin.OwnedTables(), nil
}

// Clear removes what a tenant has at a member where its record does not say that it is: the place and all in it, or in
// shared tables its rows. It is for what a move leaves. It fails with [ErrOccupied] for the place where the tenant is, and
// as [Lookup] and the member do; so it does during a move.
func (s *Strategy) Clear(ctx context.Context, id tenancy.ID, member, place string) error {
	own, at, err := s.locate(ctx, id)
	if err != nil {
		return err
	}
	i, err := s.named(member)
	if err != nil {
		return err
	}
	if i == own && (at == place || !s.severalPlaces(i)) {
		return fmt.Errorf("%w: that is where the tenant is served", ErrOccupied)
	}
	return s.deprovision(ctx, id, i, place)
}

// severalPlaces reports whether a place means anything to a member.
func (s *Strategy) severalPlaces(member int) bool { return s.members[member].isolation.CentralApart }

// erase deletes a tenant's rows from shared tables: first those of join tables, which are the tenant's by what they link.
// Where foreign keys forbid one order, another round finds the next.
func (s *Strategy) erase(ctx context.Context, id tenancy.ID, member int) error {
	db, tables, err := s.home()
	if err != nil {
		return err
	}
	db = db.WithContext(s.inside(ctx, id, member, ""))
	slices.SortStableFunc(tables, func(a, b tenancy.OwnedTable) int { return len(b.Links) - len(a.Links) })
	for len(tables) > 0 {
		var left []tenancy.OwnedTable
		var errs []error
		for _, t := range tables {
			if err := db.Table(t.Name).Where("1 = 1").Delete(&map[string]any{}).Error; err != nil {
				left, errs = append(left, t), append(errs, err)
			}
		}
		if len(left) == len(tables) {
			return errors.Join(errs...)
		}
		tables = left
	}
	return nil
}
