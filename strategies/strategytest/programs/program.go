package programs

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
)

// rule is how a step may end.
type rule int

const (
	asPlain    rule = iota // as with plain GORM
	mayRefuse              // that, or with an error
	mustRefuse             // with an error; plain GORM is not asked
)

// step is a piece of a program: an operation, or a block of steps.
type step struct {
	code string // as Go
	rule rule
	run  func(e *env) (any, error) // an operation

	around func(e *env, body func(e *env) error) error // a block; code has %s where the body is
	body   []*step
	strict bool // the first error ends the block
}

// statement is a step at the top of a program, with its tenant.
type statement struct {
	id tenancy.ID
	*step
}

// program is what tenants do side by side.
type program struct {
	mode       int
	concurrent bool
	statements []statement
}

func (p program) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "// %s", modes[p.mode].name)
	if p.concurrent {
		b.WriteString(", each tenant in a goroutine of its own")
	}
	b.WriteString("\n")
	for _, s := range p.statements {
		fmt.Fprintf(&b, "%s: %s\n", s.id, s.text(1))
	}
	return b.String()
}

func (s *step) text(depth int) string {
	if s.around == nil {
		return s.code
	}
	indent := "\n" + strings.Repeat("\t", depth)
	var b strings.Builder
	for _, inner := range s.body {
		b.WriteString(indent + inner.text(depth+1))
		if s.strict {
			b.WriteString(" // or return")
		}
	}
	return strings.ReplaceAll(s.code, "%s", b.String()) + strings.TrimSuffix(indent, "\t") + "})"
}

// event is how a step ended.
type event struct {
	step    *step
	text    string
	err     error
	refused bool
}

// tape is what happened, in order.
type tape []event

// env is what a step runs with. It is not safe for concurrent use.
type env struct {
	db       *gorm.DB // a session without conditions, in the context of the tenant
	id       tenancy.ID
	tape     *tape
	known    tape // how the strategy ended, when this is plain GORM
	plain    bool
	count    *int
	retrying bool // locks are tried again
}

// errLocked ends everything up to the statement, which is run again.
var errLocked = errors.New("locked")

// errPanic is that of an operation that panicked.
var errPanic = errors.New("panic")

// errUndo rolls back.
var errUndo = errors.New("undo")

func as(id tenancy.ID) context.Context { return tenancy.WithTenant(context.Background(), id) }

func (e *env) on(db *gorm.DB) *env {
	within := *e
	within.db = db.Session(&gorm.Session{NewDB: true, Context: db.Statement.Context})
	return &within
}

func (e *env) fresh() *gorm.DB { return e.db }

func (e *env) ctx() context.Context { return e.db.Statement.Context }

// do runs a step and writes down how it ended.
func (e *env) do(s *step) error {
	if s.around != nil {
		err := s.around(e, func(e *env) error { return e.all(s) })
		if errors.Is(err, errLocked) {
			return err
		}
		*e.tape = append(*e.tape, event{step: s, err: err})
		return err
	}
	*e.count++
	if e.plain && len(*e.tape) < len(e.known) && e.known[len(*e.tape)].refused {
		*e.tape = append(*e.tape, event{step: s, refused: true})
		return nil
	}
	text, err := e.operation(s)
	if e.retrying && locked(err) {
		return errLocked
	}
	refused := err != nil && (s.rule == mustRefuse || s.rule == mayRefuse && !errors.Is(err, gorm.ErrRecordNotFound))
	*e.tape = append(*e.tape, event{step: s, text: text, err: err, refused: refused && !e.plain})
	if refused {
		return nil
	}
	return err
}

// operation runs one that may be refused in a transaction, or savepoint, of its own, so that a refusal has no consequence. GORM
// itself panics at some, at maps in batches for example.
func (e *env) operation(s *step) (text string, err error) {
	defer func() {
		if what := recover(); what != nil {
			err = fmt.Errorf("%w: %v", errPanic, what)
		}
	}()
	if s.rule == asPlain {
		out, err := s.run(e)
		return show(out), err
	}
	err = e.db.Transaction(func(tx *gorm.DB) error {
		out, err := s.run(e.on(tx))
		text = show(out)
		return err
	})
	return text, err
}

func (e *env) all(s *step) error {
	for _, inner := range s.body {
		if err := e.do(inner); err != nil && (s.strict || errors.Is(err, errLocked)) {
			return err
		}
	}
	return nil
}

// sentinels are what an application can tell errors by.
var sentinels = []error{
	gorm.ErrRecordNotFound, gorm.ErrDuplicatedKey, gorm.ErrMissingWhereClause, gorm.ErrInvalidTransaction, gorm.ErrPrimaryKeyRequired,
	gorm.ErrInvalidValue, gorm.ErrInvalidData, gorm.ErrEmptySlice, context.Canceled, errUndo,
}

// sameError reports that an application could not tell two errors apart. Where GORM panics for want of a row, its error is better.
func sameError(got, want error) bool {
	if errors.Is(got, errPanic) && !errors.Is(want, errPanic) {
		return false
	}
	for _, s := range sentinels {
		if errors.Is(got, s) != errors.Is(want, s) {
			return false
		}
	}
	return (got == nil) == (want == nil)
}

// locked reports that two transactions met, by no fault of theirs.
func locked(err error) bool {
	if err == nil {
		return false
	}
	text := err.Error()
	for _, sign := range []string{"database is locked", "table is locked", "Deadlock found", "Lock wait timeout", "40P01", "40001", "Record has changed"} {
		if strings.Contains(text, sign) {
			return true
		}
	}
	return false
}
