package main

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/gorm-tenancy/tenancy"

// TestApplicationIsFreeOfTenants: the application does not know the word, nor anything that does, but for the record its
// models embed. It is the same in every strategy because it could not tell them apart.
func TestApplicationIsFreeOfTenants(t *testing.T) {
	t.Parallel()
	word := regexp.MustCompile(`(?i)tenan`)
	allowed := regexp.MustCompile(`^[a-z]+(/[a-z0-9]+)*$|^github\.com/gin-gonic/gin(/|$)|^gorm\.io/gorm(/|$)|^golang\.org/x/crypto/`)
	files := 0
	err := filepath.WalkDir("polls", func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		files++
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if word.MatchString(strings.ReplaceAll(string(text), module+"/example/polls", "")) {
			t.Errorf("%s mentions tenants", path)
		}
		if filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, text, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, i := range f.Imports {
			name, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			if !allowed.MatchString(name) && name != module+"/example/polls/record" {
				t.Errorf("%s imports %s", path, name)
			}
		}
		return nil
	})
	if err != nil || files < 20 {
		t.Errorf("%d files, %v", files, err)
	}
}
