package strategytest

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// The tenants of every case. a acts, and nothing of b may be seen or changed.
const (
	actor  = "a"
	victim = "b"
)

// place is where rows are, past the plugin.
type place struct {
	pool   *sql.DB
	tables []table
	owned  bool
}

// row is what is compared of a row.
type row struct{ tenant, text string }

// read returns all rows.
func (p place) read(t testing.TB) []row {
	t.Helper()
	var all []row
	for _, table := range p.tables {
		tenant := "''"
		if p.owned {
			tenant = "tenant_id"
		}
		rows, err := p.pool.Query(fmt.Sprintf("SELECT %s, %s FROM %s", tenant, table.columns, table.name))
		if err != nil {
			t.Fatalf("%s: %v", table.name, err)
		}
		cells := make([]sql.NullString, strings.Count(table.columns, ",")+2)
		refs := make([]any, len(cells))
		for i := range cells {
			refs[i] = &cells[i]
		}
		for rows.Next() {
			if err := rows.Scan(refs...); err != nil {
				t.Fatalf("%s: %v", table.name, err)
			}
			all = append(all, row{cells[0].String, table.name + ":" + text(cells[1:], table.name == "memos")})
		}
		if err := rows.Err(); err != nil {
			t.Fatalf("%s: %v", table.name, err)
		}
		rows.Close()
	}
	slices.SortFunc(all, func(x, y row) int { return strings.Compare(x.text+x.tenant, y.text+y.tenant) })
	return all
}

// text is a row but for the time in its last column.
func text(cells []sql.NullString, timed bool) string {
	var b strings.Builder
	for i, c := range cells {
		switch {
		case !c.Valid:
			b.WriteString(" NULL")
		case timed && i == len(cells)-1:
			b.WriteString(" then")
		default:
			b.WriteString(" " + c.String)
		}
	}
	return b.String()
}

// fill makes the rows what they are at the start of every case: those of the tenants, or of none. A mark stands for the tenant
// in texts where its name is not in the table.
func (p place) fill(t testing.TB, tenants ...string) {
	t.Helper()
	tx, err := p.pool.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	for _, q := range p.script(tenants) {
		if _, err := tx.Exec(q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}

func (p place) script(tenants []string) (script []string) {
	for _, table := range slices.Backward(p.tables) {
		script = append(script, "DELETE FROM "+table.name)
	}
	for _, table := range p.tables {
		columns := table.columns
		var values []string
		for _, id := range tenants {
			rows, stamp := table.rows, ""
			if p.owned {
				columns, stamp = "tenant_id, "+table.columns, "'"+id+"', "
			}
			if id == victim {
				rows = append(slices.Clip(rows), table.only)
			}
			mark := id
			if id == "" {
				mark = actor
			}
			for _, r := range rows {
				values = append(values, "("+stamp+strings.ReplaceAll(r, "#", mark)+")")
			}
		}
		script = append(script, fmt.Sprintf("INSERT INTO %s (%s) VALUES %s", table.name, columns, strings.Join(values, ", ")))
	}
	return script
}

// of are the texts of the rows of a tenant, others everything else with its tenant.
func of(rows []row, tenant string) (own, others string) {
	var a, b strings.Builder
	for _, r := range rows {
		if r.tenant == tenant {
			a.WriteString(r.text + "\n")
		} else {
			b.WriteString(r.tenant + ": " + r.text + "\n")
		}
	}
	return a.String(), b.String()
}
