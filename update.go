package tenancy

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// keepColumn keeps the tenant column of a siloed tenant's rows as it is, so that they can move to shared tables.
func (w *wall) keepColumn(t target) error {
	if !w.updating || !t.model.confined() || t.model.column == "" {
		return nil
	}
	return w.protectSet(t)
}

// protectSet keeps the tenant column out of SET, and references inside the tenant.
func (w *wall) protectSet(t target) error {
	m := t.model
	if set, ok := w.stmt.Clauses["SET"]; ok {
		assignments, ok := set.Expression.(clause.Set)
		if (!ok || set.Builder != nil) && w.siloed {
			return nil
		}
		if !ok || set.Builder != nil {
			return fmt.Errorf("%w: a SET clause of another type than clause.Set", ErrUnconfined)
		}
		kept, err := w.assignments(m, assignments, false)
		if err != nil {
			return err
		}
		set.Expression = kept
		w.stmt.Clauses["SET"] = set
		if !m.confined() {
			return nil
		}
		values := map[string]any{}
		for _, a := range kept {
			values[a.Column.Name] = a.Value
		}
		return w.references(m, func() []rowValue { return []rowValue{{values: values, schema: w.stmt.Schema}} })
	}
	dest := reflect.ValueOf(w.stmt.Dest)
	for dest.Kind() == reflect.Pointer {
		dest = dest.Elem()
	}
	if !dest.IsValid() {
		return nil
	}
	if values, ok := dest.Interface().(map[string]any); ok {
		return w.protectMap(m, values)
	}
	if dest.Kind() == reflect.Struct && m.confined() {
		return w.protectStruct(m, dest)
	}
	return nil
}

func (w *wall) protectMap(m *model, values map[string]any) error {
	var resolved map[string]any
	for k, v := range values {
		if err := w.assigned(v); err != nil {
			return err
		}
		if r, ok := resolvedValue(v); ok && !w.siloed {
			if _, alone := v.(*gorm.DB); alone {
				r = []any{r} // GORM puts parentheses around what it knows as a sub-query
			}
			if resolved == nil {
				resolved = maps.Clone(values) // other statements may share the map
				w.stmt.Dest = resolved
			}
			resolved[k] = r
		}
		if !w.siloed && !isColumnName(k) {
			return fmt.Errorf("%w: %q is not the name of a column", ErrUnconfined, k)
		}
		if m == nil || m.kind != kindOwned || !m.isTenant(k) {
			continue
		}
		if err := w.sameTenant(m, v); err != nil {
			return err
		}
		omit := k
		if w.stmt.Schema == nil || w.stmt.Schema.LookUpField(k) == nil {
			if k != m.column {
				return fmt.Errorf("%w: write the tenant column as %q", ErrUnconfined, m.column)
			}
		}
		w.omit(omit)
	}
	if !m.confined() {
		return nil
	}
	return w.references(m, func() []rowValue { return []rowValue{{values: values, schema: w.stmt.Schema}} })
}

// isColumnName reports whether a map key is one name, possibly qualified, each part possibly quoted as a whole. A key in
// a map literal is code, but a key decoded from a request is not.
func isColumnName(k string) bool {
	for _, part := range strings.Split(k, ".") {
		if n := len(part); n > 2 && strings.IndexByte("`\"[", part[0]) >= 0 {
			part = part[1 : n-1]
		}
		if part == "" {
			return false
		}
		for i := 0; i < len(part); i++ {
			if c := part[i]; !isWord(c) && c != '$' && c != '-' && c != ' ' {
				return false
			}
		}
	}
	return true
}

func (w *wall) protectStruct(m *model, dest reflect.Value) error {
	s := w.stmt.Schema
	if s == nil || dest.Type() != s.ModelType {
		parsed, err := parse(w.db, w.stmt.Dest)
		if err != nil {
			return nil // GORM reports it
		}
		s = parsed
	}
	if m.kind == kindOwned {
		if f := s.FieldsByDBName[m.column]; f != nil {
			if err := w.sameTenant(m, f.ReflectValueOf(w.stmt.Context, dest).Interface()); err != nil {
				return err
			}
			w.omit(f.DBName)
		}
	}
	return w.references(m, func() []rowValue { return []rowValue{{value: dest, schema: s}} })
}

// omit keeps a column out of SET. Other statements may share the slice.
func (w *wall) omit(column string) {
	if !slices.Contains(w.stmt.Omits, column) {
		w.stmt.Omits = append(slices.Clip(w.stmt.Omits), column)
	}
}

// sameTenant refuses a new tenant for existing rows. Nothing, or the tenant itself, is no change: it is left out.
// GORM's own Association.Clear sets every column of a composite foreign key to NULL.
func (w *wall) sameTenant(m *model, v any) error {
	if _, ok := v.(clause.Expression); ok {
		return fmt.Errorf("%w: the tenant of a row never changes", ErrTenantMismatch)
	}
	if emptyValue(v) {
		return nil
	}
	for _, one := range w.access.tenants() {
		if want, err := m.value(one); err == nil && equal(reflect.ValueOf(v), want) {
			return nil
		}
	}
	return fmt.Errorf("%w: the tenant of a row never changes", ErrTenantMismatch)
}

func (a *access) tenants() []*access {
	if a.mode == modeTenant {
		return []*access{a}
	}
	return a.several
}

// assignments judges a SET or DO UPDATE list and drops the tenant column from it.
func (w *wall) assignments(m *model, in clause.Set, upsert bool) (clause.Set, error) {
	out := in
	for i := 0; i < len(out); i++ {
		a := out[i]
		if !w.siloed && (a.Column.Raw || !isColumnName(a.Column.Name)) {
			return nil, fmt.Errorf("%w: an assignment to something that is not a column's name", ErrUnconfined)
		}
		if err := w.assigned(a.Value); err != nil {
			return nil, err
		}
		if r, ok := resolvedValue(a.Value); ok {
			out = slices.Clone(out)
			out[i].Value = r
		}
		if m == nil || m.kind != kindOwned || !m.isTenant(a.Column.Name) {
			continue
		}
		if c, ok := a.Value.(clause.Column); !ok || !upsert || c.Table != "excluded" || !strings.EqualFold(c.Name, m.column) {
			if err := w.sameTenant(m, a.Value); err != nil {
				return nil, err
			}
		}
		if upsert && len(out) == 1 {
			break // DO UPDATE needs one assignment; the guard makes this one harmless
		}
		out = slices.Delete(slices.Clone(out), i, i+1)
		i--
	}
	return out, nil
}

func isNilPointer(v any) bool {
	rv := reflect.ValueOf(v)
	return rv.Kind() == reflect.Pointer && rv.IsNil()
}
