package polls_test

import (
	"errors"
	"log/slog"
	"testing"

	"golang.org/x/crypto/bcrypt"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy/example/polls/polls"
)

// TestAgain: a vote that the database gave up in favour of another write is tried again and stored once; one that it gives up
// every time is a failure that leaves nothing.
func TestAgain(t *testing.T) {
	for name, tc := range map[string]struct {
		deadlocks, status, votes int
		again                    bool
	}{
		"none":     {deadlocks: 0, status: 201, votes: 1, again: true},
		"some":     {deadlocks: 4, status: 201, votes: 1, again: true},
		"no end":   {deadlocks: 100, status: 500, again: true},
		"not told": {deadlocks: 1, status: 500},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			deadlock := errors.New("deadlock")
			options := polls.Options{Logger: slog.New(slog.DiscardHandler), PasswordCost: bcrypt.MinCost}
			if tc.again {
				options.Again = func(err error) bool { return errors.Is(err, deadlock) }
			}
			app, err := polls.New(s.db, options)
			s.must(err)
			jane := s.user("jane")
			jane.send("POST", "/polls/", `{"question":"q","choices":["a","b"]}`).want(201)
			left := tc.deadlocks
			s.must(s.db.Callback().Create().After("gorm:create").Before("gorm:commit_or_rollback_transaction").Register("deadlock", func(db *gorm.DB) {
				if db.Statement.Table == "votes" && left > 0 {
					left--
					_ = db.AddError(deadlock)
				}
			}))
			jane.site = mounted(s, app)
			jane.send("POST", "/polls/1/choices/1/vote/", "").want(tc.status)
			var votes []polls.Vote
			s.must(s.db.Find(&votes).Error)
			if len(votes) != tc.votes {
				t.Errorf("stored %v, want %d", votes, tc.votes)
			}
		})
	}
}
