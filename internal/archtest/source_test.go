package archtest_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// maxLines is the most a file may have, so that it can be read at one sitting. The suite that every strategy passes
// is one long table.
const (
	maxLines = 500
	longFile = "strategies/strategytest"
)

func TestFileLength(t *testing.T) {
	t.Parallel()
	files := 0
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if e.IsDir() && name != "." && (strings.HasPrefix(e.Name(), ".") || filepath.ToSlash(name) == longFile) {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".go" {
			return nil
		}
		files++
		text, err := os.ReadFile(path)
		if n := bytes.Count(text, []byte("\n")); n > maxLines {
			t.Errorf("%s has %d lines, at most %d are allowed", name, n, maxLines)
		}
		return err
	})
	if err != nil || files == 0 {
		t.Errorf("%d files, %v", files, err)
	}
}

// TestDocumented looks for a comment on everything that users can name, fields and methods included.
func TestDocumented(t *testing.T) {
	t.Parallel()
	for _, p := range list(t, "./...") {
		if p.Name == "main" || strings.Contains(p.ImportPath+"/", "/internal/") {
			continue
		}
		fset := token.NewFileSet()
		var files []*ast.File
		for _, name := range append(p.GoFiles, p.CgoFiles...) {
			f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, f)
		}
		for _, where := range undocumented(files) {
			t.Errorf("%s lacks a comment in %s", where.name, fset.Position(where.pos))
		}
	}
}

type place struct {
	name string
	pos  token.Pos
}

// undocumented returns what the package of the files exports without a comment. The comment of a group of constants or
// variables is one for each of them.
func undocumented(files []*ast.File) []place {
	var places []place
	check := func(name *ast.Ident, comments ...*ast.CommentGroup) {
		for _, c := range comments {
			if c.Text() != "" {
				return
			}
		}
		if name.IsExported() {
			places = append(places, place{name.Name, name.Pos()})
		}
	}
	documented := len(files) == 0
	for _, f := range files {
		documented = documented || f.Doc.Text() != ""
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil || ast.IsExported(receiver(d.Recv.List[0].Type)) {
					check(d.Name, d.Doc)
				}
			case *ast.GenDecl:
				specs(d, check)
			}
		}
	}
	if !documented {
		places = append(places, place{"package " + files[0].Name.Name, files[0].Name.Pos()})
	}
	return places
}

func specs(d *ast.GenDecl, check func(*ast.Ident, ...*ast.CommentGroup)) {
	for _, s := range d.Specs {
		switch s := s.(type) {
		case *ast.ValueSpec:
			for _, name := range s.Names {
				check(name, d.Doc, s.Doc, s.Comment)
			}
		case *ast.TypeSpec:
			check(s.Name, d.Doc, s.Doc, s.Comment)
			if s.Name.IsExported() {
				members(s.Type, check)
			}
		}
	}
}

// members checks the fields of a struct and the methods of an interface. What is embedded is documented elsewhere, and
// the comment of an interface with one method is that method's.
func members(of ast.Expr, check func(*ast.Ident, ...*ast.CommentGroup)) {
	var list *ast.FieldList
	switch of := of.(type) {
	case *ast.StructType:
		list = of.Fields
	case *ast.InterfaceType:
		list = of.Methods
	}
	if _, isInterface := of.(*ast.InterfaceType); list == nil || isInterface && len(list.List) == 1 {
		return
	}
	for _, f := range list.List {
		for _, name := range f.Names {
			check(name, f.Doc, f.Comment)
		}
	}
}

func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.IndexListExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

// TestUndocumented shows what is found and what is not.
func TestUndocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/undocumented.go.txt")
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "", text, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	found := map[int]string{}
	for _, p := range undocumented([]*ast.File{f}) {
		found[fset.Position(p.pos).Line] = p.name
	}
	for i, line := range strings.Split(string(text), "\n") {
		if want := strings.Contains(line, "Bare") || strings.HasPrefix(line, "package"); want != (found[i+1] != "") {
			t.Errorf("line %d: %s: found %q", i+1, line, found[i+1])
		}
	}
}
