package doctor

import (
	"context"
	"errors"
	"fmt"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
)

// tenantNames looks whether the ids of the catalog can be used, and stay apart.
func tenantNames(ctx context.Context, e *examination) error {
	records, err := e.tenants(ctx)
	if err != nil {
		return err
	}
	limits, err := e.limits(ctx)
	if err != nil {
		return err
	}
	taken := map[string]tenancy.ID{}
	for _, t := range records {
		if t.State == catalog.Purged {
			continue
		}
		name, err := e.nameOf(ctx, t.ID)
		if err != nil {
			e.find(Finding{
				Code: codeIDInvalid, Tenant: string(t.ID), Message: fmt.Sprintf("the id %q cannot be used: %v", t.ID, err),
				Mend: "(*catalog.Catalog).Rename gives the tenant another id",
			})
		}
		if other, ok := taken[folded(name)]; ok {
			e.find(Finding{
				Code: codeIDCollides, Tenant: string(t.ID), Message: fmt.Sprintf("the ids %q and %q give one name", t.ID, other),
				Mend: "(*catalog.Catalog).Rename gives one of them another id",
			})
		}
		taken[folded(name)] = t.ID
		for table, most := range limits {
			if len(t.ID) > most {
				e.find(Finding{
					Code: codeIDTooLong, Tenant: string(t.ID), Table: table,
					Message: fmt.Sprintf("the id %q has %d bytes, and the tenant column of %s holds %d", t.ID, len(t.ID), table, most),
					Mend:    fmt.Sprintf("widen the column to %d", tenancy.MaxIDLength),
				})
			}
		}
	}
	return nil
}

// nameOf returns what a tenant is called in the database, and its id where that is not known.
func (e *examination) nameOf(ctx context.Context, id tenancy.ID) (string, error) {
	if _, err := tenancy.ParseID(string(id)); err != nil {
		return string(id), err
	}
	if _, err := e.plugin.Strategy().Route(ctx, id); errors.Is(err, tenancy.ErrInvalidID) {
		return string(id), err
	}
	s, err := e.surveyor()
	if err != nil {
		return string(id), nil
	}
	name, err := s.PlaceOf(id)
	switch {
	case errors.Is(err, tenancy.ErrUnsupported):
		return string(id), nil
	case err != nil:
		return string(id), err
	}
	return name, nil
}

// limits returns the lengths of tenant columns of text that are limited.
func (e *examination) limits(ctx context.Context) (map[string]int, error) {
	owned, err := e.shared()
	if err != nil {
		return nil, nil // tenants' tables need no column
	}
	limits := map[string]int{}
	for _, t := range owned {
		r, err := e.relation(ctx, t.Name)
		if err != nil {
			return nil, err
		}
		if c, ok := r.column(t.Column); ok && c.length > 0 {
			limits[t.Name] = c.length
		}
	}
	return limits, nil
}
