package database

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"

	"github.com/gorm-tenancy/tenancy"
)

// loneUser opens connections to MySQL whose user sees no other database: SQL text can name them.
type loneUser struct{ driver.Connector }

const foreignSchemas = "SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME <> DATABASE() AND " +
	"SCHEMA_NAME NOT IN ('information_schema', 'performance_schema')"

func (l loneUser) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := l.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	n, err := number(ctx, c, foreignSchemas)
	if err == nil && n != 0 {
		err = fmt.Errorf("%w: the user of the tenant's database sees others, which SQL text could name; give each tenant a user "+
			"with grants on its database alone, or accept it with database.SharedUser", tenancy.ErrUnconfined)
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// number runs a query that returns one number on a driver's connection.
func number(ctx context.Context, c driver.Conn, query string) (int64, error) {
	q, ok := c.(driver.QueryerContext)
	if !ok {
		return 0, fmt.Errorf("%w: the driver cannot query without preparing", tenancy.ErrUnsupported)
	}
	rows, err := q.QueryContext(ctx, query, nil)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	row := make([]driver.Value, 1)
	if err := rows.Next(row); err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	switch n := row[0].(type) {
	case int64:
		return n, nil
	case []byte:
		if string(n) == "0" {
			return 0, nil
		}
		return 1, nil
	}
	return 0, fmt.Errorf("database: the server answered with a %T", row[0])
}
