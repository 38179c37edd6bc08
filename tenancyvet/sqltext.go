package tenancyvet

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// tables lists the names in a piece of SQL that stand where SQL expects tables, in small letters, without their schemas. It is
// no parser: databases and the plugin itself know better. Names that WITH defines are left out.
func tables(text string) []string {
	words := split(text)
	var found []string
	defined := map[string]bool{}
	expect, list := false, false
	for i, w := range words {
		upper := strings.ToUpper(w)
		switch {
		case upper == "AS" && i > 0 && i+1 < len(words) && words[i+1] == "(" && !expect:
			defined[strings.ToLower(plain(words[i-1]))] = true
		case upper == "FROM", upper == "JOIN", upper == "INTO", upper == "UPDATE" && updates(words, i), upper == "USING" && i+1 < len(words) && words[i+1] != "(":
			expect, list = true, upper == "FROM"
		case expect && (upper == "ONLY" || upper == "LATERAL" || upper == "IGNORE"):
		case w == ",":
			expect = list
		case w == "(" || w == ")":
			expect, list = expect && w == "(", false
		case expect:
			found = append(found, strings.ToLower(plain(w)))
			expect = false
		case clauseWord(upper):
			list = false
		}
	}
	kept := found[:0]
	for _, name := range found {
		if !defined[name] {
			kept = append(kept, name)
		}
	}
	return kept
}

// updates reports whether the word UPDATE at i begins a statement: not FOR UPDATE, nor ON CONFLICT DO UPDATE.
func updates(words []string, i int) bool {
	if i == 0 {
		return true
	}
	switch strings.ToUpper(words[i-1]) {
	case "FOR", "DO", "KEY", "ON":
		return false
	}
	return true
}

func clauseWord(w string) bool {
	switch w {
	case "WHERE", "GROUP", "ORDER", "HAVING", "LIMIT", "SET", "VALUES", "SELECT", "UNION", "ON", "RETURNING":
		return true
	}
	return false
}

// plain takes quotes and schemas off a name.
func plain(name string) string {
	name = strings.NewReplacer("`", "", `"`, "", "[", "", "]", "").Replace(name)
	return name[strings.LastIndexByte(name, '.')+1:]
}

// split cuts a text into names, with their dots and quotes, and marks. Strings and comments are left out.
func split(text string) (words []string) {
	for text != "" {
		r, n := utf8.DecodeRuneInString(text)
		switch {
		case strings.HasPrefix(text, "--"):
			text = after(text[2:], "\n")
		case strings.HasPrefix(text, "/*"):
			text = after(text[2:], "*/")
		case r == '\'':
			text = after(text[1:], "'")
		case unicode.IsSpace(r):
			text = text[n:]
		case nameRune(r):
			i := strings.IndexFunc(text, func(r rune) bool { return !nameRune(r) })
			if i < 0 {
				i = len(text)
			}
			words, text = append(words, text[:i]), text[i:]
		default:
			words, text = append(words, text[:n]), text[n:]
		}
	}
	return words
}

func nameRune(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("_.`\"[]$", r)
}

func after(text, mark string) string {
	_, rest, _ := strings.Cut(text, mark)
	return rest
}
