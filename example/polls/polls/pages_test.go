package polls_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestVisit is what a visitor does: signs up, makes a poll, votes, looks, signs out.
func TestVisit(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.visitor()
	b.get("/").want(200).shows("Welcome", `href="/signin/"`, `href="/signup/"`)
	b.get("/signup/?next=/polls/new/").want(200).shows(`value="/polls/new/"`, `<label for="username">`, `<label for="password">`)
	b.post("/signup/", "username", "jane", "email", "", "password", password, "next", "/polls/new/").to("/polls/new/")
	b.get("/").want(200).shows("no polls yet", "Sign out jane").hides(`href="/admin/"`)
	b.get("/polls/new/").want(200).shows(`<label for="question">`, `<label for="choices">`)
	b.post("/polls/new/", "question", "Tea?", "choices", " Yes \r\n\r\nNo\r\n").to("/polls/1/")
	b.get("/").want(200).shows(`<a href="/polls/1/">Tea?</a>`)
	b.get("/polls/").want(200).shows(`<a href="/polls/1/">Tea?</a>`)
	b.get("/polls/1/").want(200).shows("<legend>Pick one</legend>", `value="2" required> No</label>`)
	b.post("/polls/1/vote/", "choice", "2").to("/polls/1/results/")
	b.get("/polls/1/results/").want(200).shows(
		`<progress max="100" value="0" aria-label="Yes"></progress> <span>0 %</span> <small>0 of 1</small>`,
		`<progress max="100" value="100" aria-label="No"></progress> <span>100 %</span> <small>1 of 1</small>`)
	b.get("/polls/1/").want(200).shows("You have voted", "your vote").hides("<legend>")
	b.get("/polls/1/delete/").want(200).shows("cannot be undone")
	b.post("/polls/1/delete/").to("/")
	b.get("/polls/1/").want(404).shows("<!doctype html>", "Not found.")
	b.post("/signout/").to("/")
	if b.cookie != "" {
		t.Errorf("still has the cookie %s", b.cookie)
	}
	b.get("/").want(200).shows("Welcome")
}

// TestFormRefusals: a form that is wrong comes back with what was typed, and changes nothing.
func TestFormRefusals(t *testing.T) {
	t.Parallel()
	s, _ := asked(t)
	b := s.signIn("owner")
	s.user("other").send("POST", "/polls/", `{"question":"Other?","choices":["a"]}`).want(201)
	s.keeps(func() {
		for _, tc := range []struct {
			name, path, body string
			want             int
			text             string
		}{
			{"nothing picked", "/polls/1/vote/", "", 400, "Pick one of the choices"},
			{"no number", "/polls/1/vote/", "choice=x", 400, "Pick one of the choices"},
			{"choice in the address", "/polls/1/vote/?choice=1", "", 400, "Pick one of the choices"},
			{"broken form", "/polls/1/vote/", "choice=%zz", 400, "the form cannot be read"},
			{"huge form", "/polls/1/vote/", "choice=" + strings.Repeat("1", 64<<10), 413, "too large"},
			{"choice of another poll", "/polls/1/vote/", "choice=3", 404, "Not found."},
			{"no poll", "/polls/99/vote/", "choice=1", 404, "Not found."},
			{"no number of a poll", "/polls/x/vote/", "choice=1", 404, "Not found."},
			{"no question", "/polls/new/", "choices=a%0Ab", 400, "question is missing"},
			{"one choice", "/polls/new/", "question=Kept%3F&choices=kept", 400, "at least two"},
			{"long choice", "/polls/new/", "question=Kept%3F&choices=a%0A" + strings.Repeat("x", 101), 400, "longer than 100"},
			{"delete another's", "/polls/2/delete/", "", 403, "You can not delete this poll."},
			{"delete none", "/polls/99/delete/", "", 404, "Not found."},
			{"no method", "/polls/1/results/", "", 405, "POST is not possible"},
		} {
			t.Run(tc.name, func(*testing.T) {
				b.send("POST", tc.path, tc.body, "Content-Type", "application/x-www-form-urlencoded").
					want(tc.want).shows(tc.text, "<!doctype html>")
			})
		}
		b.post("/polls/new/", "question", "Kept?", "choices", "kept").shows(`value="Kept?"`, ">kept</textarea>", `role="alert"`)
		b.get("/polls/2/delete/").want(403)
		b.get("/polls/x/results/").want(404)
	})
	b.post("/polls/1/vote/", "choice", "1").to("/polls/1/results/")
	s.keeps(func() {
		b.post("/polls/1/vote/", "choice", "2").want(400).shows("You have voted in this poll already.")
	})
}

// TestKinds: one address, JSON for programs and pages for people.
func TestKinds(t *testing.T) {
	t.Parallel()
	s, owner := asked(t)
	for accept, want := range map[string]string{
		"":                                "application/json",
		"*/*":                             "application/json",
		"application/json":                "application/json",
		"text/html":                       "text/html",
		"text/html,application/xml,*/*":   "text/html",
		"application/json, text/html;q=1": "application/json",
	} {
		for _, path := range []string{"/", "/polls/", "/polls/1/", "/polls/1/results/"} {
			header := append([]string{"Accept", accept}, owner.header...)
			a := s.send("GET", path, "", header...).want(200)
			if got := a.Header().Get("Content-Type"); !strings.HasPrefix(got, want) {
				t.Errorf("%q at %s: %s, want %s", accept, path, got, want)
			}
			if vary := strings.Join(a.Header().Values("Vary"), ", "); !strings.Contains(vary, "Accept") || !strings.Contains(vary, "Cookie") {
				t.Errorf("%s varies with %q", path, vary)
			}
		}
	}
}

// TestSession: a session is a cookie that scripts and other sites do not get, and ends when it should.
func TestSession(t *testing.T) {
	t.Parallel()
	s, _ := asked(t)
	w := s.visitor().post("/signin/", "username", "owner", "password", password).want(303)
	c := w.Result().Cookies()[0]
	if c.Name != "session" || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Domain != "" || c.Path != "/" || c.Secure ||
		c.MaxAge != 14*24*3600 || len(c.Value) < 26 || strings.Contains(s.rows(), c.Value) {
		t.Errorf("cookie %+v", c)
	}
	b := s.signIn("owner")
	s.send("GET", "/polls/", "", "Cookie", b.cookie).want(200).shows("Tea?") // programs may use it, too
	old := b.cookie
	b.post("/signin/", "username", "owner", "password", password).want(303)
	s.send("GET", "/polls/", "", "Cookie", old).want(401)
	s.send("GET", "/polls/", "", "Cookie", b.cookie).want(200)
	current := b.cookie
	b.post("/signout/").to("/")
	s.send("GET", "/polls/", "", "Cookie", current).want(401)
	b = s.signIn("owner")
	_, secret, _ := strings.Cut(b.cookie, "=")
	s.send("GET", "/polls/", "", "Authorization", "Token "+secret).want(401) // a session is no token
	s.later(14*24*time.Hour + time.Second)
	s.send("GET", "/polls/", "", "Cookie", b.cookie).want(401)
}

// TestSecureCookie: over TLS the cookie is Secure and can be set by this very host only.
func TestSecureCookie(t *testing.T) {
	t.Parallel()
	s, _ := asked(t)
	r := httptest.NewRequest("POST", "/signin/", strings.NewReader("username=owner&password="+strings.ReplaceAll(password, " ", "+")))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.TLS = &tls.ConnectionState{}
	w := httptest.NewRecorder()
	s.engine.ServeHTTP(w, r)
	c := w.Result().Cookies()[0]
	if c.Name != "__Host-session" || !c.Secure || c.Domain != "" || c.Path != "/" {
		t.Errorf("cookie %+v", c)
	}
}

// TestCrossOrigin: pages of other sites cannot make a browser write with its cookie, on any route.
func TestCrossOrigin(t *testing.T) {
	t.Parallel()
	s, _ := asked(t)
	b := s.signIn("owner")
	s.keeps(func() {
		for _, header := range [][]string{
			{"Sec-Fetch-Site", "cross-site"},
			{"Sec-Fetch-Site", "same-site"},
			{"Sec-Fetch-Site", "none-such"},
			{"Origin", "https://evil.example"},
			{"Origin", "http://neighbour.polls.example"},
			{"Origin", "null"},
		} {
			for _, r := range s.engine.Routes() {
				if r.Method == "GET" {
					continue
				}
				path := strings.NewReplacer(":id", "1", ":choice", "1", ":section", "polls").Replace(r.Path)
				b.send(r.Method, path, "choice=1", append(header, "Content-Type", "application/x-www-form-urlencoded")...).want(403)
			}
		}
	})
	for _, header := range [][]string{{"Sec-Fetch-Site", "same-origin"}, {"Origin", "http://polls.example"}} {
		b.send("POST", "/polls/new/", "question=q&choices=a%0Ab", append(header, "Content-Type", "application/x-www-form-urlencoded")...).want(303)
	}
}

// TestNext: signing in leads to an address of this site and nowhere else.
func TestNext(t *testing.T) {
	t.Parallel()
	s, _ := asked(t)
	for next, want := range map[string]string{
		"/polls/1/?a=b": "/polls/1/?a=b", "": "/", "https://evil.example/": "/", "//evil.example/": "/", "/\\evil.example": "/",
		"\\\\evil.example": "/", "javascript:alert(1)": "/", "/\t/evil.example": "/", "polls/": "/", "///evil.example": "/", "http:/polls": "/",
		"/%0d%0aSet-Cookie:x": "/%0d%0aSet-Cookie:x",
	} {
		a := s.visitor().post("/signin/", "username", "owner", "password", password, "next", next).to(want)
		if len(a.Result().Cookies()) != 1 {
			t.Errorf("%q: cookies %v", next, a.Result().Cookies())
		}
	}
}

// TestEscaping: what users write is text.
func TestEscaping(t *testing.T) {
	t.Parallel()
	s, owner := asked(t)
	owner.send("POST", "/polls/", `{"question":"<script>alert(1)</script>","choices":["<img src=x onerror=alert(2)>"]}`).want(201)
	b := s.signIn("owner")
	for path, want := range map[string]string{
		"/":                 "&lt;script&gt;alert(1)&lt;/script&gt;",
		"/polls/2/":         "&lt;img src=x onerror=alert(2)&gt;",
		"/polls/2/results/": "&lt;img src=x onerror=alert(2)&gt;",
		"/polls/2/delete/":  "&lt;script&gt;alert(1)&lt;/script&gt;",
	} {
		b.get(path).want(200).shows(want).hides("<script", "<img")
	}
	b.post("/polls/new/", "question", `"><script>`, "choices", "</textarea><script>").want(400).hides("<script>")
}

// TestHeaders: every answer carries the headers, refusals too.
func TestHeaders(t *testing.T) {
	t.Parallel()
	s, owner := asked(t)
	for _, path := range []string{"/", "/signin/", "/polls/", "/polls/1/", "/nothing", "/openapi.json", "/static/polls.css"} {
		h := s.send("GET", path, "", owner.header...).Header()
		if !strings.HasPrefix(h.Get("Content-Security-Policy"), "default-src 'none'; style-src 'self'; form-action 'self'") ||
			h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "same-origin" {
			t.Errorf("%s: %v", path, h)
		}
		cached := path == "/openapi.json" || path == "/static/polls.css"
		if (h.Get("Cache-Control") == "no-store") == cached {
			t.Errorf("%s: Cache-Control %q", path, h.Get("Cache-Control"))
		}
	}
}

// TestPaging: a long list has pages.
func TestPaging(t *testing.T) {
	t.Parallel()
	s, owner := asked(t)
	for range 100 {
		owner.send("POST", "/polls/", `{"question":"Again?"}`).want(201)
	}
	b := s.signIn("owner")
	b.get("/").want(200).shows("Page 1 of 2", `href="/polls/?page=2"`).hides("Tea?")
	b.get("/polls/?page=2").want(200).shows("Page 2 of 2", `href="/polls/?page=1"`, "Tea?")
	for _, page := range []string{"0", "-1", "x", "99999999999999999999"} {
		b.get("/polls/?page=" + page).want(200).shows("Page 1 of 2")
	}
	var list []anyPoll
	owner.send("GET", "/polls/?page=2", "").want(200).into(&list)
	if len(list) != 1 || list[0].ID != 1 {
		t.Errorf("second page %+v", list)
	}
}

// TestFailure: what breaks is logged and not shown.
func TestFailure(t *testing.T) {
	t.Parallel()
	s, owner := asked(t)
	b := s.signIn("owner")
	s.must(s.db.Exec("DROP TABLE votes").Error)
	for _, path := range []string{"/polls/1/", "/polls/1/results/"} {
		owner.send("GET", path, "").want(500).shows("it has been logged").hides("votes")
		b.get(path).want(500).shows("it has been logged", "<!doctype html>").hides("no such table")
	}
	if n := strings.Count(s.log.String(), "no such table: votes"); n != 4 {
		t.Errorf("logged %d times: %s", n, s.log.String())
	}
}
