package schema

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
)

// markTable is the table in a tenant's database that says who made it and how far that came.
const (
	markTable   = "tenancy_tenant"
	markColumns = "(id VARCHAR(63) PRIMARY KEY, state VARCHAR(10) NOT NULL)"
)

// centralDatabase asks a pool that is not confined yet for the database of its DSN.
func centralDatabase(pool *sql.DB) (string, error) {
	var name sql.NullString
	if err := pool.QueryRow("SELECT DATABASE()").Scan(&name); err != nil {
		return "", err
	}
	if name.String == "" {
		return "", errors.New("schema: the DSN must name a database, which is that of the central tables")
	}
	return name.String, nil
}

// onConnection runs f on one connection outside the tenants that holds the lock of a name.
func (h home) onConnection(ctx context.Context, why, name string, f func(context.Context, *sql.Conn) error) error {
	pool, err := h.db.DB()
	if err != nil {
		return err
	}
	ctx = tenancy.Bypass(ctx, why)
	conn, err := pool.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	key := fmt.Sprintf("tenancy %.20x", sha256.Sum256([]byte(name))) // a lock's name has 64 bytes
	for got := false; !got; {
		if err := conn.QueryRowContext(ctx, "SELECT COALESCE(GET_LOCK(?, 10), 0)", key).Scan(&got); err != nil {
			return err
		}
	}
	defer conn.ExecContext(context.WithoutCancel(ctx), "DO RELEASE_LOCK(?)", key)
	return f(ctx, conn)
}

func (h home) provisionMySQL(ctx context.Context, id tenancy.ID, name string) error {
	return h.onConnection(ctx, "schema.Provision", name, func(ctx context.Context, conn *sql.Conn) error {
		state, err := stateOf(ctx, conn, id, name)
		if err != nil || state == ready {
			return err
		}
		if state == absent {
			if err := makeDatabase(ctx, conn, id, name, h.central); err != nil {
				return err
			}
		}
		if err := h.migrate(ctx, id, &pinned{conn}); err != nil {
			return err
		}
		_, err = conn.ExecContext(ctx, "UPDATE "+markOf(name)+" SET state = ?", ready)
		return err
	})
}

// The states of a tenant's database.
const (
	absent  = ""
	making  = "making"
	ready   = "ready"
	leaving = "leaving"
)

// stateOf returns what became of the tenant's database. An empty one is as good as none: a crash between its creation and
// its mark leaves it so.
func stateOf(ctx context.Context, conn *sql.Conn, id tenancy.ID, name string) (state string, err error) {
	var tables, marks int
	err = conn.QueryRowContext(ctx, `SELECT COUNT(*), COUNT(CASE WHEN TABLE_NAME = ? THEN 1 END)
FROM information_schema.TABLES WHERE TABLE_SCHEMA = ?`, markTable, name).Scan(&tables, &marks)
	if err != nil || tables == 0 {
		return absent, err
	}
	if marks == 0 {
		return absent, foreign("database", name, fmt.Sprintf("CREATE TABLE %s %s SELECT '%s' id, '%s' state",
			markOf(name), markColumns, id, ready))
	}
	var owner string
	err = conn.QueryRowContext(ctx, "SELECT id, state FROM "+markOf(name)).Scan(&owner, &state)
	switch {
	case errors.Is(err, sql.ErrNoRows) && tables == 1:
		return absent, nil
	case err != nil:
		return absent, err
	case owner != string(id):
		return absent, foreign("database", name, fmt.Sprintf("UPDATE %s SET id = '%s'", markOf(name), id))
	}
	return state, nil
}

func markOf(name string) string { return backquote(name) + "." + markTable }

// makeDatabase makes an empty database with the character set of the central one, and its mark.
func makeDatabase(ctx context.Context, conn *sql.Conn, id tenancy.ID, name, central string) error {
	var charset, collation string
	err := conn.QueryRowContext(ctx, `SELECT DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME
FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ?`, central).Scan(&charset, &collation)
	if err != nil {
		return err
	}
	for _, statement := range []string{
		"CREATE DATABASE IF NOT EXISTS " + backquote(name) + " CHARACTER SET " + charset + " COLLATE " + collation,
		"CREATE TABLE IF NOT EXISTS " + markOf(name) + " " + markColumns,
		"INSERT INTO " + markOf(name) + " VALUES ('" + string(id) + "', '" + making + "')", // an id needs no quoting
	} {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

func (h home) deprovisionMySQL(ctx context.Context, id tenancy.ID, name string) error {
	return h.onConnection(ctx, "schema.Deprovision", name, func(ctx context.Context, conn *sql.Conn) error {
		state, err := stateOf(ctx, conn, id, name)
		if err != nil || state == absent {
			return err
		}
		var outside int
		err = conn.QueryRowContext(ctx, `SELECT COUNT(*) FROM information_schema.KEY_COLUMN_USAGE
WHERE REFERENCED_TABLE_SCHEMA = ? AND TABLE_SCHEMA <> ?`, name, name).Scan(&outside)
		if err != nil {
			return err
		}
		if outside > 0 {
			return fmt.Errorf("%w: tables outside the database %q have foreign keys to it; drop those first", ErrForeign, name)
		}
		if _, err := conn.ExecContext(ctx, "UPDATE "+markOf(name)+" SET state = ?", leaving); err != nil {
			return err
		}
		return dropDatabase(ctx, conn, name)
	})
}

// dropDatabase drops the mark last, so that what a crash leaves is known to be the tenant's.
func dropDatabase(ctx context.Context, conn *sql.Conn, name string) error {
	tables, err := tablesOf(ctx, conn, name)
	if err != nil {
		return err
	}
	if _, err := conn.ExecContext(ctx, "SET SESSION foreign_key_checks = 0"); err != nil {
		return err
	}
	defer conn.ExecContext(context.WithoutCancel(ctx), "SET SESSION foreign_key_checks = 1")
	for _, drop := range tables {
		if _, err := conn.ExecContext(ctx, drop); err != nil {
			return err
		}
	}
	_, err = conn.ExecContext(ctx, "DROP DATABASE "+backquote(name))
	return err
}

// tablesOf returns a statement for each table and view but the mark.
func tablesOf(ctx context.Context, conn *sql.Conn, name string) (drops []string, err error) {
	rows, err := conn.QueryContext(ctx, `SELECT TABLE_NAME, TABLE_TYPE = 'VIEW'
FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME <> ?`, name, markTable)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var table string
		var view bool
		if err := rows.Scan(&table, &view); err != nil {
			return nil, err
		}
		kind := "TABLE"
		if view {
			kind = "VIEW"
		}
		drops = append(drops, "DROP "+kind+" IF EXISTS "+backquote(name)+"."+backquote(table))
	}
	return drops, rows.Err()
}

// pinned keeps GORM on one connection: dbresolver leaves transactions alone, which it knows by these methods.
type pinned struct{ *sql.Conn }

var _ gorm.TxCommitter = (*pinned)(nil)

func (*pinned) Commit() error   { return nil }
func (*pinned) Rollback() error { return nil }
