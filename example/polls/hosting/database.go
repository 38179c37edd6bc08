package hosting

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	mysqldriver "github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// The pragmas: foreign keys are off in SQLite unless asked for; writers wait for each other instead of failing; and a
// transaction takes the write lock when it begins.
const pragmas = "?_foreign_keys=on&_journal_mode=WAL&_busy_timeout=10000&_txlock=immediate"

// openDB opens the database without the plugin, in a directory that it makes where it is missing. The caller closes it.
func (t *target) openDB() (*gorm.DB, error) {
	if t.Data != "" {
		if err := os.Mkdir(t.Data, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("open the database: %w", err)
		}
	}
	dialector, err := t.dialector()
	if err != nil {
		return nil, err
	}
	db, err := gorm.Open(dialector, &gorm.Config{
		TranslateError: true,           // the application tells a second vote from a broken disk
		Logger:         logger.Discard, // errors are returned; the server logs those it did not expect
	})
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	pool, err := db.DB()
	if err != nil {
		return nil, err
	}
	if t.kind == sqliteKind {
		pool.SetMaxOpenConns(4) // SQLite has one writer at a time; waiting for a connection is fairer than for its lock
	} else {
		pool.SetMaxOpenConns(20)
	}
	return db, nil
}

// deadlocked reports that the database ended a transaction for another one's sake: MySQL's error 1213, PostgreSQL's
// serialization_failure and deadlock_detected.
func deadlocked(err error) bool {
	if my := new(mysqldriver.MySQLError); errors.As(err, &my) {
		return my.Number == 1213
	}
	pg := new(pgconn.PgError)
	return errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01")
}

func (t *target) dialector() (gorm.Dialector, error) {
	switch t.kind {
	case postgresKind:
		return postgres.Open(t.DSN), nil
	case mysqlKind:
		config, err := mysqldriver.ParseDSN(t.DSN)
		if err != nil {
			return nil, wrong("the DSN of MySQL cannot be read") // the error may quote it
		}
		config.ParseTime = true
		t.DSN = config.FormatDSN()
		return mysql.Open(t.DSN), nil
	}
	return sqlite.Open(t.DSN + pragmas), nil
}
