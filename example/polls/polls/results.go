package polls

import (
	"context"

	"gorm.io/gorm"
)

// results is how a poll stands.
type results struct {
	PollID   int64    `json:"poll"`
	Question string   `json:"question"`
	Total    int64    `json:"total"`
	Choices  []result `json:"choices"`
}

type result struct {
	ID      int64  `json:"id"`
	Text    string `json:"choice_text"`
	Votes   int64  `json:"votes"`
	Percent int64  `json:"percent"` // rounded
}

// withChoices loads choices without their votes.
func withChoices(db *gorm.DB) *gorm.DB { return db.Preload("Choices", byID) }

func (a *App) results(ctx context.Context, pollID int64) (results, error) {
	poll, err := a.poll(ctx, pollID, withChoices)
	if err != nil {
		return results{}, err
	}
	var counts []struct{ ChoiceID, Votes int64 }
	err = a.db.WithContext(ctx).Model(&Vote{}).Select("choice_id, count(*) AS votes").
		Where("poll_id = ?", pollID).Group("choice_id").Scan(&counts).Error
	if err != nil {
		return results{}, err
	}
	votes := map[int64]int64{}
	for _, c := range counts {
		votes[c.ChoiceID] = c.Votes
	}
	return tally(poll, votes), nil
}

// tally puts the votes beside the choices, those without votes included.
func tally(poll Poll, votes map[int64]int64) results {
	r := results{PollID: poll.ID, Question: poll.Question, Choices: make([]result, len(poll.Choices))}
	for i, c := range poll.Choices {
		r.Choices[i] = result{ID: c.ID, Text: c.ChoiceText, Votes: votes[c.ID]}
		r.Total += votes[c.ID]
	}
	for i := range r.Choices {
		if r.Total > 0 {
			r.Choices[i].Percent = (200*r.Choices[i].Votes + r.Total) / (2 * r.Total)
		}
	}
	return r
}
