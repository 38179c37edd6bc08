package schema

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/tenantconn"
)

// Rename gives a tenant's schema, and with [Roles] its role, to another id, in one transaction of a few statements on
// PostgreSQL. In tables with a tenant column rows get the new id. Where to has a schema of its own and from has none,
// nothing is left to do.
//
// It fails with [ErrForeign] when the schema of from was not made for it, or one named for to exists; with
// tenancy.ErrUnknownTenant when neither has one; with tenancy.ErrInvalidID when an id cannot name a schema; and with
// tenancy.ErrUnsupported on MySQL, whose databases cannot be renamed. Statements of the old id fail from then on.
func (s *Strategy) Rename(ctx context.Context, from, to tenancy.ID) error {
	h, old, err := s.find(from)
	if err != nil {
		return err
	}
	_, name, err := s.find(to)
	if err != nil {
		return err
	}
	if h.db.Name() == "mysql" {
		return fmt.Errorf("%w: MySQL cannot rename databases", tenancy.ErrUnsupported)
	}
	changes, err := h.plugin.ColumnChanges(from, to)
	if err != nil {
		return err
	}
	ctx = tenancy.Bypass(ctx, "schema.Rename")
	return h.inTransaction(ctx, func(tx *sql.Tx) error {
		done, err := renamed(ctx, tx, from, to, old, name)
		if err != nil || done {
			return err
		}
		_, err = tx.ExecContext(ctx, fmt.Sprintf("ALTER SCHEMA %s RENAME TO %s;\nCOMMENT ON SCHEMA %[2]s IS %[3]s",
			quote(old), quote(name), text(mark(to))))
		if err == nil {
			err = retag(ctx, tx, name, changes)
		}
		if err != nil || !s.roles {
			return err
		}
		return renameRole(ctx, tx, from, to, old, name)
	})
}

// renamed waits for others who work on either schema, and reports whether the work is done or may be done.
func renamed(ctx context.Context, tx *sql.Tx, from, to tenancy.ID, old, name string) (done bool, err error) {
	locks := []string{old, name}
	slices.Sort(locks) // two who rename back and forth must not wait for each other
	for _, l := range locks {
		if err := lock(ctx, tx, l); err != nil {
			return false, err
		}
	}
	target, err := schemaOf(ctx, tx, to, name)
	if err != nil {
		return false, err
	}
	source, err := schemaOf(ctx, tx, from, old)
	return tenantconn.Renamed(source, target, err, ErrForeign, fmt.Sprintf("schema %q", name))
}

// retag gives rows of tables with a tenant column the new id.
func retag(ctx context.Context, tx *sql.Tx, name string, changes []tenancy.ColumnChange) error {
	var here []tenancy.ColumnChange
	for _, c := range changes {
		table := quote(name) + "." + quote(c.Table)
		var there sql.NullString
		if err := tx.QueryRowContext(ctx, "SELECT to_regclass($1)::text", table).Scan(&there); err != nil {
			return err
		}
		if there.Valid { // otherwise the tenant is behind in its migrations
			here = append(here, tenancy.ColumnChange{Table: table, Column: quote(c.Column), From: c.From, To: c.To})
		}
	}
	if err := tenantconn.Retag(ctx, tx, "postgres", here); err != nil {
		return fmt.Errorf("schema: give the rows the new id: %w", err)
	}
	return nil
}

// renameRole renames the tenant's role, if it has one: it may have been provisioned without.
func renameRole(ctx context.Context, tx *sql.Tx, from, to tenancy.ID, old, name string) error {
	exists, _, err := roleOf(ctx, tx, old, string(from))
	if err != nil || !exists {
		return err
	}
	_, mark, err := roleOf(ctx, tx, name, string(to))
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, fmt.Sprintf("ALTER ROLE %s RENAME TO %s;\nCOMMENT ON ROLE %[2]s IS %[3]s",
		quote(old), quote(name), text(mark)))
	return err
}
