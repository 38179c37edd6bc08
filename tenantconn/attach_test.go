package tenantconn_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	"gorm.io/plugin/dbresolver"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/internal/servers"
	"github.com/gorm-tenancy/tenancy/tenantconn"
)

type Note struct {
	ID    int
	Owner string
	Body  string
}

func openGORM(t *testing.T, d gorm.Dialector, c *gorm.Config) *gorm.DB {
	t.Helper()
	c.Logger = logger.Discard
	db, err := gorm.Open(d, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if pool, err := db.DB(); err == nil {
			pool.Close()
		}
	})
	return db
}

// TestAttach shows that every way GORM has to the connections is confined, and that nothing of plain GORM stops working.
func TestAttach(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]gorm.Config{"plain": {}, "PrepareStmt": {PrepareStmt: true}, "SkipDefaultTransaction": {SkipDefaultTransaction: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, database := tenants(t, "a", "b")
			db := openGORM(t, postgres.Open(server.DSN(servers.App, database)), &config)
			pool, _ := db.DB()
			pool.SetMaxOpenConns(3)
			if err := tenantconn.Attach(db, schemaWall()); err != nil {
				t.Fatal(err)
			}
			if err := tenantconn.Attach(db, schemaWall()); err != nil {
				t.Errorf("again: %v", err)
			}
			pool, _ = db.DB()
			if !tenantconn.Confined(pool) || pool.Stats().MaxOpenConnections != 3 {
				t.Errorf("confined %v, %d connections", tenantconn.Confined(pool), pool.Stats().MaxOpenConnections)
			}
			before := dump(t, server, database, "b")
			for range 2 {
				useGORM(t, db.WithContext(asA), "a")
			}
			if now := dump(t, server, database, "b"); now != before {
				t.Errorf("b changed from %s to %s", before, now)
			}
			useGORM(t, db.WithContext(asB), "b")
			if err := db.First(&Note{}).Error; !errors.Is(err, tenancy.ErrNoTenant) {
				t.Errorf("without a tenant: %v", err)
			}
			if db.WithContext(central).Migrator().HasTable(&Note{}) {
				t.Error("central code sees notes")
			}
		})
	}
}

// useGORM works on the notes of one tenant.
func useGORM(t *testing.T, db *gorm.DB, id string) {
	t.Helper()
	want := func(what string, got string, err error) {
		t.Helper()
		if err != nil || got != id {
			t.Errorf("%s: %q %v", what, got, err)
		}
	}
	var n Note
	want("First", n.Owner, db.First(&n, 1).Error)
	first := func(tx *gorm.DB) (string, error) {
		var n Note
		err := tx.Where("id = ?", 1).Take(&n).Error
		return n.Owner, err
	}
	got, err := first(db)
	want("Take", got, err)
	got, err = first(db.Session(&gorm.Session{PrepareStmt: true}))
	want("Session PrepareStmt", got, err)
	err = db.Transaction(func(tx *gorm.DB) error {
		if got, err = first(tx); err != nil {
			return err
		}
		_ = tx.Transaction(func(inner *gorm.DB) error {
			inner.Model(&Note{ID: 1}).Update("body", "undone")
			return errors.New("undo")
		})
		return tx.Create(&Note{ID: 9, Owner: id, Body: "new"}).Error
	})
	want("Transaction", got, err)
	err = db.Connection(func(tx *gorm.DB) error {
		got, err = first(tx)
		return err
	})
	want("Connection", got, err)
	rows, err := db.Raw("SELECT owner FROM notes WHERE id = ?", 9).Rows()
	if err != nil {
		t.Error(err)
		return
	}
	for rows.Next() {
		_ = rows.Scan(&got)
	}
	want("Rows", got, errors.Join(rows.Err(), rows.Close()))
	if err := db.Exec("DELETE FROM notes WHERE id = 9").Error; err != nil {
		t.Error(err)
	}
	if !db.Migrator().HasTable(&Note{}) || !db.Migrator().HasColumn(&Note{}, "Owner") {
		t.Error("Migrator does not see the tenant's table")
	}
	if err := db.AutoMigrate(&Note{}); err != nil {
		t.Error(err)
	}
	got, err = gorm.G[string](db).Raw("SELECT owner FROM notes WHERE id = ?", 2).First(db.Statement.Context)
	want("generics", got, err)
	var body string
	if err := db.Raw("SELECT body FROM notes WHERE id = 1").Scan(&body).Error; err != nil || body == "undone" {
		t.Errorf("the nested transaction was not undone: %q %v", body, err)
	}
	pool, err := db.DB()
	if err == nil {
		err = pool.QueryRowContext(db.Statement.Context, "SELECT owner FROM notes WHERE id = 3").Scan(&got)
	}
	want("DB()", got, err)
}

func TestAttachRefusals(t *testing.T) {
	t.Parallel()
	server, database := tenants(t, "a", "b")
	dsn := server.DSN(servers.App, database)

	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		db := openGORM(t, sqlite.Open(filepath.Join(t.TempDir(), "x.db")), &gorm.Config{})
		if err := tenantconn.Attach(db, schemaWall()); !errors.Is(err, tenancy.ErrUnsupported) || !strings.Contains(err.Error(), "strategies/database") {
			t.Error(err)
		}
	})
	t.Run("connections of the application", func(t *testing.T) {
		t.Parallel()
		pool, err := sql.Open("pgx", dsn)
		if err != nil {
			t.Fatal(err)
		}
		db := openGORM(t, postgres.New(postgres.Config{Conn: pool}), &gorm.Config{})
		if err := tenantconn.Attach(db, schemaWall()); err == nil || !strings.Contains(err.Error(), "postgres.Open(dsn)") {
			t.Error(err)
		}
	})
	t.Run("handles made before", func(t *testing.T) {
		t.Parallel()
		db := openGORM(t, postgres.Open(dsn), &gorm.Config{})
		old := db.WithContext(asA)
		if err := tenantconn.Attach(db, schemaWall()); err != nil {
			t.Fatal(err)
		}
		if err := old.First(&Note{}).Error; err == nil {
			t.Error("a handle made before goes round the wall")
		}
		if err := db.WithContext(asA).First(&Note{}).Error; err != nil {
			t.Error(err)
		}
	})
	t.Run("dbresolver first", func(t *testing.T) {
		t.Parallel()
		db := openGORM(t, postgres.Open(dsn), &gorm.Config{})
		if err := db.Use(dbresolver.Register(dbresolver.Config{Replicas: []gorm.Dialector{postgres.Open(dsn)}})); err != nil {
			t.Fatal(err)
		}
		if err := tenantconn.Attach(db, schemaWall()); err == nil || !strings.Contains(err.Error(), "after tenancy") {
			t.Error(err)
		}
	})
	for name, w := range map[string]tenantconn.Wall{
		"router":   {Settings: []string{"search_path"}},
		"settings": {Router: schemaRoute},
		"choose":   {Router: schemaRoute, Settings: []string{"search_path"}, Session: true, Pooled: true},
	} {
		t.Run("a wall without "+name, func(t *testing.T) {
			t.Parallel()
			db := openGORM(t, postgres.Open(dsn), &gorm.Config{})
			if err := tenantconn.Attach(db, w); err == nil || !strings.Contains(err.Error(), name) {
				t.Error(err)
			}
			if err := db.Exec("SELECT 1").Error; err != nil {
				t.Errorf("the connections were closed all the same: %v", err)
			}
		})
	}
	t.Run("a pooled wall in the wrong mode", func(t *testing.T) {
		t.Parallel()
		w := schemaWall()
		w.Pooled = true
		db := openGORM(t, postgres.Open(dsn), &gorm.Config{})
		if err := tenantconn.Attach(db, w); err == nil || !strings.Contains(err.Error(), "default_query_exec_mode") {
			t.Error(err)
		}
	})
	t.Run("a router that breaks its promise", func(t *testing.T) {
		t.Parallel()
		for _, values := range [][]string{nil, {"a", "b"}, {"a\x00"}, {`a\`}} {
			w := schemaWall()
			w.Router = func(context.Context) (tenantconn.Route, error) { return tenantconn.Route{Values: values}, nil }
			db := openGORM(t, postgres.Open(dsn), &gorm.Config{})
			if err := tenantconn.Attach(db, w); err != nil {
				t.Fatal(err)
			}
			if err := db.Exec("SELECT 1").Error; err == nil {
				t.Errorf("%q was taken", values)
			}
		}
	})
}

// TestReplicas: dbresolver opens its connections with the plugins of the db, so they are confined when it comes after.
func TestReplicas(t *testing.T) {
	t.Parallel()
	server, database := tenants(t, "a", "b")
	dsn := server.DSN(servers.App, database)
	db := openGORM(t, postgres.Open(dsn), &gorm.Config{})
	if err := db.Use(attacher{}); err != nil {
		t.Fatal(err)
	}
	if err := db.Use(dbresolver.Register(dbresolver.Config{Replicas: []gorm.Dialector{postgres.Open(dsn), postgres.Open(dsn)}})); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		for _, clauses := range []*gorm.DB{db, db.Clauses(dbresolver.Write)} {
			var n Note
			if err := clauses.WithContext(asB).First(&n, 1).Error; err != nil || n.Owner != "b" {
				t.Errorf("%q %v", n.Owner, err)
			}
			if err := clauses.WithContext(context.Background()).First(&n, 1).Error; !errors.Is(err, tenancy.ErrNoTenant) {
				t.Errorf("without a tenant: %v", err)
			}
		}
	}
}

// attacher is the smallest plugin over Attach.
type attacher struct{}

func (attacher) Name() string                 { return "attacher" }
func (attacher) Initialize(db *gorm.DB) error { return tenantconn.Attach(db, schemaWall()) }

func TestAttachMariaDB(t *testing.T) {
	t.Parallel()
	_, raw, name := mariadb(t)
	dsn := servers.MariaDB(t).DSN("root", name)
	for prepared, config := range map[string]gorm.Config{"plain": {}, "PrepareStmt": {PrepareStmt: true}} {
		db := openGORM(t, mysql.Open(dsn), &config)
		w := tenantconn.Wall{Settings: []string{"database"}, Router: func(ctx context.Context) (tenantconn.Route, error) {
			_, id, err := tenancy.ReachOf(ctx)
			return tenantconn.Route{Tenant: id, Values: []string{strings.TrimSuffix(name+"_"+string(id), "_")}}, err
		}}
		if err := tenantconn.Attach(db, w); err != nil {
			t.Fatal(err)
		}
		before := mariadbDump(t, raw, name+"_b")
		for range 2 {
			useGORM(t, db.WithContext(asA), "a")
			useGORM(t, db.WithContext(asB), "b")
		}
		if now := mariadbDump(t, raw, name+"_b"); now != before {
			t.Errorf("%s: b changed from %s to %s", prepared, before, now)
		}
	}
}

// TestAttachOtherDriver: over a driver that is not opened through pgx's own configuration, the settings are made by a
// statement of their own when the tenant changes.
func TestAttachOtherDriver(t *testing.T) {
	t.Parallel()
	server, database := tenants(t, "a", "b")
	db := openGORM(t, postgres.New(postgres.Config{DriverName: "pgx", DSN: server.DSN(servers.App, database)}), &gorm.Config{})
	if err := tenantconn.Attach(db, schemaWall()); err != nil {
		t.Fatal(err)
	}
	pool, _ := db.DB()
	pool.SetMaxOpenConns(1)
	before := dump(t, server, database, "b")
	for range 2 {
		useGORM(t, db.WithContext(asA), "a")
	}
	if now := dump(t, server, database, "b"); now != before {
		t.Errorf("b changed from %s to %s", before, now)
	}
	useGORM(t, db.WithContext(asB), "b")
	if err := db.First(&Note{}).Error; !errors.Is(err, tenancy.ErrNoTenant) {
		t.Errorf("without a tenant: %v", err)
	}
	if err := db.WithContext(asA).Exec("SET search_path = t_b").Error; !errors.Is(err, tenancy.ErrUnconfined) {
		t.Errorf("SET as a tenant: %v", err)
	}
}
