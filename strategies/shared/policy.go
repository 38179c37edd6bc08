package shared

import (
	"fmt"
	"regexp"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"github.com/gorm-tenancy/tenancy"
)

// policyName is the policy of every owned table. Others are other people's.
const policyName = "tenancy"

// current is the tenant of the statement, or NULL. After a transaction that set it, the setting is ” and not unset.
const current = "nullif(current_setting('" + setting + "', true), '')"

// PolicySQL returns the statements that protect the owned tables, for teams that migrate by files of SQL. They may be run
// again, by the owner of the tables, in one transaction; the tables must exist. Partitions that exist need the same: only
// [Strategy.Migrate] finds them. db serves to quote names and is not asked. It fails where a tenant column is of a type
// that cannot hold a tenant (tenancy.ErrUnsupported), and as [tenancy.Plugin.Declare] does.
func (s *Strategy) PolicySQL(db *gorm.DB, p *tenancy.Plugin) (string, error) {
	if err := p.Declare(db); err != nil {
		return "", err
	}
	var b strings.Builder
	for _, t := range p.OwnedTables() {
		table := db.Statement.Quote(t.Name)
		condition, err := conditionOf(db, t, table)
		if err != nil {
			return "", err
		}
		for _, statement := range protection(table, condition) {
			b.WriteString(statement + ";\n")
		}
	}
	return b.String(), nil
}

// protection lists the statements that protect a table, whatever state it is in. table is quoted.
func protection(table, condition string) []string {
	return []string{
		"ALTER TABLE " + table + " ENABLE ROW LEVEL SECURITY",
		"ALTER TABLE " + table + " FORCE ROW LEVEL SECURITY",
		"DROP POLICY IF EXISTS " + policyName + " ON " + table,
		"CREATE POLICY " + policyName + " ON " + table + " USING (" + condition + ") WITH CHECK (" + condition + ")",
	}
}

// conditionOf returns what a row must fulfil to be the tenant's. table is the table's quoted name, or a partition's.
func conditionOf(db *gorm.DB, t tenancy.OwnedTable, table string) (string, error) {
	if len(t.Links) > 0 {
		return linked(db, t.Links, table), nil
	}
	if t.Column == "" || t.Field == nil {
		return "", fmt.Errorf("%w: table %q has no tenant column", tenancy.ErrUndeclared, t.Name)
	}
	tenant, err := tenantAs(columnType(db, t.Field))
	if err != nil {
		return "", fmt.Errorf("table %q: %w", t.Name, err)
	}
	return db.Statement.Quote(t.Column) + " = " + tenant, nil
}

// linked is the condition of a join table without tenant column: every row it links must be visible, which the policy of
// that row's table decides.
func linked(db *gorm.DB, links []tenancy.OwnedLink, table string) string {
	quote := db.Statement.Quote
	each := make([]string, len(links))
	for i, l := range links {
		keys := make([]string, len(l.Columns))
		for k, column := range l.Columns {
			keys[k] = "tenancy_owner." + quote(l.References[k]) + " = " + table + "." + quote(column)
		}
		each[i] = "EXISTS (SELECT 1 FROM " + quote(l.Table) + " tenancy_owner WHERE " + strings.Join(keys, " AND ") + ")"
	}
	return strings.Join(each, " AND ")
}

func columnType(db *gorm.DB, f *schema.Field) string {
	if m, ok := db.Migrator().(interface{ DataTypeOf(*schema.Field) string }); ok {
		return m.DataTypeOf(f)
	}
	return db.Dialector.DataTypeOf(f)
}

// tenantAs returns the tenant as a value of a column's type. The sub-select is evaluated once a statement, not once a row.
// Where several spellings mean one value, as 007 and 7 do, only the one that the database writes itself is a tenant:
// the others are NULL, and no row's. Text is compared as it is: a cast to varchar(n) would cut it.
func tenantAs(columnType string) (string, error) {
	name, _, _ := strings.Cut(strings.ToLower(columnType), "(")
	switch strings.TrimSpace(name) {
	case "text", "varchar", "character varying":
		return "(SELECT " + current + ")", nil
	case "char", "character", "bpchar":
		return "(SELECT " + current + "::bpchar)", nil
	case "smallint", "int2":
		return canonical("smallint"), nil
	case "integer", "int", "int4":
		return canonical("integer"), nil
	case "bigint", "int8":
		return canonical("bigint"), nil
	case "numeric", "decimal":
		return canonical("numeric"), nil
	case "uuid":
		return canonical("uuid"), nil
	}
	return "", fmt.Errorf("%w: a tenant column of type %s; use text, a number or uuid", tenancy.ErrUnsupported, columnType)
}

func canonical(as string) string {
	cast := current + "::" + as
	return "(SELECT CASE WHEN " + cast + "::text = " + current + " THEN " + cast + " ELSE NULL::" + as + " END)"
}

var sqlToken = regexp.MustCompile(`'(?:[^']|'')*'|"(?:[^"]|"")*"|[A-Za-z_0-9]+|::|\S`)

// spelledAlike brings a condition into the form in which what was written and what PostgreSQL shows of it are equal: without
// parentheses, quotes, qualifiers, column aliases and casts to text, which its versions show differently. It finds
// policies that somebody changed, or that an older version of this package wrote. It is no defence against an owner of the
// table who wants to deceive.
func spelledAlike(condition string) string {
	tokens := sqlToken.FindAllString(condition, -1)
	var b strings.Builder
	for i := 0; i < len(tokens); i++ {
		token := tokens[i]
		next := ""
		if i+1 < len(tokens) {
			next = tokens[i+1]
		}
		switch {
		case token == "(", token == ")":
		case strings.EqualFold(token, "as"):
			i++
		case token == "::" && next == "text":
			i++
		case token == "::" && next == "character": // varying
			i += 2
		case next == ".":
			i++
		case strings.HasPrefix(token, "'"):
			b.WriteString(token + " ")
		default:
			b.WriteString(strings.ToLower(strings.Trim(token, `"`)) + " ")
		}
	}
	return b.String()
}
