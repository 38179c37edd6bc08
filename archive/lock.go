package archive

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
)

// locked runs work in a transaction, while nobody else imports into the tenant or erases it. Two imports could otherwise
// both find it empty.
func locked(ctx context.Context, db *gorm.DB, plugin *tenancy.Plugin, id tenancy.ID, work func(tx *gorm.DB) error) error {
	switch _, inside := db.Statement.ConnPool.(gorm.TxCommitter); {
	case db.Name() == "postgres":
		return db.Transaction(func(tx *gorm.DB) error {
			const lock = "SELECT pg_advisory_xact_lock(hashtextextended('tenancy archive ' || CAST(? AS text), 0))"
			if err := tx.Exec(lock, id.String()).Error; err != nil {
				return fmt.Errorf("archive: lock: %w", err)
			}
			return work(tx)
		})
	case db.Name() == "mysql" && !inside:
		return db.Connection(func(conn *gorm.DB) error { return namedLock(ctx, conn, id, work) })
	}
	return db.Transaction(func(tx *gorm.DB) error {
		if owned := plugin.OwnedTables(); len(owned) > 0 { // SQLite has one writer, who is the first to write
			if err := tx.Table(owned[0].Name).Where("1 = 0").Delete(nil).Error; err != nil {
				return fmt.Errorf("archive: lock: %w", err)
			}
		}
		return work(tx)
	})
}

// lockName: locks are the server's, so the name of the database goes with it.
const lockName = "CONCAT('tenancy-', LEFT(SHA2(CONCAT('archive/', COALESCE(DATABASE(), ''), '/', ?), 256), 48))"

// namedLock holds a lock of MySQL's around the transaction: it belongs to the connection.
func namedLock(ctx context.Context, conn *gorm.DB, id tenancy.ID, work func(tx *gorm.DB) error) (err error) {
	for got := 0; got != 1; {
		if err := conn.Raw("SELECT COALESCE(GET_LOCK("+lockName+", 5), 0)", id.String()).Row().Scan(&got); err != nil {
			return fmt.Errorf("archive: lock: %w", err)
		}
	}
	defer func() {
		var n int
		free := conn.WithContext(context.WithoutCancel(ctx))
		failed := free.Raw("SELECT COALESCE(RELEASE_LOCK("+lockName+"), 0)", id.String()).Row().Scan(&n)
		if err == nil && failed != nil {
			err = fmt.Errorf("archive: unlock: %w", failed)
		}
	}()
	return conn.Transaction(work)
}
