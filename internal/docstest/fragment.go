package docstest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"maps"
	"slices"
	"strings"
)

// Wrapper turns a Go block into files that compile. Safe for concurrent use.
type Wrapper struct {
	// Packages are the import paths of the packages a fragment may name without importing them.
	Packages map[string]string
	// Preambles are declarations that fragments may use, by the name that <!-- go: preamble=name --> asks for; those
	// under "" are there for all. Only what a fragment names, and does not declare itself, is compiled with it: one
	// declaration a name, no methods.
	Preambles map[string]string
}

// Files returns the files of the package that b stands for. A block that starts with a package clause is compiled as
// it is. Any other is a fragment: its imports, functions, types and leading variables become declarations, its
// statements the body of a function. Compilers report its lines as those of the document at path.
func (w Wrapper) Files(b Block, path string) (map[string]string, error) {
	if isProgram(b.Text) {
		return map[string]string{"program.go": fmt.Sprintf("//line %s:%d\n%s", path, b.Line, b.Text)}, nil
	}
	declarations := w.Preambles[""]
	if name := b.Options["preamble"]; name != "" {
		more, ok := w.Preambles[name]
		if !ok {
			return nil, fmt.Errorf("no preamble %q", name)
		}
		declarations += "\n" + more
	}
	f, err := split(b.Text)
	if err != nil {
		return nil, err
	}
	bare, err := parser.ParseFile(token.NewFileSet(), "", f.source(path, b.Line, "", nil), 0)
	if err != nil {
		return nil, err
	}
	files := map[string]string{"fragment.go": f.source(path, b.Line, w.imports(bare), locals(bare))}
	preamble, err := w.preamble(declarations, bare)
	if preamble != "" {
		files["preamble.go"] = preamble
	}
	return files, err
}

func isProgram(text string) bool {
	_, err := parser.ParseFile(token.NewFileSet(), "", text, parser.PackageClauseOnly)
	return err == nil
}

// fragment is a block in parts.
type fragment struct{ imports, declarations, statements []part }

type part struct {
	line int // from 0
	text string
}

// split cuts a fragment where a statement or a declaration of its outermost level ends.
func split(text string) (fragment, error) {
	tokens, err := scan(text)
	var f fragment
	for start, from := 0, 0; from < len(tokens); {
		to, depth := from, 0
		for ; to < len(tokens)-1 && (depth > 0 || tokens[to].tok != token.SEMICOLON); to++ {
			depth += tokens[to].depth()
		}
		p := part{strings.Count(text[:start], "\n"), text[start:tokens[to].offset]}
		switch kind := tokens[from].tok; {
		case kind == token.IMPORT:
			f.imports = append(f.imports, p)
		case kind == token.TYPE, kind == token.FUNC && named(tokens[from+1:]),
			(kind == token.VAR || kind == token.CONST) && len(f.statements) == 0:
			f.declarations = append(f.declarations, p)
		case kind != token.EOF:
			f.statements = append(f.statements, p)
		}
		start, from = tokens[to].offset, to+1
	}
	return f, err
}

type lexeme struct {
	tok    token.Token
	offset int
}

func (l lexeme) depth() int {
	switch l.tok {
	case token.LPAREN, token.LBRACK, token.LBRACE:
		return 1
	case token.RPAREN, token.RBRACK, token.RBRACE:
		return -1
	}
	return 0
}

func scan(text string) ([]lexeme, error) {
	var (
		s      scanner.Scanner
		errs   scanner.ErrorList
		tokens []lexeme
	)
	file := token.NewFileSet().AddFile("", -1, len(text))
	s.Init(file, []byte(text), errs.Add, 0)
	for {
		pos, tok, _ := s.Scan()
		tokens = append(tokens, lexeme{tok, file.Offset(pos)})
		if tok == token.EOF {
			return tokens, errs.Err()
		}
	}
}

// named reports whether what follows "func" is a function or method with a name, not a function literal.
func named(tokens []lexeme) bool {
	if tokens[0].tok != token.LPAREN {
		return true
	}
	i, depth := 1, 1
	for ; i < len(tokens) && depth > 0; i++ {
		depth += tokens[i].depth()
	}
	return i+1 < len(tokens) && tokens[i].tok == token.IDENT && tokens[i+1].tok == token.LPAREN
}

// source assembles the file. The function's nameless result lets a fragment return an error or nothing; locals are
// used once at its end, because a fragment may show how to get a value without showing what it is good for.
func (f fragment) source(path string, line int, imports string, locals []string) string {
	var b strings.Builder
	b.WriteString("package fragment\n" + imports)
	write := func(parts []part) {
		for _, p := range parts {
			fmt.Fprintf(&b, "\n//line %s:%d\n%s\n", path, line+p.line, strings.TrimPrefix(p.text, ";"))
		}
	}
	write(f.imports)
	write(f.declarations)
	if len(f.statements) > 0 {
		b.WriteString("\nfunc _() (_ error) {\n{\n")
		write(f.statements)
		for _, name := range locals {
			fmt.Fprintf(&b, "_ = %s\n", name)
		}
		b.WriteString("}\nreturn nil\n}\n")
	}
	return b.String()
}

// locals returns the variables that the statements of a fragment declare on their outermost level.
func locals(file *ast.File) []string {
	var names []string
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Name.Name != "_" || f.Recv != nil {
			continue
		}
		block, ok := f.Body.List[0].(*ast.BlockStmt)
		if !ok {
			continue
		}
		for _, s := range block.List {
			if a, ok := s.(*ast.AssignStmt); ok && a.Tok == token.DEFINE {
				for _, e := range a.Lhs {
					names = append(names, e.(*ast.Ident).Name)
				}
			}
			if d, ok := s.(*ast.DeclStmt); ok && d.Decl.(*ast.GenDecl).Tok == token.VAR {
				for _, s := range d.Decl.(*ast.GenDecl).Specs {
					for _, n := range s.(*ast.ValueSpec).Names {
						names = append(names, n.Name)
					}
				}
			}
		}
	}
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(n string) bool { return n == "_" })
}

// imports returns import declarations for the known packages that the file names and neither imports nor declares.
func (w Wrapper) imports(file *ast.File) string {
	named, declared := map[string]bool{}, map[string]bool{}
	for _, s := range file.Imports {
		if s.Name != nil {
			declared[s.Name.Name] = true
		}
		for name, path := range w.Packages {
			declared[name] = declared[name] || s.Path.Value == `"`+path+`"`
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok {
				named[x.Name] = true
			}
		case *ast.AssignStmt:
			for _, e := range n.Lhs {
				if x, ok := e.(*ast.Ident); ok && n.Tok == token.DEFINE {
					declared[x.Name] = true
				}
			}
		case *ast.ValueSpec:
			declare(declared, n.Names)
		case *ast.Field:
			declare(declared, n.Names)
		}
		return true
	})
	var b strings.Builder
	for name, path := range w.Packages {
		if named[name] && !declared[name] {
			fmt.Fprintf(&b, "import %s %q\n", name, path)
		}
	}
	return b.String()
}

func declare(declared map[string]bool, names []*ast.Ident) {
	for _, n := range names {
		declared[n.Name] = true
	}
}

// preamble returns a file with the declarations that the fragment needs, or nothing when it needs none.
func (w Wrapper) preamble(declarations string, fragment *ast.File) (string, error) {
	source := "package fragment\n" + declarations
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "preamble", source, 0)
	if err != nil {
		return "", err
	}
	text := ""
	for _, d := range needed(file, fragment) {
		text += source[fset.Position(d.Pos()).Offset:fset.Position(d.End()).Offset] + "\n"
	}
	if text == "" {
		return "", nil
	}
	kept, err := parser.ParseFile(fset, "preamble", "package fragment\n"+text, 0)
	if err != nil {
		return "", err
	}
	return "package fragment\n" + w.imports(kept) + text, nil
}

// needed returns the declarations of the preamble that the fragment names and does not make itself, and what those
// need in turn.
func needed(preamble, fragment *ast.File) []ast.Decl {
	named, own := identifiers(fragment), map[string]bool{}
	for _, d := range fragment.Decls {
		for _, name := range declaredBy(d) {
			own[name] = true
		}
	}
	kept := map[ast.Decl]bool{}
	for grown := true; grown; {
		grown = false
		for _, d := range preamble.Decls {
			wanted := func(name string) bool { return named[name] && !own[name] }
			if !kept[d] && slices.ContainsFunc(declaredBy(d), wanted) {
				kept[d], grown = true, true
				maps.Copy(named, identifiers(d))
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(preamble.Decls), func(d ast.Decl) bool { return !kept[d] })
}

func identifiers(n ast.Node) map[string]bool {
	names := map[string]bool{}
	ast.Inspect(n, func(n ast.Node) bool {
		if x, ok := n.(*ast.Ident); ok {
			names[x.Name] = true
		}
		return true
	})
	return names
}

// declaredBy returns the names that a declaration gives to its package.
func declaredBy(d ast.Decl) []string {
	var names []string
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			names = append(names, d.Name.Name)
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				names = append(names, s.Name.Name)
			case *ast.ValueSpec:
				for _, n := range s.Names {
					names = append(names, n.Name)
				}
			}
		}
	}
	return names
}
