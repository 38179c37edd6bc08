package polls

import (
	"context"
	"errors"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

const listed = 100

func byID(db *gorm.DB) *gorm.DB { return db.Order("id") }

// withVotes loads choices and votes, as programs are shown them.
func withVotes(db *gorm.DB) *gorm.DB {
	return db.Preload("Choices", byID).Preload("Choices.Votes", byID)
}

// newest returns one page of polls, which count from 1, and how many polls there are.
func (a *App) newest(ctx context.Context, page int, scopes ...func(*gorm.DB) *gorm.DB) (polls []Poll, total int64, err error) {
	db := a.db.WithContext(ctx)
	if err := db.Model(&Poll{}).Count(&total).Error; err != nil {
		return nil, 0, err
	}
	err = db.Scopes(scopes...).Order("id DESC").Limit(listed).Offset((page - 1) * listed).Find(&polls).Error
	return polls, total, err
}

// poll returns one poll, or gorm.ErrRecordNotFound.
func (a *App) poll(ctx context.Context, id int64, scopes ...func(*gorm.DB) *gorm.DB) (poll Poll, err error) {
	err = a.db.WithContext(ctx).Scopes(scopes...).Where("id = ?", id).Take(&poll).Error
	return poll, err
}

// own returns a poll to the user who made it, and refuses it to others.
func (a *App) own(ctx context.Context, user *User, id int64, refusal string) (Poll, error) {
	poll, err := a.poll(ctx, id)
	if err == nil && poll.CreatedByID != user.ID {
		err = forbidden(refusal)
	}
	return poll, err
}

// create stores a poll and its choices.
func create(ctx context.Context, db *gorm.DB, userID int64, question string, choices []string) (poll Poll, err error) {
	err = db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		poll = Poll{Question: question, CreatedByID: userID, Choices: []Choice{}}
		if err := tx.Omit(clause.Associations).Create(&poll).Error; err != nil || len(choices) == 0 {
			return err
		}
		for _, text := range choices {
			poll.Choices = append(poll.Choices, Choice{PollID: poll.ID, ChoiceText: text, Votes: []Vote{}})
		}
		return tx.Omit(clause.Associations).Create(&poll.Choices).Error
	})
	return poll, err
}

// rename gives a poll another question.
func (a *App) rename(ctx context.Context, id int64, question string) error {
	return a.db.WithContext(ctx).Model(&Poll{}).Where("id = ?", id).Update("question", question).Error
}

// remove deletes a poll with everything in it.
func (a *App) remove(ctx context.Context, user *User, id int64) error {
	if _, err := a.own(ctx, user, id, "You can not delete this poll."); err != nil {
		return err
	}
	return a.db.WithContext(ctx).Where("id = ?", id).Delete(&Poll{}).Error
}

// addChoice stores one more choice of a poll that the user has made.
func (a *App) addChoice(ctx context.Context, user *User, pollID int64, text string) (Choice, error) {
	choice := Choice{}
	if _, err := a.own(ctx, user, pollID, "You can not create choice for this poll."); err != nil {
		return choice, err
	}
	return choice, missing(a.retried(func() error {
		choice = Choice{PollID: pollID, ChoiceText: text, Votes: []Vote{}}
		return a.db.WithContext(ctx).Omit(clause.Associations).Create(&choice).Error
	}))
}

// vote stores the user's vote. The tables' keys are the judges of a second vote and of a poll that goes away meanwhile: no
// check before the insert could be as sure. That the choice is one of the poll's never changes.
func (a *App) vote(ctx context.Context, user *User, pollID, choiceID int64) (Vote, error) {
	db := a.db.WithContext(ctx)
	vote := Vote{}
	if err := db.Where("id = ? AND poll_id = ?", choiceID, pollID).Take(&Choice{}).Error; err != nil {
		return vote, err
	}
	err := a.retried(func() error {
		vote = Vote{PollID: pollID, ChoiceID: choiceID, VotedByID: user.ID}
		return db.Omit(clause.Associations).Create(&vote).Error
	})
	if errors.Is(err, gorm.ErrDuplicatedKey) {
		return vote, badRequest("You have voted in this poll already.")
	}
	return vote, missing(err)
}

// voted returns the choice the user has voted for, or 0.
func (a *App) voted(ctx context.Context, user *User, pollID int64) (choiceID int64, err error) {
	var votes []Vote
	err = a.db.WithContext(ctx).Where("poll_id = ? AND voted_by_id = ?", pollID, user.ID).Find(&votes).Error
	if len(votes) > 0 {
		choiceID = votes[0].ChoiceID
	}
	return choiceID, err
}

// attempts is how often a write is tried that the database gives up for another one.
const attempts = 5

// retried makes a write, again where the database gave it up: two of them may each have a lock that the other waits for.
func (a *App) retried(write func() error) error {
	err := write()
	for n := 1; n < attempts && err != nil && a.again(err); n++ {
		err = write()
	}
	return err
}

// missing says that what a foreign key points at is not there.
func missing(err error) error {
	if errors.Is(err, gorm.ErrForeignKeyViolated) {
		return gorm.ErrRecordNotFound
	}
	return err
}
