package tenancyvet

import (
	"go/ast"
	"go/token"
	"go/types"
	"reflect"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/ast/inspector"
)

// flows knows what the variables and fields of a package are given, wherever that is: the order of statements does not count.
var flows = &analysis.Analyzer{
	Name:       "tenancyflow",
	Doc:        "what variables are given; found nothing by itself, used by the other checks of tenancyvet",
	Requires:   []*analysis.Analyzer{inspect.Analyzer},
	ResultType: reflect.TypeFor[*flow](),
	FactTypes:  []analysis.Fact{(*handsOut)(nil)},
	Run: func(pass *analysis.Pass) (any, error) {
		f := &flow{
			pass: pass, info: pass.TypesInfo, root: pass.ResultOf[inspect.Analyzer].(*inspector.Inspector).Root(),
			values: map[*types.Var][]ast.Expr{}, functions: map[*types.Func]*ast.FuncDecl{},
			params: map[*types.Var]param{}, literals: map[*ast.FuncLit]*ast.CallExpr{}, callers: map[*types.Func][]*ast.CallExpr{},
		}
		f.learn()
		f.export()
		return f, nil
	},
}

// handsOut is a fact about a function: the *gorm.DB that it returns has no context.
type handsOut struct{}

// AFact marks the type for the driver.
func (*handsOut) AFact() {}

// flow is what is known of one package. What was once learnt does not change.
type flow struct {
	pass *analysis.Pass
	info *types.Info
	root inspector.Cursor

	values    map[*types.Var][]ast.Expr // nil stands for what is no expression: an element of a range, a received value
	functions map[*types.Func]*ast.FuncDecl
	params    map[*types.Var]param
	literals  map[*ast.FuncLit]*ast.CallExpr // functions written as an argument
	callers   map[*types.Func][]*ast.CallExpr
}

// param says whose parameter a variable is.
type param struct {
	of    ast.Node // *ast.FuncDecl or *ast.FuncLit
	index int
}

func flowOf(pass *analysis.Pass) *flow { return pass.ResultOf[flows].(*flow) }

func (f *flow) learn() {
	for c := range f.root.Preorder() {
		switch n := c.Node().(type) {
		case *ast.AssignStmt:
			f.assigned(n.Lhs, n.Rhs)
		case *ast.ValueSpec:
			names := make([]ast.Expr, len(n.Names))
			for i, name := range n.Names {
				names[i] = name
			}
			f.assigned(names, n.Values)
		case *ast.RangeStmt:
			f.give(n.Key, nil)
			f.give(n.Value, nil)
		case *ast.CompositeLit:
			f.composed(n)
		case *ast.UnaryExpr:
			if n.Op == token.AND { // somebody else may write to it
				f.give(n.X, nil)
			}
		case *ast.FuncDecl:
			if fn, ok := f.info.Defs[n.Name].(*types.Func); ok {
				f.functions[fn] = n
			}
			f.declared(n, n.Type)
		case *ast.FuncLit:
			f.declared(n, n.Type)
		case *ast.CallExpr:
			f.called(n)
		}
	}
}

// assigned pairs what stands on the two sides. Of a call with several results each variable is given the call.
func (f *flow) assigned(to, from []ast.Expr) {
	for i, e := range to {
		switch {
		case len(from) == len(to):
			f.give(e, from[i])
		case len(from) == 1:
			f.give(e, from[0])
		}
	}
}

func (f *flow) give(to, value ast.Expr) {
	if to == nil {
		return
	}
	if _, ok := ast.Unparen(to).(*ast.CompositeLit); ok {
		return
	}
	if v := variable(f.info, to); v != nil {
		f.values[v] = append(f.values[v], value)
	}
}

func (f *flow) composed(n *ast.CompositeLit) {
	t, ok := f.info.TypeOf(n).Underlying().(*types.Struct)
	if !ok {
		return
	}
	for i, e := range n.Elts {
		if pair, ok := e.(*ast.KeyValueExpr); ok {
			f.give(pair.Key, pair.Value)
		} else if i < t.NumFields() {
			v := t.Field(i)
			f.values[v] = append(f.values[v], e)
		}
	}
}

func (f *flow) declared(of ast.Node, t *ast.FuncType) {
	i := 0
	for _, field := range t.Params.List {
		for _, name := range field.Names {
			if v, ok := f.info.Defs[name].(*types.Var); ok {
				f.params[v] = param{of, i}
			}
			i++
		}
		if len(field.Names) == 0 {
			i++
		}
	}
}

func (f *flow) called(n *ast.CallExpr) {
	for _, arg := range n.Args {
		if lit, ok := ast.Unparen(arg).(*ast.FuncLit); ok {
			f.literals[lit] = n
		}
	}
	if fn := function(f.info, n); fn != nil && fn.Pkg() == f.pass.Pkg {
		f.callers[fn.Origin()] = append(f.callers[fn.Origin()], n)
	}
}

// export tells the packages that import this one which functions hand out a *gorm.DB without a context.
func (f *flow) export() {
	for fn := range f.functions {
		if f.returned(fn, map[any]bool{}).kind == untold {
			f.pass.ExportObjectFact(fn, &handsOut{})
		}
	}
}

// results lists what a function's own return statements give for its result number i.
func results(decl *ast.FuncDecl, i int) (list []ast.Expr) {
	if decl == nil || decl.Body == nil {
		return nil
	}
	ast.Inspect(decl.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return false
		case *ast.ReturnStmt:
			if i < len(n.Results) {
				list = append(list, n.Results[i])
			} else {
				list = append(list, nil)
			}
		}
		return true
	})
	return list
}
