package schema

import (
	"strings"
	"testing"

	"github.com/gorm-tenancy/tenancy"
)

// FuzzName: no two ids have one name, and a name needs no escape between quotes.
func FuzzName(f *testing.F) {
	f.Add("a", "b", "tenant_")
	f.Add("a_b", "b", "t_a_")
	f.Add(strings.Repeat("x", 60), strings.Repeat("x", 61), "t_")
	f.Add("Shared", "sharedX", "")
	f.Fuzz(func(t *testing.T, a, b, prefix string) {
		s := New(Prefix(prefix), Shared("public", "Common"))
		if s.validate() != nil {
			return
		}
		x, errA := s.name(tenancy.ID(a))
		y, errB := s.name(tenancy.ID(b))
		if errA == nil && errB == nil && (strings.EqualFold(x, y) != (a == b)) {
			t.Errorf("%q and %q are %q and %q", a, b, x, y)
		}
		for _, name := range []string{x, y} {
			if strings.ContainsAny(name, "\"`\\'\x00$. ") || len(name) > maxName || strings.HasPrefix(name, "pg_") || strings.EqualFold(name, "common") {
				t.Errorf("%q", name)
			}
		}
	})
}

// FuzzQuote: what is between the quotes ends where it should.
func FuzzQuote(f *testing.F) {
	f.Add(`a"b`)
	f.Add("a`b'c")
	f.Fuzz(func(t *testing.T, name string) {
		for quoted, q := range map[string]string{quote(name): `"`, backquote(name): "`", text(name): "'"} {
			inside := quoted[1 : len(quoted)-1]
			if quoted[:1] != q || quoted[len(quoted)-1:] != q || strings.ReplaceAll(inside, q+q, "") != strings.ReplaceAll(name, q, "") {
				t.Errorf("%q: %s", name, quoted)
			}
			if strings.Contains(strings.ReplaceAll(inside, q+q, ""), q) {
				t.Errorf("%q: %s", name, quoted)
			}
		}
	})
}
