package tenancy

import (
	"fmt"
	"strings"
)

// tableRef is a name in the text, and whether it stands where SQL expects a table.
type tableRef struct {
	name      string // last segment
	qualifier string // the segment before it, or empty
	position  bool
	cte       bool // defined by WITH in the same text
}

// tableRefs lists the names in a piece of SQL that may mean tables. It is not a parser: it errs towards listing too
// much, and what it cannot read it reports as bad.
func tableRefs(text string, f flavor) (refs []tableRef, ok bool) {
	tokens, ok := tokenize(text, f)
	if !ok {
		return nil, false
	}
	ctes := commonTables(tokens)
	frames := []frame{{selects: true}}
	for i := 0; i < len(tokens); i++ {
		t := tokens[i]
		top := &frames[len(frames)-1]
		switch {
		case t.punct('('):
			inner := frame{expect: top.expect}
			top.expect = false
			frames = append(frames, inner)
		case t.punct(')'):
			if len(frames) > 1 {
				frames = frames[:len(frames)-1]
			}
		case t.punct(','):
			top.expect = top.list
		case t.kind == tokenWord && top.keyword(tokens, i):
		case t.kind == tokenWord || t.kind == tokenQuoted:
			ref, used := dotted(tokens[i:])
			i += used - 1
			into := top.into
			top.into = false
			if i+1 < len(tokens) && tokens[i+1].punct('(') && t.kind == tokenWord && !into {
				top.expect = false // a function
				continue
			}
			ref.position, top.expect = top.expect, false
			ref.cte = ctes[tableKey(ref.name)] && ref.qualifier == ""
			refs = append(refs, ref)
		case t.kind == tokenString && top.expect: // SQLite takes a string for a name
			refs = append(refs, tableRef{name: t.text, position: true})
			top.expect = false
		default:
			top.expect = false
		}
	}
	return refs, true
}

// frame is the text between one pair of parentheses.
type frame struct {
	selects bool // FROM names tables here, unlike in extract(year FROM x)
	expect  bool // a table comes next
	list    bool // inside FROM a, b
	into    bool // behind INTO and TABLE: name (a, b) is no function
}

// keyword moves the frame over a word that is part of the grammar and reports whether it was one.
func (fr *frame) keyword(tokens []token, i int) bool {
	switch strings.ToUpper(tokens[i].text) {
	case "SELECT", "DELETE":
		*fr = frame{selects: true}
	case "FROM":
		if i > 0 && tokens[i-1].is("DISTINCT") && !(i > 1 && tokens[i-2].is("SELECT")) {
			return true // a IS DISTINCT FROM b
		}
		fr.expect, fr.list = fr.selects, fr.selects
	case "UPDATE":
		if i == 0 || !(tokens[i-1].is("FOR") || tokens[i-1].is("DO") || tokens[i-1].is("KEY") || tokens[i-1].is("ON")) {
			*fr = frame{selects: true, expect: true, list: true}
		}
	case "JOIN", "STRAIGHT_JOIN":
		fr.expect = true
	case "TABLE":
		fr.expect, fr.into, fr.list = true, true, true // CREATE TABLE a (b int), DROP TABLE a, b
	case "TRUNCATE":
		if i > 0 {
			return false // MySQL's function
		}
		fr.expect, fr.list = true, true
	case "IF":
		return fr.into // CREATE TABLE IF NOT EXISTS
	case "INTO":
		fr.expect, fr.into = true, true
	case "IN":
		fr.expect = i+1 < len(tokens) && (tokens[i+1].kind == tokenWord || tokens[i+1].kind == tokenQuoted)
	case "IGNORE", "LOW_PRIORITY", "REPLACE", "ABORT", "FAIL", "ROLLBACK":
		return fr.expect
	case "USING":
		fr.expect = i+1 < len(tokens) && !tokens[i+1].punct('(')
	case "ONLY", "LATERAL", "AS":
	case "WHERE", "GROUP", "ORDER", "HAVING", "LIMIT", "SET", "VALUES", "RETURNING", "ON", "UNION", "EXCEPT",
		"INTERSECT", "WINDOW", "FETCH", "OFFSET", "FOR":
		fr.expect, fr.list = false, false
	case "INSERT", "WITH", "RECURSIVE", "AND", "OR", "NOT", "IS", "NULL", "BY", "LEFT", "RIGHT", "INNER", "OUTER",
		"FULL", "CROSS", "NATURAL", "DISTINCT", "ALL", "CASE", "WHEN", "THEN", "ELSE", "END", "EXISTS", "BETWEEN", "LIKE",
		"ASC", "DESC", "DEFAULT", "CONFLICT", "DO", "NOTHING":
	default:
		return false
	}
	return true
}

func tokenize(text string, f flavor) (tokens []token, ok bool) {
	l := lexer{text: text, flavor: f}
	for {
		t := l.next()
		switch t.kind {
		case tokenEnd:
			return tokens, true
		case tokenBad:
			return nil, false
		case tokenComment:
		default:
			tokens = append(tokens, t)
		}
	}
}

// dotted reads a.b.c and returns its last two segments and how many tokens it used.
func dotted(tokens []token) (tableRef, int) {
	ref, used := tableRef{name: tokens[0].text}, 1
	for used+1 < len(tokens) && tokens[used].punct('.') && (tokens[used+1].kind == tokenWord || tokens[used+1].kind == tokenQuoted) {
		ref.qualifier, ref.name = ref.name, tokens[used+1].text
		used += 2
	}
	return ref, used
}

// commonTables returns the names defined by WITH.
func commonTables(tokens []token) map[string]bool {
	var names map[string]bool
	with := false
	for i, t := range tokens {
		if t.is("WITH") {
			with = true
		}
		if !with || !t.is("AS") || i == 0 {
			continue
		}
		j := i + 1
		for j < len(tokens) && (tokens[j].is("NOT") || tokens[j].is("MATERIALIZED")) {
			j++
		}
		if j+1 >= len(tokens) || !tokens[j].punct('(') || !begins(tokens[j+1]) {
			continue
		}
		k := i - 1
		if tokens[k].punct(')') { // name (a, b) AS (
			for k > 0 && !tokens[k].punct('(') {
				k--
			}
			k--
		}
		if k >= 0 {
			if names == nil {
				names = map[string]bool{}
			}
			names[tableKey(tokens[k].text)] = true
		}
	}
	return names
}

func begins(t token) bool {
	return t.is("SELECT") || t.is("WITH") || t.is("VALUES") || t.is("INSERT") || t.is("UPDATE") || t.is("DELETE")
}

// judgeTables refuses text that names an owned table, or in a table's place a name nobody declared. catalogOnly
// reports that it names nothing but the database's own catalog.
func (p *Plugin) judgeTables(text string, f flavor) (catalogOnly bool, err error) {
	refs, ok := tableRefs(text, f)
	if !ok {
		return false, errUnreadable
	}
	catalogOnly = true
	for _, r := range refs {
		known, ok := p.tables.Load(tableKey(r.name))
		switch {
		case ok && known.(*model).kind != kindCentral:
			return false, fmt.Errorf("%w: the SQL text names the owned table %q; bind tenancy.Current and compare the tenant "+
				"column with it, build the statement with GORM's methods, or run it under tenancy.Bypass", ErrUnconfined, known.(*model).table)
		case !r.position || r.cte:
			catalogOnly = catalogOnly && !r.cte
		case ok:
			catalogOnly = false
		case isCatalog(r):
		default:
			catalogOnly = false
			if !p.config.allowUndeclared {
				return false, unknownTable(r.name)
			}
		}
	}
	return catalogOnly, nil
}

func unknownTable(name string) error {
	return fmt.Errorf("%w: table %q is not known; declare its model with tenancy.OwnedModels or tenancy.CentralModels",
		ErrUndeclared, name)
}

// isCatalog reports whether a table describes the database and holds no rows of tenants. PostgreSQL's statistics views and
// MySQL's column_statistics are not among them, they show samples of the data; nor is MySQL's processlist, which shows the
// statements of others with their values.
func isCatalog(r tableRef) bool {
	if strings.EqualFold(r.qualifier, "information_schema") {
		switch strings.ToLower(r.name) {
		case "tables", "columns", "statistics", "schemata", "views", "sequences", "table_constraints", "check_constraints",
			"referential_constraints", "key_column_usage", "constraint_column_usage":
			return true
		}
		return false
	}
	switch strings.ToLower(r.name) {
	case "sqlite_master", "sqlite_schema", "sqlite_temp_master", "pg_class", "pg_attribute", "pg_type", "pg_namespace",
		"pg_index", "pg_indexes", "pg_tables", "pg_constraint", "pg_description", "pg_attrdef":
		return true
	}
	return false
}
