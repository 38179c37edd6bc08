//go:build mutation

package mutation_test

// guard is a piece of the library without which a tenant could reach another's rows, or GORM would lose a guard of
// its own.
type guard struct {
	name, file string
	old, new   string // old occurs once in the file
}

// guards are those of the root package.
var guards = []guard{
	// No tenant, no data.
	{"no tenant is refused", "callbacks.go", "		return nil\n	}\n	return a.noTenant()\n}", "		return nil\n	}\n	return nil\n}"},
	{"no tenant creates nothing", "stamp.go", "	return a.noTenant()\n}", "	return nil\n}"},
	{"no raw SQL without tenant", "raw.go", "if a.mode == modeNone || a.mode == modeSeveral {", "if false {"},
	{"a dry run without tenant cannot be sent", "predicate.go", "{ return nil, ErrNoTenant }", `{ return "b", nil }`},
	{"a refused statement cannot be sent", "callbacks.go", "	db.Statement.SQL.Reset()\n	db.Statement.SQL.WriteString(\"SELECT \")\n	db.Statement.Vars = nil\n	db.Statement.AddVar(db.Statement, &poison{err: err})", ""},
	{"a bypass needs a reason", "context.go", `if reason == "" {`, "if false {"},
	{"a scope never widens", "scopes.go", "if !a.includes(w.id) {", "if !a.includes(w.id) && false {"},
	{"undeclared models are refused", "target.go", "	return t, t.model.err\n", "	return t, nil\n"},
	// The predicate, and the group behind it.
	{"predicate beside conditions", "wall.go", "			exprs = append(exprs, t.model)\n", ""},
	{"predicate alone", "wall.go", `			w.stmt.Clauses["WHERE"] = t.model.where`, ""},
	{"predicate of an alias", "wall.go", "exprs = append(exprs, scopeAt(t))", ""},
	{"predicate of further tables", "wall.go", "			scopes = append(scopes, scopeAt{m, alias})\n", "			_ = alias\n"},
	{"predicate of joined associations", "wall.go", "if len(scope.owned) == 0 {", "if true {"},
	{"predicate of clause.Join", "wall.go", "if err != nil || !m.confined() {\n		return j, err", "if true {\n		return j, err"},
	{"predicate of join tables", "models.go", "return m != nil && m.kind != kindCentral }", "return m != nil && m.kind == kindOwned }"},
	{"outer joins onto central tables", "wall.go", `	switch strings.ToUpper(joinType) {
	case "", "INNER"`, `	switch joinType = ""; joinType {
	case "", "INNER"`},
	{"one condition stands in parentheses", "wall.go", "		return paren{e}\n", "		return e\n"},
	{"text cannot climb", "fragments.go", "if fr.escapes {", "if false {"},
	{"comments end", "fragments.go", `		return text + "\n"`, "		return text"},
	{"WHERE with a builder", "wall.go", "} else if c.Builder != nil || c.BeforeExpression", "} else if c.BeforeExpression"},
	{"statements without WHERE", "wall.go", `if scoped && !slices.Contains(w.stmt.BuildClauses, "WHERE") {`, "if false {"},
	{"text around clauses", "fragments.go", "if err := w.attached(name, c); err != nil {", "if err := error(nil); err != nil {"},
	{"another table in INSERT or UPDATE", "fragments.go", "if t.Name != \"\" && t.Name != clause.CurrentTable", "if false && t.Name != clause.CurrentTable"},
	{"a sub-query of another tenant", "values.go", "a.id != w.access.id", "false"},
	// Text.
	{"owned tables in text", "tables.go", "case ok && known.(*model).kind != kindCentral:", "case false:"},
	{"unknown tables in text", "tables.go", "if !p.config.allowUndeclared {", "if false {"},
	{"DDL inside a tenant", "raw.go", "	if verb == \"\" && !(w.confined && aboutRows(text, f)) {\n		return fmt.Errorf(\"%w: only", "	if false {\n		return fmt.Errorf(\"%w: only"},
	{"Current of another context", "raw.go", "if a.mode != modeTenant || v.id != a.id {", "if false {"},
	{"a sub-query is not Current", "raw.go", "found = found || v.model == nil", "found = true"},
	{"text in values", "values.go", "	return w.text(text, vars, \"\")\n}", "	_, _ = text, vars\n	return nil\n}"},
	{"text in upserts of central tables", "create.go", "		return w.judgeConflict()", "		return nil"},
	{"text beside the shared tables", "wall.go", "		w.confined = false\n", ""},
	// Writes.
	{"foreign rows are not inserted", "stamp.go", "	if !equal(f, want) {\n		return ErrTenantMismatch", "	if false {\n		return ErrTenantMismatch"},
	{"foreign maps are not inserted", "stamp.go", "if named != nil && !equal(reflect.ValueOf(named), want) {\n		return ErrTenantMismatch", "if false {\n		return ErrTenantMismatch"},
	{"Select and Omit keep the tenant", "stamp.go", "		selectColumn(stmt, r.field)\n", ""},
	{"hooks are checked again", "create.go", "if m == nil || m.kind != kindOwned || m.column", "if true || m.column"},
	{"the tenant never changes", "update.go", "	return fmt.Errorf(\"%w: the tenant of a row never changes\", ErrTenantMismatch)\n}", "	return nil\n}"},
	{"the tenant is never emptied", "update.go", "		w.stmt.Omits = append(slices.Clip(w.stmt.Omits), column)\n", ""},
	{"one value, one column", "create.go", "flavorOf(w.db.Name())).comma {", "flavorOf(w.db.Name())).comma && false {"},
	{"REPLACE", "create.go", `, "REPLACE") {`, `, "REPLACE") && false {`},
	{"upserts leave foreign rows", "create.go", "	conflict.Where = clause.Where{Exprs: []clause.Expression{t.model}}\n	if g", "	conflict.Where = clause.Where{}\n	if g"},
	{"upserts leave foreign rows on MySQL", "duplicate.go", "	conflict.DoUpdates, conflict.DoNothing = updates, false\n", "	conflict.DoNothing = false\n"},
	{"an upsert that met a foreign row is an error", "create.go", "if !upsert && !ignore {", "if !upsert && !ignore || true {"},
	{"DoNothing that met a foreign row is an error", "create.go", "	return n > 0, err\n", "	return false, err\n"},
	{"DoNothing of a slice that met a foreign row is an error", "create.go", "conflict.DoNothing && len(rows) > 1", "false && len(rows) > 1"},
	{"DoNothing that met a row behind policies is an error", "create.go", "		return onPrimaryKey(m.schema, conflict) && n < int64(len(keys)), err\n", "		return false, err\n"},
	{"an upsert keeps the tenant of a siloed row", "create.go", "if err := w.keepConflict(t.model); err != nil {", "if err := error(nil); err != nil {"},
	{"references stay inside", "reference.go", "if n < int64(len(keys)) {", "if false {"},
	{"references are values", "reference.go", "if _, ok := v.(clause.Expression); ok {", "if _, ok := v.(clause.Expression); ok && false {"},
	{"two ids never give one number", "models.go", "strconv.FormatUint(n, 10) != string(a.id)", "false"},
	// GORM's own guard.
	{"WHERE is required", "predicate.go", "if conditions <= 0 {", "if conditions <= 0 && false {"},
}
