package main

import (
	"net/http"
	"os"
	"strings"
	"testing"
)

// TestPotterCannotReachThor: thor has poll 3 with choices 7 and 8, potter has not. Whatever potter's visitors send,
// thor's rows stay as they are and nothing of them shows.
func TestPotterCannotReachThor(t *testing.T) {
	t.Parallel()
	const secret = "Is the cellar door still open?"
	s := newSite(t)
	wantStatus(t, s.post(thor, "/api/polls", `{"question":"`+secret+`","choices":["secret yes","secret no"]}`), 201)
	wantStatus(t, s.post(thor, "/api/polls/3/votes", `{"choice_id":7,"voter":"secret jane"}`), 201)
	before := s.rows(t, "thor")
	const asForm, asThor = "application/x-www-form-urlencoded", "thor.localhost:8080"

	for _, tc := range []struct {
		name, method, path, body string
		header                   []string
		want                     int
	}{
		{name: "read a poll", method: "GET", path: "/api/polls/3", want: 404},
		{name: "read results", method: "GET", path: "/api/polls/3/results", want: 404},
		{name: "open a page", method: "GET", path: "/polls/3", want: 404},
		{name: "open results", method: "GET", path: "/polls/3/results", want: 404},
		{name: "add a choice", method: "POST", path: "/api/polls/3/choices", body: `{"text":"mine"}`, want: 404},
		{name: "vote", method: "POST", path: "/api/polls/3/votes", body: `{"choice_id":7,"voter":"p"}`, want: 404},
		{
			name: "vote by form", method: "POST", path: "/polls/3/votes", body: "choice=7",
			header: []string{"Content-Type", asForm}, want: 404,
		},
		{
			name: "vote for a foreign choice", method: "POST", path: "/api/polls/1/votes",
			body: `{"choice_id":7,"voter":"p"}`, want: 400,
		},
		{
			name: "name the tenant of a poll", method: "POST", path: "/api/polls",
			body: `{"question":"q","tenant_id":"thor"}`, want: 400,
		},
		{
			name: "name the tenant as the field", method: "POST", path: "/api/polls",
			body: `{"question":"q","TenantID":"thor"}`, want: 400,
		},
		{
			name: "name the tenant of a vote", method: "POST", path: "/api/polls/1/votes",
			body: `{"choice_id":1,"voter":"p","tenant_id":"thor"}`, want: 400,
		},
		{name: "name the id", method: "POST", path: "/api/polls", body: `{"question":"q","id":3}`, want: 400},
		{
			name: "name the poll in the body", method: "POST", path: "/api/polls/1/votes",
			body: `{"choice_id":7,"voter":"p","poll_id":3}`, want: 400,
		},
		{
			name: "name the host beside the host", method: "GET", path: "/api/polls/3",
			header: []string{"X-Forwarded-Host", asThor, "Forwarded", "host=" + asThor, "X-Tenant-ID", "thor"}, want: 404,
		},
		{name: "SQL in the id", method: "GET", path: "/api/polls/3%20OR%201=1", want: 404},
		{name: "list", method: "GET", path: "/api/polls?tenant_id=thor&tenant=thor", want: 200},
		{name: "list as a page", method: "GET", path: "/", want: 200},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := s.send(potter, tc.method, tc.path, tc.body, tc.header...)
			wantStatus(t, w, tc.want)
			if strings.Contains(w.Body.String(), "secret") || strings.Contains(w.Body.String(), "cellar") {
				t.Errorf("thor's data shows: %s", w.Body)
			}
			if after := s.rows(t, "thor"); after != before {
				t.Errorf("thor's rows were\n%sand are\n%s", before, after)
			}
		})
	}
}

// TestForeignAndMissingLookTheSame: an answer must not tell an id that another tenant has from one that nobody has.
func TestForeignAndMissingLookTheSame(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	wantStatus(t, s.post(thor, "/api/polls", `{"question":"q","choices":["a"]}`), 201)
	for _, path := range []string{"/api/polls/", "/polls/"} {
		foreign, missing := s.get(potter, path+"3"), s.get(potter, path+"99")
		if foreign.Code != missing.Code || foreign.Body.String() != missing.Body.String() {
			t.Errorf("%s: %d %s\nagainst %d %s", path, foreign.Code, foreign.Body, missing.Code, missing.Body)
		}
	}
	foreign := s.post(potter, "/api/polls/1/votes", `{"choice_id":7,"voter":"p"}`)
	missing := s.post(potter, "/api/polls/1/votes", `{"choice_id":99,"voter":"p"}`)
	if foreign.Code != missing.Code || foreign.Body.String() != missing.Body.String() {
		t.Errorf("choice: %d %s\nagainst %d %s", foreign.Code, foreign.Body, missing.Code, missing.Body)
	}
}

// TestSameIDs: both tenants have poll 1 and choice 1, and each reads and writes its own.
func TestSameIDs(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	questions := map[string]string{thor: "Who may lift the hammer next?", potter: "Which pet is best at school?"}
	for host, want := range questions {
		if got := decoded[Poll](t, s.get(host, "/api/polls/1"), 200).Question; got != want {
			t.Errorf("%s: question %q, want %q", host, got, want)
		}
	}
	before := s.rows(t, "thor")
	wantStatus(t, s.post(potter, "/api/polls/1/votes", `{"choice_id":1,"voter":"same name"}`), 201)
	wantStatus(t, s.post(potter, "/api/polls/1/choices", `{"text":"A rat"}`), 201)
	if after := s.rows(t, "thor"); after != before {
		t.Fatalf("thor's rows were\n%sand are\n%s", before, after)
	}
	if r := decoded[results](t, s.get(thor, "/api/polls/1/results"), 200); r.Total != 0 {
		t.Errorf("thor counts %d votes of potter", r.Total)
	}
	wantStatus(t, s.post(thor, "/api/polls/1/votes", `{"choice_id":1,"voter":"same name"}`), 201)
	if !strings.Contains(s.rows(t, "potter"), "A rat") {
		t.Error("potter's own choice is missing")
	}
}

// TestKeysRefuseForeignRows: what the application might forget, the keys of the tables still know.
func TestKeysRefuseForeignRows(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	wantStatus(t, s.post(thor, "/api/polls", `{"question":"q","choices":["a"]}`), 201)
	db := s.raw(t)
	insert := `INSERT INTO votes (tenant_id, poll_id, voter, choice_id) VALUES (?, ?, 'v', ?)`
	for name, row := range map[string][]any{
		"choice of another poll":   {"thor", 1, 4},
		"poll of another tenant":   {"potter", 3, 7},
		"choice of another tenant": {"potter", 1, 7},
	} {
		if _, err := db.ExecContext(t.Context(), insert, row...); err == nil {
			t.Errorf("%s: stored", name)
		}
	}
	if _, err := db.ExecContext(t.Context(), insert, "potter", 1, 1); err != nil {
		t.Errorf("a good vote: %v", err)
	}
}

func TestHosts(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for host, want := range map[string]int{
		"loki.localhost:8080": 404, "thor.localhost.example.com": 404, "localhost.example.com": 404, "example.com": 404,
		"a.thor.localhost": 404, "notlocalhost": 404, "thor-localhost": 404,
		"www.localhost": 400, "-.localhost": 400, ".localhost": 400, "thor%2elocalhost": 400,
	} {
		for _, path := range []string{"/", "/api/polls", "/polls/1", "/nowhere"} {
			if w := s.get(host, path); w.Code != want {
				t.Errorf("%s%s: status %d, want %d", host, path, w.Code, want)
			}
		}
	}
	for _, host := range []string{"THOR.localhost", "thor.localhost.", "thor.LocalHost:80"} {
		if w := s.get(host, "/api/polls/1"); !strings.Contains(w.Body.String(), "hammer") {
			t.Errorf("%s: %d %s", host, w.Code, w.Body)
		}
	}
}

func TestBareHost(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	w := s.get(bare, "/")
	wantStatus(t, w, 200)
	for _, link := range []string{`href="//thor.localhost:8080/"`, `href="//potter.localhost:8080/"`} {
		if !strings.Contains(w.Body.String(), link) {
			t.Errorf("no %s in %s", link, w.Body)
		}
	}
	if got := s.get("127.0.0.1:8080", "/").Body.String(); !strings.Contains(got, `href="//thor.localhost:8080/"`) {
		t.Errorf("by address: %s", got)
	}
	wantStatus(t, s.get(bare, stylesheet), 200)
	for _, path := range []string{
		"/api/polls", "/api/polls/1", "/api/polls/1/results", "/polls/1", "/polls/1/results", "/nowhere",
	} {
		if w := s.get(bare, path); w.Code != http.StatusNotFound {
			t.Errorf("%s: status %d, want 404", path, w.Code)
		}
	}
	before := s.rows(t, "thor") + s.rows(t, "potter") + s.rows(t, "")
	wantStatus(t, s.post(bare, "/api/polls", `{"question":"q"}`), 404)
	wantStatus(t, s.post(bare, "/api/polls/1/votes", `{"choice_id":1,"voter":"v"}`), 404)
	wantStatus(t, s.form(bare, "/polls/1/votes", "choice=1"), 404)
	if after := s.rows(t, "thor") + s.rows(t, "potter") + s.rows(t, ""); after != before {
		t.Errorf("rows were\n%sand are\n%s", before, after)
	}
}

// TestHandlersAreTenantFree: the files that do the application's work do not know the word.
func TestHandlersAreTenantFree(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"handlers.go", "api.go", "pages.go", "results.go", "input.go"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(strings.ToLower(string(text)), "tenan") {
			t.Errorf("%s mentions tenants", name)
		}
	}
}
