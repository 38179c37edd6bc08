package hybrid

import (
	"context"
	"errors"
	"strings"

	"github.com/gorm-tenancy/tenancy"
)

// inside reports whether the member's tenants have tables of their own in the database that GORM was opened with.
func (m member) inside() bool { return m.isolation.Siloed && !m.isolation.CentralApart }

// schemas reports whether a member is of that kind.
func (s *Strategy) schemas() bool {
	for _, m := range s.members {
		if m.inside() {
			return true
		}
	}
	return false
}

// besides leaves out what the member with the shared tables found of tables in tenants' schemas: they have the tenant column
// and no policies, and no SQL text reaches them unjudged (see Route).
func (s *Strategy) besides(ctx context.Context, err error) error {
	var d *tenancy.Defect
	if !s.schemas() || !errors.As(err, &d) {
		return err
	}
	places, failed := s.insides(ctx)
	if failed != nil {
		return errors.Join(err, failed)
	}
	return without(err, func(d *tenancy.Defect) bool {
		i := strings.LastIndexByte(d.Table, '.')
		return d.Code == "table-forgotten" && i > 0 && places[strings.Trim(d.Table[:i], `"`)]
	})
}

// insides lists the schemas that Provision made.
func (s *Strategy) insides(ctx context.Context) (map[string]bool, error) {
	places := map[string]bool{}
	for i, m := range s.members {
		surveyor, ok := m.strategy.(tenancy.Surveyor)
		if !ok || !m.inside() {
			continue
		}
		for p, err := range surveyor.Places(s.at(ctx, i, "")) {
			if err != nil {
				return nil, err
			}
			places[p.Name] = places[p.Name] || !p.Foreign
		}
	}
	return places, nil
}

// without leaves defects out of joined errors. What it cannot take apart stays.
func without(err error, drop func(*tenancy.Defect) bool) error {
	switch e := any(err).(type) {
	case interface{ Unwrap() []error }:
		var rest []error
		for _, each := range e.Unwrap() {
			rest = append(rest, without(each, drop))
		}
		return errors.Join(rest...)
	case *tenancy.Defect:
		if drop(e) {
			return nil
		}
	}
	return err
}
