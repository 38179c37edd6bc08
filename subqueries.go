package tenancy

import (
	"database/sql"
	"maps"
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// resolvedVars lets the sub-queries among the values of a text get the statement's tenant once they are written. The
// text keeps its type: by it GORM decides where parentheses go.
func resolvedVars(in []any) []any {
	out := in
	for i, v := range in {
		if !hasSubquery(v) {
			continue
		}
		if &out[0] == &in[0] {
			out = slices.Clone(in)
		}
		out[i] = resolvedVar(v)
	}
	return out
}

func resolvedVar(v any) any {
	switch v := v.(type) {
	case []any:
		return resolvedVars(v)
	case map[string]any:
		out := maps.Clone(v)
		for k, one := range out {
			if hasSubquery(one) {
				out[k] = resolvedVar(one)
			}
		}
		return out
	case sql.NamedArg:
		v.Value = resolvedVar(v.Value)
		return v
	}
	return resolving{written{v}}
}

// resolvedValue is resolvedVars for a value that is assigned, or a text that stands alone.
func resolvedValue(v any) (any, bool) {
	switch e := v.(type) {
	case clause.Expr:
		vars := resolvedVars(e.Vars)
		if !moved(vars, e.Vars) {
			return v, false
		}
		e.Vars = vars
		return e, true
	case clause.NamedExpr:
		vars := resolvedVars(e.Vars)
		if !moved(vars, e.Vars) {
			return v, false
		}
		e.Vars = vars
		return e, true
	case *gorm.DB:
		return resolvedVar(v), true
	case clause.Expression:
		if genericSubquery(v) {
			return resolvedVar(v), true
		}
	}
	return v, false
}

// resolvedExpr judges an expression and lets its sub-queries get the statement's tenant.
func (w *wall) resolvedExpr(e clause.Expression) (clause.Expression, bool, error) {
	if err := w.expr(e); err != nil {
		return e, false, err
	}
	r, ok := resolvedValue(e)
	if !ok {
		return e, false, nil
	}
	return r.(clause.Expression), true, nil
}

// negatable is resolving for what Not turns around by an operator of its own.
type negatable struct{ resolving }

func (n negatable) NegationBuild(b clause.Builder) {
	n.Expression.(clause.NegationExpressionBuilder).NegationBuild(b)
	n.resolve(b)
}

// resolved wraps an expression once.
func resolved(e clause.Expression) clause.Expression {
	switch e.(type) {
	case resolving, negatable:
		return e
	case clause.NegationExpressionBuilder:
		return negatable{resolving{e}}
	}
	return resolving{e}
}
