package tenancy

import (
	"fmt"
	"strings"
)

var errMakesTable = fmt.Errorf("%w: inside a tenant no SELECT and no EXPLAIN makes a table or a file (SELECT … INTO): a temporary "+
	"one would stay on the connection, in front of everybody's; to make tables use %s", ErrUnconfined, migrationLine)

// makesTable reports whether a statement about rows makes a table, a file or a variable: by an INTO that belongs to no
// INSERT, or because EXPLAIN ANALYZE runs a CREATE. What cannot be read is somebody else's to refuse.
func makesTable(text string, f flavor) bool {
	tokens, ok := tokenize(text, f)
	if !ok {
		return false
	}
	verbs := []string{""} // of each statement that is open, one in another's parentheses
	for i, t := range tokens {
		verb := &verbs[len(verbs)-1]
		switch {
		case t.punct('('):
			verbs = append(verbs, "")
		case t.punct(')'):
			if len(verbs) > 1 {
				verbs = verbs[:len(verbs)-1]
			}
		case t.is("INTO"):
			if *verb != "INSERT" && *verb != "MERGE" && *verb != "REPLACE" {
				return true
			}
		case t.kind == tokenWord && beginsStatement(tokens, i, *verb):
			*verb = strings.ToUpper(t.text)
			if *verb == "CREATE" || *verb == "REFRESH" || *verb == "EXECUTE" {
				return true
			}
		}
	}
	return false
}

// beginsStatement reports whether a word says what its statement does: the first one, that which follows the last
// parenthesis of a WITH, where no name can stand, or the one that EXPLAIN explains.
func beginsStatement(tokens []token, i int, verb string) bool {
	switch verb {
	case "":
		return true
	case "WITH":
		if !tokens[i-1].punct(')') {
			return false
		}
	case "EXPLAIN":
	default:
		return false
	}
	switch strings.ToUpper(tokens[i].text) {
	case "SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE", "VALUES", "TABLE":
		return true
	case "WITH", "CREATE", "REFRESH", "EXECUTE":
		return verb == "EXPLAIN"
	}
	return false
}
