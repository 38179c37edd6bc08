package tenancy

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"
)

// stamp writes the tenant into new rows before the hooks of the model run.
func (p *Plugin) stamp(db *gorm.DB) {
	if err := p.stampRows(db); err != nil {
		refuse(db, opCreate, db.Statement.Table, err)
	}
}

func (p *Plugin) stampRows(db *gorm.DB) error {
	stmt := db.Statement
	t, err := p.target(db)
	if err != nil {
		return err
	}
	a := accessOf(stmt.Context)
	if a.mode == modeNone {
		p.centralise(stmt, t)
	}
	if !t.model.confined() || a.mode == modeInternal {
		return nil
	}
	if a.mode == modeBypass {
		p.reportBypass(stmt.Context, a, opCreate, stmt.Table)
		if err := p.reachable(stmt.Context, a); err != nil {
			return err
		}
	} else if err := p.permitCreate(db, a); err != nil {
		return err
	}
	if t.model.kind != kindOwned || t.model.column == "" {
		return nil
	}
	r, err := newRow(t.model, stmt)
	if err != nil {
		return err
	}
	if r.field != nil {
		selectColumn(stmt, r.field)
	}
	return r.each(stmt, a)
}

// permitCreate: unlike a query, an insert in a dry run is nobody's sub-query.
func (p *Plugin) permitCreate(db *gorm.DB, a *access) error {
	switch a.mode {
	case modeTenant:
		_, err := p.strategy.Route(db.Statement.Context, a.id)
		return err
	case modeSeveral:
		return p.reachable(db.Statement.Context, a)
	}
	return a.noTenant()
}

// row knows where the tenant stands in the values of one insert.
type row struct {
	model *model
	field *schema.Field // in the struct that is inserted; may be nil for maps
	maps  []map[string]any
}

func newRow(m *model, stmt *gorm.Statement) (row, error) {
	r := row{model: m, field: m.field, maps: mapsOf(stmt.Dest)}
	if r.maps != nil {
		return r, nil
	}
	if stmt.Schema != nil && stmt.Schema != m.schema {
		r.field = stmt.Schema.FieldsByDBName[m.column]
	}
	if r.field == nil {
		return r, fmt.Errorf("%w: the inserted type has no field for the tenant column %q", ErrUnconfined, m.column)
	}
	return r, nil
}

// each stamps every row of the statement.
func (r row) each(stmt *gorm.Statement, a *access) error {
	var want any
	if a.mode == modeTenant {
		var err error
		if want, err = r.model.value(a); err != nil {
			return err
		}
	}
	if r.maps != nil {
		return r.stampMaps(a, want)
	}
	rv := stmt.ReflectValue
	switch rv.Kind() {
	case reflect.Struct:
		if !rv.CanAddr() { // db.Create(poll): stamp a copy
			c := reflect.New(rv.Type())
			c.Elem().Set(rv)
			stmt.Dest, stmt.ReflectValue = c.Interface(), c.Elem()
			rv = stmt.ReflectValue
		}
		return r.stampStruct(stmt.Context, rv, a, want)
	case reflect.Slice, reflect.Array:
		if text, ok := want.(string); ok && r.direct(rv.Type()) {
			return stampTexts(rv, r.field.StructField.Index[0], text)
		}
		for i := 0; i < rv.Len(); i++ {
			one := rv.Index(i)
			for one.Kind() == reflect.Interface || one.Kind() == reflect.Pointer {
				one = one.Elem()
			}
			if !one.IsValid() || one.Kind() != reflect.Struct {
				continue // GORM reports it
			}
			if !one.CanAddr() {
				return fmt.Errorf("%w: pass a slice, or a pointer to the array", gorm.ErrInvalidValue)
			}
			if err := r.stampStruct(stmt.Context, one, a, want); err != nil {
				return err
			}
		}
	}
	return nil
}

// direct reports whether the rows are a slice of structs that hold the tenant as text in a field of their own.
func (r row) direct(rows reflect.Type) bool {
	return rows.Kind() == reflect.Slice && rows.Elem() == r.field.Schema.ModelType &&
		r.field.FieldType.Kind() == reflect.String && len(r.field.StructField.Index) == 1
}

// stampTexts does for a batch what stampStruct does for a row, in a third of the time.
func stampTexts(rows reflect.Value, field int, want string) error {
	for i := range rows.Len() {
		if err := stampText(rows.Index(i).Field(field), want); err != nil {
			return err
		}
	}
	return nil
}

func stampText(f reflect.Value, want string) error {
	switch f.String() {
	case "":
		f.SetString(want)
	case want:
	default:
		return ErrTenantMismatch
	}
	return nil
}

// stampStruct sets the tenant of one row, or refuses another's. want is the tenant's value, if there is one tenant.
func (r row) stampStruct(ctx context.Context, rv reflect.Value, a *access, want any) error {
	f := r.field.ReflectValueOf(ctx, rv)
	if a.mode != modeTenant {
		return r.vet(f, a)
	}
	if text, ok := want.(string); ok && f.Kind() == reflect.String {
		return stampText(f, text)
	}
	if isZero(f) {
		return set(ctx, r.field, f, rv, want)
	}
	if !equal(f, want) {
		return ErrTenantMismatch
	}
	return nil
}

// vet checks a row written without one tenant: under Bypass it names its tenant itself.
func (r row) vet(f reflect.Value, a *access) error {
	if isZero(f) {
		return fmt.Errorf("%w: %w", ErrNoTenant, errNotStamped)
	}
	if a.mode != modeSeveral {
		return nil
	}
	for _, one := range a.several {
		if want, err := r.model.value(one); err == nil && equal(f, want) {
			return nil
		}
	}
	return ErrTenantMismatch
}

// set avoids the two allocations field.Set costs for the common kinds.
func set(ctx context.Context, field *schema.Field, f, row reflect.Value, want any) error {
	switch v := want.(type) {
	case string:
		if f.Kind() == reflect.String {
			f.SetString(v)
			return nil
		}
	case int64:
		if f.CanInt() {
			f.SetInt(v)
			return nil
		}
	case uint64:
		if f.CanUint() {
			f.SetUint(v)
			return nil
		}
	}
	return field.Set(ctx, row, want)
}

func isZero(f reflect.Value) bool {
	if f.Kind() == reflect.Pointer {
		return f.IsNil() || f.Elem().IsZero()
	}
	return f.IsZero()
}

func equal(f reflect.Value, want any) bool {
	f = reflect.Indirect(f)
	switch v := want.(type) {
	case string:
		if f.Kind() == reflect.String {
			return f.String() == v
		}
	case int64:
		if f.CanInt() {
			return f.Int() == v
		}
	case uint64:
		if f.CanUint() {
			return f.Uint() == v
		}
	}
	return f.IsValid() && f.CanInterface() && spelling(f.Interface()) == spelling(want)
}

func (r row) stampMaps(a *access, want any) error {
	for _, m := range r.maps {
		if err := r.stampMap(m, a, want); err != nil {
			return err
		}
	}
	return nil
}

// stampMap sets the tenant in a map, whatever spelling of the column its keys use.
func (r row) stampMap(m map[string]any, a *access, want any) error {
	if m == nil {
		return nil
	}
	var named any
	for k, v := range m {
		if !r.model.isTenant(k) {
			continue
		}
		if _, ok := v.(clause.Expression); ok {
			return fmt.Errorf("%w: the tenant column takes a value, not an expression", ErrUnconfined)
		}
		if !emptyValue(v) {
			if named != nil && spelling(named) != spelling(v) {
				return ErrTenantMismatch
			}
			named = v
		}
		delete(m, k)
	}
	if a.mode != modeTenant {
		if named == nil {
			return fmt.Errorf("%w: %w", ErrNoTenant, errNotStamped)
		}
		m[r.model.column] = named
		return r.vet(reflect.ValueOf(named), a)
	}
	if named != nil && !equal(reflect.ValueOf(named), want) {
		return ErrTenantMismatch
	}
	m[r.model.column] = want
	return nil
}

func emptyValue(v any) bool {
	if v == nil {
		return true
	}
	rv := reflect.ValueOf(v)
	return isZero(rv)
}

// isTenant reports whether a map key or column name means the tenant column: by column or field name, in any case,
// quoted or qualified.
func (m *model) isTenant(key string) bool {
	if strings.EqualFold(key, m.column) || (m.field != nil && key == m.field.Name) {
		return true
	}
	if len(key) <= len(m.column) {
		return false
	}
	return strings.EqualFold(lastSegment(key), m.column)
}

// selectColumn makes sure that Select and Omit do not keep the tenant out of an insert.
func selectColumn(stmt *gorm.Statement, f *schema.Field) {
	if len(stmt.Selects) == 0 && len(stmt.Omits) == 0 {
		return
	}
	means := func(name string) bool {
		return name == f.Name || strings.EqualFold(lastSegment(name), f.DBName)
	}
	if slices.ContainsFunc(stmt.Omits, means) {
		stmt.Omits = slices.DeleteFunc(slices.Clone(stmt.Omits), means)
	}
	if len(stmt.Selects) > 0 && !slices.Contains(stmt.Selects, f.DBName) {
		stmt.Selects = append(slices.Clone(stmt.Selects), f.DBName)
	}
}

// completeKeys gives the rows to delete their tenant where it is part of their primary key and the caller left it out:
// GORM takes the key from the struct, and handlers need not name the tenant.
func (w *wall) completeKeys(m *model) {
	if !m.confined() || m.field == nil || !m.field.PrimaryKey || w.access.mode != modeTenant {
		return
	}
	for _, v := range []any{w.stmt.Dest, w.stmt.Model} {
		rv := reflect.ValueOf(v)
		for rv.Kind() == reflect.Pointer {
			rv = rv.Elem()
		}
		if rv.IsValid() && rv.Kind() == reflect.Slice {
			for i := 0; i < rv.Len(); i++ {
				w.completeKey(m, reflect.Indirect(rv.Index(i)))
			}
			continue
		}
		w.completeKey(m, rv)
	}
}

func (w *wall) completeKey(m *model, rv reflect.Value) {
	if !rv.IsValid() || rv.Type() != m.schema.ModelType || !rv.CanAddr() {
		return
	}
	if f := m.field.ReflectValueOf(w.stmt.Context, rv); isZero(f) && !onlyZero(w.stmt, m, rv) {
		if want, err := m.value(w.access); err == nil {
			_ = set(w.stmt.Context, m.field, f, rv, want)
		}
	}
}

// onlyZero reports whether the whole key is empty: such a struct only names the table, and must go on meaning no row.
func onlyZero(stmt *gorm.Statement, m *model, rv reflect.Value) bool {
	for _, f := range m.schema.PrimaryFields {
		if _, zero := f.ValueOf(stmt.Context, rv); !zero {
			return false
		}
	}
	return true
}
