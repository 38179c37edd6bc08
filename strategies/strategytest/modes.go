package strategytest

import (
	"context"
	"errors"

	"gorm.io/gorm"
)

// mode is a way to use GORM. In each of them every case must end alike.
type mode struct {
	name   string
	config gorm.Config
	// within runs f with a session for the context a. In between, others may have been served.
	within func(db *gorm.DB, a, b context.Context, f func(db *gorm.DB) error) error
	pinned bool // f has one connection
}

func straight(db *gorm.DB, a, _ context.Context, f func(db *gorm.DB) error) error {
	return f(db.WithContext(a))
}

func inTransaction(db *gorm.DB, a, _ context.Context, f func(db *gorm.DB) error) error {
	return db.WithContext(a).Transaction(f)
}

// inSavepoint begins with a savepoint that is rolled back.
func inSavepoint(db *gorm.DB, a, _ context.Context, f func(db *gorm.DB) error) error {
	undo := errors.New("undo")
	return db.WithContext(a).Transaction(func(tx *gorm.DB) error {
		err := tx.Transaction(func(tx *gorm.DB) error {
			return errors.Join(tx.Model(&poll{}).Where("1 = 1").Update("votes", 77).Error, undo)
		})
		if !errors.Is(err, undo) {
			return err
		}
		return tx.Transaction(f)
	})
}

// onConnection has one connection, and no transaction.
func onConnection(db *gorm.DB, a, _ context.Context, f func(db *gorm.DB) error) error {
	return db.WithContext(a).Connection(func(tx *gorm.DB) error { return f(tx.Session(&gorm.Session{})) })
}

// reusedChain goes on with conditions under which another tenant was served before. What that tenant got is its own affair:
// there are processes that serve only one.
func reusedChain(db *gorm.DB, a, b context.Context, f func(db *gorm.DB) error) error {
	chain := db.WithContext(b).Where("1 = 1").Session(&gorm.Session{})
	_ = chain.Find(&[]poll{}).Error
	return f(chain.WithContext(a))
}

// prepared is a session that prepares statements, which served another tenant before.
func prepared(db *gorm.DB, a, b context.Context, f func(db *gorm.DB) error) error {
	session := db.Session(&gorm.Session{PrepareStmt: true})
	_ = session.WithContext(b).Find(&[]poll{}).Error
	return f(session.WithContext(a))
}

var modes = []mode{
	{name: "plain", within: straight},
	{name: "PrepareStmt", config: gorm.Config{PrepareStmt: true}, within: straight},
	{name: "PrepareStmt session", within: prepared},
	{name: "SkipDefaultTransaction", config: gorm.Config{SkipDefaultTransaction: true}, within: straight},
	{name: "transaction", within: inTransaction, pinned: true},
	{name: "transaction, PrepareStmt", config: gorm.Config{PrepareStmt: true}, within: inTransaction, pinned: true},
	{name: "savepoint", within: inSavepoint, pinned: true},
	{name: "connection", within: onConnection, pinned: true},
	{name: "reused chain", within: reusedChain},
}
