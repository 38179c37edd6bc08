package tenancyvet

import (
	"go/ast"
	"go/token"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/ast/inspector"
)

// RawSQL reports SQL text that names owned tables and does not say for which tenant.
var RawSQL = &analysis.Analyzer{
	Name: "rawsql",
	Doc: `look for SQL text that names owned tables

Where tenants share tables the plugin refuses SQL text that names an owned one, in Raw and Exec, in joins, in several tables given to
Table and in sub-selects, unless it binds tenancy.Current: bind it and compare the tenant column with it, or use GORM's methods.
Text that binds it is believed. So text that is put together at run time is reported there: who can write into it can read
other tenants' rows. Under tenancy.Bypass nothing is reported. Switch this check off where the database confines raw SQL:
with row-level security, or with a schema or a database for each tenant.`,
	Requires: []*analysis.Analyzer{flows, Models},
	Run:      runRawSQL,
}

// texts says which argument of a method of GORM is SQL, and that what follows are its values.
var texts = map[string]int{
	"Raw": 0, "Exec": 0, "Joins": 0, "InnerJoins": 0, "Table": 0, "Where": 0, "Or": 0, "Not": 0, "Having": 0, "Select": 0, "Order": 0, "Group": 0,
	"Find": 1, "First": 1, "Take": 1, "Last": 1, "Delete": 1,
}

func runRawSQL(pass *analysis.Pass) (any, error) {
	r := &rawSQL{pass: pass, flow: flowOf(pass), known: modelsOf(pass)}
	if len(r.known.byTable) == 0 {
		return nil, nil
	}
	for c := range r.flow.root.Preorder((*ast.CallExpr)(nil)) {
		r.look(c, c.Node().(*ast.CallExpr))
	}
	return nil, nil
}

type rawSQL struct {
	pass  *analysis.Pass
	flow  *flow
	known *models
}

func (r *rawSQL) look(c inspector.Cursor, call *ast.CallExpr) {
	m, ok := methodOf(r.flow.info, call)
	at, is := texts[m.name]
	switch {
	case ok && m.generic && m.name == "Exec":
		at = 1
	case ok && m.generic && at == 1:
		return
	case calls(r.flow.info, call, gormPath, "Expr"):
		at, is = 0, true
		if m, ok = around(r.flow, c); !ok {
			return
		}
		m.args = call.Args
	}
	if ok && is && at < len(m.args) && !call.Ellipsis.IsValid() {
		r.judge(m, m.args[at], m.args[at+1:])
	}
}

// around returns the method of GORM in whose arguments c is.
func around(f *flow, c inspector.Cursor) (m method, ok bool) {
	for outer := range c.Parent().Enclosing((*ast.CallExpr)(nil)) {
		if m, ok = methodOf(f.info, outer.Node().(*ast.CallExpr)); ok && !within(m.receiver, c.Node().Pos()) {
			return m, true
		}
	}
	return method{}, false
}

func (r *rawSQL) judge(m method, sql ast.Expr, values []ast.Expr) {
	t := r.flow.textOf(sql, map[any]bool{})
	if verb := strings.Fields(t.known); len(verb) == 0 || defines(verb[0]) {
		return
	}
	model := r.names(t.known, m.name == "Table")
	if model == nil || r.allowed(m) {
		return
	}
	bound := r.bindsCurrent(values)
	switch {
	case bound && t.holes > 0 && (m.name == "Raw" || m.name == "Exec"):
		report(r.pass, analysis.Diagnostic{Pos: sql.Pos(), End: sql.End(), Message: "SQL text on the owned table " + model.Table + " is put " +
			"together at run time, and tenancy.Current makes the plugin believe it: pass values as parameters and choose names from constants"})
	case bound:
	case m.name == "Raw", m.name == "Exec":
		report(r.pass, analysis.Diagnostic{Pos: sql.Pos(), End: sql.End(), Message: "the SQL text names the owned table " + model.Table +
			": bind tenancy.Current and compare the tenant column with it, use GORM's methods, or run it under tenancy.Bypass"})
	default:
		report(r.pass, analysis.Diagnostic{Pos: sql.Pos(), End: sql.End(), Message: "the text of " + m.name + " names the owned table " +
			model.Table + ": bind tenancy.Current and compare the tenant column with it, or give GORM the association or a sub-query"})
	}
}

// names returns an owned model whose table the text names. One table alone, given to Table, is held by the plugin.
func (r *rawSQL) names(known string, table bool) *Model {
	if table {
		known = "FROM " + known
	}
	found := tables(known)
	if table && len(found) < 2 && !strings.Contains(known, "(") {
		return nil
	}
	for _, name := range found {
		if m := r.known.byTable[name]; m != nil {
			return m
		}
	}
	return nil
}

// allowed reports whether the statement runs under Bypass, or on a *gorm.DB that was opened right there.
func (r *rawSQL) allowed(m method) bool {
	if m.generic {
		return false
	}
	return r.flow.db(m.receiver).kind == bypassed || r.flow.opened(m.receiver)
}

// opened reports whether the chain begins with a *gorm.DB that the same function has opened.
func (f *flow) opened(e ast.Expr) bool {
	for seen := map[ast.Expr]bool{}; !seen[e]; {
		seen[e] = true
		switch n := ast.Unparen(e).(type) {
		case *ast.CallExpr:
			if calls(f.info, n, gormPath, "Open") {
				return true
			}
			m, ok := methodOf(f.info, n)
			if !ok {
				return false
			}
			e = m.receiver
		case *ast.Ident:
			values := f.values[variable(f.info, n)]
			if len(values) != 1 || values[0] == nil {
				return false
			}
			e = values[0]
		default:
			return false
		}
	}
	return false // db = db.Where(...): given by itself
}

// bindsCurrent reports whether values hold tenancy.Current, or something of which nobody knows.
func (r *rawSQL) bindsCurrent(values []ast.Expr) (found bool) {
	for _, v := range values {
		ast.Inspect(v, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok {
				o := r.flow.info.Uses[id]
				found = found || o != nil && o.Name() == "Current" && o.Pkg() != nil && o.Pkg().Path() == tenancyPath
				for _, given := range r.flow.values[variable(r.flow.info, id)] {
					found = found || given != nil && given.Pos() != token.NoPos && r.isCurrent(given)
				}
			}
			return !found
		})
	}
	return found
}

// isCurrent reports whether a variable's value is, or holds, tenancy.Current.
func (r *rawSQL) isCurrent(e ast.Expr) (found bool) {
	ast.Inspect(e, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			o := r.flow.info.Uses[id]
			found = found || o != nil && o.Name() == "Current" && o.Pkg() != nil && o.Pkg().Path() == tenancyPath
		}
		return !found
	})
	return found
}

// defines reports whether a verb makes or changes tables: that is for migrations, and refused inside a tenant for what it is.
func defines(verb string) bool {
	switch strings.ToUpper(verb) {
	case "CREATE", "ALTER", "DROP", "TRUNCATE", "VACUUM", "ANALYZE", "GRANT", "REVOKE", "LOCK", "COMMENT", "PRAGMA":
		return true
	}
	return false
}
