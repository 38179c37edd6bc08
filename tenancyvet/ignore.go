package tenancyvet

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
)

const ignorePrefix = "//tenancyvet:ignore"

// Ignore reports comments that were meant to silence a finding and cannot.
var Ignore = &analysis.Analyzer{
	Name: "ignore",
	Doc: `check the comments that silence findings of tenancyvet

//tenancyvet:ignore names one check, or several with commas, and says why it is wrong here:

	//tenancyvet:ignore rawsql the view compares the tenant itself

It holds for its own line, or for the one below. Without a reason it silences nothing.`,
	Run: runIgnore,
}

func runIgnore(pass *analysis.Pass) (any, error) {
	for _, file := range pass.Files {
		for c := range ignores(file) {
			names, reason := parseIgnore(c.Text)
			switch i := slices.IndexFunc(names, func(n string) bool { return !checks[n] }); {
			case len(names) == 0:
				pass.Reportf(c.Pos(), "say which check is wrong here, and why: //tenancyvet:ignore rawsql the view compares the tenant itself")
			case i >= 0:
				pass.Reportf(c.Pos(), "tenancyvet has no check %q; tenancyvet help lists them", names[i])
			case reason == "":
				pass.Reportf(c.Pos(), "without a reason nothing is silenced: say why %s is wrong here", strings.Join(names, ","))
			}
		}
	}
	return nil, nil
}

// checks are the names that can be silenced.
var checks = set("bypass", "goroutine", "models", "nocontext", "rawsql", "wrongcontext")

// ignores lists the comments of a file that want to silence something.
func ignores(file *ast.File) func(yield func(*ast.Comment) bool) {
	return func(yield func(*ast.Comment) bool) {
		for _, group := range file.Comments {
			for _, c := range group.List {
				rest, ok := strings.CutPrefix(c.Text, ignorePrefix)
				if ok && (rest == "" || rest[0] == ' ' || rest[0] == '\t') && !yield(c) {
					return
				}
			}
		}
	}
}

// parseIgnore reads "//tenancyvet:ignore a,b why".
func parseIgnore(text string) (names []string, reason string) {
	fields := strings.Fields(strings.TrimPrefix(text, ignorePrefix))
	if len(fields) == 0 {
		return nil, ""
	}
	return strings.Split(fields[0], ","), strings.Join(fields[1:], " ")
}

// report passes a finding on unless a comment with a reason silences it.
func report(pass *analysis.Pass, d analysis.Diagnostic) {
	if !silenced(pass, d.Pos) {
		pass.Report(d)
	}
}

func silenced(pass *analysis.Pass, at token.Pos) bool {
	line := pass.Fset.Position(at).Line
	for _, file := range pass.Files {
		if !within(file, at) {
			continue
		}
		for c := range ignores(file) {
			names, reason := parseIgnore(c.Text)
			where := pass.Fset.Position(c.Pos()).Line
			if reason != "" && (where == line || where == line-1) && slices.Contains(names, pass.Analyzer.Name) {
				return true
			}
		}
	}
	return false
}
