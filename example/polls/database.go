package main

import (
	"context"
	"log/slog"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/example/polls/polls"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
)

// The pragmas: foreign keys are off in SQLite unless asked for; writers wait for each other instead of failing; and a
// transaction takes the write lock when it begins.
const pragmas = "?_foreign_keys=on&_journal_mode=WAL&_busy_timeout=10000&_txlock=immediate"

// openDB opens the SQLite file behind the plugin. The caller calls closeDB in the end.
func openDB(path string, log *slog.Logger) (db *gorm.DB, closeDB func() error, err error) {
	db, err = gorm.Open(sqlite.Open(path+pragmas), &gorm.Config{
		TranslateError: true,           // the application tells a second vote from a broken disk
		Logger:         logger.Discard, // errors are returned; the server logs those it did not expect
	})
	if err != nil {
		return nil, nil, err
	}
	pool, err := db.DB()
	if err != nil {
		return nil, nil, err
	}
	pool.SetMaxOpenConns(4) // SQLite has one writer at a time; waiting for a connection is fairer than for its lock
	err = db.Use(tenancy.New(shared.New(),
		tenancy.OwnedModels(polls.Models()...),
		tenancy.CentralModels(&Tenant{}),
		tenancy.Logger(log),
	))
	if err != nil {
		_ = pool.Close()
		return nil, nil, err
	}
	return db, pool.Close, nil
}

// createTables makes the tables that are missing.
func createTables(ctx context.Context, db *gorm.DB) error {
	return db.WithContext(tenancy.Bypass(ctx, "create tables")).AutoMigrate(append(polls.Models(), &Tenant{})...)
}
