package tenancyvet

import (
	"go/ast"
	"go/types"
	"strings"

	"golang.org/x/tools/go/ast/inspector"
)

// source is what a parameter brings the context of a request in.
type source uint8

const (
	noSource source = iota
	fromContext
	fromHTTP
	fromGin
	fromEcho
)

func sourceOf(t types.Type) source {
	switch {
	case t == nil:
		return noSource
	case named(t, "context", "Context"):
		return fromContext
	case named(t, "net/http", "Request"):
		return fromHTTP
	case named(t, ginPath, "Context"):
		return fromGin
	case named(t, "github.com/labstack/echo/v4", "Context"):
		return fromEcho
	}
	return noSource
}

// asked is the request that a piece of code works for: the parameter of a function around it that brings its context.
type asked struct {
	from  source
	param *types.Var
	of    ast.Node // the function
}

// requestOf looks for the request around c; ok is false where there is none.
func requestOf(info *types.Info, c inspector.Cursor) (a asked, ok bool) {
	for where, t, _ := enclosing(c); t != nil; where, t, _ = enclosing(where) {
		for _, field := range t.Params.List {
			from := sourceOf(info.TypeOf(field.Type))
			if from == noSource {
				continue
			}
			if !ok || a.from == fromContext && a.of == where.Node() {
				a, ok = asked{from: from, of: where.Node()}, true
				if len(field.Names) > 0 && field.Names[0].Name != "_" {
					a.param, _ = info.Defs[field.Names[0]].(*types.Var)
				}
			}
		}
		if _, top := where.Node().(*ast.FuncDecl); top {
			break
		}
	}
	return a, ok
}

// expression is how the context of the request is written; empty when the parameter has no name.
func (a asked) expression() string {
	if a.param == nil {
		return ""
	}
	return a.param.Name() + map[source]string{fromHTTP: ".Context()", fromGin: ".Request.Context()", fromEcho: ".Request().Context()"}[a.from]
}

// advice is expression for a message.
func (a asked) advice() string {
	if e := a.expression(); e != "" {
		return e
	}
	return "the context of the request, whose parameter has no name yet"
}

// contextOf says what is known of a context.
func (f *flow) contextOf(e ast.Expr, seen map[any]bool) origin {
	switch {
	case e == nil:
		return origin{}
	case seen[e]:
		return origin{kind: again}
	}
	seen[e] = true
	if sourceOf(f.info.TypeOf(e)) == fromGin {
		return origin{kind: ginOwn, root: e}
	}
	switch n := ast.Unparen(e).(type) {
	case *ast.CallExpr:
		return f.contextOfCall(n, seen)
	case *ast.Ident:
		v := variable(f.info, n)
		if v == nil {
			return origin{}
		}
		if _, ok := f.params[v]; ok {
			return f.contextOfParam(v, seen)
		}
		if v.Parent() == v.Pkg().Scope() || len(f.values[v]) == 0 {
			return origin{}
		}
		return f.join(f.values[v], func(e ast.Expr) origin { return f.contextOf(e, seen) })
	}
	return origin{kind: told}
}

// contextOfParam trusts a parameter, unless the function gives it another value itself: ctx = tenancy.Bypass(ctx, "why").
func (f *flow) contextOfParam(v *types.Var, seen map[any]bool) origin {
	for _, value := range f.values[v] {
		if o := f.contextOf(value, seen); o.kind == bypassed {
			return o
		}
	}
	return origin{kind: told}
}

func (f *flow) contextOfCall(call *ast.CallExpr, seen map[any]bool) origin {
	fn := function(f.info, call)
	if fn == nil || fn.Pkg() == nil {
		return origin{kind: told}
	}
	switch path, name := fn.Pkg().Path(), fn.Name(); {
	case path == "context" && (name == "Background" || name == "TODO"):
		return origin{kind: empty, root: call}
	case path == "context" && strings.HasPrefix(name, "With") && len(call.Args) > 0:
		return f.contextOf(call.Args[0], seen)
	case path == tenancyPath && name == "Bypass":
		return origin{kind: bypassed}
	case path == "net/http" && name == "Context":
		return origin{kind: request, root: call}
	}
	if fn.Pkg() == f.pass.Pkg && !seen[fn] && sourceOf(f.info.TypeOf(call)) == fromContext {
		seen[fn] = true
		if o := f.join(results(f.functions[fn.Origin()], 0), func(e ast.Expr) origin { return f.contextOf(e, seen) }); o.kind == bypassed {
			return o
		}
	}
	return origin{kind: told}
}
