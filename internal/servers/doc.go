// Package servers starts throw-away PostgreSQL, PgBouncer, MariaDB, Redis, NATS and nginx servers for tests.
//
//	s := servers.Postgres(t)             // one server for the whole test binary, started by the first who asks
//	name := s.Database(t)                // an empty database, dropped after t
//	dsn := s.DSN(servers.App, name)      // as a role that owns the database and is no superuser
//
//	seeded := s.Template(t, "polls", seed) // filled once, lives as long as the server
//	name = s.Clone(t, seeded)              // a copy, dropped after t; about 10 ms
//
// A server listens on a free loopback port, trusts everybody there, keeps its files in a temporary directory (in /dev/shm
// if that has room and TMPDIR is not set) and does not sync them: data survives kill -9, not the fall of the machine. If
// the tests run as root, it runs as the user that its Debian package made. Windows is not supported.
//
// Nothing needs to be stopped and no TestMain is needed. Every server has a guard, a shell that waits at a pipe: when the
// test process closes the pipe, or ends in whatever way, kill -9 and a timeout included, the guard ends the server and
// removes its directory. Servers of one test (NewPostgres, NewMariaDB, PgBouncer, Redis, NATS) end with the test, shared ones
// (Postgres, MariaDB) with the process. Tests that stop or kill a server take one of their own.
//
// A test whose server is not installed is skipped with a line that says how to install it; with TENANCY_REQUIRE_ALL=1 in the
// environment, as make test sets it, it fails. That is the only reason to skip a test in this module.
//
// All functions and methods are safe for concurrent use by several tests, except that only one of them may stop, start or
// kill a server at a time.
package servers
