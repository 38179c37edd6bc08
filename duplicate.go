package tenancy

import (
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// MySQL's upsert has no condition and takes whichever unique key meets a row, so the guard of PostgreSQL and SQLite, a WHERE,
// moves into the assignments: the first one fails on a row of another tenant, which ends the statement before anything
// of the row is written or, on MariaDB, returned.

// countsDuplicates reports whether affected rows say nothing about an upsert: MySQL counts 0, 1 or 2 for each.
func countsDuplicates(db *gorm.DB) bool { return db.Name() == "mysql" }

// guardedAssignment leaves a row of another tenant its value, should the error of rowGuard become a warning.
type guardedAssignment struct {
	guard  clause.Expression
	column clause.Column
	value  any
}

func (g guardedAssignment) Build(b clause.Builder) {
	_, _ = b.WriteString("IF(")
	g.guard.Build(b)
	_ = b.WriteByte(',')
	if c, ok := g.value.(clause.Column); ok && c.Table == "excluded" {
		c.Table = ""
		_, _ = b.WriteString("VALUES(")
		b.WriteQuoted(c)
		_ = b.WriteByte(')')
	} else {
		b.AddVar(b, g.value)
	}
	_ = b.WriteByte(',')
	old := g.column
	old.Table = clause.CurrentTable
	b.WriteQuoted(old)
	_ = b.WriteByte(')')
}

// rowGuard writes a column's own value, for a row of the tenant. For another row the number after OR is computed, which is
// greater than the greatest there is: error 1690. It depends on the row, or else it would be computed, and fail, ahead
// of all rows.
type rowGuard struct {
	guard  clause.Expression
	column clause.Column
}

func (g rowGuard) Build(b clause.Builder) {
	old := clause.Column{Table: clause.CurrentTable, Name: g.column.Name}
	_, _ = b.WriteString("IF(")
	g.guard.Build(b)
	_, _ = b.WriteString(" OR ~0 + (1 + coalesce(length(")
	b.WriteQuoted(old)
	_, _ = b.WriteString("),0)),")
	b.WriteQuoted(old)
	_ = b.WriteByte(',')
	b.WriteQuoted(old)
	_ = b.WriteByte(')')
}

// guardColumn is a column that every row of the table has: the tenant's, or a key of a join table.
func (m *model) guardColumn() clause.Column {
	if m.kind == kindLink {
		return clause.Column{Name: m.sides[0].child[0].DBName}
	}
	return clause.Column{Name: m.column}
}

// metForeignRow reports whether the statement failed in rowGuard. The message quotes its expression, in every language.
func metForeignRow(m *model, err error) bool {
	text := err.Error()
	return strings.Contains(text, "1690") && strings.Contains(text, m.guardColumn().Name)
}

// onDuplicateKey moves the guard of an upsert from its WHERE into its assignments.
func onDuplicateKey(c clause.Clause, b clause.Builder) clause.Clause {
	conflict, ok := c.Expression.(clause.OnConflict)
	if !ok || len(conflict.Where.Exprs) == 0 || !isPredicate(conflict.Where.Exprs[0]) {
		return c
	}
	guard := conflict.Where.Exprs[0]
	var updates clause.Set
	m, ok := guard.(*model)
	if ok {
		first := m.guardColumn()
		updates = append(updates, clause.Assignment{Column: first, Value: rowGuard{guard, first}})
	}
	for _, a := range conflict.DoUpdates {
		if ok && m.kind == kindOwned && strings.EqualFold(a.Column.Name, m.column) {
			continue // its only value is the one it has
		}
		updates = append(updates, clause.Assignment{Column: a.Column, Value: guardedAssignment{guard, a.Column, a.Value}})
	}
	nothing := conflict.DoNothing
	conflict.DoUpdates, conflict.DoNothing = updates, false
	conflict.Where = clause.Where{}
	c.Expression = conflict
	if stmt, ok := b.(*gorm.Statement); ok && nothing {
		stmt.AddClause(conflict) // as GORM's driver does: returned rows are those of all rows, not of the new ones
	}
	return c
}
