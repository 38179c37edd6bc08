package tenantconn_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/mattn/go-sqlite3"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/tenantconn"
)

func TestInTransaction(t *testing.T) {
	t.Parallel()
	through(t, func(t *testing.T, f fixture) {
		db := f.open()
		db.SetMaxOpenConns(1)
		before := dump(t, f.server, f.name, "b")
		rows := [][]any{{11, "a", "copied"}, {12, "a", "copied"}}
		err := tenantconn.InTransaction(asA, db, func(c *pgx.Conn) error {
			if _, err := c.CopyFrom(asA, pgx.Identifier{"notes"}, []string{"id", "owner", "body"}, pgx.CopyFromRows(rows)); err != nil {
				return err
			}
			b := &pgx.Batch{}
			b.Queue("UPDATE notes SET body = 'batch' WHERE id = $1", 11)
			b.Queue("SELECT count(*) FROM notes").QueryRow(func(row pgx.Row) error {
				var n int
				if err := row.Scan(&n); err != nil || n != 5 {
					t.Errorf("%d notes: %v", n, err)
				}
				return nil
			})
			return c.SendBatch(asA, b).Close()
		})
		if err != nil {
			t.Errorf("COPY and a batch: %v", err)
		}
		enough := errors.New("enough")
		if err := tenantconn.InTransaction(asB, db, func(c *pgx.Conn) error {
			if _, err := c.Exec(asB, "DELETE FROM notes"); err != nil {
				return err
			}
			return enough
		}); !errors.Is(err, enough) {
			t.Errorf("f's error: %v", err)
		}
		if now := dump(t, f.server, f.name, "b"); now != before {
			t.Errorf("b changed from %s to %s", before, now)
		}
		if err := tenantconn.InTransaction(context.Background(), db, func(*pgx.Conn) error { return nil }); !errors.Is(err, tenancy.ErrNoTenant) {
			t.Errorf("without a tenant: %v", err)
		}
		f.wantOwner(asB, db, "b")
	})
}

func TestListen(t *testing.T) {
	t.Parallel()
	server, name := tenants(t, "a", "b")
	f := fixture{t, modes[0], server, name}
	db := f.open()
	c, err := db.Conn(asA)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	err = c.Raw(func(driverConn any) error {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		conn := tenantconn.Unwrap(driverConn).(*stdlib.Conn).Conn()
		if _, err := conn.Exec(ctx, "LISTEN news"); err != nil {
			return err
		}
		f.exec(asB, db, "NOTIFY news, 'from b'")
		n, err := conn.WaitForNotification(ctx)
		if err == nil && n.Payload != "from b" {
			t.Errorf("heard %q", n.Payload)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	f.wantOwner(asA, c, "a")
}

func TestNotPgx(t *testing.T) {
	t.Parallel()
	db := sql.OpenDB(sqliteConnector{})
	defer db.Close()
	if err := tenantconn.InTransaction(asA, db, func(*pgx.Conn) error { return nil }); !errors.Is(err, tenantconn.ErrNotPgx) {
		t.Error(err)
	}
	if tenantconn.Confined(db) {
		t.Error("a plain pool is taken for a confined one")
	}
	confined, err := tenantconn.OpenTracked(sqliteConnector{}, schemaWall(), tenantconn.UseDatabase)
	if err != nil {
		t.Fatal(err)
	}
	defer confined.Close()
	if !tenantconn.Confined(confined) {
		t.Error("a confined pool is taken for a plain one")
	}
	if _, err := confined.Driver().Open("x"); err == nil {
		t.Error("the driver opens connections outside the wall")
	}
	_ = sqlite3.SQLiteDriver{}
}
