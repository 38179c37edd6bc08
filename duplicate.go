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

// rowGuard writes the value of the tenant column: what it was, for a row of the tenant. For another row the number after OR
// is computed, which is greater than the greatest there is: error 1690. It depends on the row, or else it would be
// computed, and fail, ahead of all rows.
type rowGuard struct{ model *model }

func (g rowGuard) Build(b clause.Builder) {
	_, _ = b.WriteString("IF(")
	g.model.Build(b)
	_, _ = b.WriteString(" OR ~0 + (1 + coalesce(length(")
	b.WriteQuoted(g.model.qualified)
	_, _ = b.WriteString("),0)),")
	b.WriteQuoted(g.model.qualified)
	_ = b.WriteByte(',')
	b.WriteQuoted(g.model.qualified)
	_ = b.WriteByte(')')
}

// metForeignRow reports whether the statement failed in rowGuard. The message quotes its expression, in every language.
func metForeignRow(m *model, err error) bool {
	text := err.Error()
	return strings.Contains(text, "1690") && strings.Contains(text, m.column)
}

// onDuplicateKey moves the guard of an upsert from its WHERE into its assignments.
func onDuplicateKey(c clause.Clause, b clause.Builder) clause.Clause {
	conflict, ok := c.Expression.(clause.OnConflict)
	if !ok || len(conflict.Where.Exprs) == 0 || !isPredicate(conflict.Where.Exprs[0]) {
		return c
	}
	guard := conflict.Where.Exprs[0]
	var updates clause.Set
	m, owned := guard.(*model)
	if owned = owned && m.kind == kindOwned; owned {
		updates = append(updates, clause.Assignment{Column: clause.Column{Name: m.column}, Value: rowGuard{m}})
	}
	for _, a := range conflict.DoUpdates {
		if owned && strings.EqualFold(a.Column.Name, m.column) {
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
