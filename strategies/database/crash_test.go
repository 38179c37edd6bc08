package database_test

import (
	"context"
	"errors"
	"os"
	process "os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/internal/servers"
	"github.com/gorm-tenancy/tenancy/strategies/database"
)

// stoppable is a provisioner whose steps a test sees.
type stoppable interface {
	places
	StopAt(func(string))
}

// site says where a process works; it goes to a child in its environment.
type site struct {
	kind, central, admin, prefix string
}

func (s site) open(t testing.TB) (*gorm.DB, *database.Strategy, stoppable) {
	t.Helper()
	var at stoppable
	var main gorm.Dialector
	switch s.kind {
	case "SQLite":
		at = database.SQLiteFiles(s.admin, sqlite.Open, database.KeepFiles(filepath.Join(s.admin, "kept")))
		main = sqlite.Open(s.central)
	case "PostgreSQL":
		at = database.PostgresDatabases(s.admin, secrets(t), database.Prefix(s.prefix))
		main = postgres.Open(s.central)
	case "MariaDB":
		at = database.MySQLDatabases(s.admin, secrets(t), database.MySQLPrefix(s.prefix))
		main = mysql.Open(s.central)
	}
	db, err := gorm.Open(main, &gorm.Config{Logger: logger.Discard})
	must(t, err)
	strategy := database.New(at.Open, database.WithProvisioner(at))
	must(t, db.Use(plugin(strategy)))
	t.Cleanup(func() {
		pool, _ := db.DB()
		pool.Close()
	})
	return db, strategy, at
}

func newSite(t testing.TB, kind string) site {
	t.Helper()
	s := site{kind: kind}
	switch kind {
	case "SQLite":
		dir := t.TempDir()
		s.central, s.admin = filepath.Join(dir, "central.db"), filepath.Join(dir, "tenants")
	case "PostgreSQL":
		server := servers.Postgres(t)
		s.prefix, s.central, s.admin = server.Prefix(t), server.DSN(servers.App, server.Database(t)), server.DSN(servers.Superuser, "postgres")
	case "MariaDB":
		server := servers.MariaDB(t)
		s.prefix, s.central, s.admin = server.Prefix(t), server.DSN(servers.App, server.Database(t)), server.DSN("root", "")
	}
	return s
}

const childEnv = "TENANCY_TEST_CRASH"

// TestCrashChild is what a child process runs: it kills itself at a step.
func TestCrashChild(t *testing.T) {
	spec := os.Getenv(childEnv)
	if spec == "" {
		return // it is not a child
	}
	part := strings.Split(spec, "\n")
	_, strategy, at := site{part[0], part[1], part[2], part[3]}.open(t)
	at.StopAt(func(step string) {
		if step == part[5] {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
	})
	ctx := context.Background()
	switch part[4] {
	case "provision":
		must(t, strategy.Provision(ctx, "crash"))
	case "deprovision":
		must(t, strategy.Deprovision(ctx, "crash"))
	case "rename":
		must(t, strategy.Rename(ctx, "crash", "moved"))
	case "clone":
		must(t, strategy.Clone(ctx, "crash", "moved"))
	}
}

// dieAt runs a child that dies at a step, and fails if it does not.
func (s site) dieAt(t *testing.T, what, step string) {
	t.Helper()
	child := process.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCrashChild$", "-test.count=1")
	child.Env = append(os.Environ(), childEnv+"="+strings.Join([]string{s.kind, s.central, s.admin, s.prefix, what, step}, "\n"))
	out, err := child.CombinedOutput()
	var exit *process.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("%s at %q: the child was not killed: %v\n%s", what, step, err, out)
	}
}

var crashes = map[string]map[string][]string{
	"SQLite": {
		"provision":   {"template begun", "template migrated", "written", "linked"},
		"deprovision": {"copied", "kept", "closed", "removed"},
	},
	"PostgreSQL": {
		"provision":   {"template begun", "template migrated", "role", "created", "published"},
		"deprovision": {"kept", "dropped"},
	},
	"MariaDB": {
		"provision":   {"begun", "migrated", "tables", "user"},
		"deprovision": {"user dropped"},
	},
}

// TestCrash: after kill -9 at any step nothing half made is served, and calling again finishes.
func TestCrash(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, kind string) {
		for _, step := range crashes[kind]["provision"] {
			t.Run("provision "+step, func(t *testing.T) {
				t.Parallel()
				s := newSite(t, kind)
				db, strategy, _ := s.open(t)
				s.dieAt(t, "provision", step)
				if err := complete(db); err != nil && !refused(err) {
					t.Errorf("half of a tenant is served: %v", err)
				}
				must(t, strategy.Provision(t.Context(), "crash"))
				must(t, complete(db))
				must(t, strategy.Provision(t.Context(), "crash")) // and again
				must(t, complete(db))
				s.clean(t)
			})
		}
		for _, step := range crashes[kind]["deprovision"] {
			t.Run("deprovision "+step, func(t *testing.T) {
				t.Parallel()
				s := newSite(t, kind)
				db, strategy, _ := s.open(t)
				must(t, strategy.Provision(t.Context(), "crash"))
				must(t, db.WithContext(as("crash")).Create(&Book{Title: "old"}).Error)
				pool, err := db.DB()
				must(t, err)
				must(t, pool.Close()) // the child is alone
				s.dieAt(t, "deprovision", step)
				db, strategy, _ = s.open(t)
				must(t, strategy.Deprovision(t.Context(), "crash"))
				if err := complete(db); err == nil || !refused(err) {
					t.Errorf("the tenant is still there: %v", err)
				}
				must(t, strategy.Provision(t.Context(), "crash"))
				must(t, complete(db))
				var n int64
				must(t, db.WithContext(as("crash")).Model(&Book{}).Count(&n).Error)
				if n != 0 {
					t.Error("the old tenant's rows came back")
				}
				s.clean(t)
			})
		}
	})
}

// refused reports whether a tenant was not served at all.
func refused(err error) bool {
	return errors.Is(err, tenancy.ErrUnknownTenant) || errors.Is(err, errUnreachable)
}

// complete uses every table of a tenant.
func complete(db *gorm.DB) error {
	db = db.WithContext(as("crash"))
	var errs []error
	for _, table := range ownedTables {
		errs = append(errs, db.Table(table).Find(&[]map[string]any{}).Error)
	}
	if !db.Migrator().HasIndex(&Author{}, "idx_authors_name") && errors.Join(errs...) == nil {
		errs = append(errs, errors.New("an index is missing"))
	}
	return errors.Join(errs...)
}

// clean fails if something of an earlier attempt is left.
func (s site) clean(t *testing.T) {
	t.Helper()
	if s.kind != "PostgreSQL" {
		return
	}
	db := openRaw(t, "pgx", s.admin)
	if left := column(t, db, "SELECT datname FROM pg_database WHERE starts_with(datname, '"+s.prefix+"new_')"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// own gives a file the owner of another.
func own(path string, like os.FileInfo) error {
	stat := like.Sys().(*syscall.Stat_t)
	return os.Chown(path, int(stat.Uid), int(stat.Gid))
}
