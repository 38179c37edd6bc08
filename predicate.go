package tenancy

import (
	"database/sql/driver"
	"fmt"
	"reflect"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// Build writes the tenant predicate of the current table. It reads the tenant when the SQL is built, so that a
// condition built for one context never serves another. GORM calls it; it is exported only to satisfy
// clause.Expression.
func (m *model) Build(b clause.Builder) {
	stmt, ok := b.(*gorm.Statement)
	if !ok {
		b.AddError(ErrUnconfined)
		return
	}
	m.keepWhereGuard(stmt)
	m.write(stmt, clause.CurrentTable)
}

// scopeAt is the predicate of a table under another name than the statement's own.
type scopeAt struct {
	model *model
	alias string
}

func (s scopeAt) Build(b clause.Builder) {
	stmt, ok := b.(*gorm.Statement)
	if !ok {
		b.AddError(ErrUnconfined)
		return
	}
	s.model.keepWhereGuard(stmt)
	s.model.write(stmt, s.alias)
}

func (m *model) write(stmt *gorm.Statement, alias string) {
	ctx := stmt.Context
	if ctx == nil { // GORM builds the ON of an association join with a bare Statement
		ctx = stmt.DB.Statement.Context
	}
	a := accessOf(ctx)
	resolve(stmt, a)
	if a.mode == modeBypass || a.mode == modeInternal {
		_, _ = stmt.WriteString("1 = 1")
		return
	}
	if m.kind == kindLink {
		m.writeLink(stmt, alias, a)
		return
	}
	m.writeColumn(stmt, alias)
	if a.mode == modeSeveral {
		_, _ = stmt.WriteString(" IN (")
		for i := range a.several {
			if i > 0 {
				_ = stmt.WriteByte(',')
			}
			m.bind(stmt, a.several[i])
		}
		_ = stmt.WriteByte(')')
		return
	}
	_, _ = stmt.WriteString(" = ")
	m.bind(stmt, a)
}

// writeColumn writes the tenant column. For the commonest case, the statement's own table under its own name, the text
// is kept: quoting takes longer than the rest of the predicate.
func (m *model) writeColumn(stmt *gorm.Statement, alias string) {
	if alias != clause.CurrentTable || stmt.Table != m.table {
		stmt.WriteQuoted(clause.Column{Table: alias, Name: m.column})
		return
	}
	known := m.quoted.Load()
	if known == nil || known.dialector != stmt.DB.Dialector {
		known = &quoted{stmt.DB.Dialector, stmt.Quote(clause.Column{Table: m.table, Name: m.column})}
		if reflect.ValueOf(known.dialector).Comparable() {
			m.quoted.CompareAndSwap(nil, known) // databases that share a schema and differ in quotes: the first keeps it
		}
	}
	_, _ = stmt.WriteString(known.text)
}

// quoted is the tenant column as one dialector writes it.
type quoted struct {
	dialector gorm.Dialector
	text      string
}

// bind adds the tenant as a plain value: plugins that read Statement.Vars (sharding, caches) rely on that.
func (m *model) bind(stmt *gorm.Statement, a *access) {
	if a.mode != modeTenant {
		stmt.AddVar(stmt, &deferred{model: m})
		return
	}
	v, err := m.value(a)
	if err != nil {
		_ = stmt.AddError(err)
		v = &poison{err: err}
	}
	stmt.AddVar(stmt, v)
}

// writeLink confines a join table without a tenant column through the rows it links.
func (m *model) writeLink(stmt *gorm.Statement, alias string, a *access) {
	for i, side := range m.sides {
		owner := m.plugin.modelOf(stmt.DB, side.target)
		if i > 0 {
			_, _ = stmt.WriteString(" AND ")
		}
		columns := func(table string, side []clause.Column) {
			for j, c := range side {
				if j > 0 {
					_ = stmt.WriteByte(',')
				}
				c.Table = table
				stmt.WriteQuoted(c)
			}
		}
		child, parent := side.columns()
		if len(child) > 1 {
			_ = stmt.WriteByte('(')
			columns(alias, child)
			_ = stmt.WriteByte(')')
		} else {
			columns(alias, child)
		}
		_, _ = stmt.WriteString(" IN (SELECT ")
		columns(owner.table, parent)
		_, _ = stmt.WriteString(" FROM ")
		stmt.WriteQuoted(clause.Table{Name: owner.table})
		_, _ = stmt.WriteString(" WHERE ")
		owner.write(stmt, owner.table)
		_ = stmt.WriteByte(')')
	}
}

func (r reference) columns() (child, parent []clause.Column) {
	for i := range r.child {
		child = append(child, clause.Column{Name: r.child[i].DBName})
		parent = append(parent, clause.Column{Name: r.parent[i].DBName})
	}
	return child, parent
}

// keepWhereGuard keeps gorm.ErrMissingWhereClause alive: GORM would count our predicate as a condition. Only here,
// while WHERE is being built, are the primary keys that GORM adds by itself among the conditions.
func (m *model) keepWhereGuard(stmt *gorm.Statement) {
	if len(stmt.BuildClauses) == 0 || stmt.DB.AllowGlobalUpdate {
		return
	}
	if first := stmt.BuildClauses[0]; first != "UPDATE" && first != "DELETE" {
		return
	}
	where, ok := stmt.Clauses["WHERE"].Expression.(clause.Where)
	if !ok || len(where.Exprs) == 0 {
		return
	}
	conditions := 0
	for _, e := range where.Exprs {
		switch e := e.(type) {
		case *model, scopeAt:
		case clause.AndConditions:
			conditions += len(e.Exprs)
		default:
			conditions++
		}
	}
	if _, ok := stmt.Clauses["soft_delete_enabled"]; ok {
		conditions--
	}
	if conditions <= 0 {
		_ = stmt.AddError(gorm.ErrMissingWhereClause)
	}
}

// deferred stands for the tenant in a sub-query that was built without one: GORM builds sub-queries with their own,
// often empty, context and drops their errors. The statement around it replaces it (see resolve); when nobody does,
// the driver meets it and fails before anything is sent.
type deferred struct {
	model *model // nil for Current
}

// Value fails with ErrNoTenant.
func (*deferred) Value() (driver.Value, error) { return nil, ErrNoTenant }

// Format keeps logs readable.
func (*deferred) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("<no tenant>")) }

// resolve gives the sub-queries built so far the tenant of the statement around them, which fails if one was refused.
func resolve(stmt *gorm.Statement, a *access) {
	for i, v := range stmt.Vars {
		switch v := v.(type) {
		case *deferred:
			if a.mode == modeTenant {
				stmt.Vars[i] = v.resolved(stmt.DB, a)
			}
		case *poison:
			// PostgreSQL may find the text wrong before anybody looks at the values. Row() needs the statement to run.
			if rows, isRow := stmt.DB.Get("rows"); !isRow || rows == true {
				_ = stmt.AddError(v.err)
			}
		}
	}
}

func (d *deferred) resolved(db *gorm.DB, a *access) any {
	if d.model == nil {
		return currentOf(db, a)
	}
	v, err := d.model.value(a)
	if err == nil && a.origin != nil {
		err = d.model.beside(db, a)
	}
	if err != nil {
		return &poison{err: err}
	}
	return v
}

// beside refuses a sub-query on an owned table within a statement on a central one, where the tenant's table is elsewhere and
// others share one of the name.
func (m *model) beside(db *gorm.DB, a *access) error {
	if !m.plugin.isolation.Mixed {
		return nil
	}
	route, err := m.plugin.strategy.Route(db.Statement.Context, a.id)
	if err == nil && !route.Shared {
		return apart(m.table)
	}
	return err
}

// poison is a bind value no driver accepts: it carries a refusal to callers that look only at the statement.
type poison struct{ err error }

// Value fails with the refusal.
func (p *poison) Value() (driver.Value, error) { return nil, p.err }

// Format keeps logs readable.
func (*poison) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("<refused>")) }

// resolving wraps a condition that holds a sub-query: once written, its deferred tenants are known to the statement.
type resolving struct{ clause.Expression }

func (r resolving) Build(b clause.Builder) {
	r.Expression.Build(b)
	r.resolve(b)
}

func (resolving) resolve(b clause.Builder) {
	if stmt, ok := b.(*gorm.Statement); ok && stmt.Context != nil {
		resolve(stmt, accessOf(stmt.Context))
	}
}

// paren writes one condition in parentheses of its own. GORM adds them only to text that holds " AND " or " OR " with
// blanks on both sides, which "a\nOR b" does not.
type paren struct{ clause.Expression }

func (p paren) Build(b clause.Builder) {
	_ = b.WriteByte('(')
	p.Expression.Build(b)
	_ = b.WriteByte(')')
}
