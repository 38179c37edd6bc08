package retrofit_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/go-sql-driver/mysql"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/retrofit"
)

// TestAlive takes a running application through all stages: an old program and one with the new models but without the plugin
// read and write all the while, and a program with the plugin joins them when Check says so.
func TestAlive(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, e *env) {
		e.seed(300)
		r := e.retrofit(byCompany, retrofit.BatchSize(50))
		old := begin(t, e, func(db *gorm.DB, i int) error { return oldProgram(db, "old", i) })
		fresh := (*program)(nil)
		for _, stage := range retrofit.Stages()[:3] {
			e.stage(r, stage)
			old.more(t, 5)
			if stage == retrofit.StageAdd {
				fresh = begin(t, e, newProgram)
			}
			fresh.more(t, 5)
		}
		_, err := r.Check(t.Context())
		must(t, err)
		walled := begin(t, e, walledProgram)
		walled.more(t, 10)
		written := map[string]int{"old-%": old.end(t), "new-%": fresh.end(t)}
		e.stage(r, retrofit.StageFinish)
		walled.more(t, 5)
		written["walled-%"] = walled.end(t)
		for like, n := range written {
			if got := e.count("SELECT count(*) FROM polls WHERE slug LIKE ?", like); got != n || n == 0 {
				t.Errorf("%d polls like %s, %d were written", got, like, n)
			}
			if got := e.count("SELECT count(*) FROM choices WHERE text LIKE ?", like); got != n {
				t.Errorf("%d choices like %s, %d were written", got, like, n)
			}
		}
		if n := e.count("SELECT count(*) FROM polls JOIN companies ON companies.id = polls.company_id WHERE polls.tenant_id = companies.slug"); n !=
			e.count("SELECT count(*) FROM polls") {
			t.Errorf("%d polls have the right tenant", n)
		}
		if n := e.count("SELECT count(*) FROM choices JOIN polls ON polls.id = choices.poll_id AND polls.tenant_id = choices.tenant_id"); n !=
			e.count("SELECT count(*) FROM choices") {
			t.Errorf("%d choices have the right tenant", n)
		}
		if n := e.count("SELECT count(*) FROM polls WHERE slug LIKE 'seed-%' AND votes > 0"); n == 0 {
			t.Error("no vote of the old program is left")
		}
		separate(t, e)
	})
}

// program is one that runs beside the stages.
type program struct {
	rounds chan struct{}
	stop   context.CancelFunc
	done   sync.WaitGroup
	made   int
}

// begin calls f with 1, 2, 3 …, until the end.
func begin(t *testing.T, e *env, f func(*gorm.DB, int) error) *program {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	p := &program{rounds: make(chan struct{}), stop: stop}
	db := e.open()
	t.Cleanup(func() { stop(); p.done.Wait() })
	p.done.Add(1)
	go func() {
		defer p.done.Done()
		defer close(p.rounds)
		for i := 1; ctx.Err() == nil; i++ {
			err := f(db, i)
			for deadlock := new(mysql.MySQLError); errors.As(err, &deadlock) && deadlock.Number == 1213; { // see docs/retrofit.md
				err = f(db, i)
			}
			if err != nil {
				t.Errorf("round %d of a program: %v", i, err)
				return
			}
			p.made++
			select {
			case p.rounds <- struct{}{}:
			default:
			}
		}
	}()
	return p
}

// more waits for some rounds.
func (p *program) more(t *testing.T, n int) {
	t.Helper()
	for range n {
		if _, ok := <-p.rounds; !ok {
			t.Fatal("the program has ended")
		}
	}
}

func (p *program) end(t *testing.T) int {
	t.Helper()
	p.stop()
	p.done.Wait()
	return p.made
}

// oldProgram writes a poll with a choice, upserts, votes and reads.
func oldProgram(db *gorm.DB, name string, i int) error {
	poll := OldPoll{CompanyID: uint(i%2 + 1), Slug: fmt.Sprint(name, "-", i)}
	choice := OldChoice{Text: fmt.Sprint(name, "-", i)}
	var seen OldPoll
	again := OldPoll{CompanyID: poll.CompanyID, Slug: poll.Slug}
	upsert := clause.OnConflict{Columns: []clause.Column{{Name: "slug"}}, DoUpdates: clause.Assignments(map[string]any{"votes": gorm.Expr("polls.votes + 1")})}
	if err := db.First(&seen, i%600+1).Error; err != nil {
		return err
	}
	return db.Transaction(func(tx *gorm.DB) error {
		if err := tx.Create(&poll).Error; err != nil {
			return err
		}
		choice.PollID = poll.ID
		seen.Votes++
		for _, write := range []func() *gorm.DB{ // behind a deadlock there is no transaction any more
			func() *gorm.DB { return tx.Omit("Poll").Create(&choice) },
			func() *gorm.DB { return tx.Clauses(upsert).Create(&again) },
			func() *gorm.DB {
				return tx.Model(&OldPoll{}).Where("id = ?", i%600+1).Update("votes", gorm.Expr("votes + 1"))
			},
			func() *gorm.DB { return tx.Save(&seen) },
		} {
			if err := write().Error; err != nil {
				return err
			}
		}
		return nil
	})
}

// newProgram has the new models, and not the plugin: it writes the empty tenant.
func newProgram(db *gorm.DB, i int) error {
	poll := Poll{CompanyID: uint(i%2 + 1), Slug: fmt.Sprint("new-", i), Choices: []Choice{{Text: fmt.Sprint("new-", i)}}}
	return db.Transaction(func(tx *gorm.DB) error {
		if err := tx.Create(&poll).Error; err != nil {
			return err
		}
		poll.Votes = 1
		return tx.Omit("Choices").Save(&poll).Error // with the empty tenant once more
	})
}

// walledProgram has the plugin.
func walledProgram(db *gorm.DB, i int) error {
	if db.Plugins[tenancy.PluginName] == nil {
		if err := db.Use(newPlugin()); err != nil {
			return err
		}
	}
	ctx, other := asAcme, asGlobex
	if i%2 == 1 {
		ctx, other = other, ctx
	}
	poll := Poll{CompanyID: uint(i%2 + 1), Slug: fmt.Sprint("walled-", i), Choices: []Choice{{Text: fmt.Sprint("walled-", i)}}}
	if err := db.WithContext(ctx).Create(&poll).Error; err != nil {
		return err
	}
	var seen Poll
	if err := db.WithContext(ctx).Preload("Choices").First(&seen, poll.ID).Error; err != nil || len(seen.Choices) != 1 {
		return fmt.Errorf("own poll: %d choices, %w", len(seen.Choices), err)
	}
	if err := db.WithContext(other).First(&Poll{}, poll.ID).Error; !errors.Is(err, gorm.ErrRecordNotFound) {
		return fmt.Errorf("another tenant's poll: %w", err)
	}
	return nil
}

// separate attacks globex as acme after the retrofit, with a positive control for each refusal.
func separate(t *testing.T, e *env) {
	t.Helper()
	db := e.open()
	must(t, db.Use(newPlugin()))
	acme := db.WithContext(asAcme)
	before := e.dump("globex")
	if n := e.count("SELECT count(*) FROM polls WHERE tenant_id = 'globex'"); n < 2 {
		t.Fatalf("globex has %d polls", n)
	}
	for _, try := range []struct {
		name string
		id   int // 1 is acme's, 2 globex's
		rows int64
	}{{"own", 1, 1}, {"foreign", 2, 0}} {
		var found []Poll
		read := acme.Where("id = ?", try.id).Find(&found)
		update := acme.Model(&Poll{}).Where("id = ?", try.id).Update("votes", 77)
		if read.RowsAffected != try.rows || update.RowsAffected != try.rows || read.Error != nil || update.Error != nil {
			t.Errorf("%s: read %d, %v, updated %d, %v", try.name, read.RowsAffected, read.Error, update.RowsAffected, update.Error)
		}
		choice := acme.Create(&Choice{PollID: uint(try.id), Text: "planted"})
		if (choice.Error == nil) != (try.rows == 1) {
			t.Errorf("%s: a choice: %v", try.name, choice.Error)
		}
	}
	// Slugs overlap, and are unique inside a tenant.
	must(t, acme.Create(&Poll{CompanyID: 1, Slug: "seed-2"}).Error)
	if err := acme.Create(&Poll{CompanyID: 1, Slug: "seed-2"}).Error; err == nil {
		t.Error("a slug twice in a tenant")
	}
	if err := e.open().Create(&OldPoll{CompanyID: 1, Slug: "late"}).Error; err == nil {
		t.Error("after Finish an old program writes a row without a tenant")
	}
	if after := e.dump("globex"); after != before {
		t.Errorf("globex had\n%s\nand has\n%s", before, after)
	}
}
