package tenantconn_test

import (
	"database/sql"
	"errors"
	"testing"

	"github.com/gorm-tenancy/tenancy"
)

// TestEndsAsText: text that ends a transaction ends the settings, too, and what comes after it is still the tenant's. The
// connection belonged to b before.
func TestEndsAsText(t *testing.T) {
	t.Parallel()
	through(t, func(t *testing.T, f fixture) {
		db := f.open()
		db.SetMaxOpenConns(1)
		before := dump(t, f.server, f.name, "b")
		for _, text := range []string{
			"ROLLBACK", "COMMIT", "SELECT 1; ROLLBACK", "BEGIN; UPDATE notes SET body = 'x'; ROLLBACK", "BEGIN; SELECT 1; COMMIT",
		} {
			f.wantOwner(asB, db, "b")
			f.exec(asA, db, text)
			f.wantOwner(asA, db, "a")
		}
		for _, text := range []string{"COMMIT AND CHAIN", "ROLLBACK AND CHAIN", "SAVEPOINT s; RELEASE s"} {
			for _, end := range []func(*sql.Tx) error{(*sql.Tx).Commit, (*sql.Tx).Rollback} {
				f.wantOwner(asB, db, "b")
				tx, err := db.BeginTx(asA, nil)
				if err != nil {
					t.Fatal(err)
				}
				f.exec(asA, tx, text)
				f.wantOwner(asA, tx, "a")
				f.exec(asA, tx, "UPDATE notes SET body = 'a was here'")
				if err := end(tx); err != nil {
					t.Error(err)
				}
				f.wantOwner(asA, db, "a")
			}
		}
		_, err := db.ExecContext(asA, "ROLLBACK; UPDATE notes SET body = 'whose?'")
		if f.mode.session && !errors.Is(err, tenancy.ErrUnconfined) || err == nil {
			t.Errorf("went on behind the end: %v", err)
		}
		if now := dump(t, f.server, f.name, "b"); now != before {
			t.Errorf("b changed from %s to %s", before, now)
		}
	})
}

// TestSetTransaction: SET TRANSACTION comes first in a transaction, as without the wall, and nothing is lost by it.
func TestSetTransaction(t *testing.T) {
	t.Parallel()
	through(t, func(t *testing.T, f fixture) {
		db, tx := f.behindB()
		f.exec(asA, tx, "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
		f.exec(asA, tx, "SET TRANSACTION NOT DEFERRABLE")
		f.wantOwner(asA, tx, "a")
		var level string
		if err := tx.QueryRowContext(asA, "SHOW transaction_isolation").Scan(&level); err != nil || level != "serializable" {
			t.Errorf("%q %v", level, err)
		}
		f.exec(asA, tx, "UPDATE notes SET body = 'kept'")
		if _, err := tx.ExecContext(asA, "SET TRANSACTION ISOLATION LEVEL READ COMMITTED"); err == nil {
			t.Error("the server takes it behind a query")
		}
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
		f.wantOwner(asB, db, "b")
	})
}

// TestRollbackToAfterDoubt: a savepoint undoes an error where the settings are made again for each statement.
func TestRollbackToAfterDoubt(t *testing.T) {
	t.Parallel()
	through(t, func(t *testing.T, f fixture) {
		db, tx := f.behindB()
		f.exec(asA, tx, "CREATE TABLE more (id int)") // not known to leave the settings alone
		f.exec(asA, tx, "SAVEPOINT s")
		if _, err := tx.ExecContext(asA, "SELECT 1/0"); err == nil {
			t.Fatal("no error to undo")
		}
		f.exec(asA, tx, "ROLLBACK TO SAVEPOINT s")
		f.wantOwner(asA, tx, "a")
		if err := tx.Commit(); err != nil {
			t.Error(err)
		}
		f.wantOwner(asB, db, "b")
	})
}

// behindB begins a transaction of a on the only connection, which served b before.
func (f fixture) behindB() (*sql.DB, *sql.Tx) {
	f.Helper()
	db := f.open()
	db.SetMaxOpenConns(1)
	f.wantOwner(asB, db, "b")
	tx, err := db.BeginTx(asA, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { tx.Rollback() })
	return db, tx
}
