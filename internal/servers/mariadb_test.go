package servers_test

import (
	"testing"

	"github.com/gorm-tenancy/tenancy/internal/servers"
)

const mariaTables = "SELECT count(*) FROM information_schema.tables WHERE table_schema = database()"

func TestMariaDBDatabases(t *testing.T) {
	t.Parallel()
	s := servers.MariaDB(t)
	name, other := s.Database(t), s.Database(t)
	one, two := open(t, "mysql", s.DSN(servers.App, name)), open(t, "mysql", s.DSN(servers.App, other))
	separate(t, mariaTables, one, two)
	if n := value[int](t, open(t, "mysql", s.DSN("root", "")), "SELECT count(*) FROM "+name+".things"); n != 1 {
		t.Errorf("root sees %d rows", n)
	}
	if _, err := one.ExecContext(t.Context(), "CREATE DATABASE more"); err == nil {
		t.Error("app may create databases")
	}
	if s != servers.MariaDB(t) {
		t.Error("a second server was started")
	}
}

func TestMariaDBDatabaseIsDropped(t *testing.T) {
	t.Parallel()
	s := servers.MariaDB(t)
	var name string
	t.Run("owner", func(t *testing.T) { name = s.Database(t) })
	if n := value[int](t, open(t, "mysql", s.DSN("root", "")), "SELECT count(*) FROM information_schema.schemata WHERE schema_name = ?", name); n != 0 {
		t.Error("the database outlived its test")
	}
}

func TestMariaDBPrefix(t *testing.T) {
	t.Parallel()
	s := servers.MariaDB(t)
	db := open(t, "mysql", s.DSN("root", ""))
	var prefix string
	t.Run("owner", func(t *testing.T) {
		prefix = s.Prefix(t)
		run(t, db, "CREATE DATABASE "+prefix+"x")
		run(t, db, "CREATE USER "+prefix+"x@'127.0.0.1'")
	})
	for _, query := range []string{
		"SELECT count(*) FROM information_schema.schemata WHERE schema_name = ?", "SELECT count(*) FROM mysql.user WHERE User = ?",
	} {
		if n := value[int](t, db, query, prefix+"x"); n != 0 {
			t.Errorf("%s: something outlived its test", query)
		}
	}
}

func TestMariaDBFaults(t *testing.T) {
	t.Parallel()
	s := servers.NewMariaDB(t)
	db := open(t, "mysql", s.DSN(servers.App, s.Database(t)))
	run(t, db, "CREATE TABLE things (id integer)")
	for name, end := range map[string]func(testing.TB){"Stop": s.Stop, "Kill": s.Kill} {
		end(t)
		if err := db.PingContext(t.Context()); err == nil {
			t.Errorf("%s: the server answers", name)
		}
		s.Start(t)
		if n := value[int](t, db, mariaTables); n != 1 {
			t.Errorf("%s: %d tables", name, n)
		}
	}
}

func TestMariaDBClone(t *testing.T) {
	t.Parallel()
	s := servers.MariaDB(t)
	dsn := func(database string) string { return s.DSN(servers.App, database) }
	template := func() string { return s.Template(t, "things", fillOnce(t, "mysql", dsn)) }
	clones(t, "mysql", dsn, template, func(template string) string { return s.Clone(t, template) })
}
