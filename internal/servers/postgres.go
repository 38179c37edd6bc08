package servers

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
)

const (
	// Superuser is PostgreSQL's role that may do everything, row-level security included.
	Superuser = "postgres"
	// App is the user that owns the databases of the tests and nothing else: no superuser, no BYPASSRLS.
	App = "app"
)

// PostgresServer is a running PostgreSQL server.
type PostgresServer struct {
	*process
	program  string
	settings []string
	port     int
	admin    *sql.DB // as Superuser, in the database postgres
	names    atomic.Int64
	made     templates
	strategy string // how a database is copied

	mu  sync.Mutex // guards old
	old []string   // databases of ended tests
}

var sharedPostgres = sync.OnceValues(func() (*PostgresServer, error) { return startPostgres(find("postgres")) })

// Postgres returns the server that all tests of the process share.
func Postgres(tb testing.TB) *PostgresServer {
	tb.Helper()
	require(tb, "postgres")
	s, err := sharedPostgres()
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// NewPostgres starts a server for one test, which may stop and kill it. Settings, such as "max_connections=5", are added to
// the defaults.
func NewPostgres(tb testing.TB, settings ...string) *PostgresServer {
	tb.Helper()
	s, err := startPostgres(require(tb, "postgres"), settings...)
	if err != nil {
		tb.Fatal(err)
	}
	s.ownedBy(tb)
	tb.Cleanup(func() { _ = s.admin.Close() })
	return s
}

func startPostgres(program string, settings ...string) (*PostgresServer, error) {
	p, err := newProcess("postgres")
	if err != nil {
		return nil, err
	}
	s := &PostgresServer{process: p, program: program, settings: settings}
	p.boot, p.stop = s.boot, syscall.SIGINT
	if err := s.init(); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *PostgresServer) init() error {
	program, err := filepath.EvalSymlinks(s.program)
	if err != nil {
		return err
	}
	err = s.run(filepath.Join(filepath.Dir(program), "initdb"), "-D", filepath.Join(s.dir, "data"), "-U", Superuser,
		"--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions")
	if err != nil {
		return err
	}
	if err := retryPorts(func(port int) error { s.port = port; return s.boot() }); err != nil {
		return err
	}
	if s.admin, err = sql.Open("pgx", s.DSN(Superuser, "postgres")); err != nil {
		return err
	}
	var version int
	if err := s.admin.QueryRow("SELECT current_setting('server_version_num')::int").Scan(&version); err != nil {
		return err
	}
	if version >= 150000 {
		s.strategy = "STRATEGY FILE_COPY" // half the time of the default that came with the option
	}
	_, err = s.admin.Exec("CREATE ROLE " + App + " LOGIN")
	return err
}

func (s *PostgresServer) boot() error {
	args := []string{"-D", filepath.Join(s.dir, "data"), "-p", strconv.Itoa(s.port)}
	for _, setting := range append([]string{
		"listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=300", "shared_buffers=32MB",
		"fsync=off", "full_page_writes=off", "wal_level=minimal", "max_wal_senders=0", "autovacuum=off", "jit=off",
		"max_wal_size=128MB",
	}, s.settings...) {
		args = append(args, "-c", setting)
	}
	return s.start("ready to accept connections", s.program, args...)
}

// Addr is where the server listens, host:port. A proxy in front is used by replacing it in a DSN.
func (s *PostgresServer) Addr() string { return "127.0.0.1:" + strconv.Itoa(s.port) }

// DSN is a URL without parameters but sslmode: more are added with "&".
func (s *PostgresServer) DSN(user, database string) string {
	return fmt.Sprintf("postgres://%s@%s/%s?sslmode=disable", user, s.Addr(), database)
}

// Database creates an empty database that [App] owns and returns its name. It is dropped after the test, connections or not.
func (s *PostgresServer) Database(tb testing.TB) string {
	tb.Helper()
	return s.Clone(tb, "template1")
}

// Clone is Database with the contents of another database, which nobody may be connected to meanwhile.
func (s *PostgresServer) Clone(tb testing.TB, template string) string {
	tb.Helper()
	name, err := s.create(template)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.discard(name) })
	return name
}

// keep is how many databases of ended tests stay.
const keep = 8

// discard drops databases some tests later: while the processes of closed connections are ending, PostgreSQL would wait in
// steps of 0.1 s for them.
func (s *PostgresServer) discard(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.old = append(s.old, name)
	if len(s.old) > keep {
		_, _ = s.admin.Exec("DROP DATABASE " + s.old[0] + " WITH (FORCE)") // fails if the test has stopped the server
		s.old = s.old[1:]
	}
}

// Template returns the name of a database that lives as long as the server: fill gets it empty at the first call with the key,
// and has to close its connections before it returns, so that Clone can copy it.
func (s *PostgresServer) Template(tb testing.TB, key string, fill func(database string) error) string {
	tb.Helper()
	name, err := s.made.get(key, func() (string, error) { return s.create("template1") }, fill)
	if err != nil {
		tb.Fatal(err)
	}
	return name
}

func (s *PostgresServer) create(template string) (string, error) {
	name := "db" + strconv.FormatInt(s.names.Add(1), 10)
	_, err := s.admin.Exec(fmt.Sprintf("CREATE DATABASE %s OWNER %s TEMPLATE %s %s", name, App, template, s.strategy))
	return name, err
}

// KillBackend ends the process of one connection (its pg_backend_pid) with kill -9. PostgreSQL takes that for a crash: it
// closes all other connections too and recovers, so the next ones may be refused for a moment. To end one connection
// alone, call pg_terminate_backend.
func (s *PostgresServer) KillBackend(tb testing.TB, pid int) {
	tb.Helper()
	s.mustBeOwn(tb)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		tb.Fatal(err)
	}
}
