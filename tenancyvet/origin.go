package tenancyvet

import (
	"go/ast"
	"go/types"
)

// origin says what is known of the context that a *gorm.DB, or a context, comes with.
type origin struct {
	kind kind
	root ast.Expr // of untold: where the chain begins
	ran  bool     // a statement was sent on the way, and is judged by itself
}

type kind uint8

const (
	unsure   kind = iota // nothing is reported on suspicion
	told                 // has a context of somebody who cares, or is a parameter
	untold               // never got one
	bypassed             // by tenancy.Bypass
	empty                // context.Background() or TODO()
	ginOwn               // a *gin.Context itself
	request              // the context of a request
	again                // what is being looked at already: says nothing of its own
)

// chained are the methods of *gorm.DB that return one with the same context and send nothing. Of all others that return one
// a statement was sent before.
var chained = set("Model", "Clauses", "Table", "Distinct", "Select", "Omit", "MapColumns", "Where", "Not", "Or", "Joins", "InnerJoins", "Group",
	"Having", "Order", "Limit", "Offset", "Scopes", "Preload", "Attrs", "Assign", "Unscoped", "Raw", "Session", "Debug", "Set", "InstanceSet")

// statements are the methods of *gorm.DB that send something.
var statements = set("Create", "CreateInBatches", "Save", "First", "Take", "Last", "Find", "FindInBatches", "FirstOrInit", "FirstOrCreate",
	"Update", "Updates", "UpdateColumn", "UpdateColumns", "Delete", "Count", "Row", "Rows", "Scan", "Pluck", "Exec", "Transaction", "Begin",
	"Connection", "AutoMigrate", "Association")

func set(names ...string) map[string]bool {
	m := map[string]bool{}
	for _, name := range names {
		m[name] = true
	}
	return m
}

// db says what is known of the context of a *gorm.DB.
func (f *flow) db(e ast.Expr) origin { return f.dbOf(e, map[any]bool{}) }

func (f *flow) dbOf(e ast.Expr, seen map[any]bool) origin {
	switch {
	case e == nil:
		return origin{}
	case seen[e]:
		return origin{kind: again}
	}
	seen[e] = true
	switch n := ast.Unparen(e).(type) {
	case *ast.CallExpr:
		return f.dbOfCall(n, seen)
	case *ast.Ident:
		v, _ := f.info.ObjectOf(n).(*types.Var)
		return f.dbOfVariable(v, n, seen)
	case *ast.SelectorExpr:
		v := variable(f.info, n)
		if v != nil && v.IsField() && v.Pkg() != nil && v.Pkg().Path() == gormPath {
			return f.dbOf(n.X, seen) // of an embedded *gorm.DB, or of a statement
		}
		return f.dbOfVariable(v, n, seen)
	case *ast.StarExpr:
		return f.dbOf(n.X, seen)
	case *ast.UnaryExpr:
		return f.dbOf(n.X, seen)
	}
	return origin{}
}

func (f *flow) dbOfCall(call *ast.CallExpr, seen map[any]bool) origin {
	if m, ok := methodOf(f.info, call); ok && !m.generic {
		if ctx := contextGiven(m); ctx != nil {
			return f.contextOf(ctx, map[any]bool{})
		}
		if m.name == "WithContext" || !isDB(f.info.TypeOf(call)) {
			return origin{}
		}
		o := f.dbOf(m.receiver, seen)
		o.ran = o.ran || !chained[m.name]
		return o
	}
	fn := function(f.info, call)
	if fn == nil {
		return origin{}
	}
	for _, arg := range call.Args {
		t := f.info.TypeOf(arg)
		switch {
		case isDB(t):
			return f.dbOf(arg, seen)
		case sourceOf(t) != noSource:
			return origin{kind: told}
		}
	}
	if fn.Pkg() == f.pass.Pkg {
		o := f.returned(fn, seen)
		o.root = call
		return o
	}
	if f.pass.ImportObjectFact(fn.Origin(), new(handsOut)) {
		return origin{kind: untold, root: call}
	}
	return origin{}
}

// contextGiven returns the context that WithContext or Session gives; nil when it gives none.
func contextGiven(m method) ast.Expr {
	if len(m.args) != 1 {
		return nil
	}
	switch m.name {
	case "WithContext":
		return m.args[0]
	case "Session":
		if address, ok := ast.Unparen(m.args[0]).(*ast.UnaryExpr); ok {
			if lit, ok := address.X.(*ast.CompositeLit); ok {
				return member(lit, "Context")
			}
		}
	}
	return nil
}

// member returns what a composite literal gives the field of that name.
func member(lit *ast.CompositeLit, name string) ast.Expr {
	for _, e := range lit.Elts {
		if pair, ok := e.(*ast.KeyValueExpr); ok {
			if key, ok := pair.Key.(*ast.Ident); ok && key.Name == name {
				return pair.Value
			}
		}
	}
	return nil
}

// returned is the origin of the *gorm.DB that a function of this package returns.
func (f *flow) returned(fn *types.Func, seen map[any]bool) origin {
	signature := fn.Signature()
	for v := range signature.Params().Variables() {
		if isDB(v.Type()) || sourceOf(v.Type()) != noSource {
			return origin{kind: told}
		}
	}
	for i := range signature.Results().Len() {
		if isDB(signature.Results().At(i).Type()) && !seen[fn] {
			seen[fn] = true
			return f.together(results(f.functions[fn.Origin()], i), seen)
		}
	}
	return origin{}
}

func (f *flow) dbOfVariable(v *types.Var, at ast.Expr, seen map[any]bool) origin {
	if v == nil {
		return origin{}
	}
	if p, ok := f.params[v]; ok {
		return f.dbOfParam(p, seen)
	}
	switch {
	case seen[v]:
		return origin{kind: again}
	case v.IsField(), v.Parent() == v.Pkg().Scope():
		seen[v] = true
		return f.dbOfLasting(v, at, seen)
	}
	seen[v] = true
	o := f.together(f.values[v], seen)
	if o.kind == untold && !o.ran {
		o.root = at
	}
	return o
}

// dbOfLasting is the origin of a field or of a variable of a package: it outlives requests, unless somebody in this package
// gives it a *gorm.DB with a context.
func (f *flow) dbOfLasting(v *types.Var, at ast.Expr, seen map[any]bool) origin {
	for _, value := range f.values[v] {
		if value == nil {
			continue
		}
		o := f.dbOf(value, seen)
		if o.kind == told && f.parameter(value) {
			o = f.argument(value, seen)
		}
		if o.kind != unsure && o.kind != untold && o.kind != again {
			return origin{}
		}
	}
	return origin{kind: untold, root: at}
}

// parameter reports whether e is a parameter of a declared function, such as a constructor's.
func (f *flow) parameter(e ast.Expr) bool {
	p, ok := f.params[variable(f.info, e)]
	_, declared := p.of.(*ast.FuncDecl)
	return ok && declared
}

// argument is the origin of what the callers in this package give a parameter; unsure when there are none.
func (f *flow) argument(e ast.Expr, seen map[any]bool) origin {
	p := f.params[variable(f.info, e)]
	fn, _ := f.info.Defs[p.of.(*ast.FuncDecl).Name].(*types.Func)
	for _, call := range f.callers[fn] {
		if p.index < len(call.Args) {
			if o := f.dbOf(call.Args[p.index], seen); o.kind != untold {
				return o
			}
		}
	}
	return origin{}
}

// dbOfParam trusts parameters: whoever calls is judged. In a function given to GORM, such as Transaction's, it is the
// context of the statement around it, which is judged there.
func (f *flow) dbOfParam(p param, seen map[any]bool) origin {
	if lit, ok := p.of.(*ast.FuncLit); ok {
		if m, ok := methodOf(f.info, orEmpty(f.literals[lit])); ok && !m.generic {
			o := f.dbOf(m.receiver, seen)
			o.ran = true
			return o
		}
	}
	return origin{kind: told}
}

func orEmpty(call *ast.CallExpr) *ast.CallExpr {
	if call == nil {
		return &ast.CallExpr{Fun: &ast.BadExpr{}}
	}
	return call
}

// together is the origin of a variable that is given all of these.
func (f *flow) together(values []ast.Expr, seen map[any]bool) origin {
	return f.join(values, func(e ast.Expr) origin { return f.dbOf(e, seen) })
}

// join sums up what of says of several values: what all say, or told. One that is bypassed is enough.
func (f *flow) join(values []ast.Expr, of func(ast.Expr) origin) (all origin) {
	known, repeated := false, false
	for _, value := range values {
		if value == nil {
			return origin{}
		}
		if f.info.Types[value].IsNil() {
			continue
		}
		o := of(value)
		switch {
		case o.kind == bypassed:
			return o
		case o.kind == again:
			repeated = true
			continue
		case !known:
			all, known = o, true
		case all.kind != o.kind:
			all = origin{kind: told}
		}
		all.ran = all.ran || o.ran
	}
	if !known && repeated {
		return origin{kind: again}
	}
	return all
}
