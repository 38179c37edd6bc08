package tenancyvet

import (
	"go/ast"
	"go/token"
	"go/types"

	"golang.org/x/tools/go/ast/inspector"
	"golang.org/x/tools/go/types/typeutil"
)

// What is looked for is known by its import path.
const (
	tenancyPath = "github.com/gorm-tenancy/tenancy"
	sharedPath  = tenancyPath + "/strategies/shared"
	gormPath    = "gorm.io/gorm"
	ginPath     = "github.com/gin-gonic/gin"
)

// named reports whether t, or what it points to, is the type of that name.
func named(t types.Type, path, name string) bool {
	if p, ok := types.Unalias(t).(*types.Pointer); ok {
		t = p.Elem()
	}
	n, ok := types.Unalias(t).(*types.Named)
	return ok && n.Obj().Name() == name && n.Obj().Pkg() != nil && n.Obj().Pkg().Path() == path
}

func isDB(t types.Type) bool { return t != nil && named(t, gormPath, "DB") }

// function returns the function or method that is called by its name; nil for function values.
func function(info *types.Info, call *ast.CallExpr) *types.Func {
	f, _ := typeutil.Callee(info, call).(*types.Func)
	return f
}

// calls reports whether call is one of the package's function of that name.
func calls(info *types.Info, call *ast.CallExpr, path, name string) bool {
	f := function(info, call)
	return f != nil && f.Name() == name && f.Pkg() != nil && f.Pkg().Path() == path && f.Signature().Recv() == nil
}

// method is a call of a method of GORM: on *gorm.DB, or on the interfaces of its generic API.
type method struct {
	name     string
	receiver ast.Expr
	args     []ast.Expr
	at       *ast.Ident // the name in the text
	generic  bool
}

// methodOf returns the method of GORM that is called; ok is false for other calls.
func methodOf(info *types.Info, call *ast.CallExpr) (m method, ok bool) {
	selector, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr)
	if !ok {
		return m, false
	}
	f := function(info, call)
	if f == nil || f.Pkg() == nil || f.Pkg().Path() != gormPath || f.Signature().Recv() == nil {
		return m, false
	}
	m = method{name: f.Name(), receiver: selector.X, args: call.Args, at: selector.Sel}
	m.generic = types.IsInterface(f.Signature().Recv().Type())
	return m, m.generic || isDB(f.Signature().Recv().Type())
}

// variable returns the variable that an expression names: a local one, one of a package, or the field of a selector.
func variable(info *types.Info, e ast.Expr) *types.Var {
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		v, _ := info.ObjectOf(e).(*types.Var)
		return v
	case *ast.SelectorExpr:
		v, _ := info.ObjectOf(e.Sel).(*types.Var)
		return v
	}
	return nil
}

// enclosing returns the type and body of the innermost function around c, and where it is.
func enclosing(c inspector.Cursor) (where inspector.Cursor, t *ast.FuncType, body *ast.BlockStmt) {
	for f := range c.Enclosing((*ast.FuncDecl)(nil), (*ast.FuncLit)(nil)) {
		switch n := f.Node().(type) {
		case *ast.FuncDecl:
			return f, n.Type, n.Body
		case *ast.FuncLit:
			if f != c {
				return f, n.Type, n.Body
			}
		}
	}
	return where, nil, nil
}

func within(n ast.Node, p token.Pos) bool { return n.Pos() <= p && p < n.End() }
