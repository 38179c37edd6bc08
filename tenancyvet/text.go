package tenancyvet

import (
	"go/ast"
	"go/token"
	"go/types"
	"strings"
)

// text is what can be read of a string that a program makes.
type text struct {
	known string // the constant parts; hole stands for each other part
	holes int    // parts that are known at run time only, and could be anything
}

// hole is no name of a table.
const hole = " ? "

// textOf reads a string: constants, concatenations, fmt.Sprintf, and variables that are given nothing else.
func (f *flow) textOf(e ast.Expr, seen map[any]bool) text {
	if e == nil {
		return text{hole, 1}
	}
	if value, ok := constantText(f.info, e); ok {
		return text{value, 0}
	}
	switch n := ast.Unparen(e).(type) {
	case *ast.BinaryExpr:
		if n.Op == token.ADD {
			return f.textOf(n.X, seen).plus(f.textOf(n.Y, seen))
		}
	case *ast.CallExpr:
		return f.textOfCall(n, seen)
	case *ast.Ident:
		v := variable(f.info, n)
		_, given := f.params[v]
		if v == nil || given || v.IsField() || len(f.values[v]) == 0 {
			break
		}
		if seen[v] {
			return text{} // text += more
		}
		seen[v] = true
		var all text
		for _, value := range f.values[v] {
			all = all.plus(text{known: "\n"}).plus(f.textOf(value, seen))
		}
		return all
	}
	return text{hole, 1}
}

func (t text) plus(o text) text { return text{t.known + o.known, t.holes + o.holes} }

// textOfCall reads fmt.Sprintf and conversions of numbers, which cannot climb out of anything.
func (f *flow) textOfCall(call *ast.CallExpr, seen map[any]bool) text {
	if calls(f.info, call, "strconv", "Itoa") || calls(f.info, call, "strconv", "FormatInt") || calls(f.info, call, "strconv", "FormatUint") {
		return text{hole, 0}
	}
	if !calls(f.info, call, "fmt", "Sprintf") || len(call.Args) == 0 || call.Ellipsis.IsValid() {
		return text{hole, 1}
	}
	format := f.textOf(call.Args[0], seen)
	parts := strings.Split(strings.ReplaceAll(format.known, "%%", ""), "%")
	all := text{parts[0], format.holes}
	for i, part := range parts[1:] {
		value := text{hole, 1}
		if i+1 < len(call.Args) {
			if number(f.info.TypeOf(call.Args[i+1])) {
				value.holes = 0
			} else {
				value = f.textOf(call.Args[i+1], seen)
			}
		}
		verb := strings.TrimLeft(part, "+-# 0123456789.[]*")
		all = all.plus(value).plus(text{known: verb[min(1, len(verb)):]})
	}
	return all
}

func number(t types.Type) bool {
	b, ok := t.Underlying().(*types.Basic)
	return ok && b.Info()&(types.IsNumeric|types.IsBoolean) != 0
}
