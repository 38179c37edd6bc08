package tenantconn

import (
	"context"
	"database/sql"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// ErrNotPgx says that a *sql.DB does not use pgx.
var ErrNotPgx = errors.New("tenantconn: the connection is not pgx's")

// InTransaction runs f with pgx's own connection inside a transaction that is confined to the tenant of ctx, for what
// database/sql cannot say: COPY, batches, large objects. The transaction is committed when f returns nil and rolled back
// otherwise. f must neither end the transaction nor keep the connection. For LISTEN, which names no table and belongs to
// no tenant, use (*sql.Conn).Raw and [Unwrap]. Without pgx it fails with [ErrNotPgx].
func InTransaction(ctx context.Context, db *sql.DB, f func(*pgx.Conn) error) error {
	c, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	tx, err := c.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	err = c.Raw(func(driverConn any) error {
		inner, ok := Unwrap(driverConn).(*stdlib.Conn)
		if !ok {
			return ErrNotPgx
		}
		return f(inner.Conn())
	})
	if err != nil {
		return err
	}
	return tx.Commit()
}

// Unwrap returns the driver's own connection from what (*sql.Conn).Raw gives, confined or not. It is outside the wall:
// its settings are the DSN's, no tenant's.
func Unwrap(driverConn any) any {
	if c, ok := driverConn.(*conn); ok {
		return c.session.bare()
	}
	return driverConn
}
