package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"
)

// What requests may say. The types name the fields a visitor decides, and unknown fields are refused: nobody writes an
// id, a time or an owner from outside.
type (
	newPoll struct {
		Question string   `json:"question"`
		Choices  []string `json:"choices"`
	}
	newChoice struct {
		Text string `json:"text"`
	}
	newVote struct {
		ChoiceID int64  `json:"choice_id"`
		Voter    string `json:"voter"`
	}
)

const (
	maxQuestion = 200
	maxChoice   = 100
	maxChoices  = 20
	maxVoter    = 100
)

func (p *newPoll) validate() error {
	if err := text("question", &p.Question, maxQuestion); err != nil {
		return err
	}
	if len(p.Choices) > maxChoices {
		return badRequest(fmt.Sprintf("a poll begins with at most %d choices", maxChoices))
	}
	for i := range p.Choices {
		if err := text("choice", &p.Choices[i], maxChoice); err != nil {
			return err
		}
	}
	return nil
}

func (c *newChoice) validate() error { return text("text", &c.Text, maxChoice) }

func (v *newVote) validate() error {
	if v.ChoiceID <= 0 {
		return badRequest("choice_id is missing")
	}
	return text("voter", &v.Voter, maxVoter)
}

// text trims a value and checks its length in characters.
func text(name string, s *string, limit int) error {
	*s = strings.TrimSpace(*s)
	switch {
	case *s == "":
		return badRequest(name + " is missing")
	case utf8.RuneCountInString(*s) > limit:
		return badRequest(fmt.Sprintf("%s is longer than %d characters", name, limit))
	}
	return nil
}

// decode reads one JSON object and validates it.
func decode(c *gin.Context, in interface{ validate() error }) error {
	d := json.NewDecoder(c.Request.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(in); err != nil {
		return badJSON(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return badRequest("the body holds more than one JSON object")
	}
	return in.validate()
}

func badJSON(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return err
	}
	return badRequest("the body is not the JSON object expected here: " + strings.TrimPrefix(err.Error(), "json: "))
}

func badForm(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return err
	}
	return badRequest("the form cannot be read")
}

// pollID reads the id in the path. Text that is no number names no poll.
func pollID(c *gin.Context) (int64, error) {
	id, err := strconv.ParseInt(c.Param("id"), 10, 64)
	if err != nil || id <= 0 {
		return 0, gorm.ErrRecordNotFound
	}
	return id, nil
}
