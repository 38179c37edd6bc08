package shared

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
)

// relation is what PostgreSQL knows of an owned table, or of one of its partitions.
type relation struct {
	owned    tenancy.OwnedTable
	name     string // quoted as this session has to write it
	kind     string // pg_class.relkind
	enabled  bool
	forced   bool
	above    bool // a view whose owner no policy holds, and which does not ask as its invoker
	policies []policy
}

// policy is one policy of a relation.
type policy struct {
	name          string
	permissive    bool
	everywhere    bool // FOR ALL TO PUBLIC
	using, check  string
	applies       bool // to the session's role
	appliesBypass bool // to the bypass role
}

// protected reports whether the database holds tenants inside the relation by itself.
func (r relation) protected(condition string) bool {
	own := r.own()
	return r.enabled && r.forced && own != nil && own.says(condition)
}

func (r relation) own() *policy {
	for i := range r.policies {
		if r.policies[i].name == policyName {
			return &r.policies[i]
		}
	}
	return nil
}

func (p policy) says(condition string) bool {
	want := spelledAlike(condition)
	return p.permissive && p.everywhere && spelledAlike(p.using) == want && spelledAlike(p.check) == want
}

// widens reports whether somebody else's policy shows more rows to the session's role than ours: permissive policies add up.
func (p policy) widens() bool { return p.name != policyName && p.permissive && p.applies }

const relationsQuery = `
WITH RECURSIVE tree(name, relid) AS (
	SELECT name, to_regclass(name)::oid FROM json_array_elements_text($1::json) AS wanted(name) WHERE to_regclass(name) IS NOT NULL
	UNION SELECT tree.name, i.inhrelid FROM tree JOIN pg_inherits i ON i.inhparent = tree.relid
)
SELECT tree.name, c.oid::regclass::text, c.relkind::text, c.relrowsecurity, c.relforcerowsecurity,
	c.relkind = 'v' AND (owner.rolsuper OR owner.rolbypassrls) AND NOT EXISTS (
		SELECT 1 FROM pg_options_to_table(c.reloptions) WHERE option_name = 'security_invoker' AND option_value IN ('true', 'on', 'yes', '1')),
	p.polname, coalesce(p.polpermissive, false), coalesce(p.polcmd = '*' AND p.polroles = '{0}', false),
	coalesce(pg_get_expr(p.polqual, p.polrelid), ''), coalesce(pg_get_expr(p.polwithcheck, p.polrelid), ''),
	coalesce((SELECT bool_or(r = 0 OR pg_has_role(session_user, nullif(r, 0), 'USAGE') OR pg_has_role(current_user, nullif(r, 0), 'USAGE'))
		FROM unnest(p.polroles) r), false),
	coalesce((SELECT bool_or(r = 0 OR pg_has_role(bypass.oid, nullif(r, 0), 'USAGE')) FROM unnest(p.polroles) r), false)
FROM tree
JOIN pg_class c ON c.oid = tree.relid
JOIN pg_roles owner ON owner.oid = c.relowner
LEFT JOIN pg_policy p ON p.polrelid = c.oid
LEFT JOIN pg_roles bypass ON bypass.rolname = $2
ORDER BY 1, 2, p.polname`

// relations reads what exists of the owned tables, partitions included.
func (s *Strategy) relations(ctx context.Context, db *gorm.DB, pool querier, tables []tenancy.OwnedTable) ([]relation, error) {
	byName := map[string]tenancy.OwnedTable{}
	names := make([]string, len(tables))
	for i, t := range tables {
		names[i] = db.Statement.Quote(t.Name)
		byName[names[i]] = t
	}
	var found []relation
	err := each(ctx, pool, func(rows *sql.Rows) error {
		var owned string
		var polname sql.NullString
		var r relation
		var p policy
		if err := rows.Scan(&owned, &r.name, &r.kind, &r.enabled, &r.forced, &r.above, &polname, &p.permissive,
			&p.everywhere, &p.using, &p.check, &p.applies, &p.appliesBypass); err != nil {
			return err
		}
		if n := len(found); n == 0 || found[n-1].name != r.name {
			r.owned = byName[owned]
			found = append(found, r)
		}
		if polname.Valid {
			p.name = polname.String
			last := &found[len(found)-1]
			last.policies = append(last.policies, p)
		}
		return nil
	}, relationsQuery, list(names), s.bypassRole)
	return found, err
}

// querier is what a pool and a transaction have in common.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// each calls f for every row of a query of the catalog.
func each(ctx context.Context, pool querier, f func(*sql.Rows) error, query string, args ...any) error {
	rows, err := pool.QueryContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("read the catalog: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows); err != nil {
			return fmt.Errorf("read the catalog: %w", err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read the catalog: %w", err)
	}
	return rows.Close()
}

// list is a value that every driver and mode can bind for a list of names.
func list(names []string) string {
	text, _ := json.Marshal(names) // strings never fail
	if names == nil {
		return "[]"
	}
	return string(text)
}
