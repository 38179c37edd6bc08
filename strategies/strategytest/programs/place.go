package programs

import (
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gorm-tenancy/tenancy"
)

// table is what is compared of a table, and what it holds before every program. In the rows # is the tenant, and @ where the keys
// begin that it alone may take in tables whose keys all tenants share.
type table struct {
	name, compared string
	seeded, rows   string // as in INSERT, but for the tenant
}

var ownedTables = []table{
	{
		"polls", "id, text, n, note, code, plan_id", "id, text, n, note, code, plan_id",
		"1, '#-1', 1, '#-x', 'c1', 1; 2, '#-2', NULL, NULL, 'c2', 2; 3, '#-3', 3, NULL, 'c3', NULL",
	},
	{"voters", "id, text, n, note", "id, text, n, note", "1, '#-1', 1, NULL; 2, '#-2', 2, '#-x'; 3, '#-3', NULL, '#-y'"},
	{
		"choices", "id, text, n, note, poll_id", "id, text, n, note, poll_id",
		"1, '#-1', 1, NULL, 1; 2, '#-2', 2, '#-x', 1; 3, '#-1', NULL, '#-y', 2; 4, '#-4', 4, NULL, 3",
	},
	{"memos", "id, text, n, note, (gone IS NULL)", "id, text, n, note", "1, '#-1', 1, NULL; 2, '#-2', NULL, '#-x'; 3, '#-3', 3, NULL"},
	{"entries", "text, n, note", "id, text, n, note", "@1, '#-1', 1, NULL; @2, '#-2', NULL, '#-x'; @3, '#-3', 3, NULL; @999, '#-9', 9, NULL"},
	{"poll_voters", "poll_id, voter_id", "poll_id, voter_id", "1, 1; 1, 2; 2, 1; 3, 3"},
}

var centralTables = []table{{"plans", "id, name", "id, name", "1, 'free'; 2, 'gold'"}}

// keysOf is where the keys begin that a tenant alone takes of a table whose keys all tenants share. Those that the database counts
// up are less, or more than all of them.
func keysOf(id tenancy.ID) uint { return 5_000_000 + 1000*uint(id[0]) }

// rows are the texts of the rows of each table, by tenant.
type rows map[string]map[string][]string

// read returns what a place holds.
func read(pool *sql.DB, tables []table, owned bool) (rows, error) {
	all := rows{}
	for _, t := range tables {
		tenant := "''"
		if owned {
			tenant = "tenant_id"
		}
		all[t.name] = map[string][]string{}
		if err := scan(pool, fmt.Sprintf("SELECT %s, %s FROM %s", tenant, t.compared, t.name), all[t.name]); err != nil {
			return nil, fmt.Errorf("%s: %w", t.name, err)
		}
	}
	return all, nil
}

func scan(pool *sql.DB, query string, into map[string][]string) error {
	rows, err := pool.Query(query)
	if err != nil {
		return err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return err
	}
	cells, refs := make([]sql.NullString, len(names)), make([]any, len(names))
	for i := range cells {
		refs[i] = &cells[i]
	}
	for rows.Next() {
		if err := rows.Scan(refs...); err != nil {
			return err
		}
		var b strings.Builder
		for _, c := range cells[1:] {
			if !c.Valid {
				c.String = "NULL"
			}
			b.WriteString(c.String + " ")
		}
		into[cells[0].String] = append(into[cells[0].String], b.String())
	}
	for _, r := range into {
		slices.Sort(r)
	}
	return rows.Err()
}

// differ are the tables in which two places differ.
func (r rows) differ(other rows) (names []string) {
	for name, want := range other {
		if !maps.EqualFunc(r[name], want, slices.Equal) {
			names = append(names, name)
		}
	}
	return names
}

// filling is what makes tables what they are before every program: those of the names, or all if there are none.
func filling(tables []table, owned bool, tenants []tenancy.ID, names []string) (script []string) {
	var fill []string
	for _, t := range tables {
		if names != nil && !slices.Contains(names, t.name) {
			continue
		}
		columns := t.seeded
		if owned {
			columns += ", tenant_id"
		}
		var all []string
		for _, id := range tenants {
			for row := range strings.SplitSeq(t.rows, "; ") {
				all = append(all, "("+seed(row, id, owned)+")")
			}
		}
		script = append(script, "DELETE FROM "+t.name)
		fill = append(fill, fmt.Sprintf("INSERT INTO %s (%s) VALUES %s", t.name, columns, strings.Join(all, ", ")))
	}
	return append(script, fill...)
}

func seed(row string, id tenancy.ID, owned bool) string {
	row = strings.ReplaceAll(row, "#", string(id))
	if key, rest, ok := strings.Cut(row, ","); ok && strings.HasPrefix(key, "@") {
		var n uint
		fmt.Sscan(key[1:], &n)
		row = fmt.Sprintf("%d,%s", keysOf(id)+n, rest)
	}
	if !owned {
		return row
	}
	return row + ", '" + string(id) + "'"
}

// refill runs the script in one transaction.
func refill(pool *sql.DB, script []string) error {
	tx, err := pool.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for _, q := range script {
		if _, err := tx.Exec(q); err != nil {
			return fmt.Errorf("%s: %w", q, err)
		}
	}
	return tx.Commit()
}
