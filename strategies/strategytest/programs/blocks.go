package programs

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"
)

// step draws an operation, or a block of them.
func (d *drawer) step(blocks int) *step {
	switch n := d.n(12); {
	case n < 4:
		return d.read()
	case n < 8:
		return d.write()
	case n < 10 && !d.dry:
		return d.attack()
	case blocks == 0:
		return d.write()
	}
	return d.block(blocks - 1)
}

func (d *drawer) block(blocks int) *step {
	within := *d
	b := &step{strict: d.maybe(3)}
	switch n := d.n(8); {
	case n < 2:
		b.code, b.around = "db.Transaction(func(db *gorm.DB) error {%s", committing
		within.inTx, within.pinned = true, true
	case n == 2:
		b.code, b.around = "db.Transaction(func(db *gorm.DB) error { defer undo()%s", undoing
		within.inTx, within.pinned = true, true
	case n == 3:
		b.code, b.around = "db.Transaction(func(db *gorm.DB) error { defer panic(1)%s", panicking
		within.inTx, within.pinned = true, true
	case n == 4 && !d.inTx:
		b.code, b.around = "with(db.Begin(), func(db *gorm.DB) { db.SavePoint(\"s\")%s", savepoint(d.maybe(2))
		within.inTx, within.pinned = true, true
	case n == 5 && !d.pinned:
		b.code, b.around = "db.Connection(func(db *gorm.DB) error {%s", connection
		within.pinned = true
	case n == 6 && !d.inTx:
		b.code, b.around = "cancelled(db.Begin(), func(db *gorm.DB) {%s", cancelled
		within.inTx, within.pinned = true, true
	default:
		var dry bool
		b.code, dry, b.around = d.session()
		within.dry = d.dry || dry
	}
	for range 1 + d.n(4) {
		b.body = append(b.body, within.step(blocks))
	}
	return b
}

func committing(e *env, body func(e *env) error) error {
	return e.db.Transaction(func(tx *gorm.DB) error { return body(e.on(tx)) })
}

func undoing(e *env, body func(e *env) error) error {
	return e.db.Transaction(func(tx *gorm.DB) error { return errors.Join(body(e.on(tx)), errUndo) })
}

func panicking(e *env, body func(e *env) error) (err error) {
	defer func() {
		if recover() != nil {
			err = errors.Join(err, errUndo)
		}
	}()
	return e.db.Transaction(func(tx *gorm.DB) error {
		err = body(e.on(tx))
		panic("undo")
	})
}

// savepoint goes back to one, or not, and commits.
func savepoint(back bool) func(e *env, body func(e *env) error) error {
	return func(e *env, body func(e *env) error) error {
		tx := e.db.Begin()
		if tx.Error != nil {
			return tx.Error
		}
		defer tx.Rollback()
		tx.SavePoint("s")
		if err := body(e.on(tx)); errors.Is(err, errLocked) {
			return err
		}
		if back {
			tx.RollbackTo("s")
		}
		if tx.Error != nil {
			return tx.Error
		}
		return tx.Commit().Error
	}
}

func connection(e *env, body func(e *env) error) error {
	return e.db.Connection(func(db *gorm.DB) error { return body(e.on(db)) })
}

// cancelled ends a transaction by its context.
func cancelled(e *env, body func(e *env) error) error {
	ctx, cancel := context.WithCancel(e.ctx())
	defer cancel()
	tx := e.db.WithContext(ctx).Begin()
	if tx.Error != nil {
		return tx.Error
	}
	if err := body(e.on(tx)); errors.Is(err, errLocked) {
		tx.Rollback()
		return err
	}
	cancel()
	err := tx.Commit().Error
	if err == nil {
		return errors.New("committed after the end")
	}
	tx.Rollback()
	return errUndo
}

func (d *drawer) session() (code string, dry bool, around func(e *env, body func(e *env) error) error) {
	s, how := gorm.Session{}, ""
	switch n := d.n(6); {
	case n == 0:
		s.SkipDefaultTransaction, how = true, "SkipDefaultTransaction: true"
	case n == 1 && d.can.prepare:
		s.PrepareStmt, how = true, "PrepareStmt: true"
	case n == 2:
		s.AllowGlobalUpdate, how = true, "AllowGlobalUpdate: true"
	case n == 3:
		s.CreateBatchSize, how = 1, "CreateBatchSize: 1"
	case n == 4:
		s.DryRun, how = true, "DryRun: true"
	default:
		s.QueryFields, how = true, "QueryFields: true"
	}
	return fmt.Sprintf("with(db.Session(&gorm.Session{%s}), func(db *gorm.DB) {%%s", how), s.DryRun, func(e *env, body func(e *env) error) error {
		return body(e.on(e.db.Session(&s)))
	}
}
