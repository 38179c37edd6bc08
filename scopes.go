package tenancy

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"
)

// ForTenant narrows a statement to one tenant:
//
//	db.WithContext(tenancy.Bypass(ctx, "support ticket 812")).Scopes(tenancy.ForTenant("thor")).Find(&polls)
//
// Under [Bypass] the statement, its joins and its preloads see that tenant only, and rows are stamped with it. It
// never widens: in another tenant's context it is [ErrTenantMismatch], without a tenant [ErrNoTenant].
// Safe for concurrent use.
func ForTenant(id ID) func(*gorm.DB) *gorm.DB {
	return func(db *gorm.DB) *gorm.DB {
		return narrow(db, WithTenant(context.Background(), id))
	}
}

// ForTenants narrows a statement under [Bypass] to several tenants, for reports. Rows written through it must name one
// of them. Joins follow foreign keys only: where tenants share ids, join by keys that include the tenant column.
// It never widens: in a tenant's context every id must be that tenant. No id at all is [ErrNoTenant].
// Safe for concurrent use.
func ForTenants(ids ...ID) func(*gorm.DB) *gorm.DB {
	return func(db *gorm.DB) *gorm.DB {
		a := &access{mode: modeSeveral}
		for _, id := range ids {
			one := accessOf(WithTenant(context.Background(), id))
			if one.mode != modeTenant {
				_ = db.AddError(one.noTenant())
				return db
			}
			a.several = append(a.several, one)
		}
		if len(ids) == 0 {
			_ = db.AddError(fmt.Errorf("%w: ForTenants needs at least one id", ErrNoTenant))
			return db
		}
		return narrow(db, context.WithValue(context.Background(), contextKey{}, a))
	}
}

// narrow lets the statement act for what the context named, if the statement's own context allows all of it.
func narrow(db *gorm.DB, named context.Context) *gorm.DB {
	want, have := accessOf(named), accessOf(db.Statement.Context)
	if err := have.covers(want); err != nil {
		_ = db.AddError(err)
		return db
	}
	if have.mode == modeBypass {
		if p, ok := db.Plugins[PluginName].(*Plugin); ok {
			p.reportBypass(db.Statement.Context, have, opQuery, db.Statement.Table)
		}
	}
	if have.mode != modeTenant {
		db.Statement.Context = context.WithValue(db.Statement.Context, contextKey{}, want)
	}
	return db
}

// covers says whether everything want may reach is within a's reach.
func (a *access) covers(want *access) error {
	if want.mode != modeTenant && want.mode != modeSeveral {
		return want.noTenant()
	}
	switch a.mode {
	case modeBypass:
		return nil
	case modeTenant, modeSeveral:
		wanted := want.several
		if want.mode == modeTenant {
			wanted = []*access{want}
		}
		for _, w := range wanted {
			if !a.includes(w.id) {
				return fmt.Errorf("%w: a scope never widens the context", ErrTenantMismatch)
			}
		}
		return nil
	}
	return a.noTenant()
}

// includes reports whether a tenant is within reach.
func (a *access) includes(id ID) bool {
	if a.mode == modeTenant {
		return a.id == id
	}
	for _, one := range a.several {
		if one.id == id {
			return true
		}
	}
	return false
}

var errNotStamped = errors.New("the row names no tenant, and under Bypass nobody else does")
