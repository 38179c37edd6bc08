package programs

import (
	"errors"
	"fmt"
	"sync"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
)

// mode is a configuration of GORM.
type mode struct {
	name   string
	config gorm.Config
}

var modes = []mode{
	{name: "gorm.Config{}"},
	{name: "gorm.Config{SkipDefaultTransaction: true}", config: gorm.Config{SkipDefaultTransaction: true}},
	{name: "gorm.Config{PrepareStmt: true}", config: gorm.Config{PrepareStmt: true}},
}

// run runs a program with the strategy, and with plain GORM for each tenant. It returns what is wrong.
func (w *world) run(p program) (Fault, string) {
	tapes := w.strategy(p)
	left, err := w.left()
	if err != nil {
		return Broken, err.Error()
	}
	defer func() { w.dirty = left }()
	for _, id := range w.acting {
		got := *tapes[id]
		if i, mark := w.crossed(id, got); i >= 0 {
			return Crossing, fmt.Sprintf("%s saw what begins with %q: %s\n%s", id, mark, got[i].step.text(1), got[i].outcome())
		}
		want, rows, err := w.alone(p, id, got)
		if err != nil {
			return Broken, err.Error()
		}
		if fault, what := compare(id, got, want); fault != None {
			return fault, what
		}
		if what := left.against(id, rows); what != "" {
			return Changed, what
		}
	}
	if what := left.rest(w); what != "" {
		return Crossing, what
	}
	return None, ""
}

// strategy runs a program for all tenants.
func (w *world) strategy(p program) map[tenancy.ID]*tape {
	tapes := map[tenancy.ID]*tape{}
	envs := map[tenancy.ID]*env{}
	for _, id := range w.acting {
		tapes[id] = &tape{}
		db := w.app[p.mode].WithContext(as(id))
		envs[id] = &env{db: db, id: id, tape: tapes[id], count: new(int)}
	}
	if p.concurrent {
		var group sync.WaitGroup
		for _, id := range w.acting {
			group.Go(func() {
				for _, s := range p.statements {
					if s.id == id {
						envs[id].again(s.step)
					}
				}
			})
		}
		group.Wait()
	} else {
		for _, s := range p.statements {
			_ = envs[s.id].do(s.step)
		}
	}
	for id, e := range envs {
		w.operations += *e.count
		for _, ev := range *tapes[id] {
			switch {
			case ev.step.around != nil:
			case ev.refused:
				w.refused++
			case ev.err != nil:
				w.failed++
			}
		}
	}
	return tapes
}

// again runs a statement in one transaction, and once more if it met another's lock: what a transaction does is then undone.
func (e *env) again(s *step) {
	e.retrying = true
	for range 1000 {
		length := len(*e.tape)
		err := e.whole(s)
		if !locked(err) && !errors.Is(err, errLocked) {
			return
		}
		*e.tape = (*e.tape)[:length]
	}
	*e.tape = append(*e.tape, event{step: s, err: errLocked})
}

// whole runs an operation in a transaction, so that none is half done.
func (e *env) whole(s *step) error {
	if s.around != nil {
		return e.do(s)
	}
	return e.db.Transaction(func(tx *gorm.DB) error { return e.on(tx).do(s) })
}

// alone runs the statements of a tenant with plain GORM.
func (w *world) alone(p program, id tenancy.ID, known tape) (tape, rows, error) {
	if err := w.refillPlain(id); err != nil {
		return nil, nil, err
	}
	var t tape
	e := &env{db: w.plain[p.mode].WithContext(as(id)), id: id, tape: &t, known: known, plain: true, count: new(int)}
	for _, s := range p.statements {
		switch {
		case s.id != id:
		case p.concurrent:
			_ = e.whole(s.step)
		default:
			_ = e.do(s.step)
		}
	}
	left, err := read(w.control, ownedTables, true)
	w.plainLeft = left
	return t, left, err
}

// crossed finds what a tenant may not have seen.
func (w *world) crossed(id tenancy.ID, t tape) (int, string) {
	for i, ev := range t {
		for _, other := range w.tenants {
			if other != id && marked(ev.text, other) {
				return i, string(other) + "-"
			}
		}
	}
	return -1, ""
}

func (ev event) outcome() string {
	if ev.refused {
		return fmt.Sprintf("refused: %v", ev.err)
	}
	return fmt.Sprintf("%s, %v", ev.text, ev.err)
}

// compare finds the first event that is not as it must be.
func compare(id tenancy.ID, got, want tape) (Fault, string) {
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) {
			return Wrong, fmt.Sprintf("%s: %d events, and %d with plain GORM", id, len(got), len(want))
		}
		g, w := got[i], want[i]
		switch {
		case g.step != w.step:
			return Wrong, fmt.Sprintf("%s went on with\n%s\ninstead of\n%s", id, g.step.text(1), w.step.text(1))
		case g.step.rule == mustRefuse && !g.refused:
			return Crossing, fmt.Sprintf("%s was not refused: %s\n%s", id, g.step.text(1), g.outcome())
		case g.refused:
		case g.text != w.text && g.err == nil && w.err == nil || !sameError(g.err, w.err):
			return Wrong, fmt.Sprintf("%s: %s\n got %s\nwant %s", id, g.step.text(1), g.outcome(), w.outcome())
		}
	}
	return None, ""
}
