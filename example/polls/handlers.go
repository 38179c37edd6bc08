package main

import (
	"context"
	"errors"
	"net/http"

	"gorm.io/gorm"
)

// handlers answers requests. This file, api.go and pages.go read like an application for a single customer: they pass
// the request's context to the database, and that is all.
type handlers struct{ db *gorm.DB }

const listed = 100

// list returns the newest polls without their choices.
func (h *handlers) list(ctx context.Context) (polls []Poll, err error) {
	err = h.db.WithContext(ctx).Order("id DESC").Limit(listed).Find(&polls).Error
	return polls, err
}

// poll returns one poll with its choices, or gorm.ErrRecordNotFound.
func (h *handlers) poll(ctx context.Context, id int64) (poll Poll, err error) {
	byID := func(db *gorm.DB) *gorm.DB { return db.Order("id") }
	err = h.db.WithContext(ctx).Preload("Choices", byID).Where("id = ?", id).Take(&poll).Error
	return poll, err
}

// create stores a poll and its choices.
func (h *handlers) create(ctx context.Context, in newPoll) (poll Poll, err error) {
	err = h.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		id, err := nextID(tx, &Poll{})
		if err != nil {
			return err
		}
		poll = Poll{ID: id, Question: in.Question}
		if err := tx.Create(&poll).Error; err != nil || len(in.Choices) == 0 {
			return err
		}
		poll.Choices, err = addChoices(tx, id, in.Choices)
		return err
	})
	return poll, err
}

// addChoice stores one more choice of a poll.
func (h *handlers) addChoice(ctx context.Context, pollID int64, text string) (choice Choice, err error) {
	err = h.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := tx.Where("id = ?", pollID).Take(&Poll{}).Error; err != nil {
			return err
		}
		choices, err := addChoices(tx, pollID, []string{text})
		if err != nil {
			return err
		}
		choice = choices[0]
		return nil
	})
	return choice, err
}

func addChoices(tx *gorm.DB, pollID int64, texts []string) ([]Choice, error) {
	id, err := nextID(tx, &Choice{})
	if err != nil {
		return nil, err
	}
	choices := make([]Choice, len(texts))
	for i, text := range texts {
		choices[i] = Choice{ID: id + int64(i), PollID: pollID, Text: text}
	}
	return choices, tx.Create(&choices).Error
}

// nextID returns the number after the highest one. A key of several columns has no autoincrement in SQLite. Two
// requests cannot get the same number: transactions begin with the write lock (see pragmas). On a database that lets
// both in, the primary key would refuse the second row.
func nextID(tx *gorm.DB, model any) (id int64, err error) {
	err = tx.Model(model).Select("coalesce(max(id), 0) + 1").Scan(&id).Error
	return id, err
}

// vote stores a vote. The table's keys are the judges: no check before the insert could be as sure.
func (h *handlers) vote(ctx context.Context, vote *Vote) error {
	db := h.db.WithContext(ctx)
	if err := db.Where("id = ?", vote.PollID).Take(&Poll{}).Error; err != nil {
		return err
	}
	err := db.Create(vote).Error
	switch {
	case errors.Is(err, gorm.ErrDuplicatedKey):
		return problem{Status: http.StatusConflict, Detail: "this voter has voted in this poll already"}
	case errors.Is(err, gorm.ErrForeignKeyViolated):
		return badRequest("the poll has no such choice")
	}
	return err
}

// voted reports whether the voter has voted in the poll.
func (h *handlers) voted(ctx context.Context, pollID int64, voter string) (bool, error) {
	var n int64
	err := h.db.WithContext(ctx).Model(&Vote{}).Where("poll_id = ? AND voter = ?", pollID, voter).Count(&n).Error
	return n > 0, err
}
