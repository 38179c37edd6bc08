package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestAPICreatesPolls(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	w := s.post(thor, "/api/polls", `{"question":"  Tea? ","choices":["Yes","No"]}`)
	poll := decoded[Poll](t, w, 201)
	if poll.ID != 3 || poll.Question != "Tea?" || len(poll.Choices) != 2 || poll.Choices[1].Text != "No" {
		t.Errorf("created %+v", poll)
	}
	if got := w.Header().Get("Location"); got != "/api/polls/3" {
		t.Errorf("location %q", got)
	}
	choice := decoded[Choice](t, s.post(thor, "/api/polls/3/choices", `{"text":"Later"}`), 201)
	if choice.ID != 9 || choice.Text != "Later" {
		t.Errorf("choice %+v", choice)
	}
	if got := decoded[Poll](t, s.get(thor, "/api/polls/3"), 200); len(got.Choices) != 3 || got.Choices[2].ID != 9 {
		t.Errorf("read %+v", got)
	}
	list := decoded[struct{ Polls []Poll }](t, s.get(thor, "/api/polls"), 200)
	if len(list.Polls) != 3 || list.Polls[0].ID != 3 {
		t.Errorf("listed %+v", list)
	}
	alone := decoded[Poll](t, s.post(potter, "/api/polls", `{"question":"Alone?"}`), 201)
	if alone.ID != 3 || alone.Choices != nil {
		t.Errorf("potter created %+v", alone)
	}
}

func TestAPIRefusals(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	wantStatus(t, s.post(thor, "/api/polls/1/votes", `{"choice_id":1,"voter":"jane"}`), 201)
	before := s.rows(t, "thor")
	long, many := strings.Repeat("ä", 201), strings.Repeat(`,"x"`, 20)
	for _, tc := range []struct {
		name, method, path, body string
		want                     int
		detail                   string
	}{
		{"no body", "POST", "/api/polls", ``, 400, "the body is not"},
		{"broken JSON", "POST", "/api/polls", `{"question":`, 400, "the body is not"},
		{"array", "POST", "/api/polls", `[]`, 400, "the body is not"},
		{"wrong type", "POST", "/api/polls", `{"question":7}`, 400, "the body is not"},
		{"two objects", "POST", "/api/polls", `{"question":"q"}{}`, 400, "more than one"},
		{"unknown field", "POST", "/api/polls", `{"question":"q","owner":"me"}`, 400, `unknown field "owner"`},
		{"null", "POST", "/api/polls", `null`, 400, "question is missing"},
		{"no question", "POST", "/api/polls", `{"question":" "}`, 400, "question is missing"},
		{"long question", "POST", "/api/polls", `{"question":"` + long + `"}`, 400, "longer than 200"},
		{"empty choice", "POST", "/api/polls", `{"question":"q","choices":[""]}`, 400, "choice is missing"},
		{"many choices", "POST", "/api/polls", `{"question":"q","choices":["x"` + many + `]}`, 400, "at most 20"},
		{"huge body", "POST", "/api/polls", `{"question":"` + strings.Repeat("x", maxBody) + `"}`, 413, "too large"},
		{"no text", "POST", "/api/polls/1/choices", `{}`, 400, "text is missing"},
		{"choice of no poll", "POST", "/api/polls/99/choices", `{"text":"x"}`, 404, "no such poll"},
		{"no voter", "POST", "/api/polls/1/votes", `{"choice_id":1}`, 400, "voter is missing"},
		{"no choice", "POST", "/api/polls/1/votes", `{"voter":"v"}`, 400, "choice_id is missing"},
		{"negative choice", "POST", "/api/polls/1/votes", `{"choice_id":-1,"voter":"v"}`, 400, "choice_id is missing"},
		{"missing choice", "POST", "/api/polls/1/votes", `{"choice_id":99,"voter":"v"}`, 400, "no such choice"},
		{"choice of another poll", "POST", "/api/polls/1/votes", `{"choice_id":4,"voter":"v"}`, 400, "no such choice"},
		{"vote in no poll", "POST", "/api/polls/99/votes", `{"choice_id":1,"voter":"v"}`, 404, "no such poll"},
		{"second vote", "POST", "/api/polls/1/votes", `{"choice_id":1,"voter":"jane"}`, 409, "voted in this poll already"},
		{"changed vote", "POST", "/api/polls/1/votes", `{"choice_id":2,"voter":" jane "}`, 409, "voted in this poll already"},
		{"id is text", "GET", "/api/polls/one", ``, 404, "no such poll"},
		{"id is zero", "GET", "/api/polls/0", ``, 404, "no such poll"},
		{"id is too long", "GET", "/api/polls/99999999999999999999", ``, 404, "no such poll"},
		{"no results", "GET", "/api/polls/99/results", ``, 404, "no such poll"},
		{"no address", "GET", "/api/nothing", ``, 404, "nothing at this address"},
		{"no method", "DELETE", "/api/polls/1", ``, 405, "DELETE is not possible"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := s.send(thor, tc.method, tc.path, tc.body, "Content-Type", "application/json")
			p := decoded[problem](t, w, tc.want)
			if p.Status != tc.want || p.Title != http.StatusText(tc.want) || !strings.Contains(p.Detail, tc.detail) {
				t.Errorf("problem %+v, want detail %q", p, tc.detail)
			}
			if got := w.Header().Get("Content-Type"); got != "application/problem+json" {
				t.Errorf("content type %q", got)
			}
			if after := s.rows(t, "thor"); after != before {
				t.Errorf("rows were\n%sand are\n%s", before, after)
			}
		})
	}
}

func TestAPIResults(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for i, choice := range []int{1, 1, 2} {
		wantStatus(t, s.post(thor, "/api/polls/1/votes", fmt.Sprintf(`{"choice_id":%d,"voter":"v%d"}`, choice, i)), 201)
	}
	got := s.get(thor, "/api/polls/1/results").Body.String()
	want := `{"poll_id":1,"question":"Who may lift the hammer next?","total":3,"choices":[` +
		`{"id":1,"text":"Jane","votes":2,"percent":67},` +
		`{"id":2,"text":"Steve","votes":1,"percent":33},` +
		`{"id":3,"text":"Nobody","votes":0,"percent":0}]}`
	if got != want {
		t.Errorf("results\n%s\nwant\n%s", got, want)
	}
}

func TestTally(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ votes, percent [3]int64 }{
		{[3]int64{0, 0, 0}, [3]int64{0, 0, 0}},
		{[3]int64{1, 0, 0}, [3]int64{100, 0, 0}},
		{[3]int64{1, 1, 1}, [3]int64{33, 33, 33}},
		{[3]int64{1, 7, 0}, [3]int64{13, 88, 0}},
		{[3]int64{999, 1, 0}, [3]int64{100, 0, 0}},
	} {
		poll := Poll{Choices: []Choice{{ID: 1}, {ID: 2}, {ID: 3}}}
		r := tally(poll, map[int64]int64{1: tc.votes[0], 2: tc.votes[1], 3: tc.votes[2]})
		for i, c := range r.Choices {
			if c.Votes != tc.votes[i] || c.Percent != tc.percent[i] {
				t.Errorf("%v: choice %d has %d votes, %d %%", tc.votes, i, c.Votes, c.Percent)
			}
		}
	}
}
