package tenancy

import (
	"context"
	"database/sql/driver"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// Current stands for the tenant of the statement's context in raw SQL:
//
//	db.WithContext(ctx).Raw("SELECT count(*) FROM votes WHERE tenant_id = ?", tenancy.Current).Scan(&n)
//	db.WithContext(ctx).Exec("UPDATE polls SET open = false WHERE tenant_id = @tenant AND id = 7",
//		sql.Named("tenant", tenancy.Current))
//
// It is bound as a parameter, as text. A raw statement that names an owned table is refused unless it binds Current;
// that you compare every table's column with it remains your promise. Without a tenant the statement fails with
// [ErrNoTenant].
const Current current = "tenancy.Current"

type current string

// GormValue is called by GORM when the value is bound.
func (current) GormValue(ctx context.Context, db *gorm.DB) clause.Expr {
	if a := accessOf(ctx); a.mode == modeTenant {
		return clause.Expr{SQL: "?", Vars: []any{currentOf(db, a)}}
	}
	return clause.Expr{SQL: "?", Vars: []any{&deferred{}}}
}

// bound is the tenant that Current became; it is recognised among a statement's values.
type bound struct{ id ID }

// Value returns the tenant as text.
func (b bound) Value() (driver.Value, error) { return string(b.id), nil }

// currentOf returns the tenant as a bind value, or one that fails when a tenant column cannot hold it.
func currentOf(db *gorm.DB, a *access) any {
	if p, ok := db.Plugins[PluginName].(*Plugin); ok {
		if err := p.fits(a); err != nil {
			return &poison{err: err}
		}
	}
	return bound{id: a.id}
}
