package servers

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// bouncerConfig has %d for the port, %s for the server's host and port, and %d for the size of the pool.
const bouncerConfig = `[databases]
* = host=%s port=%s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = trust
auth_file = users
pool_mode = transaction
default_pool_size = %d
max_client_conn = 1000
server_login_retry = 1
ignore_startup_parameters = extra_float_digits
`

// PgBouncer puts a PgBouncer with transaction pooling in front of the database of a DSN from [PostgresServer.DSN] and returns
// the DSN to use instead. It ends with the test. At most connections server connections are opened for each pair of user and
// database. Debian's PgBouncer 1.18 knows no prepared statements: add "&default_query_exec_mode=exec" or "=simple_protocol".
func PgBouncer(tb testing.TB, dsn string, connections int) string {
	tb.Helper()
	program := require(tb, "pgbouncer")
	u, err := url.Parse(dsn)
	if err != nil {
		tb.Fatal("not a URL")
	}
	p, err := newProcess("postgres")
	if err != nil {
		tb.Fatal(err)
	}
	p.ownedBy(tb)
	users := fmt.Sprintf("%q \"\"\n%q \"\"\n%q \"\"\n", Superuser, App, u.User.Username())
	if err := os.WriteFile(filepath.Join(p.dir, "users"), []byte(users), 0o644); err != nil {
		tb.Fatal(err)
	}
	p.stop = syscall.SIGTERM
	err = retryPorts(func(port int) error {
		config := fmt.Sprintf(bouncerConfig, u.Hostname(), u.Port(), port, connections)
		if err := os.WriteFile(filepath.Join(p.dir, "ini"), []byte(config), 0o644); err != nil {
			return err
		}
		u.Host = fmt.Sprintf("127.0.0.1:%d", port)
		return p.start("process up", program, "ini")
	})
	if err != nil {
		tb.Fatal(err)
	}
	return u.String()
}
