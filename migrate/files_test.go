package migrate_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/migrate"
	"github.com/gorm-tenancy/tenancy/strategies/database"
	"github.com/gorm-tenancy/tenancy/tenantconn"
)

// countingDriver is SQLite's driver under a name of its own, and counts statements.
type countingDriver struct{ n *atomic.Int64 }

// Open is called by database/sql.
func (d countingDriver) Open(dsn string) (driver.Conn, error) {
	return counting{dsn, d.n}.Connect(context.Background())
}

var drivers atomic.Int64

// countingSQLite is a dialector whose statements are counted.
func countingSQLite(dsn string) (gorm.Dialector, *atomic.Int64) {
	n := new(atomic.Int64)
	name := fmt.Sprint("counting-sqlite-", drivers.Add(1))
	sql.Register(name, countingDriver{n})
	return &sqlite.Dialector{DriverName: name, DSN: dsn}, n
}

// TestManyFiles adds a column in many SQLite files, 10,000 with TENANCY_LONG=1, and then has nothing to do: one query of the
// ledger, and no tenant's file is opened.
func TestManyFiles(t *testing.T) {
	size := 300
	if os.Getenv("TENANCY_LONG") != "" {
		size = 10_000
	}
	dir := t.TempDir()
	places := database.SQLiteFiles(filepath.Join(dir, "tenants"), sqlite.Open)
	strategy := database.New(places.Open, database.WithProvisioner(places), database.Budget(tenantconn.Budget{MaxOpen: 64}))
	central, queries := countingSQLite(filepath.Join(dir, "central.db") + "?_journal_mode=WAL&_busy_timeout=60000")
	db, err := gorm.Open(central, &gorm.Config{Logger: logger.Discard})
	must(t, err)
	must(t, db.Use(plugin(strategy)))
	t.Cleanup(func() { pool, _ := db.DB(); pool.Close() })
	var ids []tenancy.ID
	began := time.Now()
	for i := range size {
		ids = append(ids, tenancy.ID(fmt.Sprint("t", i)))
		must(t, strategy.Provision(t.Context(), ids[i]))
	}
	t.Logf("%d tenants made, %s each", size, time.Since(began)/time.Duration(size))
	r, err := migrate.New(db, migrate.List(ids...), []migrate.Source{
		migrate.Files(fstest.MapFS{"1_open.sql": {Data: []byte("-- +goose Up\nALTER TABLE polls ADD COLUMN open boolean;\n")}}),
	})
	must(t, err)
	report, err := r.Up(t.Context())
	t.Log(report)
	if err != nil || report.Done != size {
		t.Errorf("%v: %v", report, err)
	}
	queries.Store(0)
	opened, began := strategy.Counters().Opened, time.Now()
	report, err = r.Up(t.Context())
	took := time.Since(began)
	t.Logf("nothing to do: %d queries, %s", queries.Load(), took)
	if err != nil || report.AtHead != size || queries.Load() != 1 || strategy.Counters().Opened != opened || took > 3*time.Second {
		t.Errorf("%v: %v: %d queries in %s, %d connections opened", report, err, queries.Load(), took, strategy.Counters().Opened-opened)
	}
	var columns int
	file, err := sql.Open("sqlite3", filepath.Join(dir, "tenants", fmt.Sprintf("tenant_t%d.db", size-1)))
	must(t, err)
	defer file.Close()
	must(t, file.QueryRow("SELECT count(*) FROM pragma_table_info('polls') WHERE name = 'open'").Scan(&columns))
	if columns != 1 {
		t.Error("the last file has no such column")
	}
}
