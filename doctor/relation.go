package doctor

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gorm-tenancy/tenancy"
)

// relation is what the database knows of a table.
type relation struct {
	columns []column
	indexes []index
	foreign []foreignKey
}

type column struct {
	name   string
	length int // of text, in characters; 0 for no limit
}

// index is an index or a constraint that has one. Expressions are columns without a name.
type index struct {
	name            string
	unique, primary bool
	whole           bool // it holds all rows and can be used
	columns         []string
}

type foreignKey struct {
	name       string
	columns    []string
	table      string
	references []string // empty names for those of the primary key
}

// columnQueries, indexQueries and foreignQueries are asked with the table's name, which is quoted for PostgreSQL, and for
// MySQL its database and its name.
var columnQueries, indexQueries, foreignQueries = map[string]string{
	"postgres": `SELECT a.attname, CASE WHEN a.atttypid IN ('varchar'::regtype, 'bpchar'::regtype) AND a.atttypmod > 4 THEN a.atttypmod - 4 ELSE 0 END
FROM pg_catalog.pg_attribute a WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`,
	"mysql": `SELECT COLUMN_NAME, COALESCE(CHARACTER_MAXIMUM_LENGTH, 0) FROM information_schema.COLUMNS
WHERE TABLE_SCHEMA = COALESCE(NULLIF(?, ''), DATABASE()) AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION`,
	"sqlite": `SELECT name, 0 FROM pragma_table_info(?)`,
}, map[string]string{
	"postgres": `SELECT c.relname, x.indisunique, x.indisprimary, x.indisvalid AND x.indpred IS NULL, coalesce(a.attname, '')
FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class c ON c.oid = x.indexrelid
CROSS JOIN LATERAL unnest(x.indkey::int2[]) WITH ORDINALITY k(number, n)
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.number AND k.number <> 0
WHERE x.indrelid = to_regclass($1) AND k.n <= x.indnkeyatts ORDER BY 1, k.n`,
	"mysql": `SELECT INDEX_NAME, NON_UNIQUE = 0, INDEX_NAME = 'PRIMARY', TRUE, COALESCE(COLUMN_NAME, '') FROM information_schema.STATISTICS
WHERE TABLE_SCHEMA = COALESCE(NULLIF(?, ''), DATABASE()) AND TABLE_NAME = ? ORDER BY INDEX_NAME, SEQ_IN_INDEX`,
	"sqlite": `SELECT name, u, p, w, col FROM (
	SELECT l.name AS name, l."unique" AS u, 0 AS p, l.partial = 0 AS w, coalesce(x.name, '') AS col, x.seqno AS n
		FROM pragma_index_list(?1) l, pragma_index_info(l.name) x WHERE l.origin <> 'pk'
	UNION ALL SELECT 'primary key', 1, 1, 1, name, pk FROM pragma_table_info(?1) WHERE pk > 0
) ORDER BY name, n`,
}, map[string]string{
	"postgres": `SELECT f.conname, a.attname, f.confrelid::regclass::text, b.attname FROM pg_catalog.pg_constraint f
CROSS JOIN LATERAL unnest(f.conkey, f.confkey) WITH ORDINALITY k(here, there, n)
JOIN pg_catalog.pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.here
JOIN pg_catalog.pg_attribute b ON b.attrelid = f.confrelid AND b.attnum = k.there
WHERE f.contype = 'f' AND f.conrelid = to_regclass($1) AND f.convalidated ORDER BY 1, k.n`,
	"mysql": `SELECT CONSTRAINT_NAME, COLUMN_NAME, REFERENCED_TABLE_NAME, REFERENCED_COLUMN_NAME FROM information_schema.KEY_COLUMN_USAGE
WHERE TABLE_SCHEMA = COALESCE(NULLIF(?, ''), DATABASE()) AND TABLE_NAME = ? AND REFERENCED_TABLE_NAME IS NOT NULL
ORDER BY CONSTRAINT_NAME, ORDINAL_POSITION`,
	"sqlite": `SELECT CAST(id AS TEXT), "from", "table", coalesce("to", '') FROM pragma_foreign_key_list(?) ORDER BY id, seq`,
}

// relation reads a table from the database's catalog. One that does not exist has no columns.
func (e *examination) relation(ctx context.Context, table string) (*relation, error) {
	if r, ok := e.relations[table]; ok {
		return r, nil
	}
	if columnQueries[e.kind] == "" {
		return nil, fmt.Errorf("tables of %s cannot be looked at", e.kind)
	}
	ctx, err := e.sharing(ctx)
	if err != nil {
		return nil, err
	}
	args := e.named(table)
	r := &relation{}
	err = e.each(ctx, func(rows *sql.Rows) error {
		var c column
		err := rows.Scan(&c.name, &c.length)
		r.columns = append(r.columns, c)
		return err
	}, columnQueries[e.kind], args...)
	if err != nil {
		return nil, err
	}
	if err := e.each(ctx, r.scanIndex, indexQueries[e.kind], args...); err != nil {
		return nil, err
	}
	if err := e.each(ctx, r.scanForeign, foreignQueries[e.kind], args...); err != nil {
		return nil, err
	}
	e.relations[table] = r
	return r, nil
}

func (r *relation) scanIndex(rows *sql.Rows) error {
	var x index
	var column string
	if err := rows.Scan(&x.name, &x.unique, &x.primary, &x.whole, &column); err != nil {
		return err
	}
	if n := len(r.indexes); n == 0 || r.indexes[n-1].name != x.name {
		r.indexes = append(r.indexes, x)
	}
	last := &r.indexes[len(r.indexes)-1]
	last.columns = append(last.columns, column)
	return nil
}

func (r *relation) scanForeign(rows *sql.Rows) error {
	var f foreignKey
	var here, there string
	if err := rows.Scan(&f.name, &here, &f.table, &there); err != nil {
		return err
	}
	if n := len(r.foreign); n == 0 || r.foreign[n-1].name != f.name {
		r.foreign = append(r.foreign, f)
	}
	last := &r.foreign[len(r.foreign)-1]
	last.columns, last.references = append(last.columns, here), append(last.references, there)
	return nil
}

// named returns the arguments that name a table.
func (e *examination) named(table string) []any {
	switch e.kind {
	case "postgres":
		return []any{e.db.Statement.Quote(table)}
	case "mysql":
		at := strings.LastIndexByte(table, '.')
		return []any{table[:max(at, 0)], table[at+1:]}
	}
	return []any{table}
}

// column returns a column of the relation.
func (r *relation) column(name string) (column, bool) {
	i := slices.IndexFunc(r.columns, func(c column) bool { return strings.EqualFold(c.name, name) })
	if i < 0 {
		return column{}, false
	}
	return r.columns[i], true
}

// holds reports whether names holds all of columns.
func holds(names []string, columns ...string) bool {
	for _, c := range columns {
		if !slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, c) }) {
			return false
		}
	}
	return true
}

// sharing is a context that reaches the tables which tenants share: under a hybrid the central tables may be apart from them,
// and a tenant that shares them is best, as policies hide rows from everybody else.
func (e *examination) sharing(ctx context.Context) (context.Context, error) {
	if !e.isolation.Mixed {
		return ctx, nil
	}
	records, err := e.tenants(ctx)
	if err != nil && !errors.Is(err, errNoCatalog) {
		return nil, err
	}
	for _, t := range records {
		at := tenancy.WithTenant(ctx, t.ID)
		if route, err := e.plugin.Strategy().Route(at, t.ID); err == nil && route.Shared {
			return at, nil
		}
	}
	return tenancy.Bypass(ctx, "doctor: look at the tables that tenants share"), nil
}

// each calls f for every row of a query of the catalog.
func (e *examination) each(ctx context.Context, f func(*sql.Rows) error, query string, args ...any) error {
	rows, err := e.pool.QueryContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("read the catalog: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows); err != nil {
			return fmt.Errorf("read the catalog: %w", err)
		}
	}
	return rows.Err()
}
