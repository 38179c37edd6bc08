package tenancyvet

import (
	"go/ast"
	"go/constant"
	"go/types"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// Bypass reports reasons for tenancy.Bypass that are empty or not written down where they are given.
var Bypass = &analysis.Analyzer{
	Name: "bypass",
	Doc: `check that the reason of tenancy.Bypass is a constant

A bypass is found in the code and in the log by its reason. Put together at run time it can be found by nobody, may be empty,
in which case there is no bypass, and may carry what users typed into the log.`,
	Requires: []*analysis.Analyzer{flows},
	Run:      runBypass,
}

func runBypass(pass *analysis.Pass) (any, error) {
	f := flowOf(pass)
	for c := range f.root.Preorder((*ast.CallExpr)(nil)) {
		call := c.Node().(*ast.CallExpr)
		if !calls(f.info, call, tenancyPath, "Bypass") || len(call.Args) != 2 {
			continue
		}
		reason := call.Args[1]
		switch text, ok := constantText(f.info, reason); {
		case ok && strings.TrimSpace(text) == "":
			report(pass, analysis.Diagnostic{Pos: reason.Pos(), End: reason.End(), Message: "the reason of tenancy.Bypass is empty: " +
				"with \"\" there is no bypass, and blanks tell nobody why; write the reason down"})
		case !ok && !f.givenConstants(reason):
			report(pass, analysis.Diagnostic{Pos: reason.Pos(), End: reason.End(), Message: "the reason of tenancy.Bypass is no constant: " +
				"write down here why all tenants are seen, and log what differs from time to time beside it"})
		}
	}
	return nil, nil
}

func constantText(info *types.Info, e ast.Expr) (string, bool) {
	if v := info.Types[e].Value; v != nil && v.Kind() == constant.String {
		return constant.StringVal(v), true
	}
	return "", false
}

// givenConstants reports whether e is a parameter of a function of this package that nobody else can call, and that is given
// constants by all who do.
func (f *flow) givenConstants(e ast.Expr) bool {
	p, ok := f.params[variable(f.info, e)]
	decl, declared := p.of.(*ast.FuncDecl)
	if !ok || !declared || decl.Name.IsExported() {
		return false
	}
	fn, _ := f.info.Defs[decl.Name].(*types.Func)
	for _, call := range f.callers[fn] {
		if p.index >= len(call.Args) {
			return false
		}
		if text, ok := constantText(f.info, call.Args[p.index]); !ok || strings.TrimSpace(text) == "" {
			return false
		}
	}
	return len(f.callers[fn]) > 0
}
