package tenancyvet

import (
	"go/ast"
	"go/token"
	"go/types"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/ast/inspector"
)

// WrongContext reports contexts that lose the tenant of a request that is at hand.
var WrongContext = &analysis.Analyzer{
	Name: "wrongcontext",
	Doc: `look for contexts that lose the tenant of the request at hand

context.Background() and TODO() name no tenant. Where a request is at hand they are reported as the context of statements and
of calls into the same module; work that has to outlive the request takes context.WithoutCancel, which keeps the tenant.
A *gin.Context has the values of its request only if engine.ContextWithFallback is set.`,
	Requires: []*analysis.Analyzer{flows},
	Flags:    boolFlag("ginfallback", "engine.ContextWithFallback is set, so that a *gin.Context is as good as the context of its request"),
	Run:      runWrongContext,
}

func runWrongContext(pass *analysis.Pass) (any, error) {
	f := flowOf(pass)
	w := &wrongContext{pass: pass, flow: f, seen: map[token.Pos]bool{}, fallback: flagged(pass, "ginfallback") || f.fallsBack()}
	for c := range f.root.Preorder((*ast.CallExpr)(nil)) {
		call := c.Node().(*ast.CallExpr)
		if at, ok := requestOf(f.info, c); ok {
			w.look(c, call, at)
		}
	}
	return nil, nil
}

type wrongContext struct {
	pass     *analysis.Pass
	flow     *flow
	seen     map[token.Pos]bool
	fallback bool
}

func (w *wrongContext) look(c inspector.Cursor, call *ast.CallExpr, at asked) {
	m, ok := methodOf(w.flow.info, call)
	switch {
	case !ok:
		w.passed(c, call, at)
	case contextGiven(m) != nil:
		w.given(c, contextGiven(m), at, m.name)
	case m.generic && len(m.args) > 0 && sourceOf(w.flow.info.TypeOf(m.args[0])) != noSource:
		w.given(c, m.args[0], at, m.name)
	}
}

// given judges the context of a statement.
func (w *wrongContext) given(c inspector.Cursor, ctx ast.Expr, at asked, to string) {
	switch o := w.flow.contextOf(ctx, map[any]bool{}); {
	case o.kind == empty:
		w.found(c, ctx, o, at, to+" gets a context without a tenant though a request is at hand")
	case o.kind == ginOwn && !w.fallback:
		e := types.ExprString(o.root) + ".Request.Context()"
		if w.first(ctx) {
			report(w.pass, analysis.Diagnostic{
				Pos: ctx.Pos(), End: ctx.End(), Message: "a *gin.Context names no tenant unless engine.ContextWithFallback is set: pass " + e,
				SuggestedFixes: []analysis.SuggestedFix{{Message: "pass " + e, TextEdits: edits(o.root, e)}},
			})
		}
	}
}

// passed judges an empty context that is handed to a function of the same module.
func (w *wrongContext) passed(c inspector.Cursor, call *ast.CallExpr, at asked) {
	fn := function(w.flow.info, call)
	if fn == nil || !ofModule(w.pass, fn.Pkg()) || at.from == fromContext && waits(at) || ends(fn.Name()) {
		return
	}
	for _, arg := range call.Args {
		if sourceOf(w.flow.info.TypeOf(arg)) != fromContext {
			continue
		}
		if o := w.flow.contextOf(arg, map[any]bool{}); o.kind == empty {
			w.found(c, arg, o, at, fn.Name()+" gets a context without a tenant though a request is at hand")
		}
	}
}

func (w *wrongContext) found(c inspector.Cursor, ctx ast.Expr, o origin, at asked, what string) {
	if !w.first(ctx) {
		return
	}
	mend := at.expression()
	if mend != "" && detached(c, at) {
		mend = "context.WithoutCancel(" + mend + ")"
	}
	d := analysis.Diagnostic{Pos: ctx.Pos(), End: ctx.End(), Message: what + ": pass " + at.advice()}
	if mend != "" {
		d.Message = what + ": pass " + mend
		if o.root != nil && within(ctx, o.root.Pos()) && !(at.from == fromGin && detached(c, at)) {
			d.SuggestedFixes = []analysis.SuggestedFix{{Message: "pass " + mend, TextEdits: edits(o.root, mend)}}
		}
	}
	report(w.pass, d)
}

func (w *wrongContext) first(e ast.Expr) bool {
	if w.seen[e.Pos()] {
		return false
	}
	w.seen[e.Pos()] = true
	return true
}

func edits(old ast.Expr, text string) []analysis.TextEdit {
	return []analysis.TextEdit{{Pos: old.Pos(), End: old.End(), NewText: []byte(text)}}
}

// detached reports whether c runs when the function of the request may have returned, or is about to.
func detached(c inspector.Cursor, at asked) bool {
	for outer := range c.Enclosing((*ast.GoStmt)(nil), (*ast.DeferStmt)(nil)) {
		return within(at.of, outer.Node().Pos())
	}
	return false
}

// ofModule reports whether p belongs to the module that is looked at.
func ofModule(pass *analysis.Pass, p *types.Package) bool {
	if p == pass.Pkg {
		return true
	}
	return p != nil && pass.Module != nil && pass.Module.Path != "" && strings.HasPrefix(p.Path()+"/", pass.Module.Path+"/")
}

// ends reports whether a function of that name ends something, which it has to even when its caller's context has ended.
func ends(name string) bool { return containsWord(name, "shutdown", "close", "stop", "drain", "flush") }

// waits reports whether the function waits for its own context to end: it serves, and is no request.
func waits(at asked) bool {
	found := false
	ast.Inspect(at.of, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok && at.param != nil && s.Sel.Name == "Done" {
			id, ok := s.X.(*ast.Ident)
			found = found || ok && id.Name == at.param.Name()
		}
		return !found
	})
	return found
}

// fallsBack reports whether this package sets engine.ContextWithFallback.
func (f *flow) fallsBack() bool {
	for v := range f.values {
		if v.IsField() && v.Name() == "ContextWithFallback" && v.Pkg() != nil && v.Pkg().Path() == ginPath {
			return true
		}
	}
	return false
}
