package tenantconn

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
)

// fixed is the part of a session that stands on one connection of the driver for all its life.
type fixed struct{ conn driver.Conn }

func (fixed) lazy() bool { return false }

func (fixed) unprepare(s *stmt) error {
	if s.last == nil {
		return nil
	}
	return s.last.Close()
}

func (f fixed) ping(ctx context.Context) error {
	if p, ok := f.conn.(driver.Pinger); ok {
		return p.Ping(ctx)
	}
	return nil
}

func (f fixed) reset(ctx context.Context) error {
	if r, ok := f.conn.(driver.SessionResetter); ok {
		return r.ResetSession(ctx)
	}
	return nil
}

func (f fixed) valid() bool {
	if v, ok := f.conn.(driver.Validator); ok {
		return v.IsValid()
	}
	return true
}

func (f fixed) bare() driver.Conn { return f.conn }

func (f fixed) close() error { return f.conn.Close() }

// beginOn opens a transaction on a driver's connection.
func beginOn(ctx context.Context, c driver.Conn, opts driver.TxOptions) (driver.Tx, error) {
	if b, ok := c.(driver.ConnBeginTx); ok {
		return b.BeginTx(ctx, opts)
	}
	if opts.Isolation != driver.IsolationLevel(sql.LevelDefault) || opts.ReadOnly {
		return nil, errors.New("tenantconn: the driver does not know transaction options")
	}
	//lint:ignore SA1019 the driver has nothing else
	return c.Begin()
}
