package shared_test

import (
	"context"
	"strings"
	"testing"
)

// explain returns the plan of a query as tenant a.
func explain(t *testing.T, db runner, ctx context.Context, query string) string {
	t.Helper()
	rows, err := db.QueryContext(ctx, "EXPLAIN (COSTS off) "+query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var plan strings.Builder
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		plan.WriteString(line + "\n")
	}
	return plan.String()
}

// TestPlan shows that the policy is evaluated once for a statement, not once for a row, and that indexes led by the tenant
// column serve it.
func TestPlan(t *testing.T) {
	t.Parallel()
	d := filled(t)
	d.root("INSERT INTO notes SELECT t, n, 'body' FROM generate_series(4, 5000) n, unnest('{a,b,c,d}'::text[]) t; ANALYZE notes;" +
		"INSERT INTO polls (tenant_id, title) SELECT chr(97 + n % 26), 'title' FROM generate_series(1, 5000) n; ANALYZE polls")
	direct := pool(t, use(t, d.app(), pluginOf(secured())))
	for query, index := range map[string]string{
		"SELECT * FROM notes WHERE id = 77":                            "notes_pkey",
		"SELECT * FROM notes WHERE tenant_id = 'a' AND id = 77":        "notes_pkey",
		"SELECT * FROM notes ORDER BY id LIMIT 100":                    "notes_pkey",
		"UPDATE notes SET body = 'x' WHERE id = 77":                    "notes_pkey",
		"SELECT * FROM polls":                                          "idx_polls_tenant",
		"SELECT count(*) FROM polls JOIN notes ON notes.id = polls.id": "idx_polls_tenant",
	} {
		plan := explain(t, direct, asA, query)
		if !strings.Contains(plan, "InitPlan") || !strings.Contains(plan, index) || !strings.Contains(plan, "tenant_id = ") {
			t.Errorf("%s:\n%s", query, plan)
		}
		if strings.Contains(plan, "Filter: (tenant_id = ") || strings.Contains(plan, "Filter: (current_setting") {
			t.Errorf("%s tests the tenant of each row:\n%s", query, plan)
		}
	}
	// A policy without the sub-select is evaluated for each row it filters, which this test would notice.
	d.root("ALTER POLICY tenancy ON polls USING (tenant_id = nullif(current_setting('app.tenant_id', true), ''))")
	if plan := explain(t, direct, asA, "SELECT * FROM polls"); strings.Contains(plan, "InitPlan") {
		t.Errorf("the test cannot fail:\n%s", plan)
	}
}

// TestLeakproof shows the price that docs/row-level-security.md names: PostgreSQL evaluates a policy before operators that
// might tell of rows, so that an index which serves only the latter is not used.
func TestLeakproof(t *testing.T) {
	t.Parallel()
	d := filled(t)
	d.root("INSERT INTO notes SELECT t, n, 'body ' || n FROM generate_series(4, 20000) n, unnest('{a,b}'::text[]) t;" +
		"CREATE INDEX notes_body ON notes (body text_pattern_ops); ANALYZE notes")
	direct := pool(t, use(t, d.app(), pluginOf(secured())))
	like := "SELECT * FROM notes WHERE body LIKE 'body 77%'"
	if plan := explain(t, d.admin, nobody, like); !strings.Contains(plan, "notes_body") {
		t.Errorf("without policies the index is not used either:\n%s", plan)
	}
	if plan := explain(t, direct, asA, like); strings.Contains(plan, "notes_body") {
		t.Errorf("the index is used, docs/row-level-security.md says it is not:\n%s", plan)
	}
	equal := "SELECT * FROM notes WHERE body = 'body 77'"
	if plan := explain(t, direct, asA, equal); !strings.Contains(plan, "notes_body") {
		t.Errorf("equality is leakproof and the index is not used:\n%s", plan)
	}
}
