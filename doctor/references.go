package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gorm-tenancy/tenancy"
)

// references looks for references whose target may be another tenant's row: the plugin does not look, with
// tenancy.WithoutReferenceChecks, and no foreign key includes the tenant.
func references(ctx context.Context, e *examination) error {
	owned, err := e.shared()
	switch {
	case err != nil:
		return err
	case e.plugin.ChecksReferences():
		return nil // each is looked up before it is written
	}
	columns := map[string]string{}
	for _, t := range owned {
		columns[t.Name] = t.Column
	}
	for _, t := range owned {
		r, err := e.relation(ctx, t.Name)
		if err != nil {
			return err
		}
		for _, ref := range slices.Concat(t.References, t.Links) {
			if !r.includesTenant(t, ref, columns[ref.Table]) {
				e.unchecked(t, ref, columns[ref.Table])
			}
		}
	}
	return e.enforced(ctx)
}

// includesTenant reports whether a foreign key of the database ties the row and what it refers to to one tenant.
func (r *relation) includesTenant(t tenancy.OwnedTable, ref tenancy.OwnedLink, column string) bool {
	return t.Column != "" && slices.ContainsFunc(r.foreign, func(f foreignKey) bool {
		if !sameTable(f.table, ref.Table) || !holds(f.columns, ref.Columns...) {
			return false
		}
		for i, c := range f.columns {
			if strings.EqualFold(c, t.Column) {
				return f.references[i] == "" || strings.EqualFold(f.references[i], column)
			}
		}
		return false
	})
}

// sameTable compares a table of the catalog, which may be quoted and qualified, with that of a model.
func sameTable(have, want string) bool {
	last := func(name string) string { return strings.Trim(name[strings.LastIndexByte(name, '.')+1:], `"`) }
	return strings.EqualFold(last(have), last(want))
}

func (e *examination) unchecked(t tenancy.OwnedTable, ref tenancy.OwnedLink, column string) {
	here, there := strings.Join(ref.Columns, ", "), strings.Join(ref.References, ", ")
	mend := "leave out tenancy.WithoutReferenceChecks"
	if t.Column != "" {
		mend += fmt.Sprintf(", or ALTER TABLE %s ADD FOREIGN KEY (%s, %s) REFERENCES %s (%s, %s)",
			e.db.Statement.Quote(t.Name), t.Column, here, e.db.Statement.Quote(ref.Table), column, there)
	}
	e.find(Finding{
		Code: codeReference, Table: t.Name,
		Message: fmt.Sprintf("%s (%s) may point at another tenant's row of %s: neither the plugin nor a foreign key with the tenant checks it",
			t.Name, here, ref.Table),
		Mend: mend,
	})
}

// enforced looks whether the database enforces foreign keys at all.
func (e *examination) enforced(ctx context.Context) error {
	query, on := "", 1
	switch e.kind {
	case "sqlite":
		query = "PRAGMA foreign_keys"
	case "mysql":
		query = "SELECT @@foreign_key_checks"
	default:
		return nil
	}
	if err := e.pool.QueryRowContext(ctx, query).Scan(&on); err != nil || on == 1 {
		return err
	}
	e.find(Finding{
		Code:    codeForeignKeysOff,
		Message: "the plugin does not check references, and the connection does not enforce foreign keys",
		Mend:    "SQLite: _foreign_keys=1 in the DSN; MySQL: foreign_key_checks=1; or leave out tenancy.WithoutReferenceChecks",
	})
	return nil
}
