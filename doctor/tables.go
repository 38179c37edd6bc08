package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm/schema"

	"github.com/gorm-tenancy/tenancy"
)

// shared returns the owned tables whose rows are told apart by a column.
func (e *examination) shared() ([]tenancy.OwnedTable, error) {
	if e.isolation.Siloed {
		return nil, errSiloed
	}
	return e.plugin.OwnedTables(), nil
}

// tables looks at the columns and indexes of tables that tenants share.
func tables(ctx context.Context, e *examination) error {
	owned, err := e.shared()
	if err != nil {
		return err
	}
	for _, t := range owned {
		r, err := e.relation(ctx, t.Name)
		if err != nil {
			return err
		}
		if len(r.columns) == 0 {
			e.find(Finding{
				Code: codeTableMissing, Table: t.Name, Message: "the table of an owned model does not exist: " + t.Name,
				Mend: `db.WithContext(tenancy.Bypass(ctx, "create tables")).AutoMigrate(…)`,
			})
			continue
		}
		if t.Column != "" { // join tables without one are owned through the rows they link
			e.table(t, r)
		}
	}
	return nil
}

func (e *examination) table(t tenancy.OwnedTable, r *relation) {
	quoted := e.db.Statement.Quote(t.Name)
	if _, ok := r.column(t.Column); !ok {
		e.find(Finding{
			Code: codeColumnMissing, Table: t.Name, Message: "the owned table " + t.Name + " has no column " + t.Column,
			Mend: "ALTER TABLE " + quoted + " ADD COLUMN " + e.db.Statement.Quote(t.Column) + ", and give each row its tenant",
		})
		return
	}
	led := false
	for _, x := range r.indexes {
		led = led || x.whole && strings.EqualFold(x.columns[0], t.Column)
		if x.unique && !e.scoped(t, x.columns) {
			e.unscoped(t, x)
		}
	}
	if !led {
		column := e.db.Statement.Quote(t.Column)
		e.find(Finding{
			Code: codeIndexMissing, Table: t.Name,
			Message: "no index of " + t.Name + " begins with " + t.Column + ": each tenant's statements read the rows of all",
			Mend:    "CREATE INDEX ON " + quoted + " (" + column + ", …), or `gorm:\"index\"` on the tenant field",
		})
	}
}

// scoped reports whether two tenants cannot have the same values: the tenant is one of them, or a reference to a row that was
// found to be the tenant's.
func (e *examination) scoped(t tenancy.OwnedTable, columns []string) bool {
	if holds(columns, t.Column) {
		return true
	}
	for _, ref := range t.References {
		if e.plugin.ChecksReferences() && holds(columns, ref.Columns...) {
			return true
		}
	}
	return false
}

// unscoped reports a unique index over all tenants. A primary key is seldom a secret, but it tells something.
func (e *examination) unscoped(t tenancy.OwnedTable, x index) {
	names := strings.Join(x.columns, ", ")
	if slices.Contains(x.columns, "") {
		names = "an expression"
	}
	field := t.Schema.LookUpField(x.columns[0])
	switch {
	case !x.primary:
		e.find(Finding{
			Code: codeUniqueGlobal, Table: t.Name,
			Message: fmt.Sprintf("the unique index %s of %s (%s) does not hold %s: a tenant learns by the error which values others have, and cannot use them",
				x.name, t.Name, names, t.Column),
			Mend: fmt.Sprintf("make it unique over (%s, %s): give both fields one uniqueIndex name", t.Column, names),
		})
	case len(x.columns) == 1 && field != nil && field.AutoIncrement:
		e.find(Finding{
			Code: codeKeySequential, Table: t.Name,
			Message: fmt.Sprintf("the key of %s (%s) counts the rows of all tenants: a tenant sees by the gaps how many others write", t.Name, names),
			Mend:    "nothing, if tenants may know; otherwise random ids, such as UUIDs",
		})
	case len(x.columns) != 1 || !random(field):
		e.find(Finding{
			Code: codeKeyGlobal, Table: t.Name,
			Message: fmt.Sprintf("the key of %s (%s) does not hold %s: a tenant learns by the error which keys others have", t.Name, names, t.Column),
			Mend:    fmt.Sprintf("nothing, if keys are random; otherwise make (%s, %s) the primary key", t.Column, names),
		})
	}
}

// random reports whether a key is one nobody guesses.
func random(f *schema.Field) bool {
	return f != nil && strings.Contains(strings.ToLower(string(f.DataType)), "uuid")
}
