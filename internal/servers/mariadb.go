package servers

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	_ "github.com/go-sql-driver/mysql" // the driver "mysql"
)

// mariaUsers is run at every start.
var mariaUsers = strings.Join([]string{
	"CREATE USER IF NOT EXISTS root@'127.0.0.1'",
	"GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION",
	"CREATE USER IF NOT EXISTS " + App + "@'127.0.0.1'",
	"",
}, ";\n")

// mariaLog is a tenth of the default, which would be most of a server's files.
const mariaLog = "--innodb-log-file-size=10M"

// MariaDBServer is a running MariaDB server.
type MariaDBServer struct {
	*process
	program string
	port    int
	admin   *sql.DB // as root
	names   atomic.Int64
	made    templates
}

var sharedMariaDB = sync.OnceValues(func() (*MariaDBServer, error) { return startMariaDB(find("mariadbd")) })

// MariaDB returns the server that all tests of the process share.
func MariaDB(tb testing.TB) *MariaDBServer {
	tb.Helper()
	require(tb, "mariadbd")
	s, err := sharedMariaDB()
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// NewMariaDB starts a server for one test, which may stop and kill it.
func NewMariaDB(tb testing.TB) *MariaDBServer {
	tb.Helper()
	s, err := startMariaDB(require(tb, "mariadbd"))
	if err != nil {
		tb.Fatal(err)
	}
	s.ownedBy(tb)
	tb.Cleanup(func() { _ = s.admin.Close() })
	return s
}

func startMariaDB(program string) (*MariaDBServer, error) {
	p, err := newProcess("mysql")
	if err != nil {
		return nil, err
	}
	s := &MariaDBServer{process: p, program: program}
	p.boot, p.stop = s.boot, syscall.SIGTERM
	if err := s.init(); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *MariaDBServer) init() error {
	if err := os.WriteFile(filepath.Join(s.dir, "users.sql"), []byte(mariaUsers), 0o644); err != nil {
		return err
	}
	err := s.run("mariadb-install-db", "--no-defaults", "--datadir="+filepath.Join(s.dir, "data"),
		"--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve", mariaLog)
	if err != nil {
		return err
	}
	if err := retryPorts(func(port int) error { s.port = port; return s.boot() }); err != nil {
		return err
	}
	s.admin, err = sql.Open("mysql", s.DSN("root", "")+"&multiStatements=true&lock_wait_timeout=5")
	return err
}

func (s *MariaDBServer) boot() error {
	return s.start("ready for connections", s.program, "--no-defaults", "--datadir="+filepath.Join(s.dir, "data"),
		"--port="+strconv.Itoa(s.port), "--bind-address=127.0.0.1", "--socket="+filepath.Join(s.dir, "socket"),
		"--pid-file="+filepath.Join(s.dir, "pid"), "--init-file="+filepath.Join(s.dir, "users.sql"),
		"--skip-name-resolve", "--max-connections=300", "--character-set-server=utf8mb4", "--innodb-buffer-pool-size=64M",
		"--innodb-flush-log-at-trx-commit=2", "--innodb-doublewrite=0", "--innodb-fast-shutdown=2", "--sync-frm=0", mariaLog)
}

// Addr is where the server listens, host:port. A proxy in front is used by replacing it in a DSN.
func (s *MariaDBServer) Addr() string { return "127.0.0.1:" + strconv.Itoa(s.port) }

// DSN is for go-sql-driver, with parseTime: more parameters are added with "&". The users are [App] and root.
func (s *MariaDBServer) DSN(user, database string) string {
	return fmt.Sprintf("%s@tcp(%s)/%s?parseTime=true", user, s.Addr(), database)
}

// Database creates an empty database in which [App] may do everything and returns its name. It is dropped when the test ends.
func (s *MariaDBServer) Database(tb testing.TB) string {
	tb.Helper()
	name, err := s.create()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.drop(name) })
	return name
}

func (s *MariaDBServer) drop(name string) {
	_, _ = s.admin.Exec(fmt.Sprintf("REVOKE ALL ON %s.* FROM %s@'127.0.0.1'; DROP DATABASE %[1]s", name, App)) // fails if the test has stopped the server
}

// Clone is Database with the tables of another database and their rows. Views, triggers and routines are not copied. With
// each of the suffixes behind its name, there is a clone of the template of that suffix, too.
func (s *MariaDBServer) Clone(tb testing.TB, template string, suffixes ...string) string {
	tb.Helper()
	name := s.Database(tb)
	for _, suffix := range append([]string{""}, suffixes...) {
		if suffix != "" {
			if err := s.createNamed(name + suffix); err != nil {
				tb.Fatal(err)
			}
			tb.Cleanup(func() { s.drop(name + suffix) })
		}
		if err := s.copyTables(tb.Context(), name+suffix, template+suffix); err != nil {
			tb.Fatal(err)
		}
	}
	return name
}

// Template returns the name of a database that lives as long as the server: fill gets it empty at the first call with the key.
func (s *MariaDBServer) Template(tb testing.TB, key string, fill func(database string) error) string {
	tb.Helper()
	name, err := s.made.get(key, s.create, fill)
	if err != nil {
		tb.Fatal(err)
	}
	return name
}

func (s *MariaDBServer) create() (string, error) {
	name := "db" + strconv.FormatInt(s.names.Add(1), 10)
	return name, s.createNamed(name)
}

func (s *MariaDBServer) createNamed(name string) error {
	_, err := s.admin.Exec(fmt.Sprintf("CREATE DATABASE %s; GRANT ALL ON %[1]s.* TO %s@'127.0.0.1'", name, App))
	return err
}

// copyTables sends everything at once: a round trip for each table would cost more than the table.
func (s *MariaDBServer) copyTables(ctx context.Context, to, from string) error {
	names, err := column(ctx, s.admin, "SELECT table_name FROM information_schema.tables WHERE table_schema = ?", from)
	if err != nil {
		return err
	}
	var script strings.Builder
	fmt.Fprintf(&script, "USE %s; SET foreign_key_checks = 0;", to)
	for _, table := range names {
		var name, create string
		if err := s.admin.QueryRowContext(ctx, fmt.Sprintf("SHOW CREATE TABLE %s.`%s`", from, table)).Scan(&name, &create); err != nil {
			return err
		}
		fmt.Fprintf(&script, "%s; INSERT INTO `%s` SELECT * FROM %s.`%[2]s`;", create, table, from)
	}
	script.WriteString("SET foreign_key_checks = 1")
	_, err = s.admin.ExecContext(ctx, script.String())
	return err
}
