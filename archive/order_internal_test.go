package archive

import (
	"fmt"
	"strings"
	"testing"
)

// TestInOrder puts parents first and defers as little as it can. "a>b" is a reference of a to b, "a?b" one that may be NULL.
func TestInOrder(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ refs, want string }{
		{"a>b b>c", "c b a"},
		{"a>a b?b", "a b(b)"},
		{"a>b b?c c?b", "b(c) a c"}, // a is not in the circle and waits
		{"a>b b>c c?a d>c", "c(a) b a d"},
		{"a>b b>a", "a b"}, // cannot be deferred: the database decides
		{"a?x x?a b>x", "a(x) x b"},
	} {
		byName := map[string]*table{}
		var tables []*table
		for _, name := range strings.Split("abcdx", "") {
			if strings.Contains(tc.refs, name) {
				byName[name] = &table{name: name}
				tables = append(tables, byName[name])
			}
		}
		for _, ref := range strings.Fields(tc.refs) {
			child := byName[ref[:1]]
			child.refs = append(child.refs, &reference{parent: byName[ref[2:]], optional: ref[1] == '?'})
		}
		var got []string
		for _, o := range inOrder(tables) {
			name := o.name
			for _, r := range o.refs {
				if r.deferred {
					name += fmt.Sprintf("(%s)", r.parent.name)
				}
			}
			got = append(got, name)
		}
		if strings.Join(got, " ") != tc.want {
			t.Errorf("%s: %s, want %s", tc.refs, strings.Join(got, " "), tc.want)
		}
	}
}
