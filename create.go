package tenancy

import (
	"fmt"
	"reflect"
	"slices"
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
	if w.siloed {
		if err := w.keepConflict(t.model); err != nil {
			return err
		}
		return stampAgain(t.model, stmt, a)
	}
	if err := w.clauses(); err != nil {
		return err
	}
	if err := w.insertedText(); err != nil {
		return err
	}
	if !t.model.confined() {
		return w.judgeConflict()
	}
	if err := stampAgain(t.model, stmt, a); err != nil {
		return err
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

// stampAgain looks at the rows after hooks that may have changed their tenant.
func stampAgain(m *model, stmt *gorm.Statement, a *access) error {
	if m == nil || m.kind != kindOwned || m.column == "" || stmt.Schema == nil || stmt.SkipHooks ||
		!stmt.Schema.BeforeCreate && !stmt.Schema.BeforeSave {
		return nil
	}
	r, err := newRow(m, stmt)
	if err != nil {
		return err
	}
	return r.each(stmt, a)
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
			if r, ok := resolvedValue(v); ok {
				m[k] = r // in place: GORM writes the new key into the same map
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

// conflict returns the upsert of the statement, with its names judged.
func (w *wall) conflict() (c clause.Clause, conflict clause.OnConflict, err error) {
	c = w.stmt.Clauses["ON CONFLICT"]
	conflict, ok := c.Expression.(clause.OnConflict)
	if !ok || c.Builder != nil {
		return c, conflict, fmt.Errorf("%w: an ON CONFLICT clause of another type than clause.OnConflict", ErrUnconfined)
	}
	if !isIdentifier(conflict.OnConstraint) {
		return c, conflict, fmt.Errorf("%w: OnConstraint is not a constraint's name", ErrUnconfined)
	}
	return c, conflict, w.columns(conflict.Columns)
}

// judgeConflict judges the text of an upsert into a central table, and leaves it as it is.
func (w *wall) judgeConflict() error {
	if _, ok := w.stmt.Clauses["ON CONFLICT"]; !ok {
		return nil
	}
	c, conflict, err := w.conflict()
	if err != nil {
		return err
	}
	if conflict.TargetWhere.Exprs, err = w.exprs(conflict.TargetWhere.Exprs); err != nil {
		return err
	}
	if conflict.Where.Exprs, err = w.exprs(conflict.Where.Exprs); err != nil {
		return err
	}
	if conflict.DoUpdates, err = w.assignments(nil, conflict.DoUpdates, true); err != nil {
		return err
	}
	c.Expression = conflict
	w.stmt.Clauses["ON CONFLICT"] = c
	return nil
}

// keepConflict keeps the tenant column of a siloed tenant's rows as it is in an upsert.
func (w *wall) keepConflict(m *model) error {
	c := w.stmt.Clauses["ON CONFLICT"]
	conflict, ok := c.Expression.(clause.OnConflict)
	if !ok || !m.confined() || m.column == "" {
		return nil
	}
	kept, err := w.assignments(m, conflict.DoUpdates, true)
	if err != nil {
		return err
	}
	conflict.DoUpdates = kept
	c.Expression = conflict
	w.stmt.Clauses["ON CONFLICT"] = c
	return nil
}

// guardConflict keeps an upsert away from rows of other tenants, and refuses REPLACE.
func (w *wall) guardConflict(t target) error {
	if insert, ok := w.stmt.Clauses["INSERT"].Expression.(clause.Insert); ok && strings.Contains(strings.ToUpper(insert.Modifier), "REPLACE") {
		return fmt.Errorf("%w: REPLACE deletes whichever row has the key; use clause.OnConflict", ErrUnconfined)
	}
	if _, ok := w.stmt.Clauses["ON CONFLICT"]; !ok {
		return nil
	}
	c, conflict, err := w.conflict()
	if err != nil {
		return err
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
	if conflict.UpdateAll && len(conflict.DoUpdates) == 0 && nothingToUpdate(w.stmt) {
		conflict.UpdateAll, conflict.DoNothing = false, true
	}
	if conflict.DoNothing {
		if countsDuplicates(w.db) && t.model.kind == kindOwned {
			conflict.Where = clause.Where{Exprs: []clause.Expression{t.model}} // MySQL's DoNothing is an update as well
		}
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

// afterCreate tells an upsert that met another tenant's row from one that worked.
func (p *Plugin) afterCreate(db *gorm.DB) {
	if db.DryRun {
		return
	}
	stmt := db.Statement
	c, upsert := stmt.Clauses["ON CONFLICT"]
	ignore := ignores(stmt)
	if !upsert && !ignore {
		return
	}
	_, conditional := stmt.Settings.LoadAndDelete(ownConditionKey)
	a := accessOf(stmt.Context)
	if a.mode != modeTenant {
		return
	}
	t, err := p.target(db)
	if err != nil || !t.model.confined() {
		return
	}
	if db.Error != nil {
		if countsDuplicates(db) && metForeignRow(t.model, db.Error) {
			db.Error = &StatementError{Op: opCreate, Table: stmt.Table, Err: ErrTenantMismatch}
		}
		return
	}
	if t.model.kind != kindOwned || upsert && countsDuplicates(db) && !ignore {
		return
	}
	w, err := p.newWall(db, a)
	if err != nil || w.siloed {
		return
	}
	conflict, _ := c.Expression.(clause.OnConflict)
	rows := rowsOf(stmt)
	miscounted := conflict.DoNothing && len(rows) > 1 // GORM counts rows that had their key, inserted or not
	if db.RowsAffected >= int64(len(rows)) && !miscounted {
		return
	}
	if upsert && !conflict.DoNothing && !conditional {
		_ = db.AddError(&StatementError{Op: opCreate, Table: stmt.Table, Err: ErrTenantMismatch})
		return
	}
	foreign, err := w.foreignKeys(t.model, conflict, rows)
	if err == nil && foreign {
		err = ErrTenantMismatch
	}
	if err != nil {
		_ = db.AddError(&StatementError{Op: opCreate, Table: stmt.Table, Err: err})
	}
}

// ignores reports whether rows whose key is taken are left out in silence (SQLite's OR IGNORE, MySQL's IGNORE).
func ignores(stmt *gorm.Statement) bool {
	insert, ok := stmt.Clauses["INSERT"].Expression.(clause.Insert)
	return ok && insert.Modifier != "" && strings.Contains(strings.ToUpper(insert.Modifier), "IGNORE")
}

// foreignKeys reports whether any of the rows' primary keys is a row of another tenant, or of nobody. Where the database
// hides those, it is a key that is none of the tenant's own rows, which says so if the upsert asks for no other key.
func (w *wall) foreignKeys(m *model, conflict clause.OnConflict, rows []rowValue) (bool, error) {
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
	tenant := clause.Column{Table: clause.CurrentTable, Name: m.column}
	var n int64
	met := w.ask(m.schema).Where(tupleIn(fieldsColumns(m.schema.PrimaryFields), keys))
	if w.confined {
		err = met.Where(clause.Eq{Column: tenant, Value: mine}).Count(&n).Error
		return onPrimaryKey(m.schema, conflict) && n < int64(len(keys)), err
	}
	err = met.Where(clause.Or(clause.Neq{Column: tenant, Value: mine}, clause.Eq{Column: tenant})).
		Limit(1).Count(&n).Error
	return n > 0, err
}

// onPrimaryKey reports whether an upsert names the columns of the primary key.
func onPrimaryKey(s *schema.Schema, conflict clause.OnConflict) bool {
	for _, f := range s.PrimaryFields {
		if !slices.ContainsFunc(conflict.Columns, func(c clause.Column) bool { return c.Name == f.DBName }) {
			return false
		}
	}
	return len(conflict.Columns) == len(s.PrimaryFields)
}

func fieldsColumns(fields []*schema.Field) []clause.Column {
	columns := make([]clause.Column, len(fields))
	for i, f := range fields {
		columns[i] = clause.Column{Table: clause.CurrentTable, Name: f.DBName}
	}
	return columns
}
