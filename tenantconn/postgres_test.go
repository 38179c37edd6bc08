package tenantconn_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/tenantconn"
)

// TestConfined sends statements in every way database/sql has, for two tenants in turns over one connection, and
// compares what the other has with what it had.
func TestConfined(t *testing.T) {
	t.Parallel()
	through(t, func(t *testing.T, f fixture) {
		db := f.open()
		db.SetMaxOpenConns(1)
		before := dump(t, f.server, f.name, "b")
		for range 3 {
			for id, ctx := range map[string]context.Context{"a": asA, "b": asB} {
				f.wantOwner(ctx, db, id)
				var n int
				if err := db.QueryRowContext(ctx, "SELECT count(*) FROM notes").Scan(&n); err != nil || n < 3 || n > 4 || (id == "b" && n != 3) {
					t.Errorf("%d notes: %v", n, err)
				}
				var plan string
				if err := db.QueryRowContext(ctx, "SELECT name FROM plans WHERE id = $1", 1).Scan(&plan); err != nil || plan != "free" {
					t.Errorf("central table: %q %v", plan, err)
				}
			}
			f.exec(asA, db, "UPDATE notes SET body = $1 WHERE id = $2", "changed", 1)
			f.exec(asA, db, "UPDATE notes SET body = 'changed' WHERE id = 2")
			f.exec(asA, db, "INSERT INTO notes VALUES (4, 'a', $1) ON CONFLICT (id) DO UPDATE SET body = excluded.body", "four")
			f.exec(asA, db, "DELETE FROM notes WHERE id = 3 AND owner = $1", "a")
			f.exec(asA, db, "INSERT INTO notes VALUES (3, 'a', 'x'); UPDATE notes SET body = 'several'")
		}
		if now := dump(t, f.server, f.name, "b"); now != before {
			t.Errorf("b changed from %s to %s", before, now)
		}
		if now := dump(t, f.server, f.name, "a"); strings.Count(now, "several") != 4 {
			t.Errorf("a's own writes are missing: %s", now)
		}
	})
}

func TestTransactions(t *testing.T) {
	t.Parallel()
	through(t, func(t *testing.T, f fixture) {
		db := f.open()
		db.SetMaxOpenConns(1)
		for _, end := range []func(*sql.Tx) error{(*sql.Tx).Commit, (*sql.Tx).Rollback} {
			f.wantOwner(asB, db, "b")
			tx, err := db.BeginTx(asA, &sql.TxOptions{Isolation: sql.LevelRepeatableRead})
			if err != nil {
				t.Fatal(err)
			}
			f.wantOwner(asA, tx, "a")
			f.exec(asA, tx, "SAVEPOINT s")
			f.exec(asA, tx, "UPDATE notes SET body = 'undone'")
			f.exec(asA, tx, "ROLLBACK TO SAVEPOINT s")
			f.wantOwner(asA, tx, "a")
			if _, err := owner(asB, tx); !errors.Is(err, tenancy.ErrTenantMismatch) {
				t.Errorf("b in a's transaction: %v", err)
			}
			if _, err := owner(context.Background(), tx); !errors.Is(err, tenancy.ErrNoTenant) {
				t.Errorf("nobody in a's transaction: %v", err)
			}
			f.wantOwner(asA, tx, "a")
			if err := end(tx); err != nil {
				t.Error(err)
			}
			f.wantOwner(asB, db, "b")
		}
		if now := dump(t, f.server, f.name, "a"); strings.Contains(now, "undone") {
			t.Errorf("the savepoint did not roll back: %s", now)
		}
		if _, err := db.BeginTx(context.Background(), nil); !errors.Is(err, tenancy.ErrNoTenant) {
			t.Errorf("begin without a tenant: %v", err)
		}
	})
}

// TestBeginAsText: BEGIN sent as a statement pins the connection as BeginTx does.
func TestBeginAsText(t *testing.T) {
	t.Parallel()
	through(t, func(t *testing.T, f fixture) {
		db := f.open()
		c, err := db.Conn(asA)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		f.exec(asA, c, "BEGIN")
		f.wantOwner(asA, c, "a")
		if _, err := owner(asB, c); !errors.Is(err, tenancy.ErrTenantMismatch) {
			t.Errorf("b in a's transaction: %v", err)
		}
		f.exec(asA, c, "COMMIT")
		f.wantOwner(asB, c, "b")
	})
}

func TestPreparedStatements(t *testing.T) {
	t.Parallel()
	through(t, func(t *testing.T, f fixture) {
		if f.mode.pooled {
			return // PgBouncer 1.18 has none
		}
		db := f.open()
		db.SetMaxOpenConns(1)
		s, err := db.PrepareContext(asA, "SELECT owner FROM notes WHERE id = $1")
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		for _, want := range []string{"a", "b", "b", "a", "a", "b"} {
			var got string
			ctx := tenancy.WithTenant(context.Background(), tenancy.ID(want))
			if err := s.QueryRowContext(ctx, 1).Scan(&got); err != nil || got != want {
				t.Errorf("read a note of %q (%v), want %q", got, err, want)
			}
		}
		var got string
		if err := s.QueryRow(1).Scan(&got); !errors.Is(err, tenancy.ErrNoTenant) {
			t.Errorf("without a tenant: %q %v", got, err)
		}
		if _, err := db.Prepare("SELECT owner FROM notes"); !errors.Is(err, tenancy.ErrNoTenant) {
			t.Errorf("prepare without a tenant: %v", err)
		}
	})
}

func TestWithoutTenant(t *testing.T) {
	t.Parallel()
	through(t, func(t *testing.T, f fixture) {
		db := f.open()
		db.SetMaxOpenConns(1)
		f.wantOwner(asA, db, "a")
		for name, ctx := range map[string]context.Context{
			"none":    context.Background(),
			"invalid": tenancy.WithTenant(context.Background(), "No Such"),
		} {
			if _, err := owner(ctx, db); !errors.Is(err, tenancy.ErrNoTenant) {
				t.Errorf("%s: query: %v", name, err)
			}
			if _, err := db.ExecContext(ctx, "SELECT 1"); !errors.Is(err, tenancy.ErrNoTenant) {
				t.Errorf("%s: exec: %v", name, err)
			}
			if _, err := db.QueryContext(ctx, "SELECT 1"); !errors.Is(err, tenancy.ErrNoTenant) {
				t.Errorf("%s: rows: %v", name, err)
			}
		}
		if _, err := owner(central, db); err == nil || !strings.Contains(err.Error(), "42P01") {
			t.Errorf("central code sees notes: %v", err)
		}
		if _, err := owner(tenancy.WithTenant(context.Background(), "unknown"), db); err == nil || !strings.Contains(err.Error(), "42P01") {
			t.Errorf("a tenant without a schema: %v", err)
		}
		var plan string
		if err := db.QueryRowContext(central, "SELECT name FROM plans").Scan(&plan); err != nil || plan != "free" {
			t.Errorf("central table: %q %v", plan, err)
		}
		if err := db.Ping(); err != nil {
			t.Errorf("ping needs no tenant: %v", err)
		}
		f.wantOwner(asA, db, "a")
	})
}

// TestSettingsThatFail: when the settings cannot be made, the statement does not run.
func TestSettingsThatFail(t *testing.T) {
	t.Parallel()
	through(t, func(t *testing.T, f fixture) {
		w := f.wall()
		w.Settings = []string{"search_path", "role"}
		w.Router = func(ctx context.Context) (tenantconn.Route, error) {
			r, err := schemaRoute(ctx)
			role := "none"
			if r.Tenant == "b" {
				role = "nobody_has_made_this_role"
			}
			r.Values = append(r.Values, role)
			return r, err
		}
		db := f.openAt("", w)
		db.SetMaxOpenConns(1)
		before := dump(t, f.server, f.name, "b")
		for range 3 {
			f.wantOwner(asA, db, "a")
			if got, err := owner(asB, db); err == nil {
				t.Errorf("read %q although the role does not exist", got)
			}
			if _, err := db.ExecContext(asB, "DELETE FROM notes"); err == nil {
				t.Error("deleted although the role does not exist")
			}
			if tx, err := db.BeginTx(asB, nil); err == nil {
				if _, err := tx.ExecContext(asB, "DELETE FROM notes"); err == nil {
					t.Error("deleted in a transaction although the role does not exist")
				}
				_ = tx.Rollback()
			}
		}
		if now := dump(t, f.server, f.name, "b"); now != before {
			t.Errorf("b changed to %s", now)
		}
		f.wantOwner(asA, db, "a")
	})
}

// TestSpoofing: SQL of a tenant that would change what holds it is refused, and if it were not, the next statement is
// right anyway.
func TestSpoofing(t *testing.T) {
	t.Parallel()
	through(t, func(t *testing.T, f fixture) {
		db := f.open()
		for _, attack := range []string{
			"SET search_path = t_b", "set\nlocal search_path to t_b", "SET SESSION search_path = t_b", "/* x */ SET SCHEMA 't_b'",
			`SET "search_path" = t_b`, "-- c\nSET search_path = t_b", "SELECT set_config('search_path', 't_b', false)",
			"WITH x AS (SELECT SET_CONFIG('search_path', 't_b', true)) SELECT * FROM x", "RESET search_path", "RESET ALL", "DISCARD ALL",
			"SET ROLE postgres", "SET SESSION AUTHORIZATION postgres", "RESET ROLE", "ALTER ROLE app SET search_path = t_b",
			"DO $$ BEGIN EXECUTE 'SET search' || '_path = t_b'; END $$", "SELECT 1; SET search_path = t_b", "SELECT 1;;/**/set search_path=t_b",
			"/* /* */ SET search_path = t_b", "/*!SET*/ search_path = t_b",
		} {
			if _, err := db.ExecContext(asA, attack); !errors.Is(err, tenancy.ErrUnconfined) {
				t.Errorf("%s: %v", attack, err)
			}
		}
		tx, err := db.BeginTx(asA, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		f.exec(asA, tx, "SET LOCAL statement_timeout = '10s'")
		f.exec(asA, tx, "SET CONSTRAINTS ALL DEFERRED")
		f.exec(asA, tx, "UPDATE notes SET body = $1 WHERE id = 1", "SET search_path = t_b")
		f.wantOwner(asA, tx, "a")
	})
}

// TestUsersOwnSet: a SET that got past the screen (here under Bypass) does not reach the next tenant.
func TestUsersOwnSet(t *testing.T) {
	t.Parallel()
	through(t, func(t *testing.T, f fixture) {
		if f.mode.session {
			return // documented: Session believes its memory
		}
		db := f.open()
		db.SetMaxOpenConns(1)
		f.exec(tenancy.Bypass(context.Background(), "test"), db, "SET search_path = t_b")
		f.wantOwner(asA, db, "a")
		if _, err := owner(central, db); err == nil {
			t.Error("central code sees notes")
		}
		f.exec(tenancy.Bypass(context.Background(), "test"), db, "RESET search_path")
	})
}

func TestErrorsDoNotConfuse(t *testing.T) {
	t.Parallel()
	through(t, func(t *testing.T, f fixture) {
		db := f.open()
		db.SetMaxOpenConns(1)
		for range 3 {
			if _, err := db.ExecContext(asB, "INSERT INTO notes VALUES (1, 'b', 'again')"); err == nil {
				t.Error("a duplicate was inserted")
			}
			f.wantOwner(asA, db, "a")
			if _, err := db.ExecContext(asB, "INSERT INTO notes VALUES ($1, 'b', 'again')", 1); err == nil {
				t.Error("a duplicate was inserted")
			}
			f.wantOwner(asB, db, "b")
			if _, err := db.QueryContext(asA, "SELECT * FROM nothing WHERE id = $1", 1); err == nil {
				t.Error("no error")
			}
			rows, err := db.QueryContext(asB, "SELECT 1 / (3 - n) FROM generate_series(1, 5) n WHERE n > $1", 0)
			if err == nil { // fails while rows are read
				for rows.Next() {
				}
				if rows.Err() == nil {
					t.Error("no error")
				}
				rows.Close()
			}
			f.wantOwner(asA, db, "a")
		}
	})
}

func TestRowsKeptOpen(t *testing.T) {
	t.Parallel()
	through(t, func(t *testing.T, f fixture) {
		if f.mode.pooled {
			return // one server connection
		}
		db := f.open()
		rows, err := db.QueryContext(asA, "SELECT owner FROM notes ORDER BY id")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var got string
			if err := rows.Scan(&got); err != nil || got != "a" {
				t.Errorf("%q %v", got, err)
			}
			f.wantOwner(asB, db, "b")
		}
		early, err := db.QueryContext(asB, "SELECT owner FROM notes, generate_series(1, 10000)")
		if err != nil {
			t.Fatal(err)
		}
		early.Next()
		early.Close()
		f.wantOwner(asA, db, "a")
	})
}

func TestLargeMessages(t *testing.T) {
	t.Parallel()
	through(t, func(t *testing.T, f fixture) {
		db := f.open()
		db.SetMaxOpenConns(1)
		big := bytes.Repeat([]byte("x\x00'\\"), 3<<20)
		var back []byte
		if err := db.QueryRowContext(asA, "SELECT $1::bytea FROM notes WHERE id = 1", big).Scan(&back); err != nil || !bytes.Equal(back, big) {
			t.Fatalf("12 MiB there and back: %d bytes, %v", len(back), err)
		}
		rows, err := db.QueryContext(asB, "SELECT owner, n FROM notes, generate_series(1, 100000) n")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		count := 0
		for rows.Next() {
			var who string
			var n int
			if err := rows.Scan(&who, &n); err != nil || who != "b" {
				t.Fatal(who, err)
			}
			count++
		}
		if count != 300000 || rows.Err() != nil {
			t.Errorf("%d rows: %v", count, rows.Err())
		}
		f.wantOwner(asA, db, "a")
	})
}

// TestNotices: what the server says in between is not taken for an answer.
func TestNotices(t *testing.T) {
	t.Parallel()
	through(t, func(t *testing.T, f fixture) {
		var seen []string
		w := f.wall()
		config := stdlib.OptionBeforeConnect(func(_ context.Context, c *pgx.ConnConfig) error {
			c.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { seen = append(seen, n.Message) }
			return nil
		})
		db := f.openAt("", w, config)
		db.SetMaxOpenConns(1)
		f.exec(tenancy.Bypass(context.Background(), "test"), db,
			"CREATE FUNCTION shared.shout(x int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RAISE WARNING ''%'', x; RETURN x; END'")
		for i := range 5 {
			if i%2 == 0 {
				f.exec(asA, db, "SELECT shared.shout($1)", i)
			} else {
				f.exec(asB, db, fmt.Sprintf("SELECT shared.shout(%d)", i))
			}
			f.wantOwner(asA, db, "a")
		}
		if len(seen) != 5 {
			t.Errorf("notices: %q", seen)
		}
	})
}

// TestOutsideTransactions: some commands refuse a transaction, the implicit one of the settings too.
func TestOutsideTransactions(t *testing.T) {
	t.Parallel()
	through(t, func(t *testing.T, f fixture) {
		db := f.open()
		db.SetMaxOpenConns(1)
		for _, command := range []string{"VACUUM notes", "CREATE INDEX CONCURRENTLY notes_owner ON notes (owner)", "DROP INDEX CONCURRENTLY notes_owner"} {
			_, err := db.ExecContext(asA, command)
			if f.mode.pooled {
				if !errors.Is(err, tenancy.ErrUnconfined) {
					t.Errorf("%s: %v", command, err)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s: %v", command, err)
			}
			f.wantOwner(asB, db, "b")
			if _, err := owner(central, db); err == nil {
				t.Error("settings were left behind")
			}
		}
		if _, err := db.ExecContext(asA, "VACUUM nothing"); err == nil {
			t.Error("no error")
		}
		f.wantOwner(asB, db, "b")
	})
}

// TestNothingLeftBehind looks at the connection past the wall.
func TestNothingLeftBehind(t *testing.T) {
	t.Parallel()
	through(t, func(t *testing.T, f fixture) {
		if f.mode.session {
			return
		}
		db := f.open()
		db.SetMaxOpenConns(1)
		f.wantOwner(asA, db, "a")
		c, err := db.Conn(asA)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		err = c.Raw(func(driverConn any) error {
			var path string
			inner := tenantconn.Unwrap(driverConn).(*stdlib.Conn).Conn()
			err := inner.QueryRow(context.Background(), "SHOW search_path").Scan(&path)
			if path != "pg_catalog" {
				t.Errorf("search_path is %q", path)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// TestDoubtInTransactions: what got past the screen and changed the settings of a transaction holds for itself at most. The
// statement here is one that the screen cannot see through: a function stored in the database.
func TestDoubtInTransactions(t *testing.T) {
	t.Parallel()
	through(t, func(t *testing.T, f fixture) {
		if f.mode.session {
			return // documented: Session believes its memory
		}
		db := f.open()
		f.exec(tenancy.Bypass(context.Background(), "test"), db, "CREATE PROCEDURE shared.spoof() LANGUAGE plpgsql AS "+
			"'BEGIN PERFORM set_config(''search_path'', ''t_b'', true); END'")
		tx, err := db.BeginTx(asA, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		f.wantOwner(asA, tx, "a")
		f.exec(asA, tx, "CALL shared.spoof()")
		f.wantOwner(asA, tx, "a")
		f.wantOwner(asA, tx, "a")
	})
}
