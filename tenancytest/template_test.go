package tenancytest_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/internal/servers"
	"github.com/gorm-tenancy/tenancy/strategies/database"
	"github.com/gorm-tenancy/tenancy/strategies/schema"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
	"github.com/gorm-tenancy/tenancy/tenancytest"
)

// usedBy opens an application whose tables are there.
func usedBy(d gorm.Dialector, s tenancy.Strategy) (*gorm.DB, error) {
	db, err := gorm.Open(d, config())
	if err != nil {
		return nil, err
	}
	return db, db.Use(tenancy.New(s, options()...))
}

// tabled makes tables and rows.
func tabled(models ...any) func(db *gorm.DB) error {
	return func(db *gorm.DB) error {
		if err := db.WithContext(tenancy.Bypass(context.Background(), "create tables")).AutoMigrate(models...); err != nil {
			return err
		}
		return tenancytest.Seed(db)
	}
}

func file(dir string) gorm.Dialector {
	return sqlite.Open("file:" + filepath.Join(dir, "app.db") + "?_foreign_keys=on&_busy_timeout=10000&_synchronous=OFF")
}

func sharedFile() *tenancytest.Template {
	return tenancytest.SQLite(func(dir string) (*gorm.DB, error) { return usedBy(file(dir), shared.New()) }, tabled(everyTable()...))
}

func tenantFiles() *tenancytest.Template {
	return tenancytest.SQLite(func(dir string) (*gorm.DB, error) {
		files := database.SQLiteFiles(dir, sqlite.Open)
		return usedBy(file(dir), database.New(files.Open, database.WithProvisioner(files)))
	}, tabled(&Plan{}))
}

// maker gives the application's role the right to make databases.
func maker(t testing.TB) string {
	s := servers.Postgres(t)
	admin, err := sql.Open("pgx", s.DSN(servers.Superuser, "postgres"))
	must(t, err)
	defer admin.Close()
	_, err = admin.Exec("ALTER ROLE " + servers.App + " CREATEDB")
	must(t, err)
	return s.DSN(servers.App, s.Database(t))
}

func schemas(dsn string) *tenancytest.Template {
	return tenancytest.Postgres(postgres.Open, dsn, func(dsn string) (*gorm.DB, error) {
		return usedBy(postgres.Open(dsn), schema.New())
	}, tabled(&Plan{}))
}

// TestTemplates shows that each test has rows of two tenants of its own.
func TestTemplates(t *testing.T) {
	t.Parallel()
	for name, template := range map[string]func(t *testing.T) *tenancytest.Template{
		"shared SQLite":   func(*testing.T) *tenancytest.Template { return sharedFile() },
		"database SQLite": func(*testing.T) *tenancytest.Template { return tenantFiles() },
		"schema":          func(t *testing.T) *tenancytest.Template { return schemas(maker(t)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := template(t)
			for range 2 { // the second must not see what the first deleted
				db := p.Open(t)
				for id, want := range map[tenancy.ID]int64{"a": 2, "b": 3} {
					var n int64
					must(t, db.WithContext(as(id)).Model(&Poll{}).Count(&n).Error)
					if n != want {
						t.Errorf("%s has %d polls", id, n)
					}
					must(t, db.WithContext(as(id)).Where("1 = 1").Delete(&Poll{}).Error)
				}
				var a, b Room
				must(t, db.WithContext(as("a")).First(&a).Error)
				must(t, db.WithContext(as("b")).First(&b).Error)
				if a.Number != b.Number || a.Name == b.Name {
					t.Errorf("a has %+v, and b %+v", a, b)
				}
			}
		})
	}
}

// TestLeftovers shows that what a process left behind is removed by the next, and what is in use is not.
func TestLeftovers(t *testing.T) {
	t.Parallel()
	dsn := maker(t)
	first := schemas(dsn)
	first.Open(t)
	s := servers.Postgres(t)
	admin, err := sql.Open("pgx", s.DSN(servers.Superuser, strings.TrimSuffix(strings.Split(dsn, "/")[3], "?sslmode=disable")))
	must(t, err)
	defer admin.Close()
	names := func() (n int) {
		must(t, admin.QueryRow(`SELECT count(*) FROM pg_database WHERE starts_with(datname, 'tenancytest_' ||
			(SELECT oid FROM pg_database WHERE datname = current_database()) || '_')`).Scan(&n))
		return n
	}
	var home string
	must(t, admin.QueryRow("SELECT 'tenancytest_' || oid || '_7_1' FROM pg_database WHERE datname = current_database()").Scan(&home))
	_, err = admin.Exec("CREATE DATABASE " + home + " OWNER " + servers.App)
	must(t, err)
	before := names()
	schemas(dsn).Open(t)
	if after := names(); before != 3 || after != 4 { // two of each of the living
		t.Errorf("%d databases, and then %d", before, after)
	}
}

// TestBrokenTemplate shows that a template which cannot be filled fails every test that asks for it.
func TestBrokenTemplate(t *testing.T) {
	t.Parallel()
	broken := errors.New("no tables today")
	p := tenancytest.SQLite(func(dir string) (*gorm.DB, error) { return usedBy(file(dir), shared.New()) }, func(*gorm.DB) error { return broken })
	for range 2 {
		r := recorded(t, func(t testing.TB) { p.Open(t) })
		if !r.ended || !strings.Contains(r.text(), broken.Error()) {
			t.Errorf("%v %s", r.ended, r.text())
		}
	}
}

// BenchmarkTemplate measures all that a test pays: the copy, opening it with the plugin, a first query, closing and removing it.
func BenchmarkTemplate(b *testing.B) {
	for name, template := range map[string]*tenancytest.Template{
		"SQLite": sharedFile(), "SQLite, a file for each tenant": tenantFiles(), "PostgreSQL": schemas(maker(b)),
	} {
		b.Run(name, func(b *testing.B) {
			template.Open(b) // fills it
			for b.Loop() {
				one := &test{B: b}
				var n int64
				if err := template.Open(one).WithContext(as("a")).Model(&Poll{}).Count(&n).Error; err != nil || n != 2 {
					b.Fatal(n, err)
				}
				one.end()
			}
		})
	}
}

// test ends when it is told to.
type test struct {
	*testing.B
	cleanups []func()
}

func (t *test) Cleanup(f func()) { t.cleanups = append(t.cleanups, f) }

func (t *test) TempDir() string {
	dir, err := os.MkdirTemp(t.B.TempDir(), "")
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	return dir
}

func (t *test) end() {
	for _, f := range slices.Backward(t.cleanups) {
		f()
	}
}

// BenchmarkRequireIsolated measures one check of seven models.
func BenchmarkRequireIsolated(b *testing.B) {
	for name, template := range map[string]*tenancytest.Template{"SQLite": sharedFile(), "PostgreSQL": schemas(maker(b))} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				db := template.Open(b)
				tenancytest.RequireIsolated(b, db)
			}
		})
	}
}
