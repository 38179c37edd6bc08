package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
)

// nameLength is where PostgreSQL cuts names.
const nameLength = 63

// folded is a name as the least careful of databases and file systems keeps it.
func folded(name string) string { return strings.ToLower(name[:min(len(name), nameLength)]) }

// surveyor returns what lists places, or why there is none.
func (e *examination) surveyor() (tenancy.Surveyor, error) {
	s, ok := e.plugin.Strategy().(tenancy.Surveyor)
	if !ok {
		return nil, &skipped{"the strategy lists no places"}
	}
	return s, nil
}

// survey lists the places by their names.
func (e *examination) survey(ctx context.Context) (found []tenancy.Place, err error) {
	s, err := e.surveyor()
	if err != nil {
		return nil, err
	}
	for p, err := range s.Places(ctx) {
		if errors.Is(err, tenancy.ErrUnsupported) {
			return nil, &skipped{err.Error()}
		}
		if err != nil {
			return nil, err
		}
		found = append(found, p)
	}
	return found, nil
}

// places looks for what stands in the way of tenants.
func places(ctx context.Context, e *examination) error {
	found, err := e.survey(ctx)
	if err != nil {
		return err
	}
	records, err := e.byID(ctx)
	if err != nil && !errors.Is(err, errNoCatalog) {
		return err
	}
	taken := map[string]string{}
	for _, p := range found {
		at := p.Member + "/" + folded(p.Name)
		if other, ok := taken[at]; ok {
			e.find(Finding{
				Code: codePlaceCollides, Tenant: string(p.Tenant), Message: fmt.Sprintf("%q and %q are one name to some databases", p.Name, other),
				Mend: "rename the one that is no tenant's",
			})
		}
		taken[at] = p.Name
		if p.Foreign {
			e.foreign(p, records)
		}
	}
	return nil
}

func (e *examination) foreign(p tenancy.Place, records map[tenancy.ID]catalog.Tenant) {
	f := Finding{
		Code: codePlaceForeign, Tenant: string(p.Tenant), Message: fmt.Sprintf("%q has a tenant's name, and Provision did not make it", p.Name),
		Mend: "rename or remove it, or adopt it as the error of Provision says",
	}
	if t, ok := records[p.Tenant]; ok && hasPlace(t) && p.Tenant != "" {
		f.Code = codePlaceTaken
		f.Message = fmt.Sprintf("%q serves a tenant of the catalog, and Provision did not make it for that tenant", p.Name)
	}
	e.find(f)
}

// catalogued compares places with records.
func catalogued(ctx context.Context, e *examination) error {
	found, err := e.survey(ctx)
	if err != nil {
		return err
	}
	records, err := e.byID(ctx)
	if err != nil {
		return err
	}
	there := map[tenancy.ID]bool{}
	for _, p := range found {
		t, known := records[p.Tenant]
		there[p.Tenant] = there[p.Tenant] || !p.Left
		switch {
		case p.Foreign:
		case p.Left:
			e.find(Finding{
				Code: codePlaceLeft, Tenant: string(p.Tenant), Message: fmt.Sprintf("%q is there still, and its tenant was moved away from %q", p.Name, p.Member),
				Mend: fmt.Sprintf("(*hybrid.Strategy).Clear(ctx, %q, %q, …) removes it with its rows, when nobody wants them any more", p.Tenant, p.Member),
			})
		case !known:
			e.find(Finding{
				Code: codePlaceOrphaned, Tenant: string(p.Tenant), Message: fmt.Sprintf("%q is a tenant's place, and the catalog has no such tenant", p.Name),
				Mend: fmt.Sprintf("strategy.Deprovision(ctx, %q) removes it with its rows; Create of that tenant takes it over", p.Tenant),
			})
		case t.State == catalog.Purged:
			e.find(Finding{
				Code: codePlaceOrphaned, Tenant: string(p.Tenant), Message: fmt.Sprintf("%q is there still, and its tenant was purged", p.Name),
				Mend: fmt.Sprintf("strategy.Deprovision(ctx, %q)", p.Tenant),
			})
		}
	}
	for _, t := range e.records {
		moved := t.State == catalog.Renaming && there[t.Peer]
		if hasPlace(t) && !there[t.ID] && !moved && e.own(ctx, t) {
			e.find(Finding{
				Code: codePlaceMissing, Tenant: string(t.ID), Message: fmt.Sprintf("the tenant %q is %s, and has no place", t.ID, t.State),
				Mend: "restore it from a backup; an empty one is made by strategy.Provision",
			})
		}
	}
	return nil
}

// own reports whether a tenant has a place of its own: of a hybrid's tenants some share tables. One whose record leads nowhere
// is a finding.
func (e *examination) own(ctx context.Context, t catalog.Tenant) bool {
	route, err := e.plugin.Strategy().Route(tenancy.WithTenant(ctx, t.ID), t.ID)
	if err == nil || !e.isolation.Mixed {
		return !route.Shared
	}
	if !errors.Is(err, tenancy.ErrTenantMaintenance) { // otherwise it is being moved
		e.find(Finding{
			Code: codeUnplaced, Tenant: string(t.ID), Message: fmt.Sprintf("the tenant %q is %s, and is served by nobody: %v", t.ID, t.State, err),
			Mend: "correct Strategy and Place of its record by (*catalog.Catalog).Update",
		})
	}
	return false
}

// hasPlace reports whether a tenant in this state has a place for certain.
func hasPlace(t catalog.Tenant) bool {
	switch t.State {
	case catalog.Creating, catalog.Purging, catalog.Purged:
		return false
	}
	return true
}

// tenants lists the records of the catalog, once.
func (e *examination) tenants(ctx context.Context) ([]catalog.Tenant, error) {
	if e.store == nil {
		return nil, errNoCatalog
	}
	if e.listed {
		return e.records, nil
	}
	for t, err := range e.store.List(ctx, catalog.Filter{}) {
		if err != nil {
			return nil, fmt.Errorf("list the tenants: %w", err)
		}
		e.records = append(e.records, t)
	}
	e.listed = true
	return e.records, nil
}

func (e *examination) byID(ctx context.Context) (map[tenancy.ID]catalog.Tenant, error) {
	records, err := e.tenants(ctx)
	byID := make(map[tenancy.ID]catalog.Tenant, len(records))
	for _, t := range records {
		byID[t.ID] = t
	}
	return byID, err
}
