package tenantcli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gorm-tenancy/tenancy"
)

// screen judges statements that somebody types. The walls of the strategy hold them as they hold an application's raw SQL;
// this one stands in front of them, since whoever types is more curious than a program. It refuses names of other places, by
// which PostgreSQL's schemas without roles and MySQL's databases could be reached, the catalogs of the database, which
// show other tenants, and functions that run SQL or read files.
type screen struct {
	dialect string
	others  []string // schemas or databases of the server that are not the tenant's, in lower case
	central []string // tables of all tenants, in lower case
	write   bool
}

// check returns the words of a statement that are no quotation, or why it is refused.
func (s *screen) check(sql string) ([]string, error) {
	var words []string
	all := slices.DeleteFunc(tokens(sql, s.dialect), func(t token) bool { return t.kind == tokenComment })
	for i, t := range all {
		dotted := i+1 < len(all) && all[i+1].kind == tokenPunct && all[i+1].text == "."
		name := strings.ToLower(t.text)
		switch {
		case t.kind == tokenOpen:
			return nil, s.refuse("a quotation or comment has no end, or databases read it differently")
		case dotted && slices.Contains(s.others, name):
			return nil, s.refuse("a name is qualified with another place on the server")
		case t.kind == tokenString && s.quotes(name):
			return nil, s.refuse("a text names another place on the server")
		case t.kind != tokenWord && t.kind != tokenQuoted:
			continue
		case strings.Contains(name, "tenancy_"):
			return nil, s.refuse("the catalog of tenants and the ledger of migrations are about all tenants")
		case s.write && slices.Contains(s.central, name):
			return nil, s.refuse("a central table is every tenant's; it is not changed in the name of one")
		case forbidden(name):
			return nil, s.refuse("it uses the database's catalog, or a function that runs SQL, moves a sequence or reads files")
		}
		if t.kind == tokenWord {
			words = append(words, name)
		}
	}
	return words, s.verb(words)
}

func (s *screen) refuse(why string) error { return fmt.Errorf("%w: %s", tenancy.ErrUnconfined, why) }

// quotes reports whether a text holds the qualified name of something in another place.
func (s *screen) quotes(text string) bool {
	return slices.ContainsFunc(s.others, func(other string) bool {
		return strings.Contains(text, other+".") || strings.Contains(text, other+"\".") || strings.Contains(text, other+"`.")
	})
}

// verb allows statements about rows only.
func (s *screen) verb(words []string) error {
	if len(words) == 0 {
		return s.refuse("there is no statement")
	}
	reads := []string{"select", "values", "with", "table", "explain"}
	changes := []string{"insert", "update", "delete", "merge", "replace"}
	if slices.Contains(reads, words[0]) && (s.write || s.dialect != "sqlite" || !s.changes(words)) {
		return nil
	}
	switch {
	case slices.Contains(changes, words[0]) && s.write:
		return nil
	case slices.Contains(changes, words[0]), slices.Contains(reads, words[0]):
		return usagef("the shell reads only; --write lets it change rows")
	}
	return s.refuse("only statements about rows run here; to create or change tables write a step of a migration")
}

// changes finds the words of SQLite that change rows. They are reserved: no column has such a name unquoted.
func (s *screen) changes(words []string) bool {
	for i, w := range words {
		if w == "insert" || w == "update" || w == "delete" || w == "replace" && i+1 < len(words) && words[i+1] == "into" {
			return true
		}
	}
	return false
}

// forbidden are names that lead out of a tenant's place whatever the strategy.
func forbidden(name string) bool {
	for _, prefix := range []string{
		"pg_", "dblink", "lo_", "reg", "to_reg", "crosstab", "connectby", "xpath_table", "ts_stat", "ts_rewrite",
		"query_to_xml", "cursor_to_xml", "table_to_xml", "schema_to_xml", "database_to_xml",
	} {
		// "reg" is regclass and its like, not region or register
		if strings.HasPrefix(name, prefix) && (prefix != "reg" || slices.Contains(regTypes(), name)) {
			return true
		}
	}
	return slices.Contains([]string{
		"information_schema", "performance_schema", "mysql", "sys", "nextval", "setval", "currval", "lastval", "set_config",
		"load_file", "load_extension", "readfile", "writefile", "outfile", "dumpfile",
	}, name)
}

func regTypes() []string {
	return []string{
		"regclass", "regcollation", "regconfig", "regdictionary", "regnamespace", "regoper", "regoperator", "regproc",
		"regprocedure", "regrole", "regtype",
	}
}
