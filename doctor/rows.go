package doctor

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
)

// rows looks for rows without a tenant, and with the catalog for those of a tenant that is not there.
func rows(ctx context.Context, e *examination) error {
	owned, err := e.shared()
	switch {
	case err != nil:
		return err
	case e.withoutRows:
		return &skipped{"doctor.WithoutRows"}
	}
	records, err := e.byID(ctx)
	if err != nil && !errors.Is(err, errNoCatalog) {
		return err
	}
	var failed []error
	for _, t := range owned {
		r, err := e.relation(ctx, t.Name)
		if err != nil {
			return err
		}
		if _, ok := r.column(t.Column); !ok {
			continue // said already
		}
		err = e.everyRow(ctx, func(tx *gorm.DB) error {
			if err := e.unowned(tx, t); err != nil || e.store == nil {
				return err
			}
			return e.orphans(tx, t, records)
		})
		var s *skipped
		if errors.As(err, &s) {
			return err
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("table %s: %w", t.Name, err))
		}
	}
	return errors.Join(failed...)
}

// everyRow runs f where no row is hidden, or not at all: an empty answer would look healthy.
func (e *examination) everyRow(ctx context.Context, f func(tx *gorm.DB) error) error {
	db := e.db.WithContext(tenancy.Bypass(ctx, "doctor: look for rows without a tenant"))
	if e.kind != "postgres" {
		return f(db)
	}
	err := db.Transaction(func(tx *gorm.DB) error {
		// PostgreSQL then refuses a query whose rows a policy would hide.
		if err := tx.Exec("SELECT set_config('row_security', 'off', true)").Error; err != nil {
			return err
		}
		return f(tx)
	})
	if errors.Is(err, tenancy.ErrUnsupported) {
		return &skipped{"row-level security hides rows; name a role with BYPASSRLS by shared.BypassRole"}
	}
	return err
}

func (e *examination) unowned(tx *gorm.DB, t tenancy.OwnedTable) error {
	column := tx.Statement.Quote(t.Column)
	where := column + " IS NULL"
	switch kindOf(t) {
	case reflect.String:
		where += " OR " + column + " = ''"
	case reflect.Int64:
		where += " OR " + column + " = 0"
	}
	var n int64
	if err := tx.Table(t.Name).Where(where).Count(&n).Error; err != nil || n == 0 {
		return err
	}
	e.find(Finding{
		Code: codeRowUnowned, Table: t.Name, Message: fmt.Sprintf("%d rows of %s belong to nobody: no tenant sees them, raw SQL may", n, t.Name),
		Mend: fmt.Sprintf("UPDATE %s SET %s = their tenant WHERE %s, or DELETE them; then make the column NOT NULL",
			tx.Statement.Quote(t.Name), column, where),
	})
	return nil
}

func (e *examination) orphans(tx *gorm.DB, t tenancy.OwnedTable, records map[tenancy.ID]catalog.Tenant) error {
	var tenants []string
	column := tx.Statement.Quote(t.Column)
	switch kind := kindOf(t); {
	case kind == reflect.Int64 || kind == reflect.String || e.kind == "postgres":
	default:
		return errors.New("the tenants of its rows cannot be compared with the catalog: the tenant column is neither text nor a number")
	}
	if err := tx.Table(t.Name).Distinct().Where(column+" IS NOT NULL").Pluck(column, &tenants).Error; err != nil {
		return err
	}
	for _, id := range tenants {
		record, ok := records[tenancy.ID(id)]
		zero := id == "" || id == "0" && kindOf(t) == reflect.Int64 // nobody's, see unowned
		if zero || ok && record.State != catalog.Purged {
			if !zero {
				e.left(tx, t, tenancy.ID(id))
			}
			continue
		}
		e.find(Finding{
			Code: codeRowOrphaned, Table: t.Name, Tenant: id,
			Message: fmt.Sprintf("%s has rows of %q, a tenant that the catalog does not have: a new one of that id would see them", t.Name, id),
			Mend:    fmt.Sprintf("DELETE FROM %s WHERE %s = the tenant, or create the tenant", tx.Statement.Quote(t.Name), column),
		})
	}
	return nil
}

// left says that a tenant has rows in shared tables, and is served elsewhere.
func (e *examination) left(tx *gorm.DB, t tenancy.OwnedTable, id tenancy.ID) {
	if !e.isolation.Mixed {
		return
	}
	route, err := e.plugin.Strategy().Route(tenancy.WithTenant(tx.Statement.Context, id), id)
	if err != nil || route.Shared {
		return
	}
	e.find(Finding{
		Code: codeRowLeft, Table: t.Name, Tenant: string(id),
		Message: fmt.Sprintf("%s has rows of %q, which was moved to a place of its own", t.Name, id),
		Mend:    "(*hybrid.Strategy).Clear with the name of the shared member removes them, when nobody wants them any more",
	})
}

// kindOf returns String, Int64 for all numbers, or Invalid.
func kindOf(t tenancy.OwnedTable) reflect.Kind {
	if t.Field == nil {
		return reflect.Invalid
	}
	switch k := t.Field.IndirectFieldType.Kind(); {
	case k == reflect.String:
		return k
	case k >= reflect.Int && k <= reflect.Uint64:
		return reflect.Int64
	}
	return reflect.Invalid
}
