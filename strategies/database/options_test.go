package database_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/internal/servers"
	"github.com/gorm-tenancy/tenancy/strategies/database"
	"github.com/gorm-tenancy/tenancy/tenantconn"
)

// TestMigration: the function makes every new tenant's tables and first rows, another version of it those of tenants to come,
// and a tenant that is there keeps what it has.
func TestMigration(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, kind string) {
		e := engines[kind](t)
		main := open(t, e.central, gorm.Config{}) // for its dialector
		make := func(version, title string) {
			runs := 0
			s := database.New(e.places.Open, database.WithProvisioner(e.places), database.Migration(version, func(db *gorm.DB) error {
				runs++
				return errors.Join(db.AutoMigrate(&Author{}), db.Create(&Author{Name: title}).Error)
			}))
			db := open(t, main.Dialector, gorm.Config{})
			must(t, db.Use(plugin(s)))
			for _, id := range []tenancy.ID{tenancy.ID("one-" + version), tenancy.ID("two-" + version)} {
				must(t, s.Provision(t.Context(), id))
				must(t, s.Provision(t.Context(), id)) // again
				must(t, db.WithContext(as(id)).Create(&Author{Name: string(id)}).Error)
			}
			if kind != "MariaDB" && runs != 1 { // which has no templates
				t.Errorf("version %s ran %d times", version, runs)
			}
			pool, err := db.DB()
			must(t, err)
			must(t, pool.Close())
		}
		make("1", "Ann")
		make("2", "Bob")
		s := database.New(e.places.Open, database.WithProvisioner(e.places))
		db := open(t, main.Dialector, gorm.Config{})
		must(t, db.Use(plugin(s)))
		for id, first := range map[tenancy.ID]string{"one-1": "Ann", "two-1": "Ann", "one-2": "Bob", "two-2": "Bob"} {
			var names []string
			must(t, db.WithContext(as(id)).Model(&Author{}).Order("id").Pluck("name", &names).Error)
			if got, want := strings.Join(names, " "), first+" "+string(id); got != want {
				t.Errorf("%s has %s, want %s", id, got, want)
			}
		}
	})
}

// TestAdministrators: the administrator's DSN may have either of PostgreSQL's forms.
func TestAdministrators(t *testing.T) {
	t.Parallel()
	server := servers.Postgres(t)
	central := postgres.Open(server.DSN(servers.App, server.Database(t)))
	u, err := url.Parse(server.DSN(servers.Superuser, "postgres"))
	must(t, err)
	pairs := "host=" + u.Hostname() + " port=" + u.Port() + " user=" + u.User.Username() + " dbname=postgres sslmode=disable"
	for name, dsn := range map[string]string{
		"URL": u.String() + "&database=postgres", "pairs": pairs, "pairs in quotes": strings.ReplaceAll(pairs, "dbname=postgres", "dbname='postgres'"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			places := database.PostgresDatabases(dsn, secrets(t), database.Prefix(server.Prefix(t)))
			s := database.New(places.Open, database.WithProvisioner(places))
			if s.Counters() != (tenantconn.Counters{}) {
				t.Errorf("before db.Use: %+v", s.Counters())
			}
			db := open(t, central, gorm.Config{})
			must(t, db.Use(plugin(s)))
			for _, id := range []tenancy.ID{"a", "b"} {
				must(t, s.Provision(t.Context(), id))
				must(t, db.WithContext(as(id)).Create(&Book{ID: 1, Title: string(id)}).Error)
			}
			for _, id := range []tenancy.ID{"a", "b"} {
				var titles []string
				must(t, db.WithContext(as(id)).Model(&Book{}).Pluck("title", &titles).Error)
				if strings.Join(titles, " ") != string(id) {
					t.Errorf("%s reads %v", id, titles)
				}
			}
		})
	}
}

// TestMistakes: what cannot be is refused, by its name, before anything is made.
func TestMistakes(t *testing.T) {
	t.Parallel()
	const admin = "postgres://postgres@127.0.0.1:1/postgres"
	for name, c := range map[string]struct {
		places places
		id     tenancy.ID
		want   string
	}{
		"no prefix":            {database.PostgresDatabases(admin, secrets(t), database.Prefix("")), "a", "prefix"},
		"a prefix of capitals": {database.PostgresDatabases(admin, secrets(t), database.Prefix("T_")), "a", "prefix"},
		"PostgreSQL's prefix":  {database.PostgresDatabases(admin, secrets(t), database.Prefix("pg_")), "a", "pg_"},
		"a long id":            {database.PostgresDatabases(admin, secrets(t)), tenancy.ID(strings.Repeat("x", 60)), "at most"},
		"MySQL's prefix":       {database.MySQLDatabases("root@tcp(127.0.0.1:1)/", secrets(t), database.MySQLPrefix("T_")), "a", "prefix"},
	} {
		s := database.New(c.places.Open, database.WithProvisioner(c.places))
		if err := s.Provision(t.Context(), c.id); err == nil {
			t.Errorf("%s: provisioned before db.Use", name)
		}
		must(t, open(t, sqlite.Open(":memory:"), gorm.Config{}).Use(plugin(s)))
		for what, err := range map[string]error{
			"provision": s.Provision(t.Context(), c.id), "deprovision": s.Deprovision(t.Context(), c.id),
		} {
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %s: %v", name, what, err)
			}
		}
		if _, err := c.places.Open(t.Context(), c.id); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: open: %v", name, err)
		}
		if err := c.places.Provision(t.Context(), "a"); err == nil {
			t.Errorf("%s: a provisioner alone makes tables", name)
		}
	}
	s := database.New(nil)
	if err := open(t, sqlite.Open(":memory:"), gorm.Config{}).Use(plugin(s)); err == nil {
		t.Error("no opener")
	}
}
