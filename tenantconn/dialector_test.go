package tenantconn_test

import (
	"context"
	"database/sql"
	"strings"
	"testing"
	"time"

	driver "github.com/go-sql-driver/mysql"
	"github.com/mattn/go-sqlite3"
	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy/internal/servers"
	"github.com/gorm-tenancy/tenancy/tenantconn"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestConnectorOf: what opens a tenant's connections reads rows as GORM's own pool does.
func TestConnectorOf(t *testing.T) {
	t.Parallel()
	server := servers.Postgres(t)
	dsn := server.DSN(servers.App, server.Database(t))
	const evening = "SELECT '2026-11-25 20:00:00'::timestamp"
	for name, d := range map[string]gorm.Dialector{
		"a DSN":           postgres.Open(dsn),
		"a time zone":     postgres.Open(dsn + "&TimeZone=Asia/Tokyo"),
		"simple protocol": postgres.New(postgres.Config{DSN: dsn + "&TimeZone=Asia/Tokyo", PreferSimpleProtocol: true}),
		"a driver":        postgres.New(postgres.Config{DriverName: "pgx", DSN: dsn}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			own, err := openGORM(t, d, &gorm.Config{}).DB()
			must(t, err)
			c, err := tenantconn.ConnectorOf(d, own.Driver())
			must(t, err)
			alone, err := tenantconn.Standalone(d)
			must(t, err)
			pool := sql.OpenDB(c)
			t.Cleanup(func() { pool.Close(); alone.Close() })
			var want, got, apart time.Time
			must(t, own.QueryRow(evening).Scan(&want))
			must(t, pool.QueryRow(evening).Scan(&got))
			must(t, alone.QueryRow(evening).Scan(&apart))
			if !got.Equal(want) || !apart.Equal(want) || got.Location().String() != want.Location().String() {
				t.Errorf("%s and %s, want %s", got, apart, want)
			}
			var prepared int
			must(t, pool.QueryRow("SELECT count(*) FROM pg_prepared_statements WHERE NOT from_sql").Scan(&prepared))
			if simple := name == "simple protocol"; simple != (prepared == 0) {
				t.Errorf("%d prepared statements", prepared)
			}
		})
	}
}

// TestConnectorOfMistakes: an error says what is wrong and holds nothing of the DSN.
func TestConnectorOfMistakes(t *testing.T) {
	t.Parallel()
	for name, d := range map[string]gorm.Dialector{
		"no dialector":       nil,
		"no DSN":             postgres.New(postgres.Config{Conn: &sql.DB{}}),
		"PostgreSQL's port":  postgres.Open("postgres://app:hush@127.0.0.1:x/hush"),
		"a driver of nobody": postgres.New(postgres.Config{DriverName: "nobody", DSN: "hush"}),
		"MySQL's protocol":   mysql.Open("app:hush@tcp(127.0.0.1"),
	} {
		_, err := tenantconn.ConnectorOf(d, nil)
		if name == "MySQL's protocol" {
			_, err = tenantconn.ConnectorOf(d, &driver.MySQLDriver{})
		}
		if err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v", name, err)
		}
	}
	pool, err := tenantconn.Standalone(postgres.Open("postgres://app:hush@127.0.0.1:x/hush"))
	if err == nil || strings.Contains(err.Error(), "hush") {
		t.Errorf("standalone: %v, %v", pool, err)
	}
	c, err := tenantconn.ConnectorOf(sqlite.Open(":memory:"), &sqlite3.SQLiteDriver{})
	must(t, err)
	conn, err := c.Connect(context.Background())
	must(t, err)
	must(t, conn.Close())
}
