package retrofit_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/gorm-tenancy/tenancy/retrofit"
)

// TestOpenTransaction: behind a long transaction the change waits, steps back, and lets others through.
func TestOpenTransaction(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, e *env) {
		e.seed(5)
		long := e.open().Begin()
		must(t, long.First(&OldPoll{}).Error)
		ended := make(chan error, 1)
		tried := make(chan struct{}, 100)
		r := e.retrofit(byCompany, retrofit.LockTimeout(200*time.Millisecond))
		r.BeforeStatement(func(query string) {
			first := map[string]string{"postgres": `LOCK TABLE "polls"`, "mysql": "ALTER TABLE `polls` ADD COLUMN"}[e.kind]
			if strings.HasPrefix(query, first) {
				tried <- struct{}{}
			}
		})
		var report retrofit.Report
		go func() {
			var err error
			report, err = r.Add(context.Background())
			ended <- err
		}()
		<-tried
		other := e.open()
		for i := range 10 { // while the transaction is open
			ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
			if err := other.WithContext(ctx).Model(&OldPoll{}).Where("id = 2").Update("votes", i).Error; err != nil {
				t.Errorf("a write behind the change: %v", err)
			}
			cancel()
		}
		select {
		case <-tried:
		case <-time.After(30 * time.Second):
			t.Error("the change does not try again")
		}
		select {
		case err := <-ended:
			t.Errorf("the change got through an open transaction: %v", err)
		default:
		}
		must(t, long.Rollback().Error)
		must(t, <-ended)
		if tries := report.Changes[0].Tries + report.Changes[1].Tries; tries < 3 {
			t.Errorf("%d tries for two columns", tries)
		}
	})
}

// TestLockedRow: a batch that meets a row somebody holds for long gives its own rows back meanwhile.
func TestLockedRow(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, e *env) {
		e.seed(5)
		r := e.retrofit(byCompany, retrofit.LockTimeout(200*time.Millisecond))
		e.stage(r, retrofit.StageAdd)
		long := e.open().Begin()
		must(t, long.Exec("SELECT * FROM polls WHERE id = 9 FOR UPDATE").Error)
		tried := make(chan struct{}, 100)
		r.BeforeStatement(func(query string) {
			if strings.HasPrefix(query, "UPDATE") && strings.Contains(query[:20], "polls") {
				tried <- struct{}{}
			}
		})
		ended := make(chan error, 1)
		go func() {
			_, err := r.Backfill(context.Background())
			ended <- err
		}()
		<-tried
		<-tried
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if err := e.open().WithContext(ctx).Model(&OldPoll{}).Where("id = 1").Update("votes", 7).Error; err != nil {
			t.Errorf("a write to another row of the batch: %v", err)
		}
		select {
		case err := <-ended:
			t.Fatalf("the batch got through a locked row: %v", err)
		default:
		}
		must(t, long.Rollback().Error)
		must(t, <-ended)
		if n := e.count("SELECT votes FROM polls WHERE id = 1"); n != 7 {
			t.Errorf("the write is lost: %d votes", n)
		}
	})
}

// TestNoLock: tries end, with a typed error and without a change.
func TestNoLock(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, e *env) {
		before := e.structure()
		long := e.open().Begin()
		must(t, long.Find(&[]OldPoll{}).Error)
		must(t, long.Find(&[]OldChoice{}).Error)
		r := e.retrofit(byCompany, retrofit.LockTimeout(10*time.Millisecond), retrofit.Tries(2))
		if _, err := r.Add(t.Context()); !errors.Is(err, retrofit.ErrLocked) {
			t.Errorf("Add: %v", err)
		}
		if after := e.structure(); after != before {
			t.Errorf("changed\n%s\nto\n%s", before, after)
		}
		must(t, long.Rollback().Error)
		e.stage(r, retrofit.StageAdd)
	})
}

// TestCachedPlans shows the error that docs/retrofit.md warns of, and that naming columns avoids it.
func TestCachedPlans(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "postgres")
	e.seed(5)
	for named, want := range map[bool]string{true: "", false: "cached plan must not change result type"} {
		db, err := gorm.Open(postgres.Open(e.dsn), &gorm.Config{Logger: logger.Discard, QueryFields: named})
		must(t, err)
		pool, err := db.DB()
		must(t, err)
		pool.SetMaxOpenConns(1)
		t.Cleanup(func() { pool.Close() })
		must(t, db.First(&OldPoll{}).Error)
		e.exec("ALTER TABLE polls ADD COLUMN IF NOT EXISTS later" + map[bool]string{true: "1", false: "2"}[named] + " int")
		err = db.First(&OldPoll{}).Error
		if (err != nil) != (want != "") || err != nil && !contains(err, want) {
			t.Errorf("columns named %t: %v", named, err)
		}
		must(t, db.First(&OldPoll{}).Error) // once only
	}
}
