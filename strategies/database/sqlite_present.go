package database

import (
	"context"
	"database/sql/driver"
	"errors"
	"io/fs"
	"os"

	"github.com/gorm-tenancy/tenancy"
)

// present opens connections to a file that bears the tenant's name when they can be used. Whoever renames the file may have
// had it while we opened it: the connection would then be to what has another name now. In WAL mode a connection that is open
// shows, and nobody renames the file under it.
type present struct {
	driver.Connector
	path string
}

func (p present) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := p.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	if err = walMode(ctx, c); err == nil {
		_, err = os.Stat(p.path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = tenancy.ErrUnknownTenant
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// walMode switches to WAL mode what a crash has left in another, and waits for whoever has the file for himself.
func walMode(ctx context.Context, c driver.Conn) error {
	q, ok := c.(driver.QueryerContext)
	if !ok {
		return errors.New("database: the driver cannot query without preparing")
	}
	rows, err := q.QueryContext(ctx, "PRAGMA journal_mode = WAL", nil)
	if err != nil {
		return err
	}
	defer rows.Close()
	row := make([]driver.Value, 1)
	return rows.Next(row)
}
