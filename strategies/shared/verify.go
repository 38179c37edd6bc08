package shared

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
)

// Verify is called by db.Use. With [RowLevelSecurity] it fails with tenancy.ErrUnconfined where policies would not hold
// tenants:
//
//   - the role that logs in is a superuser or has BYPASSRLS, or can become one who is by SET ROLE, the [BypassRole]
//     excepted;
//   - an owned table or one of its partitions has no row-level security, or does not force it on its owner, through whose
//     views others would see more; its policy is missing or says something else than [Strategy.Migrate] writes; or a policy
//     of another name shows the role more rows;
//   - a table that nobody declared has a tenant column, is readable and is not protected: raw SQL would read it;
//   - the BypassRole does not exist, cannot be taken on, or sees no rows.
//
// All that is wrong is reported at once. Tables that do not exist yet are no mistake.
func (s *Strategy) Verify(db *gorm.DB, p *tenancy.Plugin) error {
	if !s.rowSecurity {
		return nil
	}
	pool, err := db.DB()
	if err != nil {
		return err
	}
	ctx := tenancy.Central(db.Statement.Context)
	relations, err := s.relations(ctx, db, pool, p.OwnedTables())
	if err != nil {
		return err
	}
	wrong := []error{s.verifyRoles(ctx, pool)}
	for _, r := range relations {
		wrong = append(wrong, verifyRelation(db, r))
	}
	wrong = append(wrong, verifyForgotten(ctx, db, pool, p, relations))
	if s.bypassRole != "" {
		wrong = append(wrong, s.verifyBypass(ctx, pool, relations))
	}
	return errors.Join(wrong...)
}

// rolesQuery lists the roles above policies that the session has or can take on. The last three read and run files as the
// server does.
const rolesQuery = `
SELECT rolname, rolname IN (session_user, current_user), rolsuper FROM pg_roles
WHERE (rolsuper OR rolbypassrls OR rolname IN ('pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program'))
	AND (pg_has_role(session_user, oid, 'MEMBER') OR pg_has_role(current_user, oid, 'MEMBER'))
ORDER BY 2 DESC, 1 LIMIT 1`

// verifyRoles names one role that is too powerful.
func (s *Strategy) verifyRoles(ctx context.Context, pool querier) error {
	query := rolesQuery
	args := []any{}
	if s.bypassRole != "" {
		query = "SELECT * FROM (" + rolesQuery[:len(rolesQuery)-len(" LIMIT 1")] + ") r WHERE rolname <> $1 OR rolsuper LIMIT 1"
		args = append(args, s.bypassRole)
	}
	var found error
	err := each(ctx, pool, func(rows *sql.Rows) error {
		var name string
		var own, super bool
		if err := rows.Scan(&name, &own, &super); err != nil {
			return err
		}
		found = &tenancy.Defect{
			Code: "role-above-policies", Role: name, Err: tenancy.ErrUnconfined,
			Message: fmt.Sprintf("policies do not hold role %q, which the connection has: it is a superuser or has BYPASSRLS", name),
			Mend:    "connect as a role that is neither",
		}
		if !own {
			found = &tenancy.Defect{
				Code: "role-above-policies", Role: name, Err: tenancy.ErrUnconfined,
				Message: fmt.Sprintf("the connection's role can take on role %q, whom policies do not hold", name),
				Mend:    "revoke it, or name it with shared.BypassRole if it is no superuser and meant for tenancy.Bypass",
			}
		}
		return nil
	}, query, args...)
	return errors.Join(found, err)
}

const mend = "call (*shared.Strategy).Migrate before db.Use, or run the text of PolicySQL as the owner of the table"

func verifyRelation(db *gorm.DB, r relation) error {
	if err := r.acceptable(); err != nil || r.kind == kindView {
		return err
	}
	condition, err := conditionOf(db, r.owned, r.name)
	if err != nil {
		return err
	}
	code, what := "", ""
	switch own := r.own(); {
	case !r.enabled:
		code, what = "rls-off", "has no row-level security"
	case !r.forced:
		code, what = "rls-not-forced", "does not force row-level security on its owner"
	case own == nil:
		code, what = "policy-missing", "has no policy "+policyName
	case !own.says(condition):
		code, what = "policy-changed", "has a policy "+policyName+" that says something else"
	default:
		return nil
	}
	return &tenancy.Defect{Code: code, Table: r.name, Message: "table " + r.name + " " + what, Mend: mend, Err: tenancy.ErrUnconfined}
}

const forgottenQuery = `
SELECT DISTINCT c.oid::regclass::text FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped AND a.attnum > 0
WHERE a.attname IN (SELECT json_array_elements_text($1::json)) AND c.relkind IN ('r', 'p', 'm', 'f') AND NOT c.relrowsecurity
	AND c.relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
	AND c.relpersistence <> 't' AND has_any_column_privilege(c.oid, 'SELECT')
	AND c.oid NOT IN (SELECT to_regclass(n)::oid FROM json_array_elements_text($2::json) n WHERE to_regclass(n) IS NOT NULL)
ORDER BY 1`

// verifyForgotten finds tables with a tenant column that are neither owned nor central.
func verifyForgotten(ctx context.Context, db *gorm.DB, pool querier, p *tenancy.Plugin, known []relation) error {
	var columns, central, reported []string
	for _, t := range p.OwnedTables() {
		if t.Column != "" && !slices.Contains(columns, t.Column) {
			columns = append(columns, t.Column)
		}
	}
	for _, name := range p.CentralTables() {
		central = append(central, db.Statement.Quote(name))
	}
	for _, r := range known {
		reported = append(reported, r.name)
	}
	var wrong []error
	err := each(ctx, pool, func(rows *sql.Rows) error {
		var name string
		if err := rows.Scan(&name); err != nil {
			return err
		}
		if !slices.Contains(reported, name) {
			wrong = append(wrong, &tenancy.Defect{
				Code: "table-forgotten", Table: name, Err: tenancy.ErrUnconfined,
				Message: name + " has a tenant column and nobody declared it, so that it has no policy and raw SQL reads all of it",
				Mend:    "declare its model with tenancy.OwnedModels or CentralModels, or REVOKE SELECT",
			})
		}
		return nil
	}, forgottenQuery, list(columns), list(central))
	return errors.Join(append(wrong, err)...)
}

// verifyBypass makes sure that the bypass role can be taken on and sees rows: none would look like an empty database.
func (s *Strategy) verifyBypass(ctx context.Context, pool querier, relations []relation) error {
	exists, above := false, false
	err := each(ctx, pool, func(rows *sql.Rows) error {
		exists = true
		return rows.Scan(&above)
	}, "SELECT rolbypassrls FROM pg_roles WHERE rolname = $1 AND pg_has_role(session_user, oid, 'MEMBER')", s.bypassRole)
	if err != nil {
		return err
	}
	if !exists {
		return s.blind("", "the role named by shared.BypassRole does not exist or is not granted to the connection's role",
			"CREATE ROLE … NOLOGIN BYPASSRLS and GRANT it")
	}
	for _, r := range relations {
		sees := func(p policy) bool { return p.name != policyName && p.permissive && p.appliesBypass }
		if !above && r.kind != kindView && !slices.ContainsFunc(r.policies, sees) {
			return s.blind(r.name, "the role named by shared.BypassRole sees no rows of table "+r.name, "give it BYPASSRLS, or a policy there")
		}
	}
	return nil
}

func (s *Strategy) blind(table, what, mend string) error {
	return &tenancy.Defect{Code: "bypass-role", Role: s.bypassRole, Table: table, Message: what, Mend: mend, Err: tenancy.ErrUnconfined}
}
