package tenancy

import (
	"context"
	"database/sql/driver"
	"fmt"
	"reflect"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"
)

// rowValue is one row that is written: a struct or a map.
type rowValue struct {
	value  reflect.Value
	values map[string]any
	schema *schema.Schema
}

// rowsOf lists the rows of an insert.
func rowsOf(stmt *gorm.Statement) []rowValue {
	if maps := mapsOf(stmt.Dest); maps != nil {
		rows := make([]rowValue, len(maps))
		for i, m := range maps {
			rows[i] = rowValue{values: m, schema: stmt.Schema}
		}
		return rows
	}
	rv := stmt.ReflectValue
	switch rv.Kind() {
	case reflect.Struct:
		return []rowValue{{value: rv, schema: stmt.Schema}}
	case reflect.Slice, reflect.Array:
		rows := make([]rowValue, 0, rv.Len())
		for i := 0; i < rv.Len(); i++ {
			one := rv.Index(i)
			for one.Kind() == reflect.Interface || one.Kind() == reflect.Pointer {
				one = one.Elem()
			}
			if one.Kind() == reflect.Struct {
				rows = append(rows, rowValue{value: one, schema: stmt.Schema})
			}
		}
		return rows
	}
	return nil
}

// get returns the value a row gives to a column; ok is false when it gives none.
func (r rowValue) get(ctx context.Context, f *schema.Field) (v any, ok bool) {
	if r.values != nil {
		for k, v := range r.values {
			if k == f.Name || strings.EqualFold(lastSegment(k), f.DBName) {
				return v, !emptyValue(v)
			}
		}
		return nil, false
	}
	if r.schema == nil {
		return nil, false
	}
	own := f
	if r.schema.ModelType != f.Schema.ModelType || r.value.Type() != r.schema.ModelType {
		own = r.schema.FieldsByDBName[f.DBName]
	}
	if own == nil || r.value.Type() != own.Schema.ModelType {
		return nil, false
	}
	v, zero := own.ValueOf(ctx, r.value)
	if zero {
		return nil, false
	}
	if valuer, isValuer := v.(driver.Valuer); isValuer { // a NULL in a struct is no reference
		if plain, err := valuer.Value(); err == nil && plain == nil {
			return nil, false
		}
	}
	return v, true
}

// references refuses rows whose foreign keys point at another tenant's rows, or at none: to tell the two apart would
// tell what exists elsewhere.
func (w *wall) references(m *model, written func() []rowValue) error {
	if w.siloed || w.plugin.config.skipReferences || w.db.DryRun || w.access.mode != modeTenant {
		return nil
	}
	refs := w.plugin.references(w.db, m)
	if len(refs) == 0 {
		return nil
	}
	rows := written()
	for _, ref := range refs {
		if err := w.reference(m, ref, rows); err != nil {
			return err
		}
	}
	return nil
}

func (w *wall) reference(m *model, ref reference, rows []rowValue) error {
	untyped := false
	keys := w.tuples(rows, ref.child, func(r rowValue) bool {
		if ref.typeOf == nil {
			return true
		}
		v, ok := r.get(w.stmt.Context, ref.typeOf)
		if _, keyed := r.get(w.stmt.Context, ref.child[0]); keyed && !ok && w.updating {
			untyped = true
		}
		return ok && spelling(pointedAt(v)) == ref.typeVal
	})
	if untyped {
		return fmt.Errorf("%w: write %s together with %s", ErrUnconfined, ref.typeOf.DBName, ref.child[0].DBName)
	}
	if m.schema != nil && ref.target.ModelType == m.schema.ModelType {
		keys = withoutOwn(keys, w.tuples(rows, ref.parent, nil)) // rows that come with this very statement
	}
	if len(keys) == 0 {
		return nil
	}
	for _, key := range keys {
		for _, v := range key {
			if _, ok := v.(clause.Expression); ok {
				return fmt.Errorf("%w: a foreign key to %q is an expression; give its value", ErrUnconfined, ref.target.Table)
			}
		}
	}
	parent := w.plugin.modelOf(w.db, ref.target)
	mine, err := parent.value(w.access)
	if err != nil {
		return err
	}
	columns := fieldsColumns(ref.parent)
	var n int64
	err = w.ask(ref.target).
		Where(tupleIn(columns, keys)).
		Where(clause.Eq{Column: clause.Column{Table: clause.CurrentTable, Name: parent.column}, Value: mine}).
		Distinct(names(ref.parent)).Count(&n).Error
	if len(columns) > 1 && err == nil { // COUNT(DISTINCT a, b) is not SQL everywhere
		n, err = w.countEach(ref, parent, mine, keys)
	}
	if err != nil {
		return err
	}
	if n < int64(len(keys)) {
		return fmt.Errorf("%w: a foreign key to %q is not a row of this tenant", ErrTenantMismatch, ref.target.Table)
	}
	return nil
}

func (w *wall) countEach(ref reference, parent *model, mine any, keys [][]any) (n int64, err error) {
	for _, key := range keys {
		var one int64
		err := w.ask(ref.target).
			Where(tupleIn(fieldsColumns(ref.parent), [][]any{key})).
			Where(clause.Eq{Column: clause.Column{Table: clause.CurrentTable, Name: parent.column}, Value: mine}).
			Limit(1).Count(&one).Error
		if err != nil {
			return 0, err
		}
		if one > 0 {
			n++
		}
	}
	return n, nil
}

func names(fields []*schema.Field) []string {
	out := make([]string, len(fields))
	for i, f := range fields {
		out[i] = f.DBName
	}
	return out
}

// tuples collects the distinct complete keys the rows give for the fields.
func (w *wall) tuples(rows []rowValue, fields []*schema.Field, keep func(rowValue) bool) [][]any {
	var keys [][]any
	seen := map[string]bool{}
next:
	for _, r := range rows {
		if keep != nil && !keep(r) {
			continue
		}
		key := make([]any, len(fields))
		spelled := ""
		for i, f := range fields {
			v, ok := r.get(w.stmt.Context, f)
			if !ok {
				continue next
			}
			if sub, isDB := v.(*gorm.DB); isDB && sub != nil {
				continue next // a sub-query confines itself
			}
			v = pointedAt(v)
			key[i] = v
			spelled += spelling(v) + "\x00"
		}
		if !seen[spelled] {
			seen[spelled] = true
			keys = append(keys, key)
		}
	}
	return keys
}

func pointedAt(v any) any {
	if rv := reflect.ValueOf(v); rv.Kind() == reflect.Pointer && !rv.IsNil() {
		if _, ok := v.(driver.Valuer); !ok {
			return rv.Elem().Interface()
		}
	}
	return v
}

func withoutOwn(keys, own [][]any) [][]any {
	mine := map[string]bool{}
	for _, k := range own {
		mine[fmt.Sprint(k)] = true
	}
	out := keys[:0:0]
	for _, k := range keys {
		if !mine[fmt.Sprint(k)] {
			out = append(out, k)
		}
	}
	return out
}

func tupleIn(columns []clause.Column, keys [][]any) clause.Expression {
	if len(columns) == 1 {
		values := make([]any, len(keys))
		for i, k := range keys {
			values[i] = k[0]
		}
		return clause.IN{Column: columns[0], Values: values}
	}
	var or []clause.Expression
	for _, k := range keys {
		var and []clause.Expression
		for i, c := range columns {
			and = append(and, clause.Eq{Column: c, Value: k[i]})
		}
		or = append(or, clause.And(and...))
	}
	return clause.Or(or...)
}

// ask starts a question of the plugin's own on the statement's connection or transaction.
func (w *wall) ask(s *schema.Schema) *gorm.DB {
	ctx := context.WithValue(w.stmt.Context, contextKey{}, &access{mode: modeInternal, id: w.access.id})
	return w.db.Session(&gorm.Session{NewDB: true, Context: ctx, SkipHooks: true}).
		Model(reflect.New(s.ModelType).Interface()).Unscoped()
}
