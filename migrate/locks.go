package migrate

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"sync"
	"time"

	"github.com/gorm-tenancy/tenancy"
)

// locker lets one runner at a time work on a tenant. It is safe for concurrent use.
type locker interface {
	// acquire does not wait; ok is false while another runner holds the tenant.
	acquire(ctx context.Context, tenant string) (ok bool, err error)
	release(ctx context.Context, tenant string) error
	// close gives up whatever is held.
	close(ctx context.Context)
}

// Sessions reports that tenants are held by locks of a database session, which do nothing behind a pooler in transaction
// mode; see [Leases]. Safe for concurrent use.
func (r *Runner) Sessions() bool {
	kind := r.ledger.db.Name()
	return r.config.lease == 0 && (kind == "postgres" || kind == "mysql")
}

// newLocker chooses what the ledger's database offers. A lock of the session ends with its connection, hence with the
// process; a lease ends when it is not renewed.
func (r *Runner) newLocker(ctx context.Context, owner string) (locker, error) {
	pool, err := r.ledger.db.DB()
	if err != nil {
		return nil, err
	}
	switch kind := r.ledger.db.Name(); {
	case r.config.lease == 0 && kind == "postgres":
		return &sessionLocks{
			pool: pool,
			try:  "SELECT CASE WHEN pg_try_advisory_lock(hashtextextended('tenancy migrate ' || $1, 0)) THEN 1 ELSE 0 END",
			free: "SELECT CASE WHEN pg_advisory_unlock(hashtextextended('tenancy migrate ' || $1, 0)) THEN 1 ELSE 0 END",
		}, nil
	case r.config.lease == 0 && kind == "mysql": // its locks are the server's: the name of the database goes with them
		name := "CONCAT('tenancy-', LEFT(SHA2(CONCAT(COALESCE(DATABASE(), ''), '/', ?), 256), 48))"
		return &sessionLocks{
			pool: pool,
			try:  "SELECT COALESCE(GET_LOCK(" + name + ", 0), 0)",
			free: "SELECT COALESCE(RELEASE_LOCK(" + name + "), 0)",
		}, nil
	}
	life := r.config.lease
	if life == 0 {
		life = 30 * time.Second
	}
	return newLeases(ctx, r.ledger, owner, life), nil
}

// sessionLocks are advisory locks of all tenants a runner works on, on one connection of its own.
type sessionLocks struct {
	pool      *sql.DB
	try, free string

	mu   sync.Mutex // guards conn and held; the connection serves one statement at a time
	conn *sql.Conn
	held map[string]bool
}

func (l *sessionLocks) acquire(ctx context.Context, tenant string) (ok bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ctx = tenancy.Central(ctx)
	if l.conn == nil {
		if l.conn, err = l.pool.Conn(ctx); err != nil {
			return false, fmt.Errorf("migrate: lock: %w", err)
		}
		l.held = map[string]bool{}
	}
	if err := l.conn.QueryRowContext(ctx, l.try, tenant).Scan(&ok); err != nil {
		if len(l.held) == 0 {
			l.discard() // begin again with another connection
		}
		return false, fmt.Errorf("migrate: lock: %w", err)
	}
	if ok {
		l.held[tenant] = true
	}
	return ok, nil
}

func (l *sessionLocks) release(ctx context.Context, tenant string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.held, tenant)
	var ok bool
	if err := l.conn.QueryRowContext(tenancy.Central(ctx), l.free, tenant).Scan(&ok); err != nil {
		return fmt.Errorf("migrate: unlock: %w", err)
	}
	if !ok {
		return fmt.Errorf("migrate: unlock: the lock was lost; behind a pooler in transaction mode use migrate.Leases")
	}
	return nil
}

func (l *sessionLocks) close(context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.discard()
}

// discard ends the connection instead of giving it back: no lock stays in the pool.
func (l *sessionLocks) discard() {
	if l.conn == nil {
		return
	}
	_ = l.conn.Raw(func(any) error { return driver.ErrBadConn })
	_ = l.conn.Close()
	l.conn = nil
}
