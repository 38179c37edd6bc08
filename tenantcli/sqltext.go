package tenantcli

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// The shell reads SQL for two reasons: to know where a statement ends, and to refuse what names another tenant's place.
// What it cannot read for sure it refuses.

type tokenKind uint8

const (
	tokenWord    tokenKind = iota // an identifier or keyword, or a number
	tokenQuoted                   // an identifier in quotes
	tokenString                   // text
	tokenComment                  // of either kind
	tokenPunct                    // one character
	tokenOpen                     // what has no end, or is read differently by databases
)

type token struct {
	kind     tokenKind
	text     string // without quotes
	from, to int
}

// tokens reads SQL of a dialect: "postgres", "mysql" or "sqlite".
func tokens(sql, dialect string) []token {
	var all []token
	for at := 0; at < len(sql); {
		t := next(sql, at, dialect)
		if t.kind != tokenPunct || strings.TrimSpace(t.text) != "" {
			all = append(all, t)
		}
		at = t.to
	}
	return all
}

func next(sql string, at int, dialect string) token {
	rest := sql[at:]
	r, size := utf8.DecodeRuneInString(rest)
	switch {
	case strings.HasPrefix(rest, "--") && (dialect != "mysql" || dashes(rest)), r == '#' && dialect == "mysql":
		end := strings.IndexByte(rest, '\n')
		if end < 0 {
			end = len(rest)
		}
		return token{tokenComment, rest[:end], at, at + end}
	case strings.HasPrefix(rest, "/*"):
		return comment(sql, at, dialect)
	case r == '\'', r == '"' && dialect == "mysql":
		t := quoted(sql, at, tokenString, dialect == "mysql")
		if dialect == "mysql" && strings.Contains(sql[at:t.to], "\\") { // what it means depends on sql_mode
			t.kind, t.to = tokenOpen, len(sql)
		}
		return t
	case r == '"', r == '`':
		return quoted(sql, at, tokenQuoted, false)
	case r == '[' && dialect == "sqlite":
		if end := strings.IndexByte(rest, ']'); end > 0 {
			return token{tokenQuoted, rest[1:end], at, at + end + 1}
		}
		return token{tokenOpen, "", at, len(sql)}
	case r == '$' && dialect == "postgres":
		return dollar(sql, at)
	case part(r):
		return word(sql, at, dialect)
	}
	return token{tokenPunct, rest[:size], at, at + size}
}

// dashes reports whether -- begins a comment in MySQL, where 1--1 is a sum.
func dashes(rest string) bool { return len(rest) == 2 || rest[2] <= ' ' }

func part(r rune) bool {
	return r == '_' || r == '$' || r >= 0x80 || unicode.IsLetter(r) || unicode.IsDigit(r)
}

// word reads an identifier. Behind E, U& and the like PostgreSQL reads a text by rules of its own.
func word(sql string, at int, dialect string) token {
	end := at
	for end < len(sql) {
		r, size := utf8.DecodeRuneInString(sql[end:])
		if !part(r) {
			break
		}
		end += size
	}
	text := strings.ToLower(sql[at:end])
	behind := sql[end:]
	switch {
	case dialect == "postgres" && text == "e" && strings.HasPrefix(behind, "'"):
		t := quoted(sql, end, tokenString, true)
		t.from = at
		return t
	case dialect == "postgres" && text == "u" && (strings.HasPrefix(behind, "&'") || strings.HasPrefix(behind, "&\"")):
		return token{tokenOpen, "", at, len(sql)}
	}
	return token{tokenWord, text, at, end}
}

// quoted reads a text or identifier that begins with its quote, which is doubled inside.
func quoted(sql string, at int, kind tokenKind, backslash bool) token {
	quote := sql[at]
	var b strings.Builder
	for i := at + 1; i < len(sql); i++ {
		switch {
		case backslash && sql[i] == '\\':
			i++
			if i < len(sql) {
				b.WriteByte(sql[i])
			}
		case sql[i] != quote:
			b.WriteByte(sql[i])
		case i+1 < len(sql) && sql[i+1] == quote:
			i++
			b.WriteByte(quote)
		default:
			return token{kind, b.String(), at, i + 1}
		}
	}
	return token{tokenOpen, "", at, len(sql)}
}

// dollar reads PostgreSQL's $tag$ text $tag$, and parameters such as $1.
func dollar(sql string, at int) token {
	end := at + 1
	for end < len(sql) && sql[end] != '$' && part(rune(sql[end])) {
		end++
	}
	if end == len(sql) || sql[end] != '$' || unicode.IsDigit(rune(sql[at+1])) {
		return token{tokenWord, sql[at:end], at, end}
	}
	tag := sql[at : end+1]
	length := strings.Index(sql[end+1:], tag)
	if length < 0 {
		return token{tokenOpen, "", at, len(sql)}
	}
	return token{tokenString, sql[end+1 : end+1+length], at, end + 1 + length + len(tag)}
}

// comment reads /* … */, which PostgreSQL nests. MySQL runs what is in /*! … */.
func comment(sql string, at int, dialect string) token {
	if dialect == "mysql" && (strings.HasPrefix(sql[at:], "/*!") || strings.HasPrefix(sql[at:], "/*M!")) {
		return token{tokenOpen, "", at, len(sql)}
	}
	depth := 0
	for i := at; i+1 < len(sql); i++ {
		switch sql[i : i+2] {
		case "/*":
			if depth == 0 || dialect == "postgres" {
				depth++
			}
			i++
		case "*/":
			depth--
			i++
			if depth == 0 {
				return token{tokenComment, sql[at : i+1], at, i + 1}
			}
		}
	}
	return token{tokenOpen, "", at, len(sql)}
}

// split cuts text into the statements that a semicolon ends, and what is behind the last one.
func split(sql, dialect string) (statements []string, rest string) {
	from := 0
	for _, t := range tokens(sql, dialect) {
		if t.kind == tokenPunct && t.text == ";" {
			statements = append(statements, sql[from:t.from])
			from = t.to
		}
	}
	return statements, sql[from:]
}
