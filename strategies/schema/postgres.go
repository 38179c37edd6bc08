package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/gorm-tenancy/tenancy"
)

// mark is the comment on a schema that Provision made. It holds nothing that needs quoting.
func mark(id tenancy.ID) string { return "tenancy:" + string(id) }

func (s *Strategy) provisionPostgres(ctx context.Context, h home, id tenancy.ID, name string) error {
	var script string
	ctx = asBuilder(tenancy.WithTenant(ctx, id)) // in the tenant's search_path, as whoever may create
	if h.script != "" && !s.roles && replay(ctx, h, id, name) == nil {
		return nil
	}
	err := h.inTransaction(ctx, func(tx *sql.Tx) error {
		exists, err := schemaOf(ctx, tx, id, name)
		if err != nil {
			return err
		}
		if !exists {
			if script, err = build(ctx, tx, h, id, name); err != nil {
				return err
			}
		}
		if s.roles {
			return s.grant(ctx, tx, id, name)
		}
		return nil
	})
	if err == nil && script != "" {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.home.script = script
	}
	return err
}

// replay makes a schema in one message, which is one transaction: all of it or nothing. Where it fails, because the schema is
// there for example, the long way finds out why.
func replay(ctx context.Context, h home, id tenancy.ID, name string) error {
	pool, err := h.db.DB()
	if err != nil {
		return err
	}
	_, err = pool.ExecContext(ctx, locking(name)+";\n"+heading(id, name)+h.script)
	return err
}

// schemaOf waits for others who work on the schema and reports whether it exists as this tenant's. It may be a stranger's,
// and first in the search_path: what it calls is named in full.
func schemaOf(ctx context.Context, tx *sql.Tx, id tenancy.ID, name string) (exists bool, err error) {
	if err := lock(ctx, tx, name); err != nil {
		return false, err
	}
	// A statement of its own: its snapshot must be younger than the lock.
	var comment sql.NullString
	err = tx.QueryRowContext(ctx, `SELECT pg_catalog.obj_description(oid, 'pg_namespace')
FROM pg_catalog.pg_namespace WHERE nspname OPERATOR(pg_catalog.=) $1`, name).Scan(&comment)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return false, nil
	case err != nil:
		return false, err
	case comment.String != mark(id):
		return false, foreign("schema", name, fmt.Sprintf("COMMENT ON SCHEMA %s IS %s", quote(name), text(mark(id))))
	}
	return true, nil
}

// lock holds a name to the end of the transaction.
func lock(ctx context.Context, tx *sql.Tx, name string) error {
	_, err := tx.ExecContext(ctx, locking(name))
	return err
}

func locking(name string) string {
	return "SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended(" + text("tenancy schema "+name) + ", 0))"
}

// heading makes the schema, which is marked as the tenant's.
func heading(id tenancy.ID, name string) string {
	return fmt.Sprintf("CREATE SCHEMA %[1]s;\nCOMMENT ON SCHEMA %[1]s IS %[2]s;\n", quote(name), text(mark(id)))
}

// build makes the schema and its tables. It returns the recorded DDL when there was none yet.
func build(ctx context.Context, tx *sql.Tx, h home, id tenancy.ID, name string) (script string, err error) {
	if _, err := tx.ExecContext(ctx, heading(id, name)+h.script); err != nil || h.script != "" {
		return "", err
	}
	r := &recorder{Tx: tx, ctx: ctx}
	if err := h.migrate(ctx, id, r); err != nil {
		return "", err
	}
	return r.script(), nil
}

func (s *Strategy) deprovisionPostgres(ctx context.Context, h home, id tenancy.ID, name string) error {
	ctx = tenancy.Bypass(ctx, "schema.Deprovision")
	return h.inTransaction(ctx, func(tx *sql.Tx) error {
		exists, err := schemaOf(ctx, tx, id, name)
		if err != nil {
			return err
		}
		if exists {
			if err := dropSchema(ctx, tx, name); err != nil {
				return err
			}
		}
		if s.roles {
			return errors.Join(dropRole(ctx, tx, id, name), dropRole(ctx, tx, id, ownerOf(name)))
		}
		return nil
	})
}

// dropSchema removes a schema unless something outside depends on what is in it.
func dropSchema(ctx context.Context, tx *sql.Tx, name string) error {
	rows, err := tx.QueryContext(ctx, dependents, name)
	if err != nil {
		return err
	}
	defer rows.Close()
	var outside []string
	for rows.Next() {
		var what string
		if err := rows.Scan(&what); err != nil {
			return err
		}
		outside = append(outside, what)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if len(outside) > 0 {
		return fmt.Errorf("%w: outside the schema %q depend on it: %s; drop them first",
			ErrForeign, name, strings.Join(outside, "; "))
	}
	_, err = tx.ExecContext(ctx, "DROP SCHEMA "+quote(name)+" CASCADE")
	return err
}

// dependents lists what lies outside the schema $1 and would go with it: the dependencies (PostgreSQL manual, pg_depend)
// of something that is not in the schema on something that is. What belongs to a table has no schema of its own in the
// catalog, so that it is looked up through the table.
const dependents = `WITH ns AS (SELECT oid, nspname FROM pg_namespace WHERE nspname = $1), inside(classid, objid) AS (
	SELECT 'pg_class'::regclass, c.oid FROM pg_class c, ns WHERE relnamespace = ns.oid
	UNION ALL SELECT 'pg_type'::regclass, t.oid FROM pg_type t, ns WHERE typnamespace = ns.oid
	UNION ALL SELECT 'pg_proc'::regclass, p.oid FROM pg_proc p, ns WHERE pronamespace = ns.oid
	UNION ALL SELECT 'pg_constraint'::regclass, c.oid FROM pg_constraint c, ns WHERE connamespace = ns.oid
	UNION ALL SELECT 'pg_rewrite'::regclass, r.oid FROM pg_rewrite r JOIN pg_class c ON c.oid = ev_class, ns
		WHERE relnamespace = ns.oid
	UNION ALL SELECT 'pg_attrdef'::regclass, d.oid FROM pg_attrdef d JOIN pg_class c ON c.oid = adrelid, ns
		WHERE relnamespace = ns.oid
	UNION ALL SELECT 'pg_trigger'::regclass, t.oid FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid, ns
		WHERE relnamespace = ns.oid
	UNION ALL SELECT 'pg_policy'::regclass, p.oid FROM pg_policy p JOIN pg_class c ON c.oid = polrelid, ns
		WHERE relnamespace = ns.oid
)
SELECT DISTINCT pg_describe_object(d.classid, d.objid, 0) FROM pg_depend d
	JOIN inside i ON i.classid = d.refclassid AND i.objid = d.refobjid, ns, LATERAL pg_identify_object(d.classid, d.objid, 0) o
WHERE NOT EXISTS (SELECT FROM inside x WHERE x.classid = d.classid AND x.objid = d.objid)
	AND o.schema IS DISTINCT FROM ns.nspname
	AND (d.deptype = 'n' OR (d.deptype NOT IN ('i', 'e') AND o.schema IS NOT NULL))
ORDER BY 1 LIMIT 10`
