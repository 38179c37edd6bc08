package docstest_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var testName = regexp.MustCompile("`(Test\\w+)`")

// TestBookNames holds docs/book.md to what it promises: it is about everything in the book, and each test it names is there.
func TestBookNames(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/book.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	for n := 1; n <= 46; n++ {
		if row := fmt.Sprintf("\n| BK-%02d | ", n); strings.Count(page, row) != 1 {
			t.Errorf("no row, or several, of BK-%02d", n)
		}
	}
	for n := 1; n <= 17; n++ {
		if row := fmt.Sprintf("\n| BD%d | ", n); strings.Count(page, row) != 1 || !strings.Contains(page, fmt.Sprintf("`TestBD%d`", n)) {
			t.Errorf("no row, or several, of BD%d", n)
		}
	}
	code := testCode(t)
	for _, found := range testName.FindAllStringSubmatch(page, -1) {
		if !strings.Contains(code, "\nfunc "+found[1]+"(t *testing.T)") {
			t.Errorf("docs/book.md names %s, which does not exist", found[1])
		}
	}
}

// testCode is the text of all tests of the example and of the nested modules.
func testCode(t *testing.T) string {
	t.Helper()
	var code strings.Builder
	for _, dir := range []string{"../../example", "../../integrations"} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			code.Write(text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return code.String()
}
