package pinned_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/internal/servers"
	"github.com/gorm-tenancy/tenancy/strategies/pinned"
)

// Note has a tenant column, so that it can be used with and without shared tables; Plan is central.
type (
	Note struct {
		ID       uint
		TenantID string
		Text     string
	}
	Plan struct {
		ID   uint
		Name string
	}
)

func as(id tenancy.ID) context.Context { return tenancy.WithTenant(context.Background(), id) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, d gorm.Dialector, config gorm.Config) *gorm.DB {
	t.Helper()
	config.Logger = logger.Discard
	db, err := gorm.Open(d, &config)
	must(t, err)
	t.Cleanup(func() {
		pool, _ := db.DB()
		pool.Close()
	})
	return db
}

func plugin(s tenancy.Strategy) *tenancy.Plugin {
	return tenancy.New(s, tenancy.OwnedModels(&Note{}), tenancy.CentralModels(&Plan{}))
}

// sharing is the smallest strategy with shared tables. Strategies do not import each other.
type sharing struct{ isolation tenancy.Isolation }

func (sharing) Name() string                   { return "sharing" }
func (sharing) Attach(*gorm.DB) error          { return nil }
func (s sharing) Isolation() tenancy.Isolation { return s.isolation }
func (sharing) Route(context.Context, tenancy.ID) (tenancy.Route, error) {
	return tenancy.Route{Shared: true}, nil
}

// TestPinned: the process serves its tenant by every route, and no other by any.
func TestPinned(t *testing.T) {
	t.Parallel()
	dialectors := map[string]func(t *testing.T) gorm.Dialector{
		"SQLite": func(t *testing.T) gorm.Dialector { return sqlite.Open(filepath.Join(t.TempDir(), "x.db")) },
		"PostgreSQL": func(t *testing.T) gorm.Dialector {
			server := servers.Postgres(t)
			return postgres.Open(server.DSN(servers.App, server.Database(t)))
		},
	}
	for kind, dialector := range dialectors {
		for name, s := range map[string]*pinned.Strategy{"alone": pinned.New("a"), "over shared": pinned.New("a", pinned.Over(sharing{}))} {
			for mode, config := range map[string]gorm.Config{"plain": {}, "PrepareStmt": {PrepareStmt: true}} {
				t.Run(kind+" "+name+" "+mode, func(t *testing.T) {
					t.Parallel()
					db := open(t, dialector(t), config)
					must(t, db.AutoMigrate(&Note{}, &Plan{}))
					must(t, db.Create(&Note{TenantID: "b", Text: "of b"}).Error)
					before := open(t, db.Dialector, gorm.Config{})
					must(t, db.Use(plugin(s)))
					try(t, db)
					var n Note
					if name == "over shared" {
						must(t, before.Take(&n, 1).Error)
						if n.Text != "of b" {
							t.Errorf("%+v", n)
						}
					}
				})
			}
		}
	}
}

func try(t *testing.T, db *gorm.DB) {
	t.Helper()
	pool, err := db.DB()
	must(t, err)
	for name, run := range map[string]func(db *gorm.DB) error{
		"create": func(db *gorm.DB) error { return db.Create(&Note{Text: "x"}).Error },
		"find":   func(db *gorm.DB) error { return db.Find(&[]Note{}).Error },
		"update": func(db *gorm.DB) error { return db.Model(&Note{}).Where("text = 'x'").Update("text", "y").Error },
		"transaction": func(db *gorm.DB) error {
			return db.Transaction(func(tx *gorm.DB) error {
				return errors.Join(tx.Create(&Note{Text: "z"}).Error, tx.Find(&[]Plan{}).Error)
			})
		},
		"connection": func(db *gorm.DB) error {
			return db.Connection(func(tx *gorm.DB) error { return tx.Find(&[]Note{}).Error })
		},
		"database/sql": func(db *gorm.DB) error {
			_, err := pool.ExecContext(db.Statement.Context, "UPDATE notes SET text = 'q' WHERE id = 999")
			return err
		},
		"session": func(db *gorm.DB) error { return db.Session(&gorm.Session{PrepareStmt: true}).Find(&[]Note{}).Error },
	} {
		for id, want := range map[tenancy.ID]error{"a": nil, "b": tenancy.ErrUnknownTenant} {
			if err := run(db.WithContext(as(id))); !errors.Is(err, want) {
				t.Errorf("%s as %s: %v", name, id, err)
			}
		}
		if err := run(db.WithContext(context.Background())); !errors.Is(err, tenancy.ErrNoTenant) {
			t.Errorf("%s without a tenant: %v", name, err)
		}
	}
	must(t, db.WithContext(as("a")).Transaction(func(tx *gorm.DB) error {
		if err := tx.WithContext(as("b")).Find(&[]Note{}).Error; !errors.Is(err, tenancy.ErrUnknownTenant) {
			t.Errorf("b inside a: %v", err)
		}
		return nil
	}))
	for name, ctx := range map[string]context.Context{"nobody": context.Background(), "a": as("a"), "central": tenancy.Central(context.Background())} {
		if err := db.WithContext(ctx).Create(&Plan{Name: name}).Error; err != nil {
			t.Errorf("a central table as %s: %v", name, err)
		}
	}
}

// restricted is a strategy with its own connection wall.
type restricted struct {
	sharing
	allow func(tenancy.ID) error
}

func (r *restricted) Restrict(allow func(tenancy.ID) error) { r.allow = allow }

func TestAttach(t *testing.T) {
	t.Parallel()
	db := func() *gorm.DB { return open(t, sqlite.Open(filepath.Join(t.TempDir(), "x.db")), gorm.Config{}) }
	if err := db().Use(plugin(pinned.New("Not An ID"))); !errors.Is(err, tenancy.ErrInvalidID) {
		t.Error(err)
	}
	own := sharing{tenancy.Isolation{Connections: true}}
	if err := db().Use(plugin(pinned.New("a", pinned.Over(own)))); !errors.Is(err, tenancy.ErrUnsupported) {
		t.Error(err)
	}
	r := &restricted{sharing: own}
	must(t, db().Use(plugin(pinned.New("a", pinned.Over(r)))))
	if r.allow("a") != nil || !errors.Is(r.allow("b"), tenancy.ErrUnknownTenant) {
		t.Error("the strategy within is not restricted")
	}
	s := pinned.New("a")
	if err := s.Provision(t.Context(), "a"); !errors.Is(err, tenancy.ErrUnsupported) {
		t.Error(err)
	}
	if err := s.Deprovision(t.Context(), "b"); !errors.Is(err, tenancy.ErrUnknownTenant) {
		t.Error(err)
	}
	late := db()
	late.Plugins["gorm:db_resolver"] = resolver{}
	if err := late.Use(plugin(pinned.New("a"))); err == nil || !strings.Contains(err.Error(), "dbresolver") {
		t.Errorf("connections chosen before they are guarded: %v", err)
	}
	limited := db()
	pool, err := limited.DB()
	must(t, err)
	pool.SetMaxOpenConns(3)
	must(t, limited.Use(plugin(pinned.New("a"))))
	if pool, err = limited.DB(); err != nil || pool.Stats().MaxOpenConnections != 3 {
		t.Errorf("%d connections: %v", pool.Stats().MaxOpenConnections, err)
	}
}

type resolver struct{}

func (resolver) Name() string              { return "gorm:db_resolver" }
func (resolver) Initialize(*gorm.DB) error { return nil }
