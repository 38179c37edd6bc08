package tenancy

import (
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// target is the table a statement works on.
type target struct {
	model *model // nil when there is nothing to confine: a derived table, or no table at all
	alias string // the name it has in the statement
}

// target finds the model by the schema, or by name where Table() overrides it.
func (p *Plugin) target(db *gorm.DB) (target, error) {
	stmt := db.Statement
	switch {
	case stmt.TableExpr != nil:
		return p.namedTarget(db, stmt.TableExpr)
	case stmt.Table == "" && stmt.Schema == nil:
		return target{}, nil
	case stmt.Schema == nil, stmt.Table != stmt.Schema.Table && stmt.Table != "":
		return p.byName(db, stmt.Table, stmt.Table)
	}
	t := target{model: p.modelOf(db, stmt.Schema), alias: stmt.Table}
	if t.model.kind == kindUndeclared {
		return p.permitted(db, t)
	}
	return t, nil
}

// namedTarget reads the text given to Table().
func (p *Plugin) namedTarget(db *gorm.DB, expr *clause.Expr) (target, error) {
	stmt := db.Statement
	f := flavorOf(db.Name())
	tokens, ok := tokenize(expr.SQL, f)
	if !ok {
		return target{}, errUnreadable
	}
	if len(expr.Vars) == 1 && len(tokens) >= 3 && tokens[0].punct('(') && tokens[1].punct('?') && tokens[2].punct(')') {
		if _, named := aliasOf(tokens[3:]); named {
			return target{}, p.derived(db, expr)
		}
	}
	if len(tokens) > 0 && len(expr.Vars) == 0 && (tokens[0].kind == tokenWord || tokens[0].kind == tokenQuoted) {
		ref, used := dotted(tokens)
		if alias, ok := aliasOf(tokens[used:]); ok {
			if alias == "" {
				alias = ref.name
			}
			if isCatalog(ref) {
				return target{}, nil
			}
			return p.byName(db, ref.name, alias)
		}
	}
	a := accessOf(stmt.Context)
	if a.mode == modeBypass {
		return target{model: &model{kind: kindUndeclared}}, nil
	}
	// Several tables, functions, sub-selects written as text.
	w, err := p.newWall(db, a)
	if err != nil || (w.siloed && w.confined) {
		return target{}, err
	}
	return target{}, w.text(expr.SQL, expr.Vars, "FROM ")
}

// aliasOf reads what may follow a table: nothing, or [AS] alias.
func aliasOf(tokens []token) (alias string, ok bool) {
	if len(tokens) > 0 && tokens[0].is("AS") {
		tokens = tokens[1:]
	}
	switch {
	case len(tokens) == 0:
		return "", true
	case len(tokens) == 1 && (tokens[0].kind == tokenWord || tokens[0].kind == tokenQuoted):
		return tokens[0].text, true
	}
	return "", false
}

// derived handles Table("(?) AS t", sub): the sub-query confines itself, and it may not even select the tenant column.
func (p *Plugin) derived(db *gorm.DB, expr *clause.Expr) error {
	stmt := db.Statement
	v := expr.Vars[0]
	if accessOf(stmt.Context).mode == modeBypass {
		return nil
	}
	w, err := p.newWall(db, accessOf(stmt.Context))
	if err != nil || (w.siloed && w.confined) {
		return err
	}
	if err := w.value(v); err != nil {
		return err
	}
	if e, ok := v.(resolving); !ok || e.Expression == nil {
		stmt.TableExpr = &clause.Expr{SQL: expr.SQL, Vars: []any{resolving{written{v}}}}
	}
	return nil
}

// written turns a bind value into an expression.
type written struct{ value any }

func (w written) Build(b clause.Builder) { b.AddVar(b, w.value) }

// byName judges a table by its name. A struct with the tenant field read from a table nobody declared is judged by the
// struct: partitions have names of their own.
func (p *Plugin) byName(db *gorm.DB, name, alias string) (target, error) {
	stmt := db.Statement
	if known, ok := p.tables.Load(tableKey(lastSegment(name))); ok {
		return p.permitted(db, target{model: known.(*model), alias: alias})
	}
	if stmt.Schema != nil {
		m := p.modelOf(db, stmt.Schema)
		if m.kind == kindOwned || p.config.centralTypes[stmt.Schema.ModelType] {
			return p.permitted(db, target{model: m, alias: alias})
		}
		if known, ok := p.tables.Load(tableKey(lastSegment(name))); ok { // learned by looking at the schema
			return p.permitted(db, target{model: known.(*model), alias: alias})
		}
	}
	if p.config.allowUndeclared {
		return target{}, nil
	}
	if a := accessOf(stmt.Context); a.mode == modeTenant {
		if w, err := p.newWall(db, a); err != nil || (w.siloed && w.confined) {
			return target{}, err
		}
	}
	return p.permitted(db, target{model: &model{kind: kindUndeclared, table: name, err: unknownTable(name)}, alias: alias})
}

// permitted refuses undeclared models outside Bypass.
func (p *Plugin) permitted(db *gorm.DB, t target) (target, error) {
	if t.model.kind != kindUndeclared {
		return t, nil
	}
	switch a := accessOf(db.Statement.Context); a.mode {
	case modeBypass, modeInternal:
		return t, nil
	}
	return t, t.model.err
}
