package tenantconn_test

import (
	"database/sql"
	"testing"
)

// TestSettingLeft: a setting that one tenant makes for its session is not the next one's.
func TestSettingLeft(t *testing.T) {
	t.Parallel()
	for _, m := range modes {
		if m.pooled {
			continue // the pooler's server_reset_query would have to do it
		}
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			server, name := tenants(t, "a", "b")
			f := fixture{t, m, server, name}
			db := f.open()
			db.SetMaxOpenConns(1)
			before := f.backend(db)
			for _, text := range []string{"SELECT 1", "SET LOCAL statement_timeout = 1", "UPDATE notes SET body = 'x'"} { // the control
				f.exec(asA, db, text)
			}
			if now := f.backend(db); now != before {
				t.Errorf("connection %d gave way to %d", before, now)
			}
			for _, text := range []string{
				"SET default_transaction_read_only = on", "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
				"/* x */ set session statement_timeout = 1",
			} {
				f.exec(asA, db, text)
				f.exec(asB, db, "UPDATE notes SET body = 'by b' FROM pg_sleep(0.01) WHERE id = 1")
				if err := inTx(asA, db, func(tx *sql.Tx) error { f.exec(asA, tx, text); return tx.Commit() }); err != nil {
					t.Error(err)
				}
				f.exec(asB, db, "UPDATE notes SET body = 'by b' FROM pg_sleep(0.01) WHERE id = 1")
			}
			f.wantOwner(asB, db, "b")
		})
	}
}

// backend is the process that serves the pool's connection.
func (f fixture) backend(db *sql.DB) (pid int) {
	f.Helper()
	if err := db.QueryRowContext(asA, "SELECT pg_backend_pid()").Scan(&pid); err != nil {
		f.Fatal(err)
	}
	return pid
}
