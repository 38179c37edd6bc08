package tenancy

import (
	"database/sql"
	"fmt"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

var errEscapes = fmt.Errorf("%w: a condition or clause text has unbalanced parentheses, a separator, or quotes and comments "+
	"that databases read differently; write it plainly or pass values as parameters", ErrUnconfined)

// exprs judges conditions and returns them, rewritten where a sub-query needs the statement's tenant or a comment
// needs an end. The given slice is never changed: other statements share it.
func (w *wall) exprs(in []clause.Expression) ([]clause.Expression, error) {
	out := in
	for i, e := range in {
		r, changed, err := w.condition(e)
		if err != nil {
			return nil, err
		}
		if !changed {
			continue
		}
		if &out[0] == &in[0] {
			out = append([]clause.Expression(nil), in...)
		}
		out[i] = r
	}
	return out, nil
}

// condition judges one expression of WHERE, ON or HAVING. It returns e itself when nothing changed: boxing a copy would
// cost every statement an allocation.
func (w *wall) condition(e clause.Expression) (r clause.Expression, changed bool, err error) {
	switch v := e.(type) {
	case clause.Eq:
		return w.comparison(e, v.Column, v.Value)
	case clause.Neq:
		return w.comparison(e, v.Column, v.Value)
	case clause.Gt:
		return w.comparison(e, v.Column, v.Value)
	case clause.Gte:
		return w.comparison(e, v.Column, v.Value)
	case clause.Lt:
		return w.comparison(e, v.Column, v.Value)
	case clause.Lte:
		return w.comparison(e, v.Column, v.Value)
	case clause.Like:
		return w.comparison(e, v.Column, v.Value)
	case clause.IN:
		if err := w.column(v.Column); err != nil {
			return nil, false, err
		}
		return w.bound(e, v.Values)
	case clause.AndConditions:
		exprs, err := w.exprs(v.Exprs)
		if err != nil || !moved(exprs, v.Exprs) {
			return e, false, err
		}
		return clause.AndConditions{Exprs: exprs}, true, nil
	case clause.OrConditions:
		exprs, err := w.exprs(v.Exprs)
		if err != nil || !moved(exprs, v.Exprs) {
			return e, false, err
		}
		return clause.OrConditions{Exprs: exprs}, true, nil
	case clause.NotConditions:
		exprs, err := w.exprs(v.Exprs)
		if err != nil || !moved(exprs, v.Exprs) {
			return e, false, err
		}
		return clause.NotConditions{Exprs: exprs}, true, nil
	case clause.Where:
		exprs, err := w.exprs(v.Exprs)
		if err != nil || !moved(exprs, v.Exprs) {
			return e, false, err
		}
		return clause.Where{Exprs: exprs}, true, nil
	case clause.Expr:
		open, err := w.rawText(v.SQL, v.Vars, "")
		vars := resolvedVars(v.Vars)
		if err != nil || !(open || moved(vars, v.Vars)) {
			return e, false, err
		}
		return clause.Expr{SQL: ended(v.SQL, open), Vars: vars, WithoutParentheses: v.WithoutParentheses}, true, nil
	case clause.NamedExpr:
		open, err := w.rawText(v.SQL, v.Vars, "")
		vars := resolvedVars(v.Vars)
		if err != nil || !(open || moved(vars, v.Vars)) {
			return e, false, err
		}
		return clause.NamedExpr{SQL: ended(v.SQL, open), Vars: vars}, true, nil
	case paren, resolving, negatable, *model, scopeAt, joinScope:
		return e, false, nil
	case nil:
		return e, false, nil
	}
	// A type of somebody else: what it writes is judged, it stands in parentheses, and sub-queries in it get the tenant.
	if err := w.value(e); err != nil {
		return nil, false, err
	}
	return resolved(e), true, nil
}

// ended closes a comment at the end of a text.
func ended(text string, open bool) string {
	if open {
		return text + "\n"
	}
	return text
}

func moved[T any](out, in []T) bool { return len(in) > 0 && len(out) > 0 && &out[0] != &in[0] }

func (w *wall) comparison(e clause.Expression, column, value any) (clause.Expression, bool, error) {
	if err := w.column(column); err != nil {
		return nil, false, err
	}
	switch v := value.(type) {
	case []any:
		return w.bound(e, v)
	case *gorm.DB, clause.Expression, gorm.Valuer:
		return w.bound(e, []any{value})
	}
	return e, false, w.value(value)
}

// bound judges the values an expression binds.
func (w *wall) bound(e clause.Expression, values []any) (clause.Expression, bool, error) {
	for _, v := range values {
		if err := w.value(v); err != nil {
			return nil, false, err
		}
	}
	for _, v := range values {
		if hasSubquery(v) {
			return resolved(e), true, nil
		}
	}
	return e, false, nil
}

// hasSubquery reports whether a value may write a sub-query with a context of its own.
func hasSubquery(v any) bool {
	switch v := v.(type) {
	case *gorm.DB:
		return true
	case []any:
		for _, one := range v {
			if hasSubquery(one) {
				return true
			}
		}
		return false
	case map[string]any:
		for _, one := range v {
			if hasSubquery(one) {
				return true
			}
		}
		return false
	case sql.NamedArg:
		return hasSubquery(v.Value)
	case clause.Column, clause.Table, current, resolving:
		return false
	case clause.Expression:
		return true
	}
	return false
}

func (w *wall) column(c any) error {
	switch c := c.(type) {
	case clause.Column:
		if c.Raw {
			return w.text(c.Name, nil, "")
		}
	case []clause.Column:
		for _, one := range c {
			if err := w.column(one); err != nil {
				return err
			}
		}
	case clause.Expression:
		return w.expr(c)
	}
	return nil
}

// expr judges an expression in a place where it is not rewritten.
func (w *wall) expr(e clause.Expression) error {
	switch e := e.(type) {
	case clause.Expr:
		return w.text(e.SQL, e.Vars, "")
	case clause.NamedExpr:
		return w.text(e.SQL, e.Vars, "")
	case clause.CommaExpression:
		for _, one := range e.Exprs {
			if err := w.expr(one); err != nil {
				return err
			}
		}
		return nil
	}
	_, _, err := w.condition(e)
	return err
}

// text judges a piece of SQL that must end as it begins: its comments are closed.
func (w *wall) text(s string, vars []any, prefix string) error {
	open, err := w.rawText(s, vars, prefix)
	if err == nil && open {
		return fmt.Errorf("%w: end the comment in the clause text with a line break", ErrUnconfined)
	}
	return err
}

// rawText judges a piece of SQL text and the values bound into it.
func (w *wall) rawText(s string, vars []any, prefix string) (openComment bool, err error) {
	if isName(s) {
		return false, nil
	}
	f := flavorOf(w.db.Name())
	fr := inspect(s, f)
	if fr.escapes {
		return false, errEscapes
	}
	if (fr.tables || prefix != "") && !bindsCurrent(vars) {
		if err := w.judgeTables(prefix+s, f); err != nil {
			return false, err
		}
		if err := w.names(vars, f); err != nil {
			return false, err
		}
	}
	for _, v := range vars {
		if err := w.value(v); err != nil {
			return false, err
		}
	}
	return fr.openComment, nil
}

// names judges values that write a name into text which may expect a table there.
func (w *wall) names(vars []any, f flavor) error {
	for _, v := range vars {
		name := ""
		switch v := v.(type) {
		case clause.Table:
			name = v.Name
		case clause.Column:
			name = v.Name
		case clause.Expr:
			name = v.SQL
		case *gorm.DB, current, resolving, nil:
			continue
		case clause.Expression:
			if genericSubquery(v) {
				continue
			}
			text, _, err := w.render(v)
			if err != nil {
				return err
			}
			name = text
		default:
			continue
		}
		if name == clause.CurrentTable || name == clause.PrimaryKey {
			continue
		}
		if err := w.judgeTables(name, f); err != nil {
			return err
		}
	}
	return nil
}

// isWords reports whether text is words and blanks.
func isWords(text string) bool { return isName(strings.ReplaceAll(text, " ", "")) }

// isName is the quick way out for the commonest text: a column's name.
func isName(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isWord(s[i]) {
			return false
		}
	}
	return true
}

func bindsCurrent(vars []any) bool {
	for _, v := range vars {
		switch v := v.(type) {
		case current, bound:
			return true
		case *deferred:
			return v.model == nil
		case sql.NamedArg:
			if bindsCurrent([]any{v.Value}) {
				return true
			}
		case map[string]any:
			for _, one := range v {
				if bindsCurrent([]any{one}) {
					return true
				}
			}
		}
	}
	return false
}

// rawJoin judges a join written as text.
func (w *wall) rawJoin(s string, vars []any) error {
	prefix := ""
	if trimmed := strings.TrimSpace(s); isName(trimmed) && trimmed != "" {
		prefix = "JOIN "
	}
	return w.text(s, vars, prefix)
}

// selects judges the text among selected columns.
func (w *wall) selects() error {
	for _, s := range w.stmt.Selects {
		if err := w.text(s, nil, ""); err != nil {
			return err
		}
	}
	return nil
}

// clauses judges the text in every clause but WHERE and FROM.
func (w *wall) clauses() error {
	for name, c := range w.stmt.Clauses {
		if c.BeforeExpression != nil || c.AfterNameExpression != nil || c.AfterExpression != nil {
			if err := w.attached(name, c); err != nil {
				return err
			}
		}
		switch name {
		case "WHERE", "FROM", "soft_delete_enabled", "SET", "VALUES", "ON CONFLICT":
			continue // judged where they are built
		}
		if err := w.clause(name, c); err != nil {
			return err
		}
	}
	return nil
}

// attached judges text around a clause, such as an index hint behind FROM.
func (w *wall) attached(name string, c clause.Clause) error {
	prefix := ""
	switch name {
	case "WHERE", "SET", "VALUES", "ON CONFLICT", "UPDATE", "INSERT", "DELETE":
		return fmt.Errorf("%w: text around a %s clause", ErrUnconfined, name)
	case "FROM":
		prefix = "FROM " + "x "
	}
	for _, e := range []clause.Expression{c.BeforeExpression, c.AfterNameExpression, c.AfterExpression} {
		if e == nil {
			continue
		}
		text, _, err := w.render(e)
		if err == nil {
			err = w.framed(text, prefix)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// framed judges text that continues a list of tables.
func (w *wall) framed(text, prefix string) error {
	if prefix == "" {
		return w.text(text, nil, "")
	}
	if fr := inspect(text, flavorOf(w.db.Name())); fr.escapes || fr.openComment || fr.comma || fr.tables {
		return fmt.Errorf("%w: text behind FROM that could name a table", ErrUnconfined)
	}
	return nil
}

func (w *wall) clause(name string, c clause.Clause) error {
	switch e := c.Expression.(type) {
	case nil:
		return nil
	case clause.Select:
		if e.Expression != nil {
			return w.expr(e.Expression)
		}
		return w.columns(e.Columns)
	case clause.OrderBy:
		if e.Expression != nil {
			r, ok, err := w.resolvedExpr(e.Expression)
			if ok {
				e.Expression = r
				c.Expression = e
				w.stmt.Clauses[name] = c
			}
			return err
		}
		for _, col := range e.Columns {
			if err := w.column(col.Column); err != nil {
				return err
			}
		}
		return nil
	case clause.GroupBy:
		if err := w.columns(e.Columns); err != nil {
			return err
		}
		having, err := w.exprs(e.Having)
		if err == nil && moved(having, e.Having) {
			e.Having = having
			c.Expression = e
			w.stmt.Clauses[name] = c
		}
		return err
	case clause.Returning:
		return w.columns(e.Columns)
	case clause.Update:
		return w.head(e.Table, e.Modifier)
	case clause.Insert:
		return w.head(e.Table, e.Modifier)
	case clause.Delete:
		return w.head(clause.Table{}, e.Modifier)
	case clause.Limit:
		return nil
	case clause.Locking:
		for _, text := range []string{e.Strength, e.Options} {
			if !isWords(text) {
				return fmt.Errorf("%w: the locking clause holds more than words", ErrUnconfined)
			}
		}
		return w.value(e.Table)
	}
	r, ok, err := w.resolvedExpr(c.Expression) // Select with values is a text here
	if ok {
		c.Expression = r
		w.stmt.Clauses[name] = c
	}
	return err
}

// head judges the table and the words between a statement's verb and its table.
func (w *wall) head(t clause.Table, modifier string) error {
	for _, word := range strings.Fields(strings.ToUpper(modifier)) {
		switch word {
		case "OR", "IGNORE", "ABORT", "FAIL", "ROLLBACK", "LOW_PRIORITY", "HIGH_PRIORITY", "DELAYED", "QUICK", "REPLACE":
		default:
			return fmt.Errorf("%w: the modifier is not one of SQL's", ErrUnconfined)
		}
	}
	if t.Name != "" && t.Name != clause.CurrentTable && (t.Name != w.stmt.Table || w.stmt.TableExpr != nil) {
		return fmt.Errorf("%w: a clause names another table than the statement works on", ErrUnconfined)
	}
	return nil
}

func (w *wall) columns(columns []clause.Column) error {
	for _, col := range columns {
		if err := w.column(col); err != nil {
			return err
		}
	}
	return nil
}
