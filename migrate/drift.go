package migrate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/gorm-tenancy/tenancy"
)

// Drift is how a tenant's tables differ from what they should be.
type Drift struct {
	// Tenant is the tenant.
	Tenant tenancy.ID
	// Differences are, against models, the statements that AutoMigrate would send; against another tenant, lines such as
	// "+ column polls.title text" for what only the tenant has and "- index …" for what only the other has.
	Differences []string
	// Err is why the tenant could not be looked at.
	Err error
}

// Drift compares the tables of all tenants, or those given, with the models of the [Models] source, and returns those that
// differ, in the order of their names. It reads only. It fails where there is no such source, and with
// tenancy.ErrUnsupported where tenants share tables.
func (r *Runner) Drift(ctx context.Context, ids ...tenancy.ID) ([]Drift, error) {
	models := r.chain.steps[len(r.chain.steps)-1]
	if !models.repeatable {
		return nil, errors.New("migrate: Drift compares with migrate.Models, which the runner does not have; use DriftFrom")
	}
	return r.compare(ctx, ids, func(ctx context.Context, id tenancy.ID) ([]string, error) {
		return r.record(r.context(ctx, string(id)), models)
	})
}

// DriftFrom compares columns, indexes and constraints of all tenants, or those given, with those of a reference tenant. See
// Drift.
func (r *Runner) DriftFrom(ctx context.Context, reference tenancy.ID, ids ...tenancy.ID) ([]Drift, error) {
	if err := r.siloed(ctx, reference); err != nil {
		return nil, err
	}
	want, err := r.shape(ctx, reference)
	if err != nil {
		return nil, &StepError{Tenant: reference, Err: err}
	}
	return r.compare(ctx, ids, func(ctx context.Context, id tenancy.ID) ([]string, error) {
		have, err := r.shape(ctx, id)
		return difference(want, have), err
	})
}

func (r *Runner) compare(ctx context.Context, ids []tenancy.ID, differences func(context.Context, tenancy.ID) ([]string, error)) ([]Drift, error) {
	f, err := r.fleet(ctx, ids)
	if err != nil {
		return nil, err
	}
	count, err := r.workers()
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex // guards found
	var found []Drift
	var workers errgroup.Group
	workers.SetLimit(count)
	for _, id := range f.all {
		if r.together(string(id)) { // there is one set of them
			continue
		}
		workers.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := r.siloed(ctx, id); err != nil {
				return err
			}
			lines, err := differences(ctx, id)
			if len(lines) > 0 || err != nil {
				mu.Lock()
				defer mu.Unlock()
				found = append(found, Drift{Tenant: id, Differences: lines, Err: err})
			}
			return nil
		})
	}
	if err := workers.Wait(); err != nil {
		return nil, err
	}
	slices.SortFunc(found, func(a, b Drift) int { return cmp.Compare(a.Tenant, b.Tenant) })
	return found, nil
}

// siloed refuses tenants without tables of their own.
func (r *Runner) siloed(ctx context.Context, id tenancy.ID) error {
	if r.central {
		return nil
	}
	route, err := r.plugin.Strategy().Route(ctx, id)
	if err == nil && route.Shared {
		return fmt.Errorf("%w: tenants share tables; there is one set of them", tenancy.ErrUnsupported)
	}
	return err
}

// shape lists what the tenant's tables are made of.
func (r *Runner) shape(ctx context.Context, id tenancy.ID) ([]string, error) {
	query, err := shapeQuery(r.db.Name())
	if err != nil {
		return nil, err
	}
	pool, err := r.db.DB()
	if err != nil {
		return nil, err
	}
	rows, err := pool.QueryContext(r.context(ctx, string(id)), query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var lines []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return nil, err
		}
		lines = append(lines, strings.TrimSpace(line))
	}
	slices.Sort(lines)
	return lines, rows.Err()
}

// difference compares sorted lines.
func difference(want, have []string) []string {
	var lines []string
	for _, line := range want {
		if _, ok := slices.BinarySearch(have, line); !ok {
			lines = append(lines, "- "+line)
		}
	}
	for _, line := range have {
		if _, ok := slices.BinarySearch(want, line); !ok {
			lines = append(lines, "+ "+line)
		}
	}
	return lines
}

// shapeQuery is for one line for each column, index and constraint, without this package's own tables. Names of the
// tenant's schema are taken out: they differ by nature.
func shapeQuery(dialect string) (string, error) {
	switch dialect {
	case "postgres":
		return shapePostgres, nil
	case "mysql":
		return shapeMySQL, nil
	case "sqlite":
		return shapeSQLite, nil
	}
	return "", fmt.Errorf("%w: DriftFrom", tenancy.ErrUnsupported)
}

const (
	shapePostgres = `WITH t AS (SELECT c.oid, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
	WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') AND c.relname NOT LIKE 'tenancy\_%')
SELECT 'column ' || relname || '.' || attname || ' ' || format_type(atttypid, atttypmod) || CASE WHEN attnotnull THEN ' NOT NULL' ELSE '' END
	|| coalesce(' DEFAULT ' || replace(pg_get_expr(adbin, adrelid), quote_ident(current_schema()) || '.', ''), '')
	FROM t JOIN pg_catalog.pg_attribute a ON attrelid = t.oid LEFT JOIN pg_catalog.pg_attrdef d ON adrelid = t.oid AND adnum = attnum
	WHERE attnum > 0 AND NOT attisdropped
UNION ALL SELECT 'index ' || relname || ': ' || replace(pg_get_indexdef(indexrelid), quote_ident(current_schema()) || '.', '')
	FROM t JOIN pg_catalog.pg_index ON indrelid = t.oid
UNION ALL SELECT 'constraint ' || relname || '.' || conname || ' ' || replace(pg_get_constraintdef(k.oid), quote_ident(current_schema()) || '.', '')
	FROM t JOIN pg_catalog.pg_constraint k ON conrelid = t.oid`
	shapeMySQL = `SELECT CONCAT('column ', table_name, '.', column_name, ' ', column_type, IF(is_nullable = 'NO', ' NOT NULL', ''),
	COALESCE(CONCAT(' DEFAULT ', column_default), ''), ' ', extra)
	FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name NOT LIKE 'tenancy\_%'
UNION ALL SELECT CONCAT('index ', table_name, '.', index_name, IF(non_unique = 0, ' UNIQUE (', ' ('),
	GROUP_CONCAT(column_name ORDER BY seq_in_index SEPARATOR ', '), ')')
	FROM information_schema.statistics WHERE table_schema = DATABASE() AND table_name NOT LIKE 'tenancy\_%'
	GROUP BY table_name, index_name, non_unique
UNION ALL SELECT CONCAT('constraint ', table_name, '.', constraint_name, ' ', column_name, ' REFERENCES ', referenced_table_name, '.',
	referenced_column_name) FROM information_schema.key_column_usage
	WHERE table_schema = DATABASE() AND referenced_table_name IS NOT NULL AND table_name NOT LIKE 'tenancy\_%'`
	shapeSQLite = `SELECT 'column ' || m.name || '.' || c.name || ' ' || c.type || iif(c."notnull", ' NOT NULL', '') ||
	coalesce(' DEFAULT ' || c.dflt_value, '') FROM sqlite_master m, pragma_table_info(m.name) c
	WHERE m.type = 'table' AND m.name NOT LIKE 'tenancy\_%' ESCAPE '\' AND m.name NOT LIKE 'sqlite\_%' ESCAPE '\'
UNION ALL SELECT 'index ' || tbl_name || ': ' || sql FROM sqlite_master
	WHERE type = 'index' AND sql IS NOT NULL AND tbl_name NOT LIKE 'tenancy\_%' ESCAPE '\'`
)
