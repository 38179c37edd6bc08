package tenancy

import "strings"

// flavor is what dialects disagree about in the lexical structure of SQL. Taking one dialect's text by another's
// rules would let a condition climb out of its parentheses.
type flavor struct {
	backslash bool // MySQL: \ escapes inside quotes
	hash      bool // MySQL: # begins a comment, and -- does only before a blank
	dollar    bool // PostgreSQL: $tag$ quotes; block comments nest
	brackets  bool // SQLite, SQL Server: [name] quotes
}

func flavorOf(dialect string) flavor {
	switch dialect {
	case "mysql":
		return flavor{backslash: true, hash: true}
	case "postgres":
		return flavor{dollar: true}
	}
	return flavor{brackets: true}
}

type tokenKind uint8

const (
	tokenEnd     tokenKind = iota
	tokenWord              // bare identifier, keyword or number
	tokenQuoted            // quoted identifier; text is what stands inside
	tokenString            // string literal
	tokenPunct             // one byte
	tokenComment           // text without the closing line break
	tokenBad               // nothing can be said about what follows
)

type token struct {
	kind tokenKind
	text string
}

func (t token) is(keyword string) bool {
	return t.kind == tokenWord && len(t.text) == len(keyword) && strings.EqualFold(t.text, keyword)
}

func (t token) punct(c byte) bool { return t.kind == tokenPunct && t.text[0] == c }

// lexer cuts SQL text into tokens without allocating. Not safe for concurrent use.
type lexer struct {
	text   string
	pos    int
	flavor flavor
}

func (l *lexer) next() token {
	for l.pos < len(l.text) && isSpace(l.text[l.pos]) {
		l.pos++
	}
	if l.pos >= len(l.text) {
		return token{}
	}
	start, c := l.pos, l.text[l.pos]
	switch {
	case isWord(c):
		return l.word()
	case c == '\'':
		return l.quoted('\'', tokenString, l.flavor.backslash)
	case c == '"' && l.flavor.backslash:
		return l.quoted('"', tokenString, true)
	case c == '"', c == '`':
		return l.quoted(c, tokenQuoted, false)
	case c == '[' && l.flavor.brackets:
		if end := strings.IndexByte(l.text[start:], ']'); end > 0 {
			l.pos = start + end + 1
			return token{tokenQuoted, l.text[start+1 : start+end]}
		}
		return l.bad()
	case c == '$' && l.flavor.dollar:
		return l.dollarQuoted()
	case c == '-' && l.peek(1) == '-' && (!l.flavor.hash || start+2 >= len(l.text) || l.text[start+2] <= ' '),
		c == '#' && l.flavor.hash:
		return l.lineComment()
	case c == '/' && l.peek(1) == '*':
		return l.blockComment()
	case l.flavor.brackets && (c == '$' || c == '@' || c == '#' || c == ':') && isWord(l.peek(1)):
		return l.variable()
	case c == 0:
		return l.bad()
	}
	l.pos++
	return token{tokenPunct, l.text[start:l.pos]}
}

func (l *lexer) peek(n int) byte {
	if l.pos+n < len(l.text) {
		return l.text[l.pos+n]
	}
	return 0
}

func (l *lexer) bad() token {
	l.pos = len(l.text)
	return token{kind: tokenBad}
}

func (l *lexer) word() token {
	start := l.pos
	for l.pos < len(l.text) && (isWord(l.text[l.pos]) || (l.text[l.pos] == '$' && l.pos > start)) {
		l.pos++
	}
	w := l.text[start:l.pos]
	if l.pos < len(l.text) && len(w) == 1 && l.flavor.dollar {
		switch next := l.text[l.pos]; {
		case (w == "e" || w == "E") && next == '\'':
			return l.quoted('\'', tokenString, true)
		case (w == "u" || w == "U") && next == '&' && (l.peek(1) == '"' || l.peek(1) == '\''):
			return l.bad() // an identifier spelled in escapes
		}
	}
	return token{tokenWord, w}
}

// quoted reads up to the closing quote; a doubled quote stands for itself.
func (l *lexer) quoted(q byte, kind tokenKind, backslash bool) token {
	start := l.pos + 1
	for i := start; i < len(l.text); i++ {
		switch c := l.text[i]; {
		case c == '\\' && backslash:
			if i+1 < len(l.text) && l.text[i+1] == q {
				return l.bad() // NO_BACKSLASH_ESCAPES decides what this is
			}
			i++
		case c == q && i+1 < len(l.text) && l.text[i+1] == q:
			i++
		case c == q:
			l.pos = i + 1
			if l.flavor.dollar && backslash && continued(l.text[l.pos:]) {
				return l.bad() // PostgreSQL reads on with the same rules; we would not
			}
			return token{kind, l.text[start:i]}
		}
	}
	return l.bad()
}

// continued reports whether a string literal goes on in the next line.
func continued(rest string) bool {
	trimmed := strings.TrimLeft(rest, " \t\r\n\f\v")
	return len(trimmed) < len(rest) && strings.HasPrefix(trimmed, "'")
}

// variable reads SQLite's $name, @name, :name and #name. $name(…) swallows quotes and parentheses.
func (l *lexer) variable() token {
	start := l.pos
	l.pos++
	for l.pos < len(l.text) && (isWord(l.text[l.pos]) || l.text[l.pos] == ':' || l.text[l.pos] == '$') {
		l.pos++
	}
	if l.pos < len(l.text) && l.text[l.pos] == '(' {
		return l.bad()
	}
	return token{tokenPunct, l.text[start:l.pos]}
}

func (l *lexer) dollarQuoted() token {
	start := l.pos
	end := start + 1
	for end < len(l.text) && isWord(l.text[end]) {
		end++
	}
	if end >= len(l.text) || l.text[end] != '$' || (end > start+1 && l.text[start+1] >= '0' && l.text[start+1] <= '9') {
		l.pos = end
		return token{tokenWord, l.text[start:end]} // a placeholder such as $1
	}
	tag := l.text[start : end+1]
	if close := strings.Index(l.text[end+1:], tag); close >= 0 {
		l.pos = end + 1 + close + len(tag)
		return token{tokenString, l.text[end+1 : end+1+close]}
	}
	return l.bad()
}

func (l *lexer) lineComment() token {
	start := l.pos
	if end := strings.IndexByte(l.text[start:], '\n'); end >= 0 {
		l.pos = start + end
	} else {
		l.pos = len(l.text)
	}
	return token{tokenComment, l.text[start:l.pos]}
}

// blockComment refuses what dialects read differently: nested comments, and MySQL's executable ones.
func (l *lexer) blockComment() token {
	start := l.pos
	body := l.text[start+2:]
	end := strings.Index(body, "*/")
	if end < 0 || strings.Contains(body[:end], "/*") || strings.HasPrefix(body, "!") || strings.HasPrefix(body, "M!") {
		return l.bad()
	}
	l.pos = start + 2 + end + 2
	return token{tokenComment, l.text[start:l.pos]}
}

func isSpace(c byte) bool { return c == ' ' || (c >= '\t' && c <= '\r') }

func isWord(c byte) bool {
	return c == '_' || c >= 0x80 || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')
}

// fragment is what one piece of SQL text, pasted by GORM into a statement, may do to the text around it.
type fragment struct {
	escapes     bool // unbalanced parentheses, a statement separator, or text nothing can be said about
	openComment bool // ends inside a line comment that would swallow what follows
	comma       bool // a comma outside parentheses
	tables      bool // words that can name another table
}

func inspect(text string, f flavor) fragment {
	var (
		fr    fragment
		depth int
		l     = lexer{text: text, flavor: f}
	)
	for {
		t := l.next()
		switch t.kind {
		case tokenEnd:
			fr.escapes = fr.escapes || depth != 0
			return fr
		case tokenBad:
			fr.escapes = true
			return fr
		case tokenComment:
			fr.openComment = l.pos >= len(text) && t.text[0] != '/'
		case tokenWord:
			fr.tables = fr.tables || namesTables(t)
		case tokenPunct:
			switch t.text[0] {
			case '(':
				depth++
			case ')':
				if depth--; depth < 0 {
					fr.escapes = true
				}
			case ';':
				fr.escapes = true
			case ',':
				fr.comma = fr.comma || depth == 0
			}
		}
	}
}

func namesTables(t token) bool {
	switch t.text[0] | 0x20 {
	case 'f':
		return t.is("FROM")
	case 'j':
		return t.is("JOIN")
	case 'i':
		return t.is("INTO")
	case 't':
		return t.is("TABLE")
	case 's':
		return t.is("SELECT")
	}
	return false
}

// lastSegment returns the last part of a dotted, possibly quoted name.
func lastSegment(name string) string {
	name = name[strings.LastIndexByte(name, '.')+1:]
	return strings.Trim(name, "`\"[]' ")
}
