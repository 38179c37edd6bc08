package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func wantText(t *testing.T, w *httptest.ResponseRecorder, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(w.Body.String(), text) {
			t.Errorf("no %q in %s", text, w.Body)
		}
	}
}

func TestCrossOriginVotes(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		header []string
		want   int
	}{
		{"another site", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"another tenant's page", []string{"Sec-Fetch-Site", "same-site"}, 403},
		{"another tenant's page, old browser", []string{"Origin", "http://thor.localhost:8080"}, 403},
		{"an unnamed page, old browser", []string{"Origin", "null"}, 403},
		{"the poll's page", []string{"Sec-Fetch-Site", "same-origin"}, 303},
		{"the poll's page, old browser", []string{"Origin", "http://potter.localhost:8080"}, 303},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			before := s.rows(t, "potter")
			header := append([]string{"Cookie", "visitor=harry"}, tc.header...)
			wantStatus(t, s.form(potter, "/polls/1/votes", "choice=1", header...), tc.want)
			if stored := s.rows(t, "potter") != before; stored != (tc.want == 303) {
				t.Errorf("stored: %v", stored)
			}
		})
	}
}

func TestEscaping(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	body := `{"question":"<script>alert(1)</script>","choices":["<img src=x onerror=alert(2)>"]}`
	wantStatus(t, s.post(thor, "/api/polls", body), 201)
	for path, want := range map[string]string{
		"/":                "&lt;script&gt;alert(1)&lt;/script&gt;",
		"/polls/3":         "&lt;img src=x onerror=alert(2)&gt;",
		"/polls/3/results": "&lt;img src=x onerror=alert(2)&gt;",
	} {
		w := s.get(thor, path)
		wantStatus(t, w, 200)
		wantText(t, w, want)
		if page := w.Body.String(); strings.Contains(page, "<script") || strings.Contains(page, "<img") {
			t.Errorf("%s: not escaped: %s", path, page)
		}
		if csp := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'") {
			t.Errorf("%s: policy %q", path, csp)
		}
	}
}

// TestVisit votes as a browser does: open, vote, be redirected, come back.
func TestVisit(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	w := s.get(thor, "/")
	wantStatus(t, w, 200)
	wantText(t, w, "thor.localhost", `href="/polls/1"`, "Who may lift the hammer next?")

	w = s.get(thor, "/polls/1")
	wantStatus(t, w, 200)
	wantText(t, w, `action="/polls/1/votes"`, `value="1"`, "Jane")
	cookies := w.Result().Cookies()
	if len(cookies) != 1 {
		t.Fatalf("cookies %v", cookies)
	}
	if c := cookies[0]; !c.HttpOnly || c.Domain != "" || c.SameSite != http.SameSiteLaxMode {
		t.Errorf("cookie %v", c)
	}
	cookie := []string{"Cookie", cookies[0].Name + "=" + cookies[0].Value}

	w = s.form(thor, "/polls/1/votes", "choice=2", cookie...)
	wantStatus(t, w, 303)
	if got := w.Header().Get("Location"); got != "/polls/1/results" {
		t.Errorf("redirected to %q", got)
	}
	wantText(t, s.send(thor, "GET", "/polls/1", "", cookie...), "You have voted")
	w = s.form(thor, "/polls/1/votes", "choice=3", cookie...)
	wantStatus(t, w, 409)
	wantText(t, w, "Conflict", "voted in this poll already")

	// Another browser has its own vote, with a cookie that comes late.
	wantStatus(t, s.form(thor, "/polls/1/votes", "choice=2"), 303)
	wantStatus(t, s.form(thor, "/polls/1/votes", "choice=1"), 303)
	w = s.get(thor, "/polls/1/results")
	wantStatus(t, w, 200)
	wantText(t, w,
		`<progress max="100" value="33" aria-label="Jane"></progress> <span>33 %</span> <small>1 of 3</small>`,
		`<progress max="100" value="67" aria-label="Steve"></progress> <span>67 %</span> <small>2 of 3</small>`,
		`<progress max="100" value="0" aria-label="Nobody"></progress> <span>0 %</span> <small>0 of 3</small>`)
}

func TestFormRefusals(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	before := s.rows(t, "thor")
	for _, tc := range []struct {
		name, path, body string
		want             int
		text             string
	}{
		{"nothing picked", "/polls/1/votes", "", 400, "pick one of the choices"},
		{"no number", "/polls/1/votes", "choice=x", 400, "pick one of the choices"},
		{"choice in the address", "/polls/1/votes?choice=1", "", 400, "pick one of the choices"},
		{"broken form", "/polls/1/votes", "choice=%zz", 400, "the form cannot be read"},
		{"huge form", "/polls/1/votes", "choice=" + strings.Repeat("1", maxBody), 413, "too large"},
		{"choice of another poll", "/polls/1/votes", "choice=4", 400, "no such choice"},
		{"no poll", "/polls/99/votes", "choice=1", 404, "no such poll"},
		{"no number of a poll", "/polls/x/votes", "choice=1", 404, "no such poll"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := s.form(thor, tc.path, tc.body)
			wantStatus(t, w, tc.want)
			wantText(t, w, tc.text, "<!doctype html>")
			if after := s.rows(t, "thor"); after != before {
				t.Errorf("rows were\n%sand are\n%s", before, after)
			}
		})
	}
}

func TestEmptyPages(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	wantStatus(t, s.post(thor, "/api/polls", `{"question":"Nothing?"}`), 201)
	wantText(t, s.get(thor, "/polls/3"), "nothing to choose from")
	wantStatus(t, s.get(thor, "/polls/3/results"), 200)
	if _, err := s.raw(t).ExecContext(t.Context(), "DELETE FROM choices; DELETE FROM polls"); err != nil {
		t.Fatal(err)
	}
	wantText(t, s.get(thor, "/"), "no polls yet")
	if got := s.get(thor, "/api/polls").Body.String(); got != `{"polls":[]}` {
		t.Errorf("listed %s", got)
	}
}
