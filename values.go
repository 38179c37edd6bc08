package tenancy

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"reflect"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// value judges what is bound into text: a sub-query, an expression, a list of them. The order of the cases is that of
// gorm.Statement.AddVar.
func (w *wall) value(v any) error {
	switch v := v.(type) {
	case nil, string, bool, int, int64, uint, uint64, float64, []byte, time.Time, current, bound, *deferred, resolving:
		return nil
	case *gorm.DB:
		return w.subquery(v)
	case sql.NamedArg:
		return w.value(v.Value)
	case clause.Column:
		return w.column(v)
	case clause.Table:
		if v.Raw {
			return w.text(v.Name, nil, "FROM ")
		}
		return nil
	case clause.Expr, clause.NamedExpr, clause.AndConditions, clause.OrConditions, clause.NotConditions,
		clause.Eq, clause.IN, clause.CommaExpression:
		return w.expr(v.(clause.Expression))
	case gorm.Valuer, clause.Interface, clause.Expression:
		return w.rendered(v)
	case driver.Valuer:
		return nil
	case []any:
		return w.values(v)
	case map[string]any:
		for _, one := range v {
			if err := w.value(one); err != nil {
				return err
			}
		}
		return nil
	}
	return w.reflected(reflect.ValueOf(v))
}

// subquery judges a statement inside this one. It confines itself when it is written, to the tenant of its own context:
// that must not be another than this statement's.
func (w *wall) subquery(db *gorm.DB) error {
	if db == nil || db.Statement == nil {
		return nil
	}
	if a := accessOf(db.Statement.Context); a.mode == modeTenant && w.access.mode == modeTenant && a.id != w.access.id {
		return fmt.Errorf("%w: a sub-query acts for another tenant than the statement around it", ErrTenantMismatch)
	}
	if db.Statement.SQL.Len() > 0 {
		return w.text(db.Statement.SQL.String(), db.Statement.Vars, "")
	}
	return nil
}

func (w *wall) values(list []any) error {
	for _, one := range list {
		if err := w.value(one); err != nil {
			return err
		}
	}
	return nil
}

// reflected looks into lists and named arguments of types of their own.
func (w *wall) reflected(rv reflect.Value) error {
	switch rv.Kind() {
	case reflect.Pointer:
		if !rv.IsNil() && rv.Elem().CanInterface() {
			return w.value(rv.Elem().Interface())
		}
	case reflect.Slice, reflect.Array:
		if basic(rv.Type().Elem().Kind()) && !rv.Type().Elem().Implements(expressionType) {
			return nil
		}
		for i := range rv.Len() {
			if err := w.value(rv.Index(i).Interface()); err != nil {
				return err
			}
		}
	case reflect.Struct:
		for i := range rv.NumField() {
			if f := rv.Field(i); f.CanInterface() && !basic(f.Kind()) {
				if err := w.value(f.Interface()); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

var expressionType = reflect.TypeFor[clause.Expression]()

func basic(k reflect.Kind) bool { return k <= reflect.Complex128 || k == reflect.String }

// rendered judges what a type that is not known writes, by letting it write. GORM's own generic sub-queries confine
// themselves.
func (w *wall) rendered(v any) error {
	if isNilPointer(v) || genericSubquery(v) {
		return nil
	}
	text, vars, err := w.render(v)
	if err != nil {
		return err
	}
	return w.text(text, vars, "")
}

// genericSubquery reports whether v is a statement of GORM's generics API; its types are not exported.
func genericSubquery(v any) bool {
	t := reflect.TypeOf(v)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.PkgPath() == "gorm.io/gorm"
}

func (w *wall) render(v any) (string, []any, error) {
	db := w.db.Session(&gorm.Session{NewDB: true, DryRun: true, Initialized: true})
	db.Error = nil
	scratch := db.Statement
	scratch.Table, scratch.Schema, scratch.Context = w.stmt.Table, w.stmt.Schema, w.stmt.Context
	if build, ok := v.(interface{ Build(clause.Builder) }); ok {
		build.Build(scratch)
	} else {
		scratch.AddVar(scratch, v)
	}
	return scratch.SQL.String(), nil, db.Error
}
