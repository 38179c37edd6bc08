package database_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/internal/servers"
	"github.com/gorm-tenancy/tenancy/strategies/database"
	"github.com/gorm-tenancy/tenancy/tenantconn"
)

var errUnreachable = tenantconn.ErrUnreachable

// TestDeprovision: the tenant's connections are closed first, its database is gone, and the next of its name is empty.
func TestDeprovision(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, kind string) {
		e := newEnv(t, kind, gorm.Config{})
		ctx := context.Background()
		must(t, e.strategy.Provision(ctx, "c"))
		db := e.db.WithContext(as("c"))
		must(t, db.Create(&Book{Title: "old"}).Error)

		tx := db.Begin()
		must(t, tx.Error)
		short, cancel := context.WithCancel(ctx)
		cancel()
		if err := e.strategy.Deprovision(short, "c"); !errors.Is(err, context.Canceled) {
			t.Errorf("with a transaction open: %v", err)
		}
		must(t, tx.Create(&Book{Title: "late"}).Error)
		must(t, tx.Commit().Error)

		e.untouched(func() {
			must(t, e.strategy.Deprovision(ctx, "c"))
			must(t, e.strategy.Deprovision(ctx, "c")) // again
		})
		if err := db.Find(&[]Book{}).Error; !refused(err) {
			t.Errorf("after removal: %v", err)
		}
		must(t, e.strategy.Provision(ctx, "c"))
		var n int64
		must(t, db.Model(&Book{}).Count(&n).Error)
		if n != 0 {
			t.Error("the old rows came back")
		}
	})
}

// TestForeign: what the provisioner did not make is neither taken nor removed.
func TestForeign(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, "SQLite")
		_, strategy, _ := s.open(t)
		must(t, os.MkdirAll(s.admin, 0o750))
		path := filepath.Join(s.admin, "tenant_x.db")
		for name, content := range map[string]string{"text": "not a database", "empty": "", "SQLite": strings.Repeat("SQLite format 3\x00", 10)} {
			must(t, os.WriteFile(path, []byte(content), 0o600))
			if err := strategy.Provision(ctx, "x"); !errors.Is(err, database.ErrForeign) {
				t.Errorf("%s: %v", name, err)
			}
			if err := strategy.Deprovision(ctx, "x"); !errors.Is(err, database.ErrForeign) {
				t.Errorf("%s: %v", name, err)
			}
			if got, err := os.ReadFile(path); err != nil || string(got) != content {
				t.Errorf("%s: changed to %q %v", name, got, err)
			}
		}
		must(t, os.Remove(path))
		must(t, os.WriteFile(path+"-wal", []byte("old"), 0o600)) // SQLite would play it into the new file
		if err := strategy.Provision(ctx, "x"); !errors.Is(err, database.ErrForeign) {
			t.Error(err)
		}
		must(t, os.Remove(path+"-wal"))
		must(t, strategy.Provision(ctx, "x"))
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, "PostgreSQL")
		_, strategy, _ := s.open(t)
		db := openRaw(t, "pgx", s.admin)
		exec(t, db, "CREATE DATABASE "+s.prefix+"x")
		exec(t, db, "CREATE ROLE "+s.prefix+"y")
		for _, id := range []tenancy.ID{"x", "y"} {
			if err := strategy.Provision(ctx, id); !errors.Is(err, database.ErrForeign) {
				t.Errorf("%s: %v", id, err)
			}
			if err := strategy.Deprovision(ctx, id); !errors.Is(err, database.ErrForeign) {
				t.Errorf("%s: %v", id, err)
			}
		}
		if got := column(t, db, "SELECT datname FROM pg_database WHERE datname = '"+s.prefix+"x' UNION ALL SELECT rolname FROM pg_roles WHERE rolname = '"+s.prefix+"y'"); len(got) != 2 {
			t.Error(got)
		}
	})
	t.Run("MariaDB", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, "MariaDB")
		_, strategy, _ := s.open(t)
		db := openRaw(t, "mysql", s.admin)
		exec(t, db, "CREATE DATABASE "+s.prefix+"x")
		exec(t, db, "CREATE TABLE "+s.prefix+"x.theirs (id int)")
		exec(t, db, "CREATE USER "+s.prefix+"y")
		for _, id := range []tenancy.ID{"x", "y"} {
			if err := strategy.Provision(ctx, id); !errors.Is(err, database.ErrForeign) {
				t.Errorf("%s: %v", id, err)
			}
		}
		if err := strategy.Deprovision(ctx, "x"); !errors.Is(err, database.ErrForeign) {
			t.Error(err)
		}
		must(t, strategy.Deprovision(ctx, "y")) // the half-made database, not the user
		if got := column(t, db, "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = '"+s.prefix+"x' UNION ALL SELECT User FROM mysql.user WHERE User = '"+s.prefix+"y'"); len(got) != 2 {
			t.Error(got)
		}
	})
}

// TestTogether: several callers, in two processes' worth of strategies, make one tenant once.
func TestTogether(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, kind string) {
		s := newSite(t, kind)
		var wait sync.WaitGroup
		for range 2 {
			db, strategy, _ := s.open(t)
			for i := range 4 {
				wait.Go(func() {
					id := tenancy.ID(fmt.Sprint("t", i%2))
					if err := strategy.Provision(t.Context(), id); err != nil {
						t.Error(err)
					}
					if err := db.WithContext(as(id)).Create(&Book{Title: "x"}).Error; err != nil {
						t.Error(err)
					}
				})
			}
		}
		wait.Wait()
		db, _, _ := s.open(t)
		for _, id := range []tenancy.ID{"t0", "t1"} {
			var n int64
			must(t, db.WithContext(as(id)).Model(&Book{}).Count(&n).Error)
			if n != 4 {
				t.Errorf("%s has %d books: somebody replaced its database", id, n)
			}
		}
	})
}

func TestNames(t *testing.T) {
	t.Parallel()
	for kind := range engines {
		s := newSite(t, kind)
		_, strategy, at := s.open(t)
		for _, id := range []tenancy.ID{"../x", "A", "", "a/b", "a.b", "x\x00", tenancy.ID(strings.Repeat("x", 64)), "postgres", "con'"} {
			if err := strategy.Provision(t.Context(), id); !errors.Is(err, tenancy.ErrInvalidID) {
				t.Errorf("%s: provision %q: %v", kind, id, err)
			}
			if err := strategy.Deprovision(t.Context(), id); !errors.Is(err, tenancy.ErrInvalidID) {
				t.Errorf("%s: deprovision %q: %v", kind, id, err)
			}
			if _, err := at.Open(t.Context(), id); !errors.Is(err, tenancy.ErrInvalidID) {
				t.Errorf("%s: open %q: %v", kind, id, err)
			}
		}
	}
	for _, long := range []string{strings.Repeat("x", 50), strings.Repeat("x", 49) + "y"} { // not cut to one name
		s := newSite(t, "MariaDB")
		db, strategy, _ := s.open(t)
		must(t, strategy.Provision(t.Context(), tenancy.ID(long)))
		must(t, db.WithContext(as(tenancy.ID(long))).Create(&Book{}).Error)
	}
}

// TestLastCopy: a removed tenant's last copy holds everything.
func TestLastCopy(t *testing.T) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, "SQLite")
		db, strategy, _ := s.open(t)
		must(t, strategy.Provision(t.Context(), "x"))
		must(t, db.WithContext(as("x")).Create(&Book{Title: "kept"}).Error)
		must(t, strategy.Deprovision(t.Context(), "x"))
		kept, err := filepath.Glob(filepath.Join(s.admin, "kept", "tenant_x-*.db"))
		must(t, err)
		if len(kept) != 1 {
			t.Fatal(kept)
		}
		if got := column(t, openRaw(t, "sqlite3", kept[0]), "SELECT title FROM books"); fmt.Sprint(got) != "[kept]" {
			t.Error(got)
		}
		left, err := filepath.Glob(filepath.Join(s.admin, "*"))
		must(t, err)
		if fmt.Sprint(left) != "["+filepath.Join(s.admin, "kept")+"]" {
			t.Errorf("left: %v", left)
		}
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		s, dir := newSite(t, "PostgreSQL"), t.TempDir()
		at := database.PostgresDatabases(s.admin, secrets(t), database.Prefix(s.prefix), database.KeepDumps(dir))
		main, strategy, _ := s.open(t)
		must(t, strategy.Provision(t.Context(), "x"))
		must(t, main.WithContext(as("x")).Create(&Book{Title: "kept"}).Error)
		must(t, at.Deprovision(t.Context(), "x")) // ends the connections of others
		kept, err := filepath.Glob(filepath.Join(dir, "*.dump"))
		must(t, err)
		if len(kept) != 1 {
			t.Fatal(kept)
		}
		if content, err := os.ReadFile(kept[0]); err != nil || !strings.HasPrefix(string(content), "PGDMP") {
			t.Errorf("%.10q %v", content, err)
		}
	})
}

// TestInUseElsewhere: a file that another process has open is not removed.
func TestInUseElsewhere(t *testing.T) {
	t.Parallel()
	s := newSite(t, "SQLite")
	_, strategy, _ := s.open(t)
	must(t, strategy.Provision(t.Context(), "x"))
	other := openRaw(t, "sqlite3", filepath.Join(s.admin, "tenant_x.db"))
	tx, err := other.Begin()
	must(t, err)
	_, err = tx.Exec("INSERT INTO books (title) VALUES ('working')")
	must(t, err)
	if err := strategy.Deprovision(t.Context(), "x"); err == nil {
		t.Error("a file in use was removed")
	}
	must(t, tx.Commit())
	if err := strategy.Deprovision(t.Context(), "x"); err == nil {
		t.Error("a file that another process has open was removed")
	}
	must(t, other.Close())
	must(t, strategy.Deprovision(t.Context(), "x"))
}

func TestNoProvisioner(t *testing.T) {
	t.Parallel()
	places := database.SQLiteFiles(t.TempDir(), sqlite.Open)
	s := database.New(places.Open)
	if err := errors.Join(s.Provision(t.Context(), "a")); !errors.Is(err, tenancy.ErrUnsupported) {
		t.Error(err)
	}
	if err := s.Deprovision(t.Context(), "a"); !errors.Is(err, tenancy.ErrUnsupported) {
		t.Error(err)
	}
	if err := places.Provision(t.Context(), "a"); !errors.Is(err, tenancy.ErrUnsupported) {
		t.Error(err)
	}
	s = database.New(places.Open, database.WithProvisioner(places))
	if err := s.Provision(t.Context(), "a"); err == nil || !strings.Contains(err.Error(), "db.Use first") {
		t.Error(err)
	}
}

// TestPasswords: a derived password opens the tenant's database where the server asks for one, and no other does.
func TestPasswords(t *testing.T) {
	t.Parallel()
	if _, err := database.Derived(make([]byte, 31)); err == nil {
		t.Error("a short key was taken")
	}
	one, err := database.Derived([]byte(strings.Repeat("1", 32)))
	must(t, err)
	two, err := database.Derived([]byte(strings.Repeat("2", 32)))
	must(t, err)
	a1, _ := one.Password(t.Context(), "a")
	b1, _ := one.Password(t.Context(), "b")
	a2, _ := two.Password(t.Context(), "a")
	again, _ := one.Password(t.Context(), "a")
	if a1 != again || a1 == b1 || a1 == a2 || len(a1) < 40 {
		t.Error("passwords are not the tenant's own")
	}
	if s := fmt.Sprintf("%v %+v %#v", one, one, one); strings.Contains(s, "49") {
		t.Errorf("the key shows: %s", s)
	}
	server := servers.NewPostgres(t)
	admin := server.DSN(servers.Superuser, "postgres")
	past := openRaw(t, "pgx", admin)
	rules := column(t, past, "SHOW hba_file")[0]
	must(t, os.WriteFile(rules, []byte("host all postgres,app 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"), 0o600))
	info, err := os.Stat(filepath.Dir(rules))
	must(t, err)
	must(t, own(rules, info))
	exec(t, past, "SELECT pg_reload_conf()")
	for name, secret := range map[string]database.Secrets{"right": one, "wrong": two} {
		at := database.PostgresDatabases(admin, one)
		other := database.PostgresDatabases(admin, secret)
		db := open(t, engines["PostgreSQL"](t).central, gorm.Config{})
		strategy := database.New(other.Open, database.WithProvisioner(at))
		must(t, db.Use(plugin(strategy)))
		must(t, strategy.Provision(t.Context(), "a"))
		err := db.WithContext(as("a")).Create(&Book{Title: "x"}).Error
		if (name == "right" && err != nil) || (name == "wrong" && !refused(err)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
