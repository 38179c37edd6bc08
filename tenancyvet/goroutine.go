package tenancyvet

import (
	"go/ast"
	"go/types"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/ast/inspector"
)

// Goroutine reports goroutines of a request that use it when it may have been answered.
var Goroutine = &analysis.Analyzer{
	Name: "goroutine",
	Doc: `look for goroutines that use a request which may have been answered

gin gives a *gin.Context to the next request when the handler has returned: a goroutine that still holds it reads the tenant of
somebody else. The context of a request is cancelled at that moment, so that statements fail half way. A goroutine takes
context.WithoutCancel of the request's context, made before the go statement. One that the handler waits for is left alone.`,
	Requires: []*analysis.Analyzer{flows},
	Run:      runGoroutine,
}

func runGoroutine(pass *analysis.Pass) (any, error) {
	f := flowOf(pass)
	for c := range f.root.Preorder((*ast.GoStmt)(nil)) {
		at, ok := requestOf(f.info, c)
		if ok && at.from != fromContext && at.param != nil && !awaited(f, c) {
			(&goroutine{pass: pass, flow: f, at: at}).look(c)
		}
	}
	return nil, nil
}

type goroutine struct {
	pass *analysis.Pass
	flow *flow
	at   asked
}

// look judges what the goroutine does, and what it is given. Arguments are computed before it starts: of those only the
// *gin.Context itself, or a context that will be cancelled, is wrong.
func (g *goroutine) look(c inspector.Cursor) {
	call := c.Node().(*ast.GoStmt).Call
	if lit, ok := ast.Unparen(call.Fun).(*ast.FuncLit); ok {
		g.inside(lit)
	}
	for _, arg := range call.Args {
		switch {
		case g.at.from == fromGin && variable(g.flow.info, arg) == g.at.param && !isField(arg):
			g.reused(arg)
			return
		case g.cancelled(arg):
			if fn := function(g.flow.info, call); fn == nil || ofModule(g.pass, fn.Pkg()) {
				g.ended(arg)
				return
			}
		}
	}
}

func (g *goroutine) inside(lit *ast.FuncLit) {
	done := false
	ast.Inspect(lit.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Ident:
			if g.at.from == fromGin && !done && g.flow.info.Uses[n] == g.at.param {
				g.reused(n)
				done = true
			}
		case *ast.CallExpr:
			if !done && g.at.from != fromGin || !done && !g.mentions(n) {
				done = g.call(n)
			}
		}
		return !done
	})
}

// call reports a statement, or a call into the same module, with a context that will be cancelled.
func (g *goroutine) call(n *ast.CallExpr) bool {
	m, ok := methodOf(g.flow.info, n)
	fn := function(g.flow.info, n)
	if !(ok && contextGiven(m) != nil) && !(ok && m.generic) && (ok || fn == nil || !ofModule(g.pass, fn.Pkg())) {
		return false
	}
	for _, arg := range n.Args {
		if g.cancelled(arg) {
			g.ended(arg)
			return true
		}
	}
	return false
}

func (g *goroutine) mentions(n ast.Node) (found bool) {
	ast.Inspect(n, func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		found = found || ok && g.flow.info.Uses[id] == g.at.param
		return !found
	})
	return found
}

// cancelled reports whether e is the context of the request, and nothing that outlives it.
func (g *goroutine) cancelled(e ast.Expr) bool {
	if sourceOf(g.flow.info.TypeOf(e)) != fromContext || g.uncancelled(e) {
		return false
	}
	return g.flow.contextOf(e, map[any]bool{}).kind == request
}

func (g *goroutine) uncancelled(e ast.Expr) bool { return g.detaches(e, map[ast.Expr]bool{}) }

func (g *goroutine) detaches(e ast.Expr, seen map[ast.Expr]bool) bool {
	if seen[e] { // ctx = context.WithValue(ctx, ...)
		return false
	}
	seen[e] = true
	switch n := ast.Unparen(e).(type) {
	case *ast.CallExpr:
		if calls(g.flow.info, n, "context", "WithoutCancel") {
			return true
		}
		return len(n.Args) > 0 && g.detaches(n.Args[0], seen)
	case *ast.Ident:
		for _, value := range g.flow.values[variable(g.flow.info, n)] {
			if call, ok := value.(*ast.CallExpr); ok && g.detaches(call, seen) {
				return true
			}
		}
	}
	return false
}

func (g *goroutine) reused(e ast.Expr) {
	report(g.pass, analysis.Diagnostic{Pos: e.Pos(), End: e.End(), Message: "gin gives " + g.at.param.Name() + " to another request, maybe " +
		"another tenant's, when the handler has returned: take ctx := context.WithoutCancel(" + g.at.expression() + "), or " +
		g.at.param.Name() + ".Copy(), before the go statement"})
}

func (g *goroutine) ended(e ast.Expr) {
	report(g.pass, analysis.Diagnostic{Pos: e.Pos(), End: e.End(), Message: "the request's context is cancelled when the handler has " +
		"returned, and the goroutine's statements fail: pass context.WithoutCancel(" + types.ExprString(e) + "), which keeps the tenant"})
}

func isField(e ast.Expr) bool {
	_, ok := ast.Unparen(e).(*ast.SelectorExpr)
	return ok
}

// awaited reports whether the function around a go statement waits for something behind it.
func awaited(f *flow, c inspector.Cursor) (waits bool) {
	_, _, body := enclosing(c)
	if body == nil {
		return false
	}
	statement := c.Node()
	ast.Inspect(body, func(n ast.Node) bool {
		if n == statement {
			return false
		}
		switch n := n.(type) {
		case *ast.FuncLit:
			return false
		case *ast.CallExpr:
			s, ok := n.Fun.(*ast.SelectorExpr)
			waits = waits || ok && s.Sel.Name == "Wait"
		case *ast.UnaryExpr:
			waits = waits || n.Op.String() == "<-" && n.Pos() > statement.Pos()
		case *ast.RangeStmt:
			_, channel := f.info.TypeOf(n.X).Underlying().(*types.Chan)
			waits = waits || channel && n.Pos() > statement.Pos()
		}
		return !waits
	})
	return waits
}
