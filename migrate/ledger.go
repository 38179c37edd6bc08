package migrate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sethvargo/go-retry"
	"gorm.io/gorm"
	"gorm.io/gorm/callbacks"
	"gorm.io/gorm/logger"

	"github.com/gorm-tenancy/tenancy"
)

// State is how far a step is in one tenant.
type State string

const (
	// StateRunning: a runner is at it, or died there. In a transaction nothing of it is left then, and it is run again.
	StateRunning State = "running"
	// StateHalf: a step without transaction is running, has failed or died with its runner; what it did is not known.
	StateHalf State = "half done"
	// StateFailed: it failed and was rolled back. The next run tries again.
	StateFailed State = "failed"
	// StateDone: the tenant has it.
	StateDone State = "done"
)

// Entry is a row of the ledger, the central table "tenancy_ledger": one step in one tenant.
type Entry struct {
	// Tenant is whose step it is; "central" for the steps of [NewCentral].
	Tenant string `gorm:"primaryKey;size:63"`
	// Version is the step's.
	Version int64 `gorm:"primaryKey;autoIncrement:false"`
	// Name is the step's.
	Name string `gorm:"size:200;not null"`
	// Checksum is the step's when it was run last.
	Checksum string `gorm:"size:64;not null"`
	// State is how far it is.
	State State `gorm:"size:16;not null;index"`
	// Attempts counts how often it was begun.
	Attempts int `gorm:"not null"`
	// Error is that of the last attempt, cut to 2,000 bytes; empty when it was done.
	Error string `gorm:"size:2000;not null"`
	// Milliseconds is how long the last attempt took.
	Milliseconds int64 `gorm:"not null"`
	// StartedAt is when the last attempt began.
	StartedAt time.Time `gorm:"not null"`
	// FinishedAt is when it ended; nil while it runs.
	FinishedAt *time.Time
}

// TableName is called by GORM.
func (Entry) TableName() string { return "tenancy_ledger" }

// head is one row for each tenant: the hash of the chain it has. Who is at head is one query of this table.
type head struct {
	Tenant    string    `gorm:"primaryKey;size:63"`
	Version   int64     `gorm:"not null"`
	Chain     string    `gorm:"size:64;not null"`
	UpdatedAt time.Time `gorm:"not null"`
}

// TableName is called by GORM.
func (head) TableName() string { return "tenancy_heads" }

// ledger is the tables that say which step each tenant has. It is safe for concurrent use.
type ledger struct{ db *gorm.DB }

// newLedger opens the ledger over the connections of db. The statement wall has nothing to judge there: no model of the
// application is read or written, and the context is central for the connection wall.
func newLedger(db *gorm.DB) (ledger, error) {
	pool, err := db.DB()
	if err != nil {
		return ledger{}, fmt.Errorf("migrate: GORM has no *sql.DB for the ledger: %w", err)
	}
	plain, err := gorm.Open(opened{db.Dialector}, &gorm.Config{
		ConnPool: pool, Logger: logger.Discard, DisableAutomaticPing: true, SkipDefaultTransaction: true, TranslateError: true,
	})
	return ledger{plain}, err
}

// opened is a dialector whose connections are there already.
type opened struct{ gorm.Dialector }

// Initialize is called by GORM.
func (opened) Initialize(db *gorm.DB) error {
	callbacks.RegisterDefaultCallbacks(db, &callbacks.Config{})
	return nil
}

// Translate is called by GORM.
func (d opened) Translate(err error) error {
	if inner, ok := d.Dialector.(gorm.ErrorTranslator); ok {
		return inner.Translate(err)
	}
	return err
}

func (l ledger) in(ctx context.Context) *gorm.DB { return l.db.WithContext(tenancy.Central(ctx)) }

// mostInQuery is how many tenants are named in one statement; SQLite takes 32,766 variables.
const mostInQuery = 500

// heads returns all tenants' heads, or at least those of the given ones, by one query. Where the tables are missing there
// are none.
func (l ledger) heads(ctx context.Context, ids ...tenancy.ID) (map[string]head, error) {
	var rows []head
	find := func() error { return l.in(ctx).Find(&rows).Error }
	if len(ids) > 0 && len(ids) <= mostInQuery {
		find = func() error { return l.in(ctx).Where("tenant IN ?", ids).Find(&rows).Error }
	}
	err := find()
	if err != nil && !l.missing(ctx, &head{}) {
		err = find() // another runner may have made the table just now
	} else if err != nil {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("migrate: read the ledger: %w", err)
	}
	found := make(map[string]head, len(rows))
	for _, h := range rows {
		found[h.Tenant] = h
	}
	return found, nil
}

// missing reports that a table is not there, and that this is not for want of a connection.
func (l ledger) missing(ctx context.Context, table any) bool {
	return !l.in(ctx).Migrator().HasTable(table) && l.in(ctx).Exec("SELECT 1").Error == nil
}

// prepare makes the tables where they are missing. Another runner may be making them, and win: then they are there at the
// next attempt.
func (l ledger) prepare(ctx context.Context) error {
	if l.in(ctx).Migrator().HasTable(&mark{}) { // the last
		return nil
	}
	backoff := retry.WithMaxRetries(3, retry.NewConstant(100*time.Millisecond))
	return retry.Do(ctx, backoff, func(ctx context.Context) error {
		if err := l.in(ctx).AutoMigrate(&Entry{}, &head{}, &lease{}, &mark{}); err != nil {
			return retry.RetryableError(fmt.Errorf("migrate: make the ledger: %w", err))
		}
		return nil
	})
}

// entries returns the rows of some tenants.
func (l ledger) entries(ctx context.Context, tenants ...string) (map[string][]Entry, error) {
	found := map[string][]Entry{}
	for len(tenants) > 0 {
		n := min(len(tenants), mostInQuery)
		var rows []Entry
		if err := l.in(ctx).Where("tenant IN ?", tenants[:n]).Order("tenant, version").Find(&rows).Error; err != nil {
			return nil, fmt.Errorf("migrate: read the ledger: %w", err)
		}
		for _, e := range rows {
			found[e.Tenant] = append(found[e.Tenant], e)
		}
		tenants = tenants[n:]
	}
	return found, nil
}

// write puts an entry down, and counts the attempt when one begins.
func (l ledger) write(ctx context.Context, e Entry) error {
	columns := map[string]any{
		"name": e.Name, "checksum": e.Checksum, "state": e.State, "error": e.Error, "milliseconds": e.Milliseconds,
		"started_at": e.StartedAt, "finished_at": e.FinishedAt,
	}
	if e.FinishedAt == nil {
		columns["attempts"] = gorm.Expr("attempts + 1")
	}
	e.Attempts = max(e.Attempts, 1)
	key := func(db *gorm.DB) *gorm.DB {
		return db.Model(&Entry{}).Where("tenant = ? AND version = ?", e.Tenant, e.Version)
	}
	return l.put(ctx, key, columns, &e)
}

// advance says that a tenant has a chain.
func (l ledger) advance(ctx context.Context, tenant string, c chain) error {
	h := head{Tenant: tenant, Version: c.version(), Chain: c.hash, UpdatedAt: time.Now().UTC()}
	columns := map[string]any{"version": h.Version, "chain": h.Chain, "updated_at": h.UpdatedAt}
	key := func(db *gorm.DB) *gorm.DB { return db.Model(&head{}).Where("tenant = ?", tenant) }
	return l.put(ctx, key, columns, &h)
}

// put updates a row or makes it; whoever calls holds the tenant. MySQL counts no row that had these values already.
func (l ledger) put(ctx context.Context, key func(*gorm.DB) *gorm.DB, columns map[string]any, row any) error {
	updated := l.in(ctx).Scopes(key).Updates(columns)
	if updated.Error != nil {
		return fmt.Errorf("migrate: write the ledger: %w", updated.Error)
	}
	if updated.RowsAffected > 0 {
		return nil
	}
	err := l.in(ctx).Create(row).Error
	if err != nil && !errors.Is(err, gorm.ErrDuplicatedKey) {
		return fmt.Errorf("migrate: write the ledger: %w", err)
	}
	return nil
}

// distrust removes what says that a tenant has steps. What was left half done stays.
func (l ledger) distrust(ctx context.Context, tenant string) error {
	err := l.in(ctx).Where("tenant = ?", tenant).Delete(&head{}).Error
	if err == nil {
		err = l.in(ctx).Where("tenant = ? AND state = ?", tenant, StateDone).Delete(&Entry{}).Error
	}
	if err != nil {
		return fmt.Errorf("migrate: write the ledger: %w", err)
	}
	return nil
}
