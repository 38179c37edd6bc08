package migrate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path"
	"runtime/debug"
	"strings"
	"testing/fstest" // an fs.FS in memory, for goose
	"time"

	"github.com/pressly/goose/v3"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
)

// apply runs one step in the context of its tenant. A step that the tenant has already, because a runner died between its
// commit and the ledger, is left alone.
func (r *Runner) apply(ctx context.Context, at place) error {
	s := at.step
	pool, err := r.db.DB()
	if err != nil {
		return err
	}
	options := []goose.ProviderOption{
		goose.WithStore(at), goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()),
	}
	// One provider for each step and tenant: a provider remembers whose table it made.
	file := fstest.MapFS{}
	if s.SQL != "" {
		file[fmt.Sprintf("%d_step.sql", s.Version)] = &fstest.MapFile{Data: []byte(r.withLockTimeout(s)), Mode: 0o444}
	} else {
		options = append(options, goose.WithGoMigrations(goose.NewGoMigration(s.Version, r.function(at.owner, s), nil)))
	}
	provider, err := goose.NewProvider(goose.DialectCustom, pool, file, options...)
	if err != nil {
		return err
	}
	_, err = provider.ApplyVersion(ctx, s.Version, true)
	if errors.Is(err, goose.ErrAlreadyApplied) {
		return nil
	}
	var partial *goose.PartialError
	if errors.As(err, &partial) {
		return partial.Err
	}
	return err
}

// placeOf tells where the tenant's own versions are kept, and refuses what could leave the tenant.
func (r *Runner) placeOf(ctx context.Context, tenant string, s Step) (place, error) {
	at := place{dialect: r.db.Name(), owner: tenant, shared: true, tenant: tenant, step: s}
	if r.central || r.together(tenant) {
		return at, nil
	}
	route, err := r.plugin.Strategy().Route(ctx, tenancy.ID(tenant))
	if err != nil {
		return at, err
	}
	if s.SQL != "" && !route.Confined {
		return at, fmt.Errorf("%w: nothing holds SQL files inside a tenant that shares tables; use Run, or row-level security",
			tenancy.ErrUnconfined)
	}
	if !route.Shared {
		at.shared, at.tenant = false, ""
	}
	return at, nil
}

// function turns Run into goose's.
func (r *Runner) function(tenant string, s Step) *goose.GoFunc {
	if s.NoTransaction {
		return &goose.GoFunc{RunDB: func(ctx context.Context, db *sql.DB) error {
			return recovered(func() error { return s.Run(ctx, r.session(ctx, r.poolFor(tenant, db))) })
		}}
	}
	return &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
		undo, err := r.limitLocks(ctx, tx)
		if err != nil {
			return err
		}
		defer undo()
		return recovered(func() error { return s.Run(ctx, r.session(ctx, r.transactionFor(tenant, tx))) })
	}}
}

func (r *Runner) poolFor(tenant string, db *sql.DB) gorm.ConnPool {
	if r.central || r.together(tenant) {
		return db
	}
	return pinnedPool{pinned{db, tenancy.ID(tenant)}, db}
}

func (r *Runner) transactionFor(tenant string, tx *sql.Tx) gorm.ConnPool {
	if r.central || r.together(tenant) {
		return tx
	}
	return pinnedTx{pinned{tx, tenancy.ID(tenant)}, tx}
}

// session is GORM over one connection or transaction. Nothing is prepared: tenants may be at different versions.
func (r *Runner) session(ctx context.Context, on gorm.ConnPool) *gorm.DB {
	db := r.db.Session(&gorm.Session{NewDB: true, Context: ctx})
	db.PrepareStmt, db.DryRun = false, false
	db.Statement.ConnPool = on
	return db
}

func recovered(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%w: %v\n%s", ErrPanic, v, debug.Stack())
		}
	}()
	return f()
}

// limitLocks bounds the wait for locks inside a transaction: requests queue behind a migration that waits.
func (r *Runner) limitLocks(ctx context.Context, tx *sql.Tx) (undo func(), err error) {
	undo = func() {}
	if r.config.lockTimeout == 0 {
		return undo, nil
	}
	switch r.db.Name() {
	case "postgres":
		_, err = tx.ExecContext(ctx, lockTimeout(r.config.lockTimeout))
		if errors.Is(err, tenancy.ErrUnconfined) { // only statements about rows run here; they do not queue
			err = nil
		}
	case "mysql":
		seconds := max(1, int(r.config.lockTimeout.Seconds()))
		_, err = tx.ExecContext(ctx, fmt.Sprintf("SET SESSION lock_wait_timeout = %d", seconds))
		undo = func() { _, _ = tx.ExecContext(context.WithoutCancel(ctx), "SET SESSION lock_wait_timeout = DEFAULT") }
	}
	return undo, err
}

func lockTimeout(d time.Duration) string {
	return fmt.Sprintf("SET LOCAL lock_timeout = '%dms'", d.Milliseconds())
}

// withLockTimeout puts the same in front of a file's statements, on PostgreSQL.
func (r *Runner) withLockTimeout(s Step) string {
	if r.config.lockTimeout == 0 || s.NoTransaction || r.db.Name() != "postgres" {
		return s.SQL
	}
	var b strings.Builder
	for line := range strings.Lines(s.SQL) {
		b.WriteString(line)
		if annotated(line, "Up") {
			b.WriteString(lockTimeout(r.config.lockTimeout) + ";\n")
		}
	}
	return b.String()
}

// retryable reports whether an error is that of a lock that was not to be had, a deadlock or a conflict of transactions:
// nothing was done, and another attempt may succeed.
func retryable(err error) bool {
	var state interface{ SQLState() string } // pgx, lib/pq
	if errors.As(err, &state) {
		match, _ := path.Match("40???", state.SQLState())
		return match || state.SQLState() == "55P03"
	}
	if err == nil {
		return false
	}
	for _, text := range []string{
		"Error 1205 ", "Error 1213 ", // MySQL
		"database is locked", "database table is locked", "SQLITE_BUSY", // SQLite's drivers
	} {
		if strings.Contains(err.Error(), text) {
			return true
		}
	}
	return false
}
