package polls

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/mail"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"
)

const (
	maxQuestion = 100
	maxChoice   = 100
	maxChoices  = 20
	maxUsername = 150
	maxEmail    = 254
	minPassword = 8
	maxPassword = 72 // bytes; bcrypt reads no more
)

// What requests may say. The types name the fields a visitor decides, and others are refused. Those of type ignored are
// what clients of such an API send and may not decide: who they are is known from the sign-in, and what poll from the path.
type (
	ignored struct{ json.RawMessage }

	newPoll struct {
		Question  string   `json:"question"`
		Choices   []string `json:"choices"`
		CreatedBy ignored  `json:"created_by"`
	}
	changedPoll struct {
		Question  *string `json:"question"`
		CreatedBy ignored `json:"created_by"`
	}
	newChoice struct {
		ChoiceText string  `json:"choice_text"`
		Poll       ignored `json:"poll"`
	}
	newVote struct {
		VotedBy ignored `json:"voted_by"`
		Choice  ignored `json:"choice"`
		Poll    ignored `json:"poll"`
	}
	newUser struct {
		Username string `json:"username"`
		Email    string `json:"email"`
		Password string `json:"password"`
	}
	signIn struct {
		Username string `json:"username"`
		Password string `json:"password"`
	}
)

func (p *newPoll) validate() error {
	if err := text("question", &p.Question, maxQuestion); err != nil {
		return err
	}
	if len(p.Choices) > maxChoices {
		return badRequest(fmt.Sprintf("a poll begins with at most %d choices", maxChoices))
	}
	for i := range p.Choices {
		if err := text("choice_text", &p.Choices[i], maxChoice); err != nil {
			return err
		}
	}
	return nil
}

func (p *changedPoll) validate() error {
	if p.Question == nil {
		return nil
	}
	return text("question", p.Question, maxQuestion)
}

func (c *newChoice) validate() error { return text("choice_text", &c.ChoiceText, maxChoice) }

func (*newVote) validate() error { return nil }

// Names are in ASCII, so that no two look the same.
var validUsername = regexp.MustCompile(`^[A-Za-z0-9@.+_-]+$`)

func (u *newUser) validate() error {
	if err := text("username", &u.Username, maxUsername); err != nil {
		return err
	}
	if !validUsername.MatchString(u.Username) {
		return badRequest("username has letters, digits and @ . + - _ only")
	}
	if err := validateEmail(&u.Email); err != nil {
		return err
	}
	return validatePassword(u.Password)
}

// validateEmail lets an address be empty.
func validateEmail(email *string) error {
	if *email = strings.TrimSpace(*email); *email == "" {
		return nil
	}
	if a, err := mail.ParseAddress(*email); err != nil || a.Address != *email || len(*email) > maxEmail {
		return badRequest("email is not an address")
	}
	return nil
}

func validatePassword(password string) error {
	switch {
	case utf8.RuneCountInString(password) < minPassword:
		return badRequest(fmt.Sprintf("password is shorter than %d characters", minPassword))
	case len(password) > maxPassword:
		return badRequest(fmt.Sprintf("password is longer than %d bytes", maxPassword))
	}
	return nil
}

func (*signIn) validate() error { return nil }

// text trims a value and checks its length in characters. No database stores a zero byte in every kind of text.
func text(name string, s *string, limit int) error {
	*s = strings.TrimSpace(*s)
	switch {
	case *s == "":
		return badRequest(name + " is missing")
	case utf8.RuneCountInString(*s) > limit:
		return badRequest(fmt.Sprintf("%s is longer than %d characters", name, limit))
	case !utf8.ValidString(*s) || strings.ContainsRune(*s, 0):
		return badRequest(name + " is not text")
	}
	return nil
}

// decode reads one JSON object and validates it. No body at all is an empty object. Only JSON is read, which no form of
// another site can send.
func decode(c *gin.Context, in interface{ validate() error }) error {
	if c.Request.ContentLength == 0 {
		return in.validate()
	}
	if kind, _, _ := mime.ParseMediaType(c.GetHeader("Content-Type")); kind != gin.MIMEJSON {
		return problem{Status: http.StatusUnsupportedMediaType, Detail: "send application/json"}
	}
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

// form returns what a form has sent in the body, never what stands in the address.
func form(c *gin.Context) (url.Values, error) {
	err := c.Request.ParseForm()
	var tooLarge *http.MaxBytesError
	if err == nil || errors.As(err, &tooLarge) {
		return c.Request.PostForm, err
	}
	return nil, badRequest("the form cannot be read")
}

// number reads an id in the path. Text that is no number names nothing.
func number(c *gin.Context, param string) (int64, error) {
	id, err := strconv.ParseInt(c.Param(param), 10, 64)
	if err != nil || id <= 0 {
		return 0, gorm.ErrRecordNotFound
	}
	return id, nil
}

// pageNumber reads ?page=, which counts from 1.
func pageNumber(c *gin.Context) int {
	n, err := strconv.Atoi(c.Query("page"))
	if err != nil || n < 1 || n > 1_000_000 {
		return 1
	}
	return n
}
