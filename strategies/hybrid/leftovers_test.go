package hybrid_test

import (
	"context"
	"errors"
	"testing"

	"github.com/gorm-tenancy/tenancy"
)

// TestTransactionLeftOpen: MariaDB begins transactions and takes locks by many statements, and its driver does not tell.
// Whatever one tenant leaves on a connection, the next does not write into.
func TestTransactionLeftOpen(t *testing.T) {
	t.Parallel()
	w := combinations[len(combinations)-1].begin(t)
	pool, err := w.db.DB()
	must(t, err)
	for _, text := range []string{
		"START TRANSACTION",
		"EXECUTE IMMEDIATE 'START TRANSACTION'",
		"IF 1 THEN START TRANSACTION; END IF",
		"WHILE @@in_transaction = 0 DO START TRANSACTION; END WHILE",
		"COMMIT AND CHAIN",
		"ROLLBACK /* */ AND CHAIN",
		"LOCK TABLES polls READ",
	} {
		for name, ctx := range map[string]context.Context{"potter": as("potter"), "nobody": bypass()} {
			_, err := pool.ExecContext(as("loki"), text)
			must(t, err) // MariaDB takes it, or nothing is shown
			var open int
			must(t, pool.QueryRowContext(ctx, "SELECT @@in_transaction").Scan(&open))
			if open != 0 {
				t.Errorf("%s: %s is in loki's transaction", text, name)
			}
		}
		must(t, w.as("potter").Model(&Poll{}).Where("id = 1").Update("title", text).Error)
		if got, want := w.rows("potter"), "potter: "+text+", potter: potter 2"; got != want {
			t.Errorf("behind %s: potter has %s", text, got)
		}
	}
	if _, err := pool.ExecContext(as("loki"), "CREATE OR REPLACE TEMPORARY TABLE polls AS SELECT 1"); !errors.Is(err, tenancy.ErrUnconfined) {
		t.Errorf("a temporary table: %v", err)
	}
	if got, want := w.rows("loki"), "loki: loki 1, loki: loki 2"; got != want {
		t.Errorf("loki has %s", got)
	}
}
