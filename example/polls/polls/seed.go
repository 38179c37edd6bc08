package polls

import (
	"context"
	"fmt"

	"gorm.io/gorm"
)

// Sample is a poll to begin with.
type Sample struct {
	// Question has at most 100 characters.
	Question string
	// Choices have at most 100 characters each.
	Choices []string
}

// Seed stores the samples as polls of a user. It does so each time it is called.
func Seed(ctx context.Context, db *gorm.DB, userID int64, samples ...Sample) error {
	for _, s := range samples {
		in := newPoll{Question: s.Question, Choices: s.Choices}
		if err := in.validate(); err != nil {
			return fmt.Errorf("sample %q: %w", s.Question, err)
		}
		if _, err := create(ctx, db, userID, in.Question, in.Choices); err != nil {
			return err
		}
	}
	return nil
}
