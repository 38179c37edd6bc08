package tenancytest

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"sync"
	"testing"

	"gorm.io/gorm"
)

// Postgres returns a template that is a database of a PostgreSQL server, 13 or newer; each test gets a database copied from it. dial
// is postgres.Open of GORM's driver. dsn, a URL or key=value pairs, names a server that is there already, and a role that may
// create databases; the application is opened as the same role, so for row-level security it must be no superuser. fill is as in
// [SQLite]. Schemas of tenants are copied, databases of tenants are not: they are others on the server.
//
// A copy is dropped some tests later. What is left when the process ends, the template and at most eight copies, the next
// process removes: their names begin with tenancytest_, and an advisory lock in the database of dsn tells which are in use.
func Postgres(dial func(dsn string) gorm.Dialector, dsn string, open Opener, fill func(db *gorm.DB) error) *Template {
	made := sync.OnceValues(func() (*cluster, error) {
		c, err := newCluster(dial, dsn)
		if err != nil {
			return nil, err
		}
		c.template = c.name()
		if err := c.exec("CREATE DATABASE " + c.template); err != nil {
			return nil, err
		}
		return c, filled(databaseIn(dsn, c.template), open, fill)
	})
	return &Template{open: open, copy: func(t testing.TB) (string, error) {
		c, err := made()
		if err != nil {
			return "", err
		}
		name := c.name()
		if err := c.exec("CREATE DATABASE " + name + " TEMPLATE " + c.template + c.how); err != nil {
			return "", err
		}
		t.Cleanup(func() { c.discard(name) })
		return databaseIn(dsn, name), nil
	}}
}

// databaseIn is the DSN with another database.
func databaseIn(dsn, name string) string {
	if u, err := url.Parse(dsn); err == nil && strings.HasPrefix(u.Scheme, "postgres") {
		u.Path = "/" + name
		return u.String()
	}
	return dsn + " dbname=" + name // the last one counts
}

// cluster makes and drops databases of one process on one server.
type cluster struct {
	pool     *sql.DB
	lock     *sql.Conn // says that the process lives
	prefix   string
	template string
	how      string // a database is copied

	mu  sync.Mutex // guards n and old
	n   int
	old []string // copies of tests that ended
}

// locks are the advisory locks of this package.
const locks = 0x7e57

func newCluster(dial func(string) gorm.Dialector, dsn string) (*cluster, error) {
	admin, err := gorm.Open(dial(dsn))
	if err != nil {
		return nil, err
	}
	c := &cluster{}
	if c.pool, err = admin.DB(); err != nil {
		return nil, err
	}
	ctx := context.Background()
	if c.lock, err = c.pool.Conn(ctx); err != nil {
		return nil, err
	}
	// Locks are of one database: names say of which.
	var home, version int64
	err = c.lock.QueryRowContext(ctx, `SELECT oid::bigint, current_setting('server_version_num')::bigint
		FROM pg_database WHERE datname = current_database()`).Scan(&home, &version)
	if err != nil {
		return nil, err
	}
	if version >= 150000 {
		c.how = " STRATEGY FILE_COPY" // the default of these versions writes every page to the log
	}
	all := fmt.Sprintf("tenancytest_%d_", home)
	key := rand.Int32()
	if _, err := c.lock.ExecContext(ctx, fmt.Sprintf("SELECT pg_advisory_lock(%d, %d)", locks, key)); err != nil {
		return nil, err
	}
	c.prefix = fmt.Sprintf("%s%d_", all, key)
	return c, c.tidy(ctx, all)
}

// tidy drops what processes left that are no more.
func (c *cluster) tidy(ctx context.Context, all string) error {
	rows, err := c.pool.QueryContext(ctx, "SELECT datname FROM pg_database WHERE starts_with(datname, $1)", all)
	if err != nil {
		return err
	}
	defer rows.Close()
	of := map[int32][]string{}
	for rows.Next() {
		var name string
		var key, n int32
		if err := rows.Scan(&name); err != nil {
			return err
		}
		if _, err := fmt.Sscanf(strings.TrimPrefix(name, all), "%d_%d", &key, &n); err == nil {
			of[key] = append(of[key], name)
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for key, names := range of {
		if strings.HasPrefix(names[0], c.prefix) {
			continue // a session may take its own lock twice
		}
		var dead bool
		if err := c.lock.QueryRowContext(ctx, fmt.Sprintf("SELECT pg_try_advisory_lock(%d, %d)", locks, key)).Scan(&dead); err != nil {
			return err
		}
		if !dead {
			continue
		}
		for _, name := range names {
			_ = c.exec("DROP DATABASE IF EXISTS " + name + " WITH (FORCE)") // another process may do the same
		}
		if _, err := c.lock.ExecContext(ctx, fmt.Sprintf("SELECT pg_advisory_unlock(%d, %d)", locks, key)); err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) exec(text string) error {
	_, err := c.pool.Exec(text)
	return err
}

func (c *cluster) name() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	return fmt.Sprintf("%s%d", c.prefix, c.n)
}

// kept is how many databases of ended tests stay.
const kept = 8

// discard drops databases some tests later: PostgreSQL waits in steps of 0.1 s for connections that are just ending.
func (c *cluster) discard(name string) {
	c.mu.Lock()
	c.old = append(c.old, name)
	drop := ""
	if len(c.old) > kept {
		drop, c.old = c.old[0], c.old[1:]
	}
	c.mu.Unlock()
	if drop != "" {
		_ = c.exec("DROP DATABASE IF EXISTS " + drop + " WITH (FORCE)") // what stays is dropped by the next process
	}
}
