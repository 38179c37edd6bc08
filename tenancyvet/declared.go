package tenancyvet

import (
	"go/ast"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// missingTenant reports a model that belongs to an owned one and has no tenant field: the plugin refuses it.
func missingTenant(pass *analysis.Pass, known *models, t *types.TypeName) {
	m := known.byType[t]
	all := fields(t.Type().Underlying().(*types.Struct))
	if known.byTable[strings.ToLower(m.Table)] != nil || known.joins(m.Table) {
		return
	}
	for name := range known.references(t, all) {
		if slices.ContainsFunc(all, func(f field) bool { return f.name() == name }) {
			report(pass, analysis.Diagnostic{Pos: t.Pos(), Message: t.Name() + " refers to an owned model by " + name + " and has no tenant " +
				"field: with shared tables the plugin refuses it; add one, or declare it with tenancy.CentralModels if its rows are everybody's"})
			return
		}
	}
}

// joins reports whether a table joins two models: it is owned through the rows it links.
func (k *models) joins(table string) bool {
	for t := range k.byType {
		for _, f := range fields(t.Type().Underlying().(*types.Struct)) {
			if name := f.setting("MANY2MANY"); name != "" && strings.EqualFold(name, table) {
				return true
			}
		}
	}
	return false
}

// declaredTypes lists the types given to tenancy.OwnedModels or CentralModels anywhere in this package.
func (f *flow) declaredTypes(option string) map[*types.TypeName]bool {
	found := map[*types.TypeName]bool{}
	for c := range f.root.Preorder((*ast.CallExpr)(nil)) {
		if call := c.Node().(*ast.CallExpr); calls(f.info, call, tenancyPath, option) {
			for _, arg := range call.Args {
				if n := structOf(f.info.TypeOf(arg)); n != nil {
					found[n.Obj()] = true
				}
			}
		}
	}
	return found
}

// declarations looks at each tenancy.New whose options can be read.
func declarations(pass *analysis.Pass, known *models) {
	f := flowOf(pass)
	for c := range f.root.Preorder((*ast.CallExpr)(nil)) {
		call := c.Node().(*ast.CallExpr)
		if !calls(f.info, call, tenancyPath, "New") || len(call.Args) == 0 || call.Ellipsis.IsValid() {
			continue
		}
		d := declaration{pass: pass, flow: f, known: known, of: map[*types.TypeName]bool{}, shared: f.isShared(call.Args[0]), whole: true}
		for _, option := range call.Args[1:] {
			d.read(option)
		}
		if d.owned != nil && d.whole {
			d.forgotten()
		}
	}
}

// declaration is one tenancy.New.
type declaration struct {
	pass   *analysis.Pass
	flow   *flow
	known  *models
	of     map[*types.TypeName]bool // all that are declared
	owned  *ast.CallExpr            // the call of OwnedModels
	shared bool                     // the strategy is shared for sure
	whole  bool                     // all options can be read
}

func (d *declaration) read(option ast.Expr) {
	call, ok := ast.Unparen(option).(*ast.CallExpr)
	fn := function(d.flow.info, orEmpty(call))
	if !ok || fn == nil || fn.Pkg() == nil || fn.Pkg().Path() != tenancyPath {
		d.whole = false
		return
	}
	if fn.Name() != "OwnedModels" && fn.Name() != "CentralModels" {
		return
	}
	if fn.Name() == "OwnedModels" {
		d.owned = call
	}
	for _, arg := range call.Args {
		n := structOf(d.flow.info.TypeOf(arg))
		if n == nil || call.Ellipsis.IsValid() {
			d.whole = false
			continue
		}
		d.of[n.Obj()] = true
		all := fields(n.Underlying().(*types.Struct))
		if fn.Name() == "OwnedModels" && d.shared && !slices.ContainsFunc(all, func(f field) bool { return isTenant(d.pass, f) }) {
			report(d.pass, analysis.Diagnostic{Pos: arg.Pos(), End: arg.End(), Message: n.Obj().Name() + " has no tenant field, so that " +
				"db.Use fails with the shared strategy: add one, or declare it with tenancy.CentralModels"})
		}
	}
}

// forgotten reports owned models beside the declared ones that nothing leads to.
func (d *declaration) forgotten() {
	packages := map[*types.Package]bool{}
	reached := map[*types.TypeName]bool{}
	for t := range d.of {
		packages[t.Pkg()] = true
		d.reach(reached, t)
	}
	var names []string
	for t, m := range d.known.byType {
		if m.Owned && packages[t.Pkg()] && !reached[t] {
			names = append(names, m.Name)
		}
	}
	if slices.Sort(names); len(names) > 0 {
		report(d.pass, analysis.Diagnostic{Pos: d.owned.Pos(), End: d.owned.End(), Message: strings.Join(names, ", ") + " not declared: " +
			"Table(\"…\"), SQL text and references are judged for declared models only; add what has a tenant field to tenancy.OwnedModels"})
	}
}

// reach follows relations, as the plugin does.
func (d *declaration) reach(reached map[*types.TypeName]bool, t *types.TypeName) {
	if reached[t] {
		return
	}
	reached[t] = true
	s, ok := t.Type().Underlying().(*types.Struct)
	if !ok {
		return
	}
	for _, f := range fields(s) {
		if n := structOf(f.v.Type()); n != nil && d.known.byType[n.Obj()] != nil {
			d.reach(reached, n.Obj())
		}
	}
}

// isShared reports whether a strategy is, for sure, shared.New(...).
func (f *flow) isShared(e ast.Expr) bool { return f.sharedBy(e, map[*types.Var]bool{}) }

func (f *flow) sharedBy(e ast.Expr, seen map[*types.Var]bool) bool {
	if call, ok := ast.Unparen(e).(*ast.CallExpr); ok {
		return calls(f.info, call, sharedPath, "New")
	}
	v := variable(f.info, e)
	if v == nil || seen[v] {
		return false
	}
	seen[v] = true
	values := f.values[v]
	return len(values) == 1 && values[0] != nil && f.sharedBy(values[0], seen)
}
