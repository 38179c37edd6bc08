package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/gorm-tenancy/tenancy"
)

// group is the role whose members are all tenants' roles; it holds what they may do with central tables. No tenant has
// this name: "shared" is a reserved id.
func (s *Strategy) group() string { return s.prefix + "shared" }

// grant makes the tenant's roles, unless they are there: one that reads and writes rows in the tenant's schema, and one that
// owns its tables.
func (s *Strategy) grant(ctx context.Context, tx *sql.Tx, id tenancy.ID, name string) error {
	if err := s.grantGroup(ctx, tx); err != nil {
		return err
	}
	if err := s.grantRows(ctx, tx, id, name); err != nil {
		return err
	}
	return s.grantTables(ctx, tx, id, name)
}

func (s *Strategy) grantRows(ctx context.Context, tx *sql.Tx, id tenancy.ID, name string) error {
	exists, mark, err := roleOf(ctx, tx, name, string(id))
	if err != nil || exists {
		return err
	}
	_, err = tx.ExecContext(ctx, fmt.Sprintf(`CREATE ROLE %[1]s NOLOGIN IN ROLE %[2]s;
COMMENT ON ROLE %[1]s IS %[3]s;
GRANT %[1]s TO CURRENT_USER;
GRANT USAGE ON SCHEMA %[1]s TO %[1]s;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %[1]s TO %[1]s;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA %[1]s TO %[1]s;
ALTER DEFAULT PRIVILEGES IN SCHEMA %[1]s GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO %[1]s;
ALTER DEFAULT PRIVILEGES IN SCHEMA %[1]s GRANT USAGE, SELECT ON SEQUENCES TO %[1]s`,
		quote(name), quote(s.group()), text(mark)))
	return err
}

// grantTables makes the role for migrations and gives it the tables. What it makes later, the other role may use.
func (s *Strategy) grantTables(ctx context.Context, tx *sql.Tx, id tenancy.ID, name string) error {
	exists, mark, err := roleOf(ctx, tx, ownerOf(name), string(id))
	if err != nil || exists {
		return err
	}
	relations, err := ownTables(ctx, tx, name)
	if err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, `CREATE ROLE %[2]s NOLOGIN IN ROLE %[3]s;
COMMENT ON ROLE %[2]s IS %[4]s;
GRANT %[2]s TO CURRENT_USER;
GRANT USAGE, CREATE ON SCHEMA %[1]s TO %[2]s;
ALTER DEFAULT PRIVILEGES FOR ROLE %[2]s IN SCHEMA %[1]s GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO %[1]s;
ALTER DEFAULT PRIVILEGES FOR ROLE %[2]s IN SCHEMA %[1]s GRANT USAGE, SELECT ON SEQUENCES TO %[1]s`,
		quote(name), quote(ownerOf(name)), quote(s.group()), text(mark))
	for _, r := range relations {
		if !r.follows {
			fmt.Fprintf(&b, ";\nALTER %s OWNER TO %s", r.name, quote(ownerOf(name)))
		}
	}
	_, err = tx.ExecContext(ctx, b.String())
	return err
}

// grantGroup makes the group of all tenants when the first one is made.
func (s *Strategy) grantGroup(ctx context.Context, tx *sql.Tx) error {
	group := s.group()
	if exists, _, err := roleOf(ctx, tx, group, "*"); err != nil || exists {
		return err
	}
	if err := mayCreateRoles(ctx, tx); err != nil {
		return err
	}
	if err := lock(ctx, tx, group); err != nil {
		return err
	}
	exists, mark, err := roleOf(ctx, tx, group, "*") // somebody may have made it meanwhile
	if err != nil || exists {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE ROLE %[1]s NOLOGIN;\nCOMMENT ON ROLE %[1]s IS %[2]s", quote(group), text(mark))
	on := strings.Join(s.privileges, ", ")
	for _, name := range s.shared {
		tables, err := ownTables(ctx, tx, name)
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, ";\nGRANT USAGE ON SCHEMA %s TO %s", quote(name), quote(group))
		for _, t := range tables {
			privileges := on + ", REFERENCES"
			if t.sequence {
				privileges = "USAGE, SELECT"
			}
			fmt.Fprintf(&b, ";\nGRANT %s ON %s TO %s", privileges, t.name, quote(group))
		}
		fmt.Fprintf(&b, `;
ALTER DEFAULT PRIVILEGES IN SCHEMA %[1]s GRANT %[2]s, REFERENCES ON TABLES TO %[3]s;
ALTER DEFAULT PRIVILEGES IN SCHEMA %[1]s GRANT USAGE, SELECT ON SEQUENCES TO %[3]s`, quote(name), on, quote(group))
	}
	_, err = tx.ExecContext(ctx, b.String())
	return err
}

type relation struct {
	name     string // ready for GRANT
	sequence bool
	follows  bool // a sequence that belongs to a column
}

// ownTables lists the tables and sequences of a schema that the DSN's role may grant; those of extensions are others'.
func ownTables(ctx context.Context, tx *sql.Tx, schema string) (found []relation, err error) {
	rows, err := tx.QueryContext(ctx, `SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE ' ELSE 'TABLE ' END ||
	quote_ident(n.nspname) || '.' || quote_ident(c.relname), c.relkind = 'S', EXISTS (SELECT FROM pg_catalog.pg_depend d
	WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i') AND c.relkind = 'S')
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND pg_has_role(c.relowner, 'USAGE')`, schema)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r relation
		if err := rows.Scan(&r.name, &r.sequence, &r.follows); err != nil {
			return nil, err
		}
		found = append(found, r)
	}
	return found, rows.Err()
}

// roleOf reports whether a role exists and was made for owner in this database, and the comment that says so: roles belong
// to the whole server.
func roleOf(ctx context.Context, tx *sql.Tx, role, owner string) (exists bool, mark string, err error) {
	var database string
	if err := tx.QueryRowContext(ctx, "SELECT current_database()").Scan(&database); err != nil {
		return false, "", err
	}
	mark = "tenancy:" + database + ":" + owner
	var comment sql.NullString
	err = tx.QueryRowContext(ctx, "SELECT shobj_description(oid, 'pg_authid') FROM pg_catalog.pg_roles WHERE rolname = $1",
		role).Scan(&comment)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return false, mark, nil
	case err != nil:
		return false, mark, err
	case comment.String != mark:
		return false, mark, foreign("role", role, fmt.Sprintf("COMMENT ON ROLE %s IS %s", quote(role), text(mark)))
	}
	return true, mark, nil
}

func mayCreateRoles(ctx context.Context, tx *sql.Tx) error {
	var may bool
	err := tx.QueryRowContext(ctx,
		"SELECT rolsuper OR rolcreaterole FROM pg_catalog.pg_roles WHERE rolname = current_user").Scan(&may)
	if err == nil && !may {
		return errors.New("schema: Roles: the role of the DSN may not create roles; as a superuser: ALTER ROLE … CREATEROLE")
	}
	return err
}

func dropRole(ctx context.Context, tx *sql.Tx, id tenancy.ID, name string) error {
	exists, _, err := roleOf(ctx, tx, name, string(id))
	if err != nil || !exists {
		return err
	}
	_, err = tx.ExecContext(ctx, "DROP ROLE "+quote(name))
	return err
}
