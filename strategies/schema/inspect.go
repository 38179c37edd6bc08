package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
)

// Inspect finds tables in tenants' schemas on PostgreSQL that have the name of a central table: inside that tenant they
// stand in front of it in the search_path. On MySQL, where central tables are named with their database, there are none.
func (s *Strategy) Inspect(ctx context.Context, db *gorm.DB, p *tenancy.Plugin) error {
	if db.Name() != "postgres" {
		return nil
	}
	var central []string
	for _, name := range p.CentralTables() {
		if !strings.Contains(name, ".") {
			central = append(central, name)
		}
	}
	var wrong []error
	err := s.rows(ctx, func(rows *sql.Rows) error {
		var schema, table string
		if err := rows.Scan(&schema, &table); err != nil {
			return err
		}
		id, ok := s.tenantOf(schema)
		if !ok {
			return nil
		}
		at := quote(schema) + "." + quote(table)
		wrong = append(wrong, &tenancy.Defect{
			Code: "central-shadowed", Table: table, Tenant: id, Err: tenancy.ErrUnconfined,
			Message: "the table " + at + " stands in front of the central table of its name, inside that tenant",
			Mend:    "DROP TABLE " + at + " if it is empty, or ALTER TABLE " + at + " RENAME TO another name",
		})
		return nil
	}, `SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relname = ANY (string_to_array($1, chr(31))) AND starts_with(n.nspname, $2)
ORDER BY 1, 2`, strings.Join(central, separator), s.prefix)
	return errors.Join(append(wrong, err)...)
}

// placesQuery lists the schemas with a prefix, and whether each has the mark of the tenant after whom it is named.
var placesQuery = map[string]string{
	"postgres": `SELECT nspname, coalesce(pg_catalog.obj_description(oid, 'pg_namespace') =
	'tenancy:' || substr(nspname, length($1) + 1), false) FROM pg_catalog.pg_namespace WHERE starts_with(nspname, $1) ORDER BY 1`,
	"mysql": `SELECT s.SCHEMA_NAME, t.TABLE_NAME IS NOT NULL FROM information_schema.SCHEMATA s
LEFT JOIN information_schema.TABLES t ON t.TABLE_SCHEMA = s.SCHEMA_NAME AND t.TABLE_NAME = '` + markTable + `'
WHERE LEFT(s.SCHEMA_NAME, CHAR_LENGTH(?)) = ? ORDER BY 1`,
}

// Places lists the schemas, on MySQL the databases, whose names begin with the prefix.
func (s *Strategy) Places(ctx context.Context) iter.Seq2[tenancy.Place, error] {
	return func(yield func(tenancy.Place, error) bool) {
		s.mu.Lock()
		h := s.home
		s.mu.Unlock()
		if h == nil {
			yield(tenancy.Place{}, errUnused)
			return
		}
		args := []any{s.prefix}
		if h.db.Name() == "mysql" {
			args = append(args, s.prefix)
		}
		var places []tenancy.Place
		err := s.rows(ctx, func(rows *sql.Rows) error {
			var name string
			var marked bool
			if err := rows.Scan(&name, &marked); err != nil {
				return err
			}
			id, ok := s.tenantOf(name)
			if ok || s.prefix != "" {
				places = append(places, tenancy.Place{Name: name, Tenant: id, Foreign: !ok || !marked})
			}
			return nil
		}, placesQuery[h.db.Name()], args...)
		for _, p := range places {
			if !yield(p, nil) {
				return
			}
		}
		if err != nil {
			yield(tenancy.Place{}, err)
		}
	}
}

// PlaceOf returns the name of the tenant's schema. It fails with tenancy.ErrInvalidID when the id cannot name one.
func (s *Strategy) PlaceOf(id tenancy.ID) (string, error) { return s.name(id) }

// tenantOf is the reverse of place. What no id gives is not ok.
func (s *Strategy) tenantOf(name string) (id tenancy.ID, ok bool) {
	text, ok := strings.CutPrefix(name, s.prefix)
	if !ok || slices.Contains(s.shared, name) {
		return "", false
	}
	if _, err := s.name(tenancy.ID(text)); err != nil {
		return "", false
	}
	return tenancy.ID(text), true
}

// rows calls f for every row of a query of the catalog, beside the tenants.
func (s *Strategy) rows(ctx context.Context, f func(*sql.Rows) error, query string, args ...any) error {
	s.mu.Lock()
	h := s.home
	s.mu.Unlock()
	if h == nil {
		return errUnused
	}
	pool, err := h.db.DB()
	if err != nil {
		return err
	}
	rows, err := pool.QueryContext(tenancy.Central(ctx), query, args...)
	if err != nil {
		return fmt.Errorf("schema: read the catalog: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
