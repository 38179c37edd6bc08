package strategytest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
)

// outcome is what a case returned.
type outcome struct {
	text string
	err  error
}

// try runs a case in the mode. What a transaction returns counts, too.
func (s *session) try(db *gorm.DB, a, b context.Context, run func(db *gorm.DB) (any, error)) outcome {
	var out any
	err := s.mode.within(db, a, b, func(db *gorm.DB) error {
		var err error
		out, err = run(db)
		return err
	})
	text, jsonErr := json.Marshal(out)
	return outcome{string(text), errors.Join(err, jsonErr)}
}

// all runs every case.
func (s *session) all() Counts {
	for _, u := range append(reads[:len(reads):len(reads)], writes...) {
		if u.alone && s.mode.pinned || s.unheld(u.needs) {
			s.counts.Left++
			continue
		}
		s.use(u)
	}
	for _, a := range attacks {
		if a.alone && s.mode.pinned || s.unheld(a.needs) {
			s.counts.Left++
			continue
		}
		s.attack(a)
	}
	s.lines = append(s.lines, line{s.mode.name, s.counts})
	return s.counts
}

// unheld reports that a case would reach everybody, because nothing holds connections.
func (s *session) unheld(needs []Capability) bool {
	if !slices.Contains(needs, Connections) || s.h.Lacks[Connections] == "" {
		return false
	}
	s.used[Connections] = true
	return true
}

// use compares what the strategy did with what plain GORM does in a database of one tenant.
func (s *session) use(u use) {
	nobody := context.Background()
	want := s.try(s.plain, nobody, nobody, u.run)
	got := s.try(s.app, as(actor), as(victim), u.run)
	now := s.state(s)
	defer s.again(now)
	s.counts.Cases++
	switch why := s.excuse(u.name, u.needs); {
	case s.leaked(u.name, got, now):
	case got.text == want.text && sameError(got.err, want.err) && now.asPlain(s.start):
		s.counts.Passed++
	case why != "" && got.err != nil && now.own == s.start.own && now.central == s.start.central:
		s.used[Capability(why)] = true
		s.counts.Refused++
	default:
		s.counts.Failed++
		s.Errorf("%s:\n got %s, %v\nwant %s, %v%s%s", u.name, got.text, got.err, want.text, want.err,
			difference("rows", now.own, now.plain), difference("central rows", now.central, now.plainCentral))
	}
}

// asPlain reports that the rows are those that plain GORM left, and none that name a tenant.
func (now state) asPlain(start state) bool {
	return now.own == now.plain && now.central == now.plainCentral && now.strays == start.strays
}

// attack reaches for the rows of b, and then for those of a, which must work: else nothing is shown.
func (s *session) attack(a attack) {
	about := func(at target) (outcome, state) {
		got := s.try(s.app, as(actor), as(victim), func(db *gorm.DB) (any, error) { return a.run(db, at) })
		return got, s.state(s)
	}
	s.counts.Cases += 2
	got, now := about(target{victim, 9})
	switch {
	case s.leaked("about b: "+a.name, got, now):
	case a.error && got.err == nil:
		s.counts.Failed++
		s.Errorf("about b: %s: no error, and %s", a.name, got.text)
	default:
		s.counts.Held++
	}
	s.again(now)
	got, now = about(target{actor, 1})
	defer s.again(now)
	switch why := s.excuse(a.name, a.needs); {
	case s.leaked("about a: "+a.name, got, now):
	case got.err == nil:
		s.counts.Passed++
	case why != "" && now.own == s.start.own:
		s.used[Capability(why)] = true
		s.counts.Refused++
	default:
		s.counts.Failed++
		s.Errorf("about a: %s: %v", a.name, got.err)
	}
}

// leaked fails the test if a saw something of b, or something of b is not what it was.
func (s *session) leaked(name string, got outcome, now state) bool {
	saw := strings.Contains(got.text, victim+"-") || strings.Contains(got.text, victim+"@")
	if !saw && now.others == s.start.others {
		return false
	}
	s.counts.Failed++
	s.Errorf("LEAK: %s: saw %s, %v%s", name, got.text, got.err, difference("rows of others", now.others, s.start.others))
	return true
}

// again undoes what a case did.
func (s *session) again(now state) {
	if now != s.start {
		s.reset(s)
	}
}

// excuse is the key of Lacks that covers a case.
func (s *session) excuse(name string, needs []Capability) string {
	for _, key := range append([]Capability{Capability(name), Capability(s.mode.name + "/" + name)}, needs...) {
		if s.h.Lacks[key] != "" {
			return string(key)
		}
	}
	return ""
}

// nobody runs all that reaches for owned tables without a tenant: nothing may come of it.
func (s *session) nobody() Counts {
	s.mode.name = "no tenant"
	none := context.Background()
	for _, u := range append(reads[:len(reads):len(reads)], writes...) {
		if u.tenantless || s.excuse(u.name, u.needs) != "" {
			s.counts.Left++
			continue
		}
		s.counts.Cases++
		got := s.try(s.app, none, none, u.run)
		now := s.state(s)
		switch {
		case s.leaked(u.name, got, now):
		case got.err == nil && u.name != "roll back" || now != s.start:
			s.counts.Failed++
			s.Errorf("%s: %s, %v%s", u.name, got.text, got.err, difference("rows", now.own, s.start.own))
		default:
			s.counts.Held++
		}
		s.again(now)
	}
	s.lines = append(s.lines, line{s.mode.name, s.counts})
	return s.counts
}

// crowd reads and writes as both tenants from several goroutines.
func (s *session) crowd() Counts {
	s.mode.name = "two tenants at once"
	if s.h.Lacks[Others] != "" {
		s.alone()
		return s.counts
	}
	const workers, rounds = 6, 25
	errs := make([]error, workers)
	var group sync.WaitGroup
	for i := range workers {
		id := []tenancy.ID{actor, victim}[i%2]
		group.Go(func() {
			for range rounds {
				errs[i] = errors.Join(errs[i], seesItsOwn(s.app.WithContext(as(id)), string(id)))
			}
		})
	}
	group.Wait()
	s.counts.Cases += workers * rounds
	if err := errors.Join(errs...); err != nil {
		s.counts.Failed++
		s.Errorf("%v", err)
	} else {
		s.counts.Passed += workers * rounds
	}
	s.lines = append(s.lines, line{s.mode.name, s.counts})
	return s.counts
}

// alone shows that a process which serves a refuses b at both walls.
func (s *session) alone() {
	pool, err := s.app.DB()
	if err != nil {
		s.Fatal(err)
	}
	for what, err := range map[string]error{
		"GORM":         s.app.WithContext(as(victim)).Find(&[]poll{}).Error,
		"database/sql": pool.QueryRowContext(as(victim), "SELECT count(*) FROM polls").Scan(new(int)),
	} {
		s.counts.Cases++
		if err == nil {
			s.counts.Failed++
			s.Errorf("b is served through %s, although the harness lacks %q", what, Others)
			continue
		}
		s.used[Others] = true
		s.counts.Refused++
	}
	s.lines = append(s.lines, line{s.mode.name, s.counts})
}

func seesItsOwn(db *gorm.DB, id string) error {
	var titles []string
	if err := db.Model(&poll{}).Pluck("title", &titles).Error; err != nil {
		return err
	}
	for _, title := range titles {
		if !strings.HasPrefix(title, id+"-") {
			return fmt.Errorf("LEAK: %s saw %q", id, title)
		}
	}
	if len(titles) < 2 {
		return fmt.Errorf("%s saw %d rows", id, len(titles))
	}
	return nil
}

// deprovision removes the place of b, which takes nothing from a and leaves nothing behind for b.
func (s *session) deprovision() Counts {
	s.mode.name = "deprovision"
	if !s.shared() { // a database in use is not removed
		s.b.pool.Close()
	}
	if err := s.h.Deprovision(s.Context(), victim); err != nil {
		s.Fatal(err)
	}
	own, _ := of(s.a.read(s), actor)
	err := s.app.WithContext(as(victim)).Find(&[]poll{}).Error
	s.counts.Cases++
	switch why := s.excuse(s.mode.name, nil); {
	case own == s.start.own && err != nil:
		s.counts.Passed++
	case own == s.start.own && why != "":
		s.used[Capability(why)] = true
		s.counts.Refused++
	default:
		s.counts.Failed++
		s.Errorf("b is removed, and is served: %v%s", err == nil, difference("rows of a", own, s.start.own))
	}
	s.lines = append(s.lines, line{s.mode.name, s.counts})
	return s.counts
}

// sameError reports that an application could not tell two errors apart by GORM's sentinels.
func sameError(got, want error) bool {
	for _, sentinel := range []error{
		gorm.ErrRecordNotFound, gorm.ErrDuplicatedKey, gorm.ErrMissingWhereClause, gorm.ErrInvalidTransaction,
	} {
		if errors.Is(got, sentinel) != errors.Is(want, sentinel) {
			return false
		}
	}
	return (got == nil) == (want == nil)
}

func difference(what, got, want string) string {
	if got == want {
		return ""
	}
	return fmt.Sprintf("\n%s are\n%sand should be\n%s", what, got, want)
}
