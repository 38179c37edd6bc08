package tenancy

import (
	"fmt"
	"strings"

	"gorm.io/gorm"
)

var errUnreadable = fmt.Errorf("%w: the SQL text holds several statements, unbalanced parentheses or quotes, or a comment "+
	"that databases read differently; write it plainly or pass values as parameters", ErrUnconfined)

// guardRaw judges SQL the caller wrote in full.
func (p *Plugin) guardRaw(db *gorm.DB) error {
	stmt := db.Statement
	a := accessOf(stmt.Context)
	switch a.mode {
	case modeInternal:
		return nil
	case modeBypass:
		p.reportBypass(stmt.Context, a, opRaw, "")
		return p.misplaced(stmt.SQL.String(), flavorOf(db.Name()))
	}
	text := stmt.SQL.String()
	f := flavorOf(db.Name())
	verb, ok := verbOf(text, f)
	if ok && verb == "SAVEPOINT" {
		return nil // nested transactions: names no table, changes no row
	}
	if a.mode == modeNone || a.mode == modeSeveral {
		if ok && verb == "SELECT" && p.introspects(text, f) {
			p.centralise(stmt, target{})
			return nil
		}
		if a.mode == modeSeveral {
			return fmt.Errorf("%w: raw SQL has one tenant; use tenancy.ForTenant, or filter by hand under tenancy.Bypass", ErrUnconfined)
		}
		if ok && verb == "" {
			return fmt.Errorf("%w; to create or change tables at start-up use %s", a.noTenant(), migrationLine)
		}
		return a.noTenant()
	}
	w, err := p.newWall(db, a)
	if err != nil {
		return err
	}
	if w.apart && w.confined {
		if ok && verb == "" {
			if err := p.redefines(text, f); err != nil {
				return err
			}
		}
		_, err := checkBound(stmt, a)
		return err
	}
	if !ok {
		return errUnreadable
	}
	if verb == "" && !(w.confined && aboutRows(text, f)) {
		return fmt.Errorf("%w: only SELECT, INSERT, UPDATE and DELETE run inside a tenant; to create or change tables use %s",
			ErrUnconfined, migrationLine)
	}
	if makesTable(text, f) {
		return errMakesTable
	}
	currentBound, err := checkBound(stmt, a)
	if err != nil || currentBound {
		return err
	}
	return w.judgeTables(text, f)
}

// misplaced refuses SQL under Bypass that names a table of siloed tenants without saying whose: CREATE TABLE would make
// one that all share.
func (p *Plugin) misplaced(text string, f flavor) error {
	if !p.isolation.Siloed {
		return nil
	}
	refs, _ := tableRefs(text, f)
	for _, r := range refs {
		if known, ok := p.tables.Load(tableKey(r.name)); ok && known.(*model).confined() && r.qualifier == "" && r.position {
			return fmt.Errorf("%w: each tenant has its own table %q; name a tenant with tenancy.WithTenant", ErrUnconfined, known.(*model).table)
		}
	}
	return nil
}

// redefines refuses a command inside a siloed tenant that would change a central table for all, or make the tenant one
// of its own in front of it.
func (p *Plugin) redefines(text string, f flavor) error {
	refs, _ := tableRefs(text, f)
	for _, r := range refs {
		if known, ok := p.tables.Load(tableKey(r.name)); ok && known.(*model).kind == kindCentral && r.position {
			return fmt.Errorf("%w: table %q is central; to create or change it use %s", ErrUnconfined, known.(*model).table, migrationLine)
		}
	}
	return nil
}

// introspects reports whether a SELECT reads nothing but the database's catalog. GORM's migrator asks so without any
// context, for example in HasTable.
func (p *Plugin) introspects(text string, f flavor) bool {
	tokens, ok := tokenize(text, f)
	if !ok {
		return false
	}
	for i, t := range tokens {
		if i+1 < len(tokens) && tokens[i+1].punct('(') && t.kind != tokenPunct && !harmlessFunction(t.text) {
			return false
		}
	}
	catalogOnly, err := p.judgeTables(text, f)
	return err == nil && catalogOnly
}

func harmlessFunction(name string) bool {
	switch strings.ToLower(name) {
	case "count", "database", "schema", "version", "sqlite_version", "current_database", "current_schema", "in", "and",
		"or", "not", "exists", "any", "coalesce", "lower", "upper", "distinct", "on", "where", "as", "select", "from", "join",
		"pg_get_expr", "col_description", "format_type", "unnest", "array_position", "substring":
		return true
	}
	return false
}

// verbOf returns what a statement does: SELECT, SAVEPOINT (with its rollback and release), or CHANGE for what else
// may run inside a tenant; empty for DDL and everything that is not about rows. ok is false for text that cannot be
// judged.
func verbOf(text string, f flavor) (verb string, ok bool) {
	l := lexer{text: text, flavor: f}
	t := nextToken(&l)
	verb = verbOfWord(t, &l)
	depth, ended := 0, false
	if t.punct('(') {
		depth = 1
	}
	for t = nextToken(&l); t.kind != tokenEnd; t = nextToken(&l) {
		if t.kind == tokenBad || ended {
			return "", false
		}
		switch {
		case t.punct('('):
			depth++
		case t.punct(')'):
			depth--
		case t.punct(';'):
			ended = true
		}
		if depth < 0 {
			return "", false
		}
	}
	return verb, depth == 0
}

func verbOfWord(t token, l *lexer) string {
	switch strings.ToUpper(t.text) {
	case "SELECT", "VALUES":
		return "SELECT"
	case "INSERT", "UPDATE", "DELETE", "WITH", "EXPLAIN":
		return "CHANGE"
	case "SAVEPOINT", "RELEASE":
		return "SAVEPOINT"
	case "ROLLBACK":
		if nextToken(l).is("TO") {
			return "SAVEPOINT"
		}
	}
	if t.punct('(') {
		return "CHANGE"
	}
	return ""
}

// aboutRows reports whether text is one of the other commands that change no table's definition, for tenants whom the
// database itself confines.
func aboutRows(text string, f flavor) bool {
	l := lexer{text: text, flavor: f}
	switch strings.ToUpper(nextToken(&l).text) {
	case "MERGE", "TABLE", "CALL", "SET", "RESET", "SHOW", "DECLARE", "FETCH", "MOVE", "CLOSE", "NOTIFY":
		return true
	}
	return false
}

func nextToken(l *lexer) token {
	t := l.next()
	for t.kind == tokenComment {
		t = l.next()
	}
	return t
}

// checkBound looks for Current among the values of raw SQL. It was bound when the text was given to GORM; the context
// may have changed since.
func checkBound(stmt *gorm.Statement, a *access) (found bool, err error) {
	for i, v := range stmt.Vars {
		switch v := v.(type) {
		case bound:
			if a.mode != modeTenant || v.id != a.id {
				return false, fmt.Errorf("%w: the SQL text was bound for another context", ErrTenantMismatch)
			}
			found = true
		case *deferred:
			if a.mode != modeTenant {
				return false, a.noTenant()
			}
			stmt.Vars[i] = v.resolved(stmt.DB, a)
			found = found || v.model == nil // a sub-query's own tenant says nothing of the text around it
		case *poison:
			return false, v.err
		}
	}
	return found, nil
}
