package tenancyvet

import (
	"go/ast"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/ast/inspector"
)

// NoContext reports statements of a *gorm.DB that never got a context.
var NoContext = &analysis.Analyzer{
	Name: "nocontext",
	Doc: `look for statements on a *gorm.DB that never got a context

The tenant travels in the context. A field or a variable of a package that holds the application's *gorm.DB has none: in code
that has a request's context at hand, a *gin.Context, an *http.Request, a context.Context, each chain begins with
WithContext. Without a context at hand a statement on an owned model is reported, too: it can only fail, with
tenancy.ErrNoTenant. Parameters of type *gorm.DB are trusted: whoever passes one is looked at instead.`,
	Requires: []*analysis.Analyzer{flows, Models},
	Flags:    boolFlag("trustfields", "say nothing of fields where no context is at hand: for repositories that are made for each request"),
	Run:      runNoContext,
}

func runNoContext(pass *analysis.Pass) (any, error) {
	f, known := flowOf(pass), modelsOf(pass)
	for c := range f.root.Preorder((*ast.CallExpr)(nil)) {
		call := c.Node().(*ast.CallExpr)
		m, ok := methodOf(f.info, call)
		if !ok || m.generic || !statements[m.name] || m.name == "AutoMigrate" {
			continue
		}
		o := f.db(m.receiver)
		if o.kind != untold || o.ran || o.root == nil {
			continue
		}
		if at, ok := requestOf(f.info, c); ok {
			if model := known.of(f.info, m); model == nil || model.Owned || !known.mixed(model) {
				report(pass, withoutContext(m, o.root, at))
			}
		} else if model := known.of(f.info, m); model != nil && model.Owned && !atStart(pass, c) && !flagged(pass, "trustfields") {
			report(pass, analysis.Diagnostic{Pos: m.at.Pos(), End: m.at.End(), Message: m.name + " on the owned model " + model.Name +
				" without a context can only fail: give the function a context.Context and begin with WithContext(ctx)"})
		}
	}
	return nil, nil
}

// withoutContext is the finding of a statement whose chain begins with root.
func withoutContext(m method, root ast.Expr, at asked) analysis.Diagnostic {
	d := analysis.Diagnostic{
		Pos: m.at.Pos(), End: m.at.End(),
		Message: m.name + " runs without the request's context, so without its tenant: begin with WithContext(" + at.advice() + ")",
	}
	if e := at.expression(); e != "" && within(m.receiver, root.Pos()) && root.End() <= m.receiver.End() {
		d.SuggestedFixes = []analysis.SuggestedFix{{
			Message:   "add WithContext(" + e + ")",
			TextEdits: []analysis.TextEdit{{Pos: root.End(), End: root.End(), NewText: []byte(".WithContext(" + e + ")")}},
		}}
	}
	return d
}

// atStart reports whether c is in a test, or in a function that runs before there are requests.
func atStart(pass *analysis.Pass, c inspector.Cursor) bool {
	if strings.HasSuffix(pass.Fset.Position(c.Node().Pos()).Filename, "_test.go") {
		return true
	}
	for f := range c.Enclosing((*ast.FuncDecl)(nil)) {
		switch name := f.Node().(*ast.FuncDecl).Name.Name; {
		case name == "main", name == "init":
			return true
		default:
			return containsWord(name, "migrate", "seed", "setup", "open", "connect", "new", "init")
		}
	}
	return false
}

// containsWord reports whether a name begins with one of the words, in any capitals.
func containsWord(name string, words ...string) bool {
	name = strings.ToLower(name)
	for _, w := range words {
		if strings.HasPrefix(name, w) {
			return true
		}
	}
	return false
}
