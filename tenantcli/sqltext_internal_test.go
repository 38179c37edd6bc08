package tenantcli

import (
	"slices"
	"strings"
	"testing"
)

func TestSplit(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		dialect, sql string
		statements   []string
		rest         string
	}{
		{"postgres", "a; b ;c", []string{"a", " b "}, "c"},
		{"postgres", "';' ';;'';' \";\";", []string{"';' ';;'';' \";\""}, ""},
		{"postgres", "$$;$$ $a$;$$;$a$;", []string{"$$;$$ $a$;$$;$a$"}, ""},
		{"postgres", "$1; $2", []string{"$1"}, " $2"},
		{"postgres", "a$b$;c$b$", []string{"a$b$"}, "c$b$"},
		{"postgres", "E'\\';' ;", []string{"E'\\';' "}, ""},
		{"postgres", "'\\'; '", []string{"'\\'"}, " '"},
		{"postgres", "/* ; /* ; */ ; */; -- ;\n;", []string{"/* ; /* ; */ ; */", " -- ;\n"}, ""},
		{"sqlite", "/* ; /* ; */ ; */", []string{"/* ; /* ; */ "}, " */"},
		{"sqlite", "[;] `;`;", []string{"[;] `;`"}, ""},
		{"mysql", "\";\" # ;\n 1--1; -- ;\n", []string{"\";\" # ;\n 1--1"}, " -- ;\n"},
		{"mysql", "'\\'; ';", nil, "'\\'; ';"}, // it may end here or there
		{"postgres", "'open; ", nil, "'open; "},
	} {
		statements, rest := split(tc.sql, tc.dialect)
		if !slices.Equal(statements, tc.statements) || rest != tc.rest {
			t.Errorf("%s: %s: %q and %q", tc.dialect, tc.sql, statements, rest)
		}
	}
}

// FuzzTokens reads any text from its beginning to its end, without a gap, and finds the name of another place in whatever
// is no quotation.
func FuzzTokens(f *testing.F) {
	for _, seed := range []string{"SELECT 'a''b' -- c\n", "$a$ x $a$", "/* /* */ */", "E'\\''", "U&\"x\"", "\xff\xfe", "`a`[b]", "1--1", "$1$"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		for _, dialect := range []string{"postgres", "mysql", "sqlite"} {
			for at := 0; at < len(sql); {
				token := next(sql, at, dialect)
				if token.from != at || token.to <= at || token.to > len(sql) {
					t.Fatalf("%s: %q at %d: %+v", dialect, sql, at, token)
				}
				at = token.to
			}
			statements, rest := split(sql, dialect)
			if joined := strings.Join(append(statements, rest), ";"); joined != sql {
				t.Errorf("%s: %q became %q", dialect, sql, joined)
			}
			s := screen{dialect: dialect, others: []string{"other"}, write: true}
			if all := tokens(sql, dialect); len(all) == 0 || all[len(all)-1].kind != tokenOpen {
				if _, err := s.check(sql + " , other.polls"); err == nil && !commented(sql, dialect) {
					t.Errorf("%s: %q lets through what follows", dialect, sql)
				}
			}
		}
	})
}

// commented reports whether what follows on the line is a comment.
func commented(sql, dialect string) bool {
	all := tokens(sql+" x", dialect)
	return len(all) > 0 && all[len(all)-1].kind == tokenComment
}
