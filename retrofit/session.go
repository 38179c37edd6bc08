package retrofit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	driver "github.com/go-sql-driver/mysql"

	"github.com/gorm-tenancy/tenancy"
)

// session is the one connection on which a stage runs. Not safe for concurrent use.
type session struct {
	*sql.Conn
	ctx context.Context
	r   *Retrofit
}

// open takes a connection and the lock that retrofits exclude each other with. It ends with the connection, hence with the
// process. Waiting is trying: PostgreSQL's CREATE INDEX CONCURRENTLY would wait for whoever waits inside a statement.
func (r *Retrofit) open(ctx context.Context) (*session, error) {
	ctx = tenancy.Bypass(ctx, "retrofit")
	pool, err := r.db.DB()
	if err != nil {
		return nil, err
	}
	conn, err := pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	s := &session{conn, ctx, r}
	for try := 0; ; try++ {
		free, err := r.dialect.acquire(s)
		if err == nil && free {
			return s, nil
		}
		if err == nil {
			err = pause(ctx, backOff(try))
		}
		if err != nil {
			_ = conn.Close()
			return nil, fmt.Errorf("retrofit: wait for another one: %w", err)
		}
	}
}

func (s *session) close() error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), 10*time.Second)
	defer cancel()
	s.ctx = ctx
	err := s.r.dialect.release(s)
	if closed := s.Close(); !errors.Is(closed, sql.ErrConnDone) { // the dialect may have ended it
		err = errors.Join(err, closed)
	}
	return err
}

func (s *session) exec(query string, args ...any) error {
	if s.r.statement != nil {
		s.r.statement(query)
	}
	_, err := s.ExecContext(s.ctx, query, args...)
	return err
}

// all runs statements up to the first that fails.
func (s *session) all(statements []string) error {
	for _, statement := range statements {
		if err := s.exec(statement); err != nil {
			return err
		}
	}
	return nil
}

// rows calls f for each row.
func (s *session) rows(query string, f func(*sql.Rows) error, args ...any) error {
	rows, err := s.QueryContext(s.ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return errors.Join(rows.Err(), rows.Close())
}

func (s *session) count(query string) (n int64, err error) {
	err = s.QueryRowContext(s.ctx, query).Scan(&n)
	return n, err
}

// apply runs a change, and again when it does not get its locks.
func (s *session) apply(c *Change) error {
	return s.retry(&c.Tries, func() (err error) {
		switch {
		case c.rebuild != nil:
			start := s.r.now()
			err = c.rebuild(s)
			c.Lock = s.r.now().Sub(start)
		case c.Online:
			err = s.r.dialect.online(s, c.SQL)
		default:
			c.Lock, err = s.r.dialect.locked(s, c.Table, c.SQL)
		}
		return err
	})
}

// retry calls f until it gets its locks.
func (s *session) retry(tries *int, f func() error) error {
	for {
		err := f()
		*tries++
		if err == nil || !busy(err) {
			return err
		}
		if *tries >= s.r.config.tries {
			return fmt.Errorf("%w after %d tries; end the transactions that hold it and call again: %w", ErrLocked, *tries, err)
		}
		if err := pause(s.ctx, backOff(*tries)); err != nil {
			return err
		}
	}
}

// transaction runs f in one.
func (s *session) transaction(begin string, f func() error) error {
	if err := s.exec(begin); err != nil {
		return err
	}
	err := f()
	if err == nil {
		if err = s.exec("COMMIT"); err == nil {
			return nil
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), 10*time.Second)
	defer cancel()
	_, undone := s.ExecContext(ctx, "ROLLBACK")
	if undone != nil && !strings.Contains(undone.Error(), "no transaction is active") {
		return errors.Join(err, undone)
	}
	return err
}

// busy reports whether an error is that of a lock that was not to be had.
func busy(err error) bool {
	var state interface{ SQLState() string }
	if errors.As(err, &state) {
		switch state.SQLState() {
		case "55P03", "40P01", "40001": // lock_timeout, deadlock, serialization failure
			return true
		}
	}
	var my *driver.MySQLError
	if errors.As(err, &my) {
		return my.Number == 1205 || my.Number == 1213 // lock wait timeout, deadlock
	}
	return err != nil && (strings.Contains(err.Error(), "database is locked") || strings.Contains(err.Error(), "table is locked"))
}

func backOff(try int) time.Duration { return min(50*time.Millisecond<<min(try, 10), 5*time.Second) }

func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
