package shared_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"testing"

	"github.com/jackc/pgx/v5"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/internal/servers"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
	"github.com/gorm-tenancy/tenancy/tenantconn"
)

// anyNumber of rows is right: what EXPLAIN writes differs between versions.
const anyNumber = -1

const (
	refusedByPolicy = "42501"
	duplicateKey    = "23505"
	noCopyFrom      = "0A000"
)

// mode is one way to reach the server.
type mode struct {
	name, parameters string
	pooled           bool // PgBouncer stands between, with one server connection for everybody
}

var modes = []mode{
	{name: "cache_statement", parameters: "&default_query_exec_mode=cache_statement"},
	{name: "cache_describe", parameters: "&default_query_exec_mode=cache_describe"},
	{name: "describe_exec", parameters: "&default_query_exec_mode=describe_exec"},
	{name: "exec", parameters: "&default_query_exec_mode=exec"},
	{name: "simple_protocol", parameters: "&default_query_exec_mode=simple_protocol"},
	{name: "pgbouncer exec", parameters: "&default_query_exec_mode=exec", pooled: true},
	{name: "pgbouncer simple", parameters: "&default_query_exec_mode=simple_protocol", pooled: true},
}

// TestModes runs what every mode must hold.
func TestModes(t *testing.T) {
	t.Parallel()
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			d := filled(t)
			dsn, s := d.app(), secured()
			if m.pooled {
				dsn, s = servers.PgBouncer(t, dsn, 1), secured(shared.Pooled())
			}
			db := use(t, dsn+m.parameters, pluginOf(s))
			for name, run := range map[string]func(*testing.T, database, *gorm.DB){
				"rows": testRows, "nobody": testNobody, "transaction": testTransaction, "spoof": testSpoof, "harmless": testHarmless,
			} {
				t.Run(name, func(t *testing.T) {
					d.reset()
					run(t, d, db)
				})
			}
		})
	}
}

// reset makes the rows of both tenants what they were.
func (d database) reset() {
	d.Helper()
	d.root("TRUNCATE polls, labels, poll_labels, notes, plans;" + seed)
}

// rowCases are statements of tenant a through database/sql, which no statement wall sees. Each refusal has its like that
// works on rows of a.
var rowCases = []struct {
	name, text string
	args       []any
	rows       int64  // returned or changed
	code       string // PostgreSQL's error
}{
	{name: "select all", text: "SELECT * FROM polls", rows: 3},
	{name: "select own key", text: "SELECT * FROM polls WHERE id = $1", args: []any{1}, rows: 1},
	{name: "select foreign key", text: "SELECT * FROM polls WHERE id = $1", args: []any{11}},
	{name: "select foreign tenant", text: "SELECT * FROM polls WHERE tenant_id = 'b' OR 1 = 1", rows: 3},
	{name: "select same ids", text: "SELECT * FROM notes WHERE id = 1", rows: 1},
	{name: "join", text: "SELECT * FROM notes x CROSS JOIN notes y", rows: 9},
	{name: "sub-select", text: "SELECT 1 WHERE EXISTS (SELECT 1 FROM polls WHERE id = 11)"},
	{name: "sub-select of own", text: "SELECT 1 WHERE EXISTS (SELECT 1 FROM polls WHERE id = 1)", rows: 1},
	{name: "CTE", text: "WITH all_polls AS (SELECT * FROM polls) SELECT * FROM all_polls", rows: 3},
	{name: "union", text: "SELECT id FROM polls UNION ALL SELECT id FROM labels", rows: 4},
	{name: "for update", text: "SELECT * FROM polls FOR UPDATE", rows: 3},
	{name: "links", text: "SELECT * FROM poll_labels", rows: 1},
	{name: "select central", text: "SELECT * FROM plans", rows: 1},

	{name: "insert", text: "INSERT INTO polls (id, tenant_id, title) VALUES (50, 'a', 'mine')", rows: 1},
	{name: "insert for another", text: "INSERT INTO polls (id, tenant_id, title) VALUES (50, 'b', 'planted')", code: refusedByPolicy},
	{name: "insert for nobody", text: "INSERT INTO polls (id, tenant_id, title) VALUES (50, '', 'planted')", code: refusedByPolicy},
	{name: "insert select", text: "INSERT INTO notes SELECT tenant_id, id + 10, body FROM notes", rows: 3},
	{name: "insert foreign key value", text: "INSERT INTO polls (id, tenant_id, title) VALUES (11, 'a', 'mine')", code: duplicateKey},
	{name: "insert same id", text: "INSERT INTO notes VALUES ('a', 4, 'mine')", rows: 1},
	{name: "insert returning", text: "INSERT INTO notes VALUES ('a', 4, 'mine') RETURNING *", rows: 1},
	{name: "insert link", text: "INSERT INTO poll_labels VALUES (2, 1)", rows: 1},
	{name: "insert link to foreign label", text: "INSERT INTO poll_labels VALUES (2, 11)", code: refusedByPolicy},
	{name: "insert link to foreign poll", text: "INSERT INTO poll_labels VALUES (12, 1)", code: refusedByPolicy},
	{name: "insert central", text: "INSERT INTO plans VALUES (2, 'paid')", rows: 1},

	{name: "update all", text: "UPDATE polls SET title = 'changed'", rows: 3},
	{name: "update foreign", text: "UPDATE polls SET title = 'changed' WHERE id = 11"},
	{name: "update returning", text: "UPDATE notes SET body = 'changed' RETURNING *", rows: 3},
	{name: "move a row", text: "UPDATE polls SET tenant_id = 'b' WHERE id = 1", code: refusedByPolicy},
	{name: "take a row", text: "UPDATE polls SET tenant_id = 'a' WHERE id = 11"},
	{name: "update from", text: "UPDATE notes SET body = p.title FROM polls p WHERE p.id = 11"},
	{name: "update from own", text: "UPDATE notes SET body = p.title FROM polls p WHERE p.id = 1", rows: 3},
	{name: "move a link", text: "UPDATE poll_labels SET label_id = 11", code: refusedByPolicy},

	{name: "delete all", text: "DELETE FROM notes", rows: 3},
	{name: "delete foreign", text: "DELETE FROM notes WHERE tenant_id = 'b'"},
	{name: "delete links", text: "DELETE FROM poll_labels", rows: 1},
	{name: "delete using", text: "DELETE FROM notes USING polls p WHERE p.id = 11"},
	{name: "delete returning", text: "DELETE FROM notes RETURNING *", rows: 3},
	{name: "CTE that deletes", text: "WITH gone AS (DELETE FROM notes RETURNING *) SELECT * FROM gone", rows: 3},

	{name: "upsert own", text: "INSERT INTO polls (id, tenant_id, title) VALUES (1, 'a', 'x') ON CONFLICT (id) DO UPDATE SET title = 'x'", rows: 1},
	{name: "upsert foreign", text: "INSERT INTO polls (id, tenant_id, title) VALUES (11, 'a', 'x') ON CONFLICT (id) DO UPDATE SET title = 'x'", code: refusedByPolicy},
	{name: "upsert takes foreign", text: "INSERT INTO polls (id, tenant_id, title) VALUES (11, 'a', 'x') ON CONFLICT (id) DO UPDATE SET tenant_id = 'a'", code: refusedByPolicy},
	{name: "upsert foreign nothing", text: "INSERT INTO polls (id, tenant_id, title) VALUES (11, 'a', 'x') ON CONFLICT (id) DO NOTHING"},
	{name: "upsert same id", text: "INSERT INTO notes VALUES ('a', 1, 'x') ON CONFLICT (tenant_id, id) DO UPDATE SET body = 'x'", rows: 1},
	{name: "upsert as another", text: "INSERT INTO notes VALUES ('b', 1, 'x') ON CONFLICT (tenant_id, id) DO UPDATE SET body = 'x'", code: refusedByPolicy},
	{name: "merge", text: "MERGE INTO notes USING (VALUES (1)) v (id) ON notes.id = v.id WHEN MATCHED THEN UPDATE SET body = 'x'", rows: 1},

	{name: "explain analyze", text: "EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off) UPDATE polls SET title = 'x' WHERE id = 11", rows: anyNumber},
	{name: "copy out", text: "COPY polls TO STDOUT", rows: 3},
	{name: "copy to program", text: "COPY polls TO PROGRAM 'cat'", code: refusedByPolicy},
	{name: "statistics", text: "SELECT * FROM pg_stats WHERE tablename = 'polls'"},
}

// testRows is the leak test without the statement wall: every verb, in every mode of pgx and behind PgBouncer.
func testRows(t *testing.T, d database, db *gorm.DB) {
	for _, wrong := range d.violations(pool(t, db)) {
		t.Error(wrong)
	}
}

// violations runs the cases as tenant a and says in which more happened than should, or less.
func (d database) violations(direct *sql.DB) (wrong []string) {
	d.Helper()
	for _, tc := range rowCases {
		d.reset()
		before := d.dump("b")
		rows, err := count(asA, direct, tc.text, tc.args...)
		switch {
		case code(err) != tc.code || (err != nil && tc.code == ""):
			wrong = append(wrong, fmt.Sprintf("%s: error %v, want code %q", tc.name, err, tc.code))
		case rows != tc.rows && tc.rows != anyNumber:
			wrong = append(wrong, fmt.Sprintf("%s: %d rows, want %d", tc.name, rows, tc.rows))
		case d.dump("b") != before:
			wrong = append(wrong, tc.name+": the rows of b changed")
		}
	}
	return wrong
}

type runner interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

var returns = regexp.MustCompile(`^(SELECT|WITH|FETCH|EXPLAIN)|RETURNING`)

// count returns how many rows a statement returns, or changes when it returns none.
func count(ctx context.Context, db runner, text string, args ...any) (n int64, err error) {
	if !returns.MatchString(text) {
		res, err := db.ExecContext(ctx, text, args...)
		if err != nil {
			return 0, err
		}
		return res.RowsAffected()
	}
	rows, err := db.QueryContext(ctx, text, args...)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for rows.Next() {
		n++
	}
	return n, errors.Join(rows.Err(), rows.Close())
}

// testNobody shows that without a tenant no connection is to be had, and that central work sees no owned rows.
func testNobody(t *testing.T, d database, db *gorm.DB) {
	direct := pool(t, db)
	d.unchanged(t, func() {
		if _, err := count(nobody, direct, "SELECT * FROM polls"); !errors.Is(err, tenancy.ErrNoTenant) {
			t.Errorf("no tenant: %v", err)
		}
		if _, err := count(bypass, direct, "SELECT * FROM polls"); !errors.Is(err, tenancy.ErrUnsupported) {
			t.Errorf("Bypass without a role: %v", err)
		}
		for text, want := range map[string]int64{
			"SELECT * FROM polls": 0, "SELECT * FROM notes": 0, "SELECT * FROM poll_labels": 0, "SELECT * FROM plans": 1,
			"UPDATE polls SET title = 'x'": 0, "DELETE FROM notes": 0,
		} {
			if n, err := count(central, direct, text); err != nil || n != want {
				t.Errorf("central %s: %d rows and %v, want %d", text, n, err, want)
			}
		}
		if _, err := count(central, direct, "INSERT INTO notes VALUES ('', 9, 'x')"); code(err) != refusedByPolicy {
			t.Errorf("central insert: %v", err)
		}
		var polls []Poll
		if err := db.WithContext(central).Find(&polls).Error; !errors.Is(err, tenancy.ErrNoTenant) {
			t.Errorf("the statement wall: %v", err)
		}
		var plans []Plan
		if err := db.WithContext(nobody).Find(&plans).Error; err != nil || len(plans) != 1 {
			t.Errorf("central model without a tenant: %d and %v", len(plans), err)
		}
	})
}

// step is a statement of a transaction and how many rows it returns or changes.
type step struct {
	text string
	rows int64
}

// follow runs steps as tenant a.
func follow(t *testing.T, tx runner, steps []step) {
	t.Helper()
	for _, s := range steps {
		if n, err := count(asA, tx, s.text); err != nil || n != s.rows {
			t.Errorf("%s: %d rows and %v, want %d", s.text, n, err, s.rows)
		}
	}
}

// testTransaction shows that the tenant holds for a transaction with its savepoints and cursors, and ends with it.
func testTransaction(t *testing.T, d database, db *gorm.DB) {
	direct := pool(t, db)
	d.unchanged(t, func() {
		tx, err := direct.BeginTx(asA, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		follow(t, tx, []step{
			{"DECLARE c CURSOR FOR SELECT * FROM polls", 0},
			{"FETCH ALL FROM c", 3},
			{"SAVEPOINT one", 0},
			{"DELETE FROM notes", 3},
			{"ROLLBACK TO SAVEPOINT one", 0},
			{"SELECT * FROM notes", 3},
			{"RELEASE SAVEPOINT one", 0},
			{"UPDATE polls SET title = 'x'", 3},
		})
		if _, err := count(asB, tx, "SELECT * FROM polls"); !errors.Is(err, tenancy.ErrTenantMismatch) {
			t.Errorf("another tenant in the transaction: %v", err)
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		for ctx, want := range map[context.Context]int64{asB: 3, central: 0} {
			if n, err := count(ctx, direct, "SELECT * FROM notes"); err != nil || n != want {
				t.Errorf("after the transaction: %d rows and %v, want %d", n, err, want)
			}
		}
	})
}

// TestCopy shows that COPY out of a table is confined, and that PostgreSQL refuses COPY into one, for everybody.
func TestCopy(t *testing.T) {
	t.Parallel()
	d := filled(t)
	direct := pool(t, use(t, d.app(), pluginOf(secured())))
	d.unchanged(t, func() {
		var out writer
		err := tenantconn.InTransaction(asA, direct, func(c *pgx.Conn) error {
			_, err := c.PgConn().CopyTo(asA, &out, "COPY (SELECT * FROM notes ORDER BY id) TO STDOUT")
			return err
		})
		if want := "a\t1\ta note\na\t2\ta note\na\t3\ta note\n"; err != nil || string(out) != want {
			t.Errorf("copied %q and %v, want %q", out, err, want)
		}
		err = tenantconn.InTransaction(asA, direct, func(c *pgx.Conn) error {
			_, err := c.CopyFrom(asA, pgx.Identifier{"notes"}, []string{"tenant_id", "id", "body"}, pgx.CopyFromRows([][]any{{"b", 9, "planted"}}))
			return err
		})
		if code(err) != noCopyFrom {
			t.Errorf("COPY FROM: %v", err)
		}
		err = tenantconn.InTransaction(asA, direct, func(c *pgx.Conn) error {
			_, err := c.CopyFrom(asA, pgx.Identifier{"plans"}, []string{"id", "name"}, pgx.CopyFromRows([][]any{{9, "team"}}))
			return err
		})
		if err != nil {
			t.Errorf("COPY FROM into a central table: %v", err)
		}
	})
}

type writer []byte

func (w *writer) Write(p []byte) (int, error) { *w = append(*w, p...); return len(p), nil }
