package polls_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy/example/polls/polls"
)

type anyPoll struct {
	ID        int64
	Question  string
	CreatedBy int64     `json:"created_by"`
	PubDate   time.Time `json:"pub_date"`
	Choices   []anyChoice
}

type anyChoice struct {
	ID         int64
	Poll       int64
	ChoiceText string `json:"choice_text"`
	Votes      []anyVote
}

type anyVote struct {
	ID      int64
	Choice  int64
	Poll    int64
	VotedBy int64 `json:"voted_by"`
}

type anyProblem struct {
	Status int
	Title  string
	Detail string
	Error  string
}

// asked makes a user with a poll: choices 1 and 2 of poll 1.
func asked(t *testing.T) (*site, program) {
	t.Helper()
	s := newSite(t)
	owner := s.user("owner")
	owner.send("POST", "/polls/", `{"question":" Tea? ","choices":["Yes","No"]}`).want(201)
	return s, owner
}

// TestRoot: where to start is open to everybody.
func TestRoot(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var got map[string]string
	s.send("GET", "/", "").want(200).into(&got)
	if got["polls"] != "/polls/" || got["login"] != "/login/" || got["users"] != "/users/" {
		t.Errorf("listed %v", got)
	}
}

// TestPolls makes, reads, changes and deletes a poll.
func TestPolls(t *testing.T) {
	t.Parallel()
	s, owner := asked(t)
	var made, read anyPoll
	a := owner.send("POST", "/polls/", `{"question":"Coffee?"}`).want(201).into(&made)
	if got := a.Header().Get("Location"); got != "/polls/2/" {
		t.Errorf("location %q", got)
	}
	if made.ID != 2 || made.CreatedBy != owner.id || made.Choices == nil || time.Since(made.PubDate).Abs() > time.Minute {
		t.Errorf("made %+v", made)
	}
	owner.send("GET", "/polls/1/", "").want(200).into(&read)
	want := anyPoll{ID: 1, Question: "Tea?", CreatedBy: owner.id, PubDate: read.PubDate, Choices: []anyChoice{
		{ID: 1, Poll: 1, ChoiceText: "Yes", Votes: []anyVote{}}, {ID: 2, Poll: 1, ChoiceText: "No", Votes: []anyVote{}},
	}}
	if !reflect.DeepEqual(read, want) {
		t.Errorf("read %+v, want %+v", read, want)
	}
	var list []anyPoll
	owner.send("GET", "/polls/", "").want(200).into(&list)
	if len(list) != 2 || list[0].ID != 2 || !reflect.DeepEqual(list[1], want) {
		t.Errorf("listed %+v", list)
	}
	owner.send("GET", "/polls/?page=2", "").want(200).shows("[]")
	for method, question := range map[string]string{"PUT": "Milk?", "PATCH": "Water?"} {
		owner.send(method, "/polls/2/", fmt.Sprintf(`{"question":%q}`, question)).want(200).into(&read)
		if read.Question != question || read.ID != 2 || read.CreatedBy != owner.id {
			t.Errorf("%s: %+v", method, read)
		}
	}
	owner.send("PATCH", "/polls/2/", "{}").want(200)
	if a := owner.send("DELETE", "/polls/2/", "").want(204); a.Body.Len() > 0 {
		t.Errorf("body %s", a.Body)
	}
	owner.send("GET", "/polls/2/", "").want(404)
	s.keeps(func() { owner.send("DELETE", "/polls/2/", "").want(404) })
	owner.send("POST", "/polls/", `{"question":"Juice?"}`).want(201).into(&made)
	if made.ID != 3 {
		t.Errorf("the id of a deleted poll is given again: %d", made.ID)
	}
}

// TestPubDate: saving a poll sets it, and nothing else does.
func TestPubDate(t *testing.T) {
	t.Parallel()
	s, owner := asked(t)
	var first, second, third anyPoll
	owner.send("GET", "/polls/1/", "").into(&first)
	s.later(time.Hour)
	owner.send("POST", "/polls/1/choices/", `{"choice_text":"Later"}`).want(201)
	owner.send("POST", "/polls/1/choices/1/vote/", "").want(201)
	owner.send("PATCH", "/polls/1/", `{}`).want(200).into(&second)
	if !second.PubDate.Equal(first.PubDate) {
		t.Errorf("%v became %v", first.PubDate, second.PubDate)
	}
	owner.send("PUT", "/polls/1/", `{"question":"Tea now?"}`).want(200).into(&third)
	if d := third.PubDate.Sub(first.PubDate); d < time.Hour || d > 2*time.Hour {
		t.Errorf("%v became %v", first.PubDate, third.PubDate)
	}
	owner.send("PUT", "/polls/1/", `{"question":"q","pub_date":"2001-01-01T00:00:00Z"}`).want(400)
}

// TestChoices adds choices and lists them.
func TestChoices(t *testing.T) {
	t.Parallel()
	_, owner := asked(t)
	var made anyChoice
	owner.send("POST", "/polls/1/choices/", `{"choice_text":"Later","poll":77}`).want(201).into(&made)
	if !reflect.DeepEqual(made, anyChoice{3, 1, "Later", []anyVote{}}) {
		t.Errorf("made %+v", made)
	}
	var list []anyChoice
	owner.send("GET", "/polls/1/choices/", "").want(200).into(&list)
	if len(list) != 3 || list[2].ID != 3 || list[0].ChoiceText != "Yes" {
		t.Errorf("listed %+v", list)
	}
}

// TestVote votes, and reads the vote where it is shown.
func TestVote(t *testing.T) {
	t.Parallel()
	s, owner := asked(t)
	other := s.user("other")
	var vote anyVote
	owner.send("POST", "/polls/1/choices/2/vote/", `{"voted_by":99}`).want(201).into(&vote)
	if vote != (anyVote{1, 2, 1, owner.id}) {
		t.Errorf("voted %+v", vote)
	}
	other.send("POST", "/polls/1/choices/1/vote/", "").want(201)
	var poll anyPoll
	other.send("GET", "/polls/1/", "").want(200).into(&poll)
	if !reflect.DeepEqual(poll.Choices[1].Votes, []anyVote{vote}) || poll.Choices[0].Votes[0].VotedBy != other.id {
		t.Errorf("read %+v", poll)
	}
	other.send("GET", "/polls/1/results/", "").want(200)
	want := `{"poll":1,"question":"Tea?","total":2,"choices":[` +
		`{"id":1,"choice_text":"Yes","votes":1,"percent":50},{"id":2,"choice_text":"No","votes":1,"percent":50}]}`
	if got := other.send("GET", "/polls/1/results/", "").Body.String(); got != want {
		t.Errorf("results %s", got)
	}
}

// TestCascade: what is deleted takes with it what points at it.
func TestCascade(t *testing.T) {
	t.Parallel()
	s, owner := asked(t)
	voter := s.user("voter")
	owner.send("POST", "/polls/", `{"question":"Keep?","choices":["Yes"]}`).want(201)
	voter.send("POST", "/polls/1/choices/1/vote/", "").want(201)
	voter.send("POST", "/polls/2/choices/3/vote/", "").want(201)
	count := func(table string) (n int64) {
		s.must(s.db.Table(table).Count(&n).Error)
		return n
	}
	owner.send("DELETE", "/polls/1/", "").want(204)
	if count("polls") != 1 || count("choices") != 1 || count("votes") != 1 {
		t.Errorf("left %s", s.rows())
	}
	s.must(s.db.Where("id = ?", owner.id).Delete(&polls.User{}).Error)
	if count("polls") != 0 || count("choices") != 0 || count("votes") != 0 || count("users") != 1 || count("tokens") != 1 {
		t.Errorf("left %s", s.rows())
	}
}

// TestGoneMeanwhile: what is deleted between the look and the write is not found.
func TestGoneMeanwhile(t *testing.T) {
	t.Parallel()
	s, owner := asked(t)
	s.must(s.db.Callback().Create().Before("gorm:create").Register("test:gone", func(db *gorm.DB) {
		if table := db.Statement.Table; table == "votes" || table == "choices" {
			s.must(db.Session(&gorm.Session{NewDB: true}).Exec("DELETE FROM polls").Error)
		}
	}))
	owner.send("POST", "/polls/1/choices/1/vote/", "").want(404)
	owner.send("POST", "/polls/1/choices/", `{"choice_text":"x"}`).want(404)
}

// TestRefusals sends what is wrong in each way, and nothing changes.
func TestRefusals(t *testing.T) {
	t.Parallel()
	s, owner := asked(t)
	other := s.user("other")
	other.send("POST", "/polls/", `{"question":"Mine?","choices":["a"]}`).want(201)
	owner.send("POST", "/polls/1/choices/1/vote/", "").want(201)
	long := strings.Repeat("ä", 101)
	for _, tc := range []struct {
		name, method, path, body string
		want                     int
		detail                   string
	}{
		{"broken JSON", "POST", "/polls/", `{"question":`, 400, "the body is not"},
		{"array", "POST", "/polls/", `[]`, 400, "the body is not"},
		{"wrong type", "POST", "/polls/", `{"question":7}`, 400, "the body is not"},
		{"two objects", "POST", "/polls/", `{"question":"q"}{}`, 400, "more than one"},
		{"unknown field", "POST", "/polls/", `{"question":"q","id":9}`, 400, `unknown field "id"`},
		{"null", "POST", "/polls/", `null`, 400, "question is missing"},
		{"no body", "POST", "/polls/", ``, 400, "question is missing"},
		{"blank question", "POST", "/polls/", `{"question":" "}`, 400, "question is missing"},
		{"long question", "POST", "/polls/", `{"question":"` + long + `"}`, 400, "longer than 100"},
		{"zero byte", "POST", "/polls/", `{"question":"a\u0000b"}`, 400, "not text"},
		{"empty choice", "POST", "/polls/", `{"question":"q","choices":[""]}`, 400, "choice_text is missing"},
		{"many choices", "POST", "/polls/", `{"question":"q","choices":["x"` + strings.Repeat(`,"x"`, 20) + `]}`, 400, "at most 20"},
		{"huge body", "POST", "/polls/", `{"question":"` + strings.Repeat("x", 64<<10) + `"}`, 413, "too large"},
		{"missing poll", "GET", "/polls/99/", ``, 404, "Not found."},
		{"id is text", "GET", "/polls/one/", ``, 404, "Not found."},
		{"id is zero", "GET", "/polls/0/", ``, 404, "Not found."},
		{"id is too long", "GET", "/polls/99999999999999999999/", ``, 404, "Not found."},
		{"SQL in the id", "GET", "/polls/3%20OR%201=1/", ``, 404, "Not found."},
		{"PUT without question", "PUT", "/polls/1/", `{}`, 400, "question is missing"},
		{"PATCH with a blank one", "PATCH", "/polls/1/", `{"question":""}`, 400, "question is missing"},
		{"PUT of another's", "PUT", "/polls/2/", `{"question":"q"}`, 403, "You can not change this poll."},
		{"PATCH of another's", "PATCH", "/polls/2/", `{"question":"q"}`, 403, "You can not change this poll."},
		{"PUT of none", "PUT", "/polls/99/", `{"question":"q"}`, 404, "Not found."},
		{"DELETE of another's", "DELETE", "/polls/2/", ``, 403, "You can not delete this poll."},
		{"DELETE of none", "DELETE", "/polls/99/", ``, 404, "Not found."},
		{"no text", "POST", "/polls/1/choices/", `{}`, 400, "choice_text is missing"},
		{"choice for another's", "POST", "/polls/2/choices/", `{"choice_text":"x"}`, 403, "You can not create choice for this poll."},
		{"choice for none", "POST", "/polls/99/choices/", `{"choice_text":"x"}`, 404, "Not found."},
		{"choices of none", "GET", "/polls/99/choices/", ``, 404, "Not found."},
		{"missing choice", "POST", "/polls/2/choices/99/vote/", ``, 404, "Not found."},
		{"choice of another poll", "POST", "/polls/2/choices/1/vote/", ``, 404, "Not found."},
		{"vote in none", "POST", "/polls/99/choices/1/vote/", ``, 404, "Not found."},
		{"second vote", "POST", "/polls/1/choices/1/vote/", ``, 400, "You have voted"},
		{"changed vote", "POST", "/polls/1/choices/2/vote/", ``, 400, "You have voted"},
		{"results of none", "GET", "/polls/99/results/", ``, 404, "Not found."},
		{"no address", "GET", "/nothing/", ``, 404, "nothing at this address"},
		{"no method", "PUT", "/polls/", ``, 405, "PUT is not possible"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s.keeps(func() {
				var p anyProblem
				a := owner.send(tc.method, tc.path, tc.body).want(tc.want).into(&p)
				if p.Status != tc.want || p.Title == "" || !strings.Contains(p.Detail, tc.detail) || p.Error != p.Detail {
					t.Errorf("problem %+v, want detail %q", p, tc.detail)
				}
				if got := a.Header().Get("Content-Type"); got != "application/problem+json" {
					t.Errorf("content type %q", got)
				}
			})
		})
	}
}

// TestSlashes: every path works with and without a slash at its end, without a redirect that would lose the body.
func TestSlashes(t *testing.T) {
	t.Parallel()
	s, owner := asked(t)
	for _, slash := range []string{"", "/"} {
		owner.send("GET", "/polls"+slash, "").want(200).shows("Tea?")
		owner.send("POST", "/polls"+slash, `{"question":"q","choices":["a"]}`).want(201)
		owner.send("GET", "/polls/1"+slash, "").want(200).shows("Tea?")
		owner.send("PUT", "/polls/1"+slash, `{"question":"Tea?"}`).want(200)
		owner.send("GET", "/polls/1/choices"+slash, "").want(200)
		owner.send("POST", "/polls/1/choices"+slash, `{"choice_text":"x"}`).want(201)
		s.user("voter"+fmt.Sprint(len(slash))).send("POST", "/polls/1/choices/1/vote"+slash, "").want(201)
		s.visitor().get("/signin" + slash).want(200)
	}
	owner.send("DELETE", "/polls/2", "").want(204)
	owner.send("DELETE", "/polls/3/", "").want(204)
}

// TestContentType: a body that is not said to be JSON is not read. Forms of other sites can say only other things.
func TestContentType(t *testing.T) {
	t.Parallel()
	s, owner := asked(t)
	s.keeps(func() {
		for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "", "application/jsonp"} {
			s.send("POST", "/polls/", `{"question":"q"}`, append([]string{"Content-Type", kind}, owner.header...)...).want(415)
		}
	})
	s.send("POST", "/polls/", `{"question":"q"}`, append([]string{"Content-Type", "application/json; charset=utf-8"}, owner.header...)...).want(201)
}
