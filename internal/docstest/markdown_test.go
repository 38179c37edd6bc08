package docstest_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/gorm-tenancy/tenancy/internal/docstest"
)

func TestBlocks(t *testing.T) {
	t.Parallel()
	text := strings.Join([]string{
		"Text with ```inline``` code.",
		"```sh", "make test", "```",
		"<!-- go: preamble=gin -->", "",
		"~~~~ go title", "x := `a`", "~~~", "```", "~~~~",
		"1. item", "", "   ```", "   two", "     three", "   ```",
	}, "\n")
	got, err := docstest.Blocks("a.md", text)
	if err != nil {
		t.Fatal(err)
	}
	want := []docstest.Block{
		{File: "a.md", Line: 3, Lang: "sh", Text: "make test\n"},
		{File: "a.md", Line: 8, Lang: "go", Text: "x := `a`\n~~~\n```\n", Options: map[string]string{"preamble": "gin"}},
		{File: "a.md", Line: 15, Text: "two\n  three\n"},
	}
	if len(got) != len(want) {
		t.Fatalf("got %+v", got)
	}
	for i, w := range want {
		g := got[i]
		if g.File != w.File || g.Line != w.Line || g.Lang != w.Lang || g.Text != w.Text || !maps.Equal(g.Options, w.Options) {
			t.Errorf("got  %+v\nwant %+v", g, w)
		}
	}
}

func TestBlocksRefuses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, text, want string }{
		{"open block", "a\n```go\nx", "a.md:2: the block never ends"},
		{"shorter end", "````go\nx\n```", "a.md:1: the block never ends"},
		{"quotation", "> ```go\n> x\n> ```", "a.md:1: put the fence on a line of its own"},
		{"item", "a\n1. ```go\n   x\n   ```", "a.md:2: put the fence on a line of its own"},
		{"unknown option", "<!-- go: preambel=gin -->", `a.md:1: unknown option "preambel"`},
		{"option of another language", "<!-- sh: preamble=gin -->", `a.md:1: unknown option "preamble"`},
		{"no block", "<!-- go: preamble=gin -->\n\ntext", "a.md:3: the options above belong to no go block"},
		{"another block", "<!-- go: preamble=gin -->\n```sh\n```", "a.md:2: the options above belong to no go block"},
		{"end of file", "<!-- sh: status=404 -->\n", "a.md: the last options belong to no sh block"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := docstest.Blocks("a.md", tc.text)
			if err == nil || !strings.HasPrefix(err.Error(), tc.want) {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
}

func TestFilesRefuses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, want string
		block      docstest.Block
	}{
		{"unknown preamble", `no preamble "gim"`, docstest.Block{Options: map[string]string{"preamble": "gim"}}},
		{"no Go", "/a.md:8:", docstest.Block{Line: 7, Text: "x := 1\ny := := 2\n"}},
		{"open string", "string literal not terminated", docstest.Block{Line: 7, Text: "x := \"1\n"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if _, err := wrapper.Files(tc.block, "/a.md"); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
}
