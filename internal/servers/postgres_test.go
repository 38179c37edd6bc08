package servers_test

import (
	"context"
	"database/sql"
	"fmt"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/gorm-tenancy/tenancy/internal/servers"
)

func open(t *testing.T, driver, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func value[T any](t *testing.T, db interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}, query string, args ...any,
) (v T) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), query, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v
}

func run(t *testing.T, db *sql.DB, query string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), query); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// separate shows that databases begin empty, do not see each other and can be filled by their owner.
func separate(t *testing.T, tables string, one, two *sql.DB) {
	t.Helper()
	for _, db := range []*sql.DB{one, two} {
		if n := value[int](t, db, tables); n != 0 {
			t.Errorf("a fresh database has %d tables", n)
		}
	}
	run(t, one, "CREATE TABLE things (id integer PRIMARY KEY)")
	run(t, one, "INSERT INTO things VALUES (1)")
	if n := value[int](t, one, tables); n != 1 {
		t.Errorf("%d tables after CREATE TABLE", n)
	}
	if n := value[int](t, two, tables); n != 0 {
		t.Errorf("the other database has %d tables", n)
	}
}

func TestPostgresDatabases(t *testing.T) {
	t.Parallel()
	s := servers.Postgres(t)
	name := s.Database(t)
	one := open(t, "pgx", s.DSN(servers.App, name))
	two := open(t, "pgx", s.DSN(servers.App, s.Database(t)))
	separate(t, "SELECT count(*) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')", one, two)

	power := "SELECT rolsuper OR rolbypassrls OR rolcreatedb OR rolcreaterole FROM pg_roles WHERE rolname = current_user"
	if value[bool](t, one, power) {
		t.Error("app has powers")
	}
	if !value[bool](t, open(t, "pgx", s.DSN(servers.Superuser, name)), power) {
		t.Error("the superuser has none")
	}
	if owner := value[string](t, one, "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()"); owner != servers.App {
		t.Errorf("the owner is %s", owner)
	}
	if s != servers.Postgres(t) {
		t.Error("a second server was started")
	}
}

func TestPostgresDatabaseIsDropped(t *testing.T) {
	t.Parallel()
	s := servers.NewPostgres(t)
	db := open(t, "pgx", s.DSN(servers.Superuser, "postgres"))
	const tests = 20
	var first string
	for i := range tests {
		t.Run("owner", func(t *testing.T) {
			name := s.Database(t)
			if i > 0 {
				return
			}
			first = name
			connected, err := sql.Open("pgx", s.DSN(servers.App, name)) // stays open
			if err != nil {
				t.Fatal(err)
			}
			run(t, connected, "CREATE TABLE things (id integer)")
		})
	}
	if n := value[int](t, db, "SELECT count(*) FROM pg_database WHERE datname = $1", first); n != 0 {
		t.Error("a database with a connection outlived its test")
	}
	if n := value[int](t, db, "SELECT count(*) FROM pg_database WHERE datname LIKE 'db%'"); n >= tests/2 {
		t.Errorf("%d databases are left", n)
	}
}

func TestPostgresPrefix(t *testing.T) {
	t.Parallel()
	s := servers.Postgres(t)
	db := open(t, "pgx", s.DSN(servers.Superuser, "postgres"))
	var prefix string
	t.Run("owner", func(t *testing.T) {
		prefix = s.Prefix(t)
		run(t, db, "CREATE ROLE "+prefix+"x LOGIN")
		run(t, db, "CREATE DATABASE "+prefix+"x OWNER "+prefix+"x IS_TEMPLATE true")
	})
	for _, query := range []string{
		"SELECT count(*) FROM pg_database WHERE datname = $1", "SELECT count(*) FROM pg_roles WHERE rolname = $1",
	} {
		if n := value[int](t, db, query, prefix+"x"); n != 0 {
			t.Errorf("%s: something outlived its test", query)
		}
	}
}

// fillOnce is for Template: it fills the database by statements that fail the second time.
func fillOnce(t *testing.T, driver string, dsn func(database string) string) func(database string) error {
	return func(database string) error {
		db, err := sql.Open(driver, dsn(database))
		if err != nil {
			return err
		}
		defer db.Close()
		for _, q := range []string{"CREATE TABLE things (id integer PRIMARY KEY, up integer REFERENCES things (id))", "INSERT INTO things VALUES (7, NULL)"} {
			if _, err := db.ExecContext(t.Context(), q); err != nil {
				return err
			}
		}
		return nil
	}
}

// clones shows that clones have what the template has, and change alone.
func clones(t *testing.T, driver string, dsn func(database string) string, template func() string, clone func(template string) string) {
	t.Helper()
	if one, again := template(), template(); one != again {
		t.Fatal("two templates for one key")
	}
	one, two := open(t, driver, dsn(clone(template()))), open(t, driver, dsn(clone(template())))
	run(t, one, "UPDATE things SET id = 8")
	if v := value[int](t, one, "SELECT id FROM things"); v != 8 {
		t.Errorf("the clone has %d", v)
	}
	for _, db := range []*sql.DB{two, open(t, driver, dsn(template()))} {
		if v := value[int](t, db, "SELECT id FROM things"); v != 7 {
			t.Errorf("another database has %d", v)
		}
	}
	if _, err := two.ExecContext(t.Context(), "INSERT INTO things VALUES (9, 10)"); err == nil {
		t.Error("the foreign key is lost")
	}
}

func TestPostgresClone(t *testing.T) {
	t.Parallel()
	s := servers.Postgres(t)
	dsn := func(database string) string { return s.DSN(servers.App, database) }
	template := func() string { return s.Template(t, "things", fillOnce(t, "pgx", dsn)) }
	clones(t, "pgx", dsn, template, func(template string) string { return s.Clone(t, template) })
}

// await asks until the server answers again; the deadline is the test's failure, not a wait.
func await(t *testing.T, db *sql.DB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	err := db.PingContext(ctx)
	for ; err != nil && ctx.Err() == nil; err = db.PingContext(ctx) {
		<-time.After(10 * time.Millisecond)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestPostgresFaults(t *testing.T) {
	t.Parallel()
	s := servers.NewPostgres(t, "max_connections=20")
	db := open(t, "pgx", s.DSN(servers.App, s.Database(t)))
	run(t, db, "CREATE TABLE things (id integer)")
	if n := value[string](t, db, "SHOW max_connections"); n != "20" {
		t.Errorf("max_connections = %s", n)
	}
	for name, end := range map[string]func(testing.TB){"Stop": s.Stop, "Kill": s.Kill} {
		addr, pid := s.Addr(), s.Pid()
		end(t)
		if err := db.PingContext(t.Context()); err == nil {
			t.Errorf("%s: the server answers", name)
		}
		s.Start(t)
		if s.Addr() != addr || s.Pid() == pid {
			t.Errorf("%s: from %s, process %d to %s, process %d", name, addr, pid, s.Addr(), s.Pid())
		}
		if n := value[int](t, db, "SELECT count(*) FROM things"); n != 0 {
			t.Errorf("%d rows", n)
		}
	}

	victim, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer victim.Close()
	s.KillBackend(t, value[int](t, victim, "SELECT pg_backend_pid()"))
	if err := victim.PingContext(t.Context()); err == nil {
		t.Error("the connection lives")
	}
	await(t, db)
}

func TestPgBouncerPools(t *testing.T) {
	t.Parallel()
	s := servers.Postgres(t)
	direct := s.DSN(servers.App, s.Database(t))
	for connections, want := range map[int]int{1: 1, 2: 2} {
		t.Run(fmt.Sprint(connections), func(t *testing.T) {
			t.Parallel()
			dsn := servers.PgBouncer(t, direct, connections) + "&default_query_exec_mode=exec"
			pids := map[int]bool{}
			for range 3 { // three clients, each connected at the same time as the others
				pids[value[int](t, open(t, "pgx", dsn), "SELECT pg_backend_pid()")] = true
			}
			if connections == 1 && len(pids) != 1 {
				t.Errorf("three clients had %d server connections of 1", len(pids))
			}
			if n := held(t, dsn, want); n != want {
				t.Errorf("%d transactions at once with %d server connections", n, connections)
			}
		})
	}
}

// held counts the clients that get a transaction at the same time, out of one more than there should be.
func held(t *testing.T, dsn string, want int) int {
	t.Helper()
	pids := map[int]bool{}
	for range want {
		tx, err := open(t, "pgx", dsn).BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		pids[value[int](t, tx, "SELECT pg_backend_pid()")] = true
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := open(t, "pgx", dsn).ExecContext(ctx, "SELECT 1"); err == nil {
		pids[0] = true
	}
	return len(pids)
}
