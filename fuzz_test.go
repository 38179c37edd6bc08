package tenancy_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/gorm-tenancy/tenancy"
)

var idPattern = regexp.MustCompile(`\A[a-z0-9][a-z0-9_-]{0,62}\z`)

func FuzzParseID(f *testing.F) {
	for _, s := range []string{
		"", "a", "A", "thor", "thor-2", "thor_2", "-a", "_a", "a.b", "a b", "a\n", "a\x00", "ä", "www", "public", "pg_x",
		"sqlite_x", "pg", "null", "0", "00", strings.Repeat("a", 63), strings.Repeat("a", 64), "a'--", "../a", "a/b", "a%00", "\u017fa", "\u212a",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := tenancy.ParseID(s)
		if want := idPattern.MatchString(s) && !tenancy.Reserved(s); (err == nil) != want {
			t.Fatalf("ParseID(%q): %v", s, err)
		}
		got, ok := tenancy.FromContext(tenancy.WithTenant(context.Background(), tenancy.ID(s)))
		if err != nil {
			if !errors.Is(err, tenancy.ErrInvalidID) || id != "" || ok || got != "" {
				t.Fatalf("ParseID(%q): %q, %v; the context holds %q, %v", s, id, err, got, ok)
			}
			if len(s) > 3 && strings.Contains(err.Error(), s) && !strings.Contains("tenancy: the name is reserved it has bytes, at most are allowed use beginning with a letter or digit", s) && !idPattern.MatchString(s) {
				t.Fatalf("the error repeats %q: %v", s, err)
			}
			return
		}
		if id.String() != s || !ok || got != id {
			t.Fatalf("ParseID(%q) = %q; the context holds %q, %v", s, id, got, ok)
		}
		if again, err := tenancy.ParseID(id.String()); err != nil || again != id {
			t.Fatalf("not a round trip: %q, %v", again, err)
		}
	})
}
