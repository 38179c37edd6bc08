package tenantconn

import (
	"fmt"
	"strings"

	"github.com/gorm-tenancy/tenancy"
)

var errSettings = fmt.Errorf("%w: no statement changes the settings that hold it in its place (search_path, role, "+
	"session authorization, app.tenant_id, the current database); run it under tenancy.Bypass", tenancy.ErrUnconfined)

var errFiles = fmt.Errorf("%w: inside a tenant no statement opens or writes another database file (ATTACH, DETACH, VACUUM INTO); "+
	"run it under tenancy.Bypass", tenancy.ErrUnconfined)

// screen refuses SQL text that would lift the settings of a route: SET, RESET, ALTER ROLE, DISCARD, USE, DO and
// set_config; SQLite's ways to other files; and where tenants share connections what would stay on one. It looks at the
// first words behind every semicolon, and errs towards refusing. It does not see what functions stored in the database do,
// nor names qualified with another schema; a role per tenant stops those.
func (w *Wall) screen(text string) error {
	if sets(text) {
		return errSettings
	}
	if !w.lone && (intoTemporary(text) || inTemporary(text)) {
		return errLeftBehind
	}
	if strings.IndexByte(text, ';') < 0 {
		if word, _ := firstWord(text); plain(word) {
			return nil // the commonest, by the shortest way
		}
	}
	quotes := simpleQuotes(text)
	for rest := text; rest != ""; rest = nextStatement(rest, quotes) {
		var word string
		if word, rest = firstWord(rest); word == "explain" { // with ANALYZE it runs what it explains
			word, rest = explained(rest)
		}
		switch word {
		case "set", "reset":
			if w.holds(rest) {
				return errSettings
			}
		case "alter":
			switch word, _ := firstWord(rest); word {
			case "role", "user", "database", "system":
				return errSettings
			}
		case "create":
			switch word, more := behindReplace(rest); word {
			case "temp", "temporary", "local", "global":
				if !w.lone && !containsFold(more, "on commit drop") {
					return errLeftBehind
				}
			}
		case "deallocate": // of all, other tenants' and the settings' own included
			if word, more := firstWord(rest); word == "all" || word == "prepare" && containsFold(more, "all") {
				return errSettings
			}
		case "declare":
			if !w.lone && containsFold(rest, "hold") {
				return errLeftBehind
			}
		case "discard", "use", "do", "load":
			return errSettings
		case "attach", "detach":
			return errFiles
		case "vacuum":
			if containsFold(rest, "into") { // a comment may hide it behind a semicolon
				return errFiles
			}
		}
		if w.RowsOnly && word != "set" && word != "reset" && !aboutRows(word) {
			return errRowsOnly
		}
	}
	return nil
}

var errLeftBehind = fmt.Errorf("%w: a temporary table or a cursor WITH HOLD would stay on the connection for the next tenant; "+
	"make the table ON COMMIT DROP, in a transaction", tenancy.ErrUnconfined)

// explained returns CREATE and what follows it, if that is what EXPLAIN is asked about.
func explained(rest string) (word, more string) {
	const create = "create"
	for i := 0; i+len(create) < len(rest); i++ {
		inside := i > 0 && (isLetter(rest[i-1]) || rest[i-1] == '_')
		if !inside && rest[i]|0x20 == 'c' && strings.EqualFold(rest[i:i+len(create)], create) {
			if word, more = firstWord(rest[i:]); word == create {
				return word, more
			}
		}
	}
	return "explain", rest
}

// behindReplace is firstWord behind the OR REPLACE of a CREATE.
func behindReplace(rest string) (word, more string) {
	if word, more = firstWord(rest); word == "or" {
		_, more = firstWord(more)
		return firstWord(more)
	}
	return word, more
}

// inTemporary reports whether text names the schema that PostgreSQL keeps temporary tables in: pg_temp, or pg_temp_3.
func inTemporary(text string) bool {
	for i := 0; ; i++ {
		next := strings.IndexByte(text[i:], '_')
		if next < 0 {
			return false
		}
		if i += next; !spells(text, i, "pg", "_temp") {
			continue
		}
		if more := strings.TrimLeft(text[i+len("_temp"):], "_"); more == "" || !isLetter(more[0]) {
			return true
		}
	}
}

// intoTemporary reports whether text may be a SELECT … INTO TEMPORARY.
func intoTemporary(text string) bool {
	for i := 0; i+4 < len(text); i++ {
		if text[i]|0x20 != 'i' || !strings.EqualFold(text[i:i+4], "into") {
			continue
		}
		word, rest := firstWord(text[i+4:])
		switch word {
		case "temp", "temporary", "local", "global":
		default:
			continue
		}
		if strings.HasPrefix(strings.TrimLeft(rest, " \t\r\n"), "(") {
			continue // INSERT INTO temp (a, b)
		}
		switch next, _ := firstWord(rest); next {
		case "values", "select", "default", "overriding", "with", "as", "":
		default:
			return true
		}
	}
	return false
}

// simpleQuotes reports whether the quotes in text mean the same to every database: no backslashes, no dollar quotes, none of
// SQLite's brackets and no comments are near them.
func simpleQuotes(text string) bool {
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\', c == '#', c == '[', c == '-' && strings.HasPrefix(text[i:], "--"), c == '/' && strings.HasPrefix(text[i:], "/*"):
			return false
		case c == '$' && (i+1 == len(text) || text[i+1] < '0' || text[i+1] > '9'):
			return false
		}
	}
	return true
}

// nextStatement returns what follows the next semicolon: outside quotes where those can be read, and otherwise any, which
// shows more to the screen and not less.
func nextStatement(text string, quotes bool) string {
	if !quotes {
		_, rest, _ := strings.Cut(text, ";")
		return rest
	}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case ';':
			return text[i+1:]
		case '\'', '"', '`':
			end := strings.IndexByte(text[i+1:], c)
			if end < 0 {
				return ""
			}
			i += 1 + end
		}
	}
	return ""
}

var errRowsOnly = fmt.Errorf("%w: inside a tenant only statements about rows run, no DDL and no TRUNCATE; run it under tenancy.Bypass",
	tenancy.ErrUnconfined)

// aboutRows reports whether a statement's first word begins one that reads or writes rows, or moves a transaction.
func aboutRows(word string) bool {
	switch word {
	case "", "begin", "start", "commit", "end", "rollback", "abort", "savepoint", "release", "prepare", "execute", "deallocate",
		"explain", "copy", "merge", "declare", "fetch", "move", "close", "lock", "show", "listen", "unlisten", "notify", "call":
		return true
	}
	return plain(word)
}

// plain reports whether a statement's first word begins one that cannot change a setting but by a function.
func plain(word string) bool {
	switch word {
	case "select", "insert", "update", "delete", "with", "values", "table":
		return true
	}
	return false
}

// harmless reports whether text is one statement that is plain or moves a savepoint.
func harmless(text string) bool {
	word, rest := firstWord(text)
	if strings.Contains(rest, ";") {
		return false
	}
	return plain(word) || word == "savepoint" || word == "release" || word == "rollback" && !endsTransaction(word, rest)
}

// leavesState reports whether text makes a setting that outlives its transaction or, where the screen does not refuse it
// because no tenant sends it, a temporary table.
func leavesState(text string, screened bool) bool {
	if !screened && (intoTemporary(text) || inTemporary(text)) {
		return true
	}
	if word, rest := firstWord(text); plain(word) && strings.IndexByte(rest, ';') < 0 {
		return false
	}
	quotes := simpleQuotes(text)
	for rest := text; rest != ""; rest = nextStatement(rest, quotes) {
		var word string
		if word, rest = firstWord(rest); word == "explain" {
			word, rest = explained(rest)
		}
		switch next, more := behindReplace(rest); {
		case word == "set" && next != "local" && next != "transaction" && next != "constraints":
			return true
		case word == "create" && (next == "temp" || next == "temporary") && !containsFold(more, "on commit drop"):
			return true
		}
	}
	return false
}

// mayBegin reports whether text may leave a transaction or a lock on a connection whose driver does not tell: all but what
// is known not to, because procedures, compound statements and EXECUTE IMMEDIATE begin transactions, too, and AND CHAIN does.
func mayBegin(text string) bool {
	switch word, rest := firstWord(text); word {
	case "", "alter", "create", "drop", "truncate", "show", "explain", "describe", "desc", "replace":
		return strings.IndexByte(rest, ';') >= 0
	}
	return !harmless(text)
}

var errEnds = fmt.Errorf("%w: what follows the end of a transaction in the same SQL text runs without the settings that hold "+
	"the tenant; send it on its own", tenancy.ErrUnconfined)

// outlives reports whether text goes on behind the end of a transaction, and with it of the settings.
func outlives(text string) bool {
	quotes, ended := simpleQuotes(text), false
	for rest := text; rest != ""; rest = nextStatement(rest, quotes) {
		var word string
		if word, rest = firstWord(rest); word != "" && ended {
			return true
		}
		ended = ended || endsTransaction(word, rest)
	}
	return false
}

// endsTransaction reports whether a statement ends the transaction, which it may chain to another.
func endsTransaction(word, rest string) bool {
	rest, _, _ = strings.Cut(rest, ";")
	next, rest := firstWord(rest)
	switch word {
	case "commit", "abort":
		return true
	case "end":
		return next == "" || next == "work" || next == "transaction" || next == "and"
	case "prepare":
		return next == "transaction"
	case "rollback":
		if next == "work" || next == "transaction" {
			next, _ = firstWord(rest)
		}
		return next != "to"
	}
	return false
}

// setsTransaction reports whether text is a SET TRANSACTION, which must come before any query.
func setsTransaction(text string) bool {
	word, rest := firstWord(text)
	next, rest := firstWord(rest)
	return word == "set" && next == "transaction" && !strings.Contains(rest, ";")
}

// sets reports whether text names set_config, the view through which settings can be written, the rider's own statement,
// a function that runs SQL given as a string, or a name in an escaped spelling that could be any of them.
func sets(text string) bool {
	for i := 0; ; i++ { // all of them have an underscore in their second half or the first
		next := strings.IndexByte(text[i:], '_')
		if next < 0 {
			break
		}
		i += next
		if spells(text, i, "set", "_config") || spells(text, i, "query", "_to_xml") || spells(text, i, "ts", "_stat") ||
			spells(text, i, "ts", "_rewrite") || spells(text, i, "pg", "_settings") || spells(text, i, "tenancy", "_settings") {
			return true
		}
	}
	for i := 0; ; i++ {
		next := strings.IndexByte(text[i:], '&')
		if next < 0 {
			return false
		}
		i += next
		if spells(text, i, "u", `&"`) {
			return true
		}
	}
}

// spells reports whether text has, in any case, before in front of position i and from there on after. Behind a letter or an
// underscore they are a part of a longer name, such as tenants_state; behind a digit they need not be.
func spells(text string, i int, before, after string) bool {
	if start := i - len(before); start > 0 && (isLetter(text[start-1]) || text[start-1] == '_') {
		return false
	}
	return i >= len(before) && len(text)-i >= len(after) && text[i+1]|0x20 == after[1]|0x20 &&
		strings.EqualFold(text[i:i+len(after)], after) && strings.EqualFold(text[i-len(before):i], before)
}

// holds reports whether what SET or RESET names may be a setting of a route.
func (w *Wall) holds(rest string) bool {
	word, rest := firstWord(rest)
	if word == "local" || word == "session" {
		word, rest = firstWord(rest)
	}
	switch word {
	case "search_path", "schema", "role", "authorization", "session_authorization", "all", "default", "password", "global", "persist":
		return true
	case "": // quoted, a variable, or nothing that can be read
		return true
	}
	for _, name := range w.Settings {
		first, second, dotted := strings.Cut(name, ".")
		if word != first {
			continue
		}
		part, isPart := strings.CutPrefix(rest, ".")
		got, _ := firstWord(part)
		if !dotted || !isPart || got == second || got == "" {
			return true
		}
	}
	return false
}

// refusesTransaction reports whether PostgreSQL refuses to run a command in a transaction block, implicit ones with
// several statements included (PostgreSQL manual, each command's notes).
func refusesTransaction(text string) bool {
	word, rest := firstWord(text)
	switch word {
	case "vacuum":
		return true
	case "create", "drop", "reindex", "alter", "cluster", "refresh":
	default:
		return false
	}
	second, _ := firstWord(rest)
	switch second {
	case "database", "tablespace", "system", "subscription":
		return true
	case "":
		return word == "cluster"
	}
	head := rest
	if len(head) > 200 {
		head = head[:200]
	}
	return word != "refresh" && containsFold(head, "concurrently")
}

// firstWord returns the first word of SQL text in lower case, behind blanks and comments, and what follows it.
func firstWord(text string) (word, rest string) {
	for {
		if text == "" || !isLetter(text[0]) {
			text = strings.TrimLeft(text, " \t\r\n\f\v(;\ufeff") // SQLite takes a byte order mark for a blank
		}
		switch {
		case strings.HasPrefix(text, "--"), strings.HasPrefix(text, "#"):
			_, text, _ = strings.Cut(text, "\n")
		case strings.HasPrefix(text, "/*!"), strings.HasPrefix(text, "/*M!"): // MySQL executes it
			text = strings.TrimLeft(text[2:], "M!0123456789")
		case strings.HasPrefix(text, "/*"):
			// PostgreSQL nests comments and MySQL does not. The first end shows the most.
			_, text, _ = strings.Cut(text, "*/")
		case strings.HasPrefix(text, "*/"):
			text = text[2:]
		default:
			n := 0
			for n < len(text) && (isLetter(text[n]) || (n > 0 && (text[n] == '_' || text[n] >= '0' && text[n] <= '9'))) {
				n++
			}
			return lower(text[:n]), text[n:]
		}
	}
}

// lower spares GORM's usual words an allocation.
func lower(word string) string {
	switch word {
	case "SELECT":
		return "select"
	case "INSERT":
		return "insert"
	case "UPDATE":
		return "update"
	case "DELETE":
		return "delete"
	}
	return strings.ToLower(word)
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// containsFold reports whether text contains the lower-case word in any case.
func containsFold(text, word string) bool {
	first := word[0]
	for i := 0; i+len(word) <= len(text); i++ {
		if text[i]|0x20 == first && strings.EqualFold(text[i:i+len(word)], word) {
			return true
		}
	}
	return false
}
