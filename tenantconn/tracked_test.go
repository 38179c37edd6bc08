package tenantconn_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/mattn/go-sqlite3"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/internal/servers"
	"github.com/gorm-tenancy/tenancy/tenantconn"
)

// sqliteConnector opens databases in memory.
type sqliteConnector struct{}

func (sqliteConnector) Connect(context.Context) (driver.Conn, error) {
	return (&sqlite3.SQLiteDriver{}).Open(":memory:")
}
func (sqliteConnector) Driver() driver.Driver { return &sqlite3.SQLiteDriver{} }

// mariadb returns a confined pool over databases <name>, <name>_a and <name>_b, the latter with the same ids, and a pool
// without the wall.
func mariadb(t *testing.T) (confined, raw *sql.DB, name string) {
	t.Helper()
	server := servers.MariaDB(t)
	name = server.Database(t)
	dsn := server.DSN("root", name)
	raw, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { raw.Close() })
	for _, id := range []string{"a", "b"} {
		for _, s := range []string{
			"CREATE DATABASE %[1]s_%[2]s",
			"CREATE TABLE %[1]s_%[2]s.notes (id int PRIMARY KEY, owner text NOT NULL, body text)",
			"INSERT INTO %[1]s_%[2]s.notes VALUES (1, '%[2]s', 'x'), (2, '%[2]s', 'x'), (3, '%[2]s', 'x')",
		} {
			if _, err := raw.Exec(fmt.Sprintf(s, name, id)); err != nil {
				t.Fatal(err)
			}
		}
		t.Cleanup(func() { _, _ = raw.Exec("DROP DATABASE " + name + "_" + id) })
	}
	config, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	base, err := mysql.NewConnector(config)
	if err != nil {
		t.Fatal(err)
	}
	confined, err = tenantconn.OpenTracked(base, tenantconn.Wall{
		Settings: []string{"database"},
		Router: func(ctx context.Context) (tenantconn.Route, error) {
			_, id, err := tenancy.ReachOf(ctx)
			return tenantconn.Route{Tenant: id, Values: []string{strings.TrimSuffix(name+"_"+string(id), "_")}}, err
		},
	}, tenantconn.UseDatabase)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { confined.Close() })
	return confined, raw, name
}

func mariadbDump(t *testing.T, raw *sql.DB, name string) (s string) {
	t.Helper()
	if err := raw.QueryRow("SELECT group_concat(id, owner, body ORDER BY id) FROM " + name + ".notes").Scan(&s); err != nil {
		t.Fatal(err)
	}
	return s
}

const byID = "SELECT owner FROM notes WHERE id = ?"

func TestTracked(t *testing.T) {
	t.Parallel()
	db, raw, name := mariadb(t)
	db.SetMaxOpenConns(2)
	before := mariadbDump(t, raw, name+"_b")
	statement, err := db.PrepareContext(asA, byID)
	if err != nil {
		t.Fatal(err)
	}
	defer statement.Close()
	var group sync.WaitGroup
	for g := range 8 {
		group.Go(func() {
			for n := range 100 {
				id := []string{"a", "b"}[(g+n)%2]
				ctx := tenancy.WithTenant(context.Background(), tenancy.ID(id))
				var got string
				var err error
				switch n % 4 {
				case 0:
					err = db.QueryRowContext(ctx, byID, 1).Scan(&got)
				case 1: // MySQL keeps the database a statement was prepared in
					err = statement.QueryRowContext(ctx, 1).Scan(&got)
				case 2:
					err = db.QueryRowContext(ctx, "SELECT owner FROM notes WHERE id = 2").Scan(&got)
				case 3:
					err = inTx(ctx, db, func(tx *sql.Tx) error {
						return tx.StmtContext(ctx, statement).QueryRowContext(ctx, 1).Scan(&got)
					})
				}
				if err != nil || got != id {
					t.Errorf("read a note of %q as %s: %v", got, id, err)
				}
			}
		})
	}
	group.Wait()
	if _, err := db.ExecContext(asA, "UPDATE notes SET body = ?", "changed"); err != nil {
		t.Error(err)
	}
	if _, err := db.ExecContext(asA, "DELETE FROM notes WHERE id = 3"); err != nil {
		t.Error(err)
	}
	if now := mariadbDump(t, raw, name+"_b"); now != before {
		t.Errorf("b changed from %s to %s", before, now)
	}
	if now := mariadbDump(t, raw, name+"_a"); now != "1achanged,2achanged" {
		t.Errorf("a's own writes: %s", now)
	}
}

func inTx(ctx context.Context, db *sql.DB, f func(*sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	return f(tx)
}

func TestTrackedRefusals(t *testing.T) {
	t.Parallel()
	db, _, name := mariadb(t)
	db.SetMaxOpenConns(1)
	ask := func(ctx context.Context, q querier) (got string, err error) {
		err = q.QueryRowContext(ctx, byID, 1).Scan(&got)
		return got, err
	}
	if got, err := ask(asA, db); err != nil || got != "a" {
		t.Errorf("%q %v", got, err)
	}
	if _, err := ask(context.Background(), db); !errors.Is(err, tenancy.ErrNoTenant) {
		t.Errorf("without a tenant: %v", err)
	}
	if _, err := ask(central, db); err == nil || !strings.Contains(err.Error(), "1146") {
		t.Errorf("central code sees notes: %v", err)
	}
	if _, err := ask(tenancy.WithTenant(context.Background(), "c"), db); err == nil || !strings.Contains(err.Error(), "1049") {
		t.Errorf("a tenant without a database: %v", err)
	}
	for _, attack := range []string{"USE " + name + "_b", "/*! USE " + name + "_b */", "SET ROLE x", "# c\nUSE x"} {
		if _, err := db.ExecContext(asA, attack); !errors.Is(err, tenancy.ErrUnconfined) {
			t.Errorf("%s: %v", attack, err)
		}
	}
	if err := inTx(asA, db, func(tx *sql.Tx) error {
		if _, err := ask(asB, tx); !errors.Is(err, tenancy.ErrTenantMismatch) {
			t.Errorf("b in a's transaction: %v", err)
		}
		got, err := ask(asA, tx)
		if got != "a" {
			t.Errorf("%q %v", got, err)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
	if got, err := ask(asB, db); err != nil || got != "b" {
		t.Errorf("%q %v", got, err)
	}
}

// TestTrackedUse: a USE that the screen cannot see ends with its statement.
func TestTrackedUse(t *testing.T) {
	t.Parallel()
	db, raw, name := mariadb(t)
	conn, err := db.Conn(context.Background()) // a pool would not keep it behind such statements
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	before := mariadbDump(t, raw, name+"_b")
	bypass := tenancy.Bypass(context.Background(), "test")
	for _, c := range []struct {
		ctx  context.Context
		text string
	}{
		{asA, "EXECUTE IMMEDIATE 'USE " + name + "_b'"},
		{asA, "EXECUTE IMMEDIATE CONCAT('US', 'E " + name + "_b')"},
		{asA, "BEGIN NOT ATOMIC EXECUTE IMMEDIATE 'USE " + name + "_b'; END"},
		{asA, "PREPARE x FROM 'USE " + name + "_b'"},
		{asA, "EXECUTE x"},
		{bypass, "USE " + name + "_b"},
	} {
		if _, err := conn.ExecContext(c.ctx, c.text); err != nil {
			t.Fatalf("%s: %v", c.text, err) // MariaDB takes it, or nothing is shown
		}
		for ctx, want := range map[context.Context]string{asA: "a", bypass: ""} {
			if _, err := conn.ExecContext(c.ctx, c.text); err != nil {
				t.Fatal(err)
			}
			var got string
			err := conn.QueryRowContext(ctx, byID, 1).Scan(&got)
			if got != want || (err == nil) != (want != "") {
				t.Errorf("%s: read a note of %q, want %q: %v", c.text, got, want, err)
			}
		}
		if _, err := conn.ExecContext(asA, "UPDATE notes SET owner = 'a'"); err != nil {
			t.Error(err)
		}
	}
	if now := mariadbDump(t, raw, name+"_b"); now != before {
		t.Errorf("b changed from %s to %s", before, now)
	}
}

// TestTrackedTransaction: a transaction that was begun as text ends with the use of its connection: the next tenant's writes
// do not go into it.
func TestTrackedTransaction(t *testing.T) {
	t.Parallel()
	db, raw, name := mariadb(t)
	db.SetMaxOpenConns(1)
	for _, text := range []string{"BEGIN", "EXECUTE IMMEDIATE 'START TRANSACTION'", "COMMIT AND CHAIN", "SET autocommit = 0"} {
		if _, err := db.ExecContext(asA, text); err != nil {
			t.Fatal(err)
		}
		if _, err := db.ExecContext(asB, "UPDATE notes SET body = ? WHERE id = 1", text); err != nil {
			t.Fatal(err)
		}
		if now := mariadbDump(t, raw, name+"_b"); !strings.HasPrefix(now, "1b"+text) {
			t.Errorf("%s: b's write is not saved: %s", text, now)
		}
	}
	// The control: what begins nothing keeps its connection.
	id := func() (n int) {
		if err := db.QueryRowContext(asA, "SELECT connection_id()").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := id()
	for _, text := range []string{"UPDATE notes SET body = 'x'", "SHOW TABLES", "SAVEPOINT x", "CREATE TABLE more (id int)", "DROP TABLE more"} {
		if _, err := db.ExecContext(asA, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := inTx(asA, db, func(tx *sql.Tx) error { return tx.Commit() }); err != nil {
		t.Fatal(err)
	}
	if after := id(); after != before {
		t.Errorf("connection %d gave way to %d", before, after)
	}
}
