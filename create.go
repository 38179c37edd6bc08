package tenancy

import (
	"fmt"
	"reflect"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"
)

// beforeCreate looks at the rows again after the model's hooks, and holds upserts and references inside the tenant.
func (p *Plugin) beforeCreate(db *gorm.DB) {
	if err := p.guardCreate(db); err != nil {
		refuse(db, opCreate, db.Statement.Table, err)
	}
}

func (p *Plugin) guardCreate(db *gorm.DB) error {
	stmt := db.Statement
	a := accessOf(stmt.Context)
	if a.mode == modeBypass || a.mode == modeInternal {
		return nil
	}
	t, err := p.target(db)
	if err != nil {
		return err
	}
	w, err := p.newWall(db, a)
	if err != nil && t.model.confined() {
		return err
	}
	if !w.siloed {
		if err := w.clauses(); err != nil {
			return err
		}
		if err := w.insertedText(); err != nil {
			return err
		}
	}
	if !t.model.confined() {
		return nil
	}
	if t.model.kind == kindOwned && t.model.column != "" && (stmt.Schema != nil && (stmt.Schema.BeforeCreate || stmt.Schema.BeforeSave)) && !stmt.SkipHooks {
		r, err := newRow(t.model, stmt)
		if err != nil {
			return err
		}
		if err := r.each(stmt, a); err != nil {
			return err
		}
	}
	if w.siloed {
		return nil
	}
	if len(stmt.Clauses) > 0 {
		if err := w.guardConflict(t); err != nil {
			return err
		}
	}
	if stmt.ReflectValue.Kind() == reflect.Struct && stmt.Schema != nil {
		w.makeRoom(len(stmt.Schema.DBNames))
	}
	return w.references(t.model, func() []rowValue { return rowsOf(stmt) })
}

// insertedText judges expressions among the values of a map.
func (w *wall) insertedText() error {
	for _, m := range mapsOf(w.stmt.Dest) {
		for k, v := range m {
			if !isColumnName(k) {
				return fmt.Errorf("%w: %q is not the name of a column", ErrUnconfined, k)
			}
			if err := w.assigned(v); err != nil {
				return err
			}
		}
	}
	return nil
}

func mapsOf(dest any) []map[string]any {
	switch d := dest.(type) {
	case map[string]any:
		return []map[string]any{d}
	case *map[string]any:
		return []map[string]any{*d}
	case []map[string]any:
		return d
	case *[]map[string]any:
		return *d
	}
	return nil
}

// assigned judges a value that is written into a list of values or assignments, where a comma begins the next one.
func (w *wall) assigned(v any) error {
	if w.siloed {
		return nil
	}
	switch v.(type) {
	case *gorm.DB, current:
	case gorm.Valuer, clause.Interface, clause.Expression:
		if isNilPointer(v) {
			return nil
		}
		text, _, err := w.render(v)
		if err != nil {
			return err
		}
		if inspect(text, flavorOf(w.db.Name())).comma {
			return fmt.Errorf("%w: an expression with a comma outside parentheses could assign another column", ErrUnconfined)
		}
	}
	return w.value(v)
}

// guardConflict keeps an upsert away from rows of other tenants, and refuses REPLACE.
func (w *wall) guardConflict(t target) error {
	if insert, ok := w.stmt.Clauses["INSERT"].Expression.(clause.Insert); ok && strings.Contains(strings.ToUpper(insert.Modifier), "REPLACE") {
		return fmt.Errorf("%w: REPLACE deletes whichever row has the key; use clause.OnConflict", ErrUnconfined)
	}
	c, ok := w.stmt.Clauses["ON CONFLICT"]
	if !ok {
		return nil
	}
	conflict, ok := c.Expression.(clause.OnConflict)
	if !ok || c.Builder != nil {
		return fmt.Errorf("%w: an ON CONFLICT clause of another type than clause.OnConflict", ErrUnconfined)
	}
	if !isIdentifier(conflict.OnConstraint) {
		return fmt.Errorf("%w: OnConstraint is not a constraint's name", ErrUnconfined)
	}
	target, err := w.conditions(conflict.TargetWhere)
	if err != nil {
		return err
	}
	if g := group(target); g != nil {
		if _, own := g.(paren); !own {
			g = paren{g}
		}
		conflict.TargetWhere = clause.Where{Exprs: []clause.Expression{g}}
	}
	if err := w.columns(conflict.Columns); err != nil {
		return err
	}
	if conflict.UpdateAll && len(conflict.DoUpdates) == 0 && nothingToUpdate(w.stmt) {
		conflict.UpdateAll, conflict.DoNothing = false, true
	}
	if conflict.DoNothing {
		c.Expression = conflict
		w.stmt.Clauses["ON CONFLICT"] = c
		return nil
	}
	kept, err := w.assignments(t.model, conflict.DoUpdates, true)
	if err != nil {
		return err
	}
	conflict.DoUpdates = kept
	user, err := w.conditions(conflict.Where)
	if err != nil {
		return err
	}
	if len(user) > 0 {
		w.stmt.Settings.Store(ownConditionKey, true)
	}
	conflict.Where = clause.Where{Exprs: []clause.Expression{t.model}}
	if g := group(user); g != nil {
		conflict.Where.Exprs = append(conflict.Where.Exprs, g)
	}
	c.Expression = conflict
	w.stmt.Clauses["ON CONFLICT"] = c
	return nil
}

// ownConditionKey marks an upsert whose caller gave a condition: that it changed fewer rows is then no mistake.
const ownConditionKey = "tenancy:upsert_condition"

func isIdentifier(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isWord(s[i]) && s[i] != '"' && s[i] != '.' {
			return false
		}
	}
	return true
}

// nothingToUpdate foresees that GORM will turn UpdateAll into DoNothing, which takes no condition.
func nothingToUpdate(stmt *gorm.Statement) bool {
	if stmt.Schema == nil {
		return false
	}
	selected, restricted := stmt.SelectAndOmitColumns(true, true)
	for _, f := range stmt.Schema.FieldsByDBName {
		if f.PrimaryKey || f.AutoCreateTime > 0 || (f.HasDefaultValue && f.DefaultValueInterface == nil && !strings.EqualFold(f.DefaultValue, "NULL")) {
			continue
		}
		if v, ok := selected[f.DBName]; (ok && v) || (!ok && !restricted) {
			return false
		}
	}
	return true
}

// guardedAssignment is MySQL's form of the guard: a row of another tenant keeps its value.
type guardedAssignment struct {
	guard  clause.Expression
	column clause.Column
	value  any
}

func (g guardedAssignment) Build(b clause.Builder) {
	_, _ = b.WriteString("IF(")
	g.guard.Build(b)
	_ = b.WriteByte(',')
	if c, ok := g.value.(clause.Column); ok && c.Table == "excluded" {
		c.Table = ""
		_, _ = b.WriteString("VALUES(")
		b.WriteQuoted(c)
		_ = b.WriteByte(')')
	} else {
		b.AddVar(b, g.value)
	}
	_ = b.WriteByte(',')
	old := g.column
	old.Table = clause.CurrentTable
	b.WriteQuoted(old)
	_ = b.WriteByte(')')
}

// onDuplicateKey moves the guard of an upsert from its WHERE, which MySQL does not have, into its assignments.
func onDuplicateKey(c clause.Clause) clause.Clause {
	conflict, ok := c.Expression.(clause.OnConflict)
	if !ok || len(conflict.Where.Exprs) == 0 || !isPredicate(conflict.Where.Exprs[0]) {
		return c
	}
	updates := make(clause.Set, len(conflict.DoUpdates))
	for i, a := range conflict.DoUpdates {
		updates[i] = clause.Assignment{Column: a.Column, Value: guardedAssignment{conflict.Where.Exprs[0], a.Column, a.Value}}
	}
	conflict.DoUpdates = updates
	conflict.Where = clause.Where{}
	c.Expression = conflict
	return c
}

// afterCreate tells an upsert that met another tenant's row from one that worked.
func (p *Plugin) afterCreate(db *gorm.DB) {
	if db.DryRun {
		return
	}
	stmt := db.Statement
	c, upsert := stmt.Clauses["ON CONFLICT"]
	if !upsert {
		return
	}
	a := accessOf(stmt.Context)
	if a.mode != modeTenant {
		return
	}
	t, err := p.target(db)
	if err != nil || t.model == nil || t.model.kind != kindOwned {
		return
	}
	w, err := p.newWall(db, a)
	if err != nil || w.siloed {
		return
	}
	conflict, _ := c.Expression.(clause.OnConflict)
	_, conditional := stmt.Settings.LoadAndDelete(ownConditionKey)
	rows := rowsOf(stmt)
	if !countsDuplicates(db) {
		if db.RowsAffected >= int64(len(rows)) {
			return
		}
		if !conflict.DoNothing && !conditional {
			_ = db.AddError(&StatementError{Op: opCreate, Table: stmt.Table, Err: ErrTenantMismatch})
			return
		}
	}
	foreign, err := w.foreignKeys(t.model, rows)
	if err == nil && foreign {
		err = ErrTenantMismatch
	}
	if err != nil {
		_ = db.AddError(&StatementError{Op: opCreate, Table: stmt.Table, Err: err})
	}
}

// countsDuplicates reports whether affected rows say nothing about an upsert: MySQL counts 0, 1 or 2 for each.
func countsDuplicates(db *gorm.DB) bool { return db.Name() == "mysql" }

// foreignKeys reports whether any of the rows' primary keys is a row of another tenant.
func (w *wall) foreignKeys(m *model, rows []rowValue) (bool, error) {
	if m.schema == nil || len(m.schema.PrimaryFields) == 0 {
		return false, nil
	}
	for _, f := range m.schema.PrimaryFields {
		if f.DBName == m.column {
			return false, nil // the key holds the tenant: nobody else can have it
		}
	}
	keys := w.tuples(rows, m.schema.PrimaryFields, nil)
	if len(keys) == 0 {
		return false, nil
	}
	mine, err := m.value(w.access)
	if err != nil {
		return false, err
	}
	var n int64
	err = w.ask(m.schema).
		Where(tupleIn(fieldsColumns(m.schema.PrimaryFields), keys)).
		Where(clause.Neq{Column: clause.Column{Table: clause.CurrentTable, Name: m.column}, Value: mine}).
		Limit(1).Count(&n).Error
	return n > 0, err
}

func fieldsColumns(fields []*schema.Field) []clause.Column {
	columns := make([]clause.Column, len(fields))
	for i, f := range fields {
		columns[i] = clause.Column{Table: clause.CurrentTable, Name: f.DBName}
	}
	return columns
}
