package programs

import (
	"fmt"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// condition is a query and its arguments, as Where takes them.
type condition struct {
	code string
	args func(e *env) []any
}

// fixed is one that is the same in every run.
func fixed(args ...any) condition {
	return condition{listed(args), func(*env) []any { return args }}
}

// link is a piece of a chain.
type link struct {
	code string
	on   func(e *env, db *gorm.DB) *gorm.DB
}

// condition draws one about a model. Names begin with a prefix, which joins need.
func (d *drawer) condition(k *kind, prefix string) condition {
	p := func(format string) string { return strings.ReplaceAll(format, "%", prefix) }
	switch d.n(20) {
	case 0:
		return fixed(p("%n > ?"), d.n(5))
	case 1:
		return fixed(p("%text = ?"), d.text())
	case 2:
		return fixed(p("%n IS NULL"))
	case 3:
		return fixed(p("%note IS NOT NULL AND %n < ?"), d.n(6))
	case 4:
		return fixed(p("%n = ? OR %note = ?"), d.n(5), d.note())
	case 5:
		return fixed(p("%id"+" IN ?"), []uint{d.key(k), d.anyKey(k)})
	case 6:
		return fixed(map[string]any{"text": d.text(), "n": d.n(4)})
	case 7:
		return fixed(map[string]any{"note": nil})
	case 8:
		return fixed(map[string]any{"n": []int{d.n(3), 3 + d.n(3)}})
	case 9:
		v := values{text: d.text()}
		return condition{fmt.Sprintf("&%s{Text: %q}", k.name, v.text), func(*env) []any { return []any{k.row("", v)} }}
	case 10:
		return fixed(p("%text <> @x AND (%n = @n OR %n IS NULL)"), map[string]any{"x": d.text(), "n": d.n(4)})
	case 11:
		return fixed(p("%note LIKE ?"), pick(d, "%x", "%-%", string(d.other())+"-%"))
	case 12:
		return d.expression(prefix)
	case 13, 14:
		return d.group(k, prefix)
	case 15, 16:
		return d.subQuery(k, prefix)
	case 17:
		return condition{fmt.Sprintf("%q, %q", p("%tenant_id = ?"), d.id), func(e *env) []any { return []any{p("%tenant_id = ?"), string(e.id)} }}
	case 18:
		other := string(d.other())
		return fixed(p(pick(d, "%tenant_id = ?", "%text LIKE '%-%' AND %tenant_id = ?")), other)
	}
	return d.careless(k, p)
}

// careless has an OR that GORM does not see, because there are no blanks around it. Where rows are deleted softly GORM itself
// forgets that with it.
func (d *drawer) careless(k *kind, p func(string) string) condition {
	if k.soft {
		return fixed(p("%n = 1 OR 1 = 1"))
	}
	return fixed(p(pick(d, "%n = 1\nOR 1 = 1", "%n = 1\tOR\t%text <> ''", "(%n = 1)OR(1 = 1)")))
}

func (d *drawer) expression(prefix string) condition {
	n, text := d.n(5), d.text()
	code := fmt.Sprintf("clause.Or(clause.Gte{Column: %q, Value: %d}, clause.Eq{Column: %q, Value: %q})", prefix+"n", n, prefix+"text", text)
	return condition{code, func(*env) []any {
		return []any{clause.Or(clause.Gte{Column: prefix + "n", Value: n}, clause.Eq{Column: prefix + "text", Value: text})}
	}}
}

func (d *drawer) group(k *kind, prefix string) condition {
	d.deep++
	defer func() { d.deep-- }()
	if d.deep > 3 {
		return fixed(prefix + "n IS NOT NULL")
	}
	one, two, or := d.condition(k, prefix), d.condition(k, prefix), d.maybe(2)
	code := fmt.Sprintf("db.Where(%s).Where(%s)", one.code, two.code)
	if or {
		code = fmt.Sprintf("db.Where(%s).Or(%s)", one.code, two.code)
	}
	return condition{code, func(e *env) []any {
		x, y := one.args(e), two.args(e)
		db := e.fresh().Where(x[0], x[1:]...)
		if or {
			return []any{db.Or(y[0], y[1:]...)}
		}
		return []any{db.Where(y[0], y[1:]...)}
	}}
}

// subQuery is about keys of another table than the statement's, which MySQL asks of one that writes.
func (d *drawer) subQuery(k *kind, prefix string) condition {
	of, column := d.kinds[2], "poll_id" // choices
	if k == of {
		of, column = d.kinds[0], "id"
	}
	d.deep++
	defer func() { d.deep-- }()
	if d.deep > 2 {
		return fixed(prefix + "n IS NULL")
	}
	c := d.condition(of, "")
	not := pick(d, "IN", "NOT IN")
	key := "id"
	if k.single { // of which the database may have made some, others than where the tenant is alone
		key = "n"
	}
	query := fmt.Sprintf("%s%s %s (?)", prefix, key, not)
	return condition{
		fmt.Sprintf("%q, db.Model(&%s{}).Select(%q).Where(%s)", query, of.name, column, c.code),
		func(e *env) []any {
			w := c.args(e)
			return []any{query, e.fresh().Model(of.one()).Select(column).Where(w[0], w[1:]...)}
		},
	}
}

// where draws a link with a condition.
func (d *drawer) where(k *kind, prefix string) link {
	c := d.condition(k, prefix)
	switch d.n(8) {
	case 0, 1, 2, 3:
		return link{"Where(" + c.code + ")", func(e *env, db *gorm.DB) *gorm.DB {
			w := c.args(e)
			return db.Where(w[0], w[1:]...)
		}}
	case 4, 5:
		return link{"Or(" + c.code + ")", func(e *env, db *gorm.DB) *gorm.DB {
			w := c.args(e)
			return db.Or(w[0], w[1:]...)
		}}
	case 6:
		return link{"Not(" + c.code + ")", func(e *env, db *gorm.DB) *gorm.DB {
			w := c.args(e)
			return db.Not(w[0], w[1:]...)
		}}
	}
	return link{"Scopes(func(db *gorm.DB) *gorm.DB { return db.Where(" + c.code + ") })", func(e *env, db *gorm.DB) *gorm.DB {
		return db.Scopes(func(db *gorm.DB) *gorm.DB {
			w := c.args(e)
			return db.Where(w[0], w[1:]...)
		})
	}}
}

// chain draws at least so many conditions, and some more.
func (d *drawer) chain(k *kind, prefix string, least int) (code string, on func(e *env) *gorm.DB) {
	n := least + d.n(3)
	links := make([]link, n)
	for i := range links {
		links[i] = d.where(k, prefix)
	}
	return joined(links...)
}

func joined(links ...link) (code string, on func(e *env) *gorm.DB) {
	for _, l := range links {
		code += "." + l.code
	}
	return "db" + code, func(e *env) *gorm.DB {
		db := e.fresh()
		for _, l := range links {
			db = l.on(e, db)
		}
		return db
	}
}
