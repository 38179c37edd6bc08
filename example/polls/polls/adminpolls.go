package polls

import (
	"net/url"
	"strconv"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// shownTime is how the admin writes a time.
const shownTime = "2006-01-02 15:04:05 MST"

func adminPolls() section {
	return table[Poll]{
		what: about{
			Slug: "polls", Title: "Polls", Noun: "poll", Plural: "polls", Losses: "its choices and their votes",
			Columns: []string{"Question", "Created by", "Published"},
		},
		matching: func(db *gorm.DB, pattern string) *gorm.DB {
			return db.Where("lower(question) LIKE lower(?) ESCAPE '!'", pattern)
		},
		preload: []string{"CreatedBy"},
		row: func(p Poll) adminRow {
			return adminRow{p.ID, []string{p.Question, name(p.CreatedBy), p.PubDate.UTC().Format(shownTime)}}
		},
		form:  pollFields,
		write: writePoll,
	}
}

func name(u *User) string {
	if u == nil {
		return ""
	}
	return u.Username
}

func pollFields(db *gorm.DB, p Poll) ([]field, error) {
	users, err := usersOf(db)
	if p.CreatedBy != nil {
		users = withOption(users, option{strconv.FormatInt(p.CreatedByID, 10), p.CreatedBy.Username})
	}
	fields := []field{
		{Name: "question", Label: "Question", Value: p.Question, Limit: maxQuestion, Required: true},
		{Name: "created_by", Label: "Created by", Value: strconv.FormatInt(p.CreatedByID, 10), Options: users},
	}
	if p.ID != 0 {
		fields = append(fields, field{
			Name: "pub_date", Label: "Published", Value: p.PubDate.UTC().Format(shownTime), ReadOnly: true,
		})
	}
	return fields, err
}

// withOption makes sure that a list too long to be shown has the option that is picked.
func withOption(options []option, picked option) []option {
	for _, o := range options {
		if o == picked {
			return options
		}
	}
	return append(options, picked)
}

func writePoll(db *gorm.DB, id int64, in url.Values) error {
	question := in.Get("question")
	if err := text("question", &question, maxQuestion); err != nil {
		return err
	}
	user, err := picked(db, in, "created_by", &User{})
	if err != nil {
		return err
	}
	if id == 0 {
		return db.Omit(clause.Associations).Create(&Poll{Question: question, CreatedByID: user}).Error
	}
	return db.Model(&Poll{}).Where("id = ?", id).
		Updates(map[string]any{"question": question, "created_by_id": user}).Error
}

func adminChoices() section {
	return table[Choice]{
		what: about{
			Slug: "choices", Title: "Choices", Noun: "choice", Plural: "choices", Losses: "its votes",
			Columns: []string{"Choice", "Poll"},
		},
		matching: func(db *gorm.DB, pattern string) *gorm.DB {
			return db.Where("lower(choice_text) LIKE lower(?) ESCAPE '!'", pattern)
		},
		preload: []string{"Poll"},
		row: func(c Choice) adminRow {
			return adminRow{c.ID, []string{c.ChoiceText, question(c.Poll)}}
		},
		form:  choiceFields,
		write: writeChoice,
	}
}

func question(p *Poll) string {
	if p == nil {
		return ""
	}
	return p.Question
}

// choiceFields lets a new choice pick its poll. Later it stays there: its votes are counted there.
func choiceFields(db *gorm.DB, c Choice) ([]field, error) {
	fields := []field{{Name: "choice_text", Label: "Choice", Value: c.ChoiceText, Limit: maxChoice, Required: true}}
	if c.ID != 0 {
		return append(fields, field{Name: "poll", Label: "Poll", Value: question(c.Poll), ReadOnly: true}), nil
	}
	var polls []Poll
	err := db.Order("id DESC").Limit(maxOptions).Find(&polls).Error
	options := make([]option, len(polls))
	for i, p := range polls {
		options[i] = option{strconv.FormatInt(p.ID, 10), p.Question}
	}
	return append(fields, field{Name: "poll", Label: "Poll", Options: options}), err
}

func writeChoice(db *gorm.DB, id int64, in url.Values) error {
	choice := in.Get("choice_text")
	if err := text("choice_text", &choice, maxChoice); err != nil {
		return err
	}
	if id != 0 {
		return db.Model(&Choice{}).Where("id = ?", id).Update("choice_text", choice).Error
	}
	poll, err := picked(db, in, "poll", &Poll{})
	if err != nil {
		return err
	}
	return db.Omit(clause.Associations).Create(&Choice{ChoiceText: choice, PollID: poll}).Error
}

// adminVotes shows votes, which nobody changes for somebody else.
func adminVotes() section {
	return table[Vote]{
		what: about{
			Slug: "votes", Title: "Votes", Noun: "vote", Plural: "votes",
			Columns: []string{"Voted by", "Choice", "Poll"},
		},
		matching: func(db *gorm.DB, pattern string) *gorm.DB {
			users := db.Session(&gorm.Session{NewDB: true}).Model(&User{}).Select("id").
				Where("folded_name LIKE lower(?) ESCAPE '!'", pattern)
			return db.Where("voted_by_id IN (?)", users)
		},
		preload: []string{"VotedBy", "Choice", "Poll"},
		row: func(v Vote) adminRow {
			return adminRow{v.ID, []string{name(v.VotedBy), chosen(v.Choice), question(v.Poll)}}
		},
		form: func(_ *gorm.DB, v Vote) ([]field, error) {
			if v.ID == 0 {
				return nil, forbidden("votes are only read here")
			}
			return []field{
				{Name: "voted_by", Label: "Voted by", Value: name(v.VotedBy), ReadOnly: true},
				{Name: "choice", Label: "Choice", Value: chosen(v.Choice), ReadOnly: true},
				{Name: "poll", Label: "Poll", Value: question(v.Poll), ReadOnly: true},
			}, nil
		},
	}
}

func chosen(c *Choice) string {
	if c == nil {
		return ""
	}
	return c.ChoiceText
}
