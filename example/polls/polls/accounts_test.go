package polls_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorm-tenancy/tenancy/example/polls/polls"
)

// TestSignUpAndLogIn: both are open, and a token opens the rest.
func TestSignUpAndLogIn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := program{site: s}
	body := `{"username":"jane","email":"jane@example.com","password":"password1"}`
	if got := p.send("POST", "/users/", body).want(201).Body.String(); got != `{"email":"jane@example.com","username":"jane"}` {
		t.Errorf("signed up %s", got)
	}
	var got struct{ Token string }
	p.send("POST", "/login/", `{"username":"JANE","password":"password1"}`).want(200).into(&got)
	if len(got.Token) < 26 {
		t.Errorf("token %q", got.Token)
	}
	if rows := s.rows(); strings.Contains(rows, got.Token) || strings.Contains(rows, "password1") {
		t.Errorf("a secret is stored: %s", rows)
	}
	for _, header := range []string{"Token " + got.Token, "token  " + got.Token} {
		s.send("GET", "/polls/", "", "Authorization", header).want(200)
	}
	for _, header := range []string{
		"Token", "Token ", "Token x", "Bearer " + got.Token, got.Token, "Token " + strings.ToLower(got.Token), "Basic amFuZTpwYXNzd29yZDE=",
	} {
		a := s.send("GET", "/polls/", "", "Authorization", header).want(401)
		if a.Header().Get("WWW-Authenticate") != "Token" {
			t.Errorf("%q: no WWW-Authenticate", header)
		}
	}
}

// TestNobody: without a sign-in nothing is read or written.
func TestNobody(t *testing.T) {
	t.Parallel()
	s, _ := asked(t)
	s.keeps(func() {
		for _, request := range []string{
			"GET /polls/", "POST /polls/", "GET /polls/1/", "PUT /polls/1/", "PATCH /polls/1/", "DELETE /polls/1/",
			"GET /polls/1/choices/", "POST /polls/1/choices/", "POST /polls/1/choices/1/vote/", "GET /polls/1/results/",
		} {
			method, path, _ := strings.Cut(request, " ")
			s.send(method, path, `{"question":"q","choice_text":"x"}`, "Content-Type", "application/json").want(401).hides("Tea")
		}
		for _, path := range []string{"/polls/", "/polls/1/", "/polls/1/results/", "/polls/new/", "/polls/1/delete/", "/admin/", "/admin/users/"} {
			s.visitor().get(path).to("/signin/?next=" + strings.ReplaceAll(path, "/", "%2F"))
		}
		s.visitor().post("/polls/1/vote/", "choice", "1").to("/signin/")
		s.visitor().post("/polls/new/", "question", "q", "choices", "a\nb").to("/signin/")
		s.visitor().post("/polls/1/delete/").to("/signin/")
		s.visitor().post("/admin/users/add/", "username", "x").to("/signin/")
	})
}

func TestSignUpRefusals(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := s.user("jane")
	s.keeps(func() {
		for _, tc := range []struct{ username, email, password, want string }{
			{"jane", "", password, "exists already"},
			{"JANE", "", password, "exists already"},
			{"", "", password, "username is missing"},
			{"two words", "", password, "letters, digits"},
			{"jané", "", password, "letters, digits"},
			{"<b>", "", password, "letters, digits"},
			{strings.Repeat("x", 151), "", password, "longer than 150"},
			{"joe", "nobody", password, "email"},
			{"joe", "Joe <joe@example.com>", password, "email"},
			{"joe", "", "hush-it", "shorter than 8"},
			{"joe", "", strings.Repeat("x", 73), "longer than 72"},
		} {
			body := fmt.Sprintf(`{"username":%q,"email":%q,"password":%q}`, tc.username, tc.email, tc.password)
			p.send("POST", "/users/", body).want(400).shows(tc.want)
			s.visitor().post("/signup/", "username", tc.username, "email", tc.email, "password", tc.password).
				want(400).shows(`role="alert"`).hides(tc.password)
		}
		p.send("POST", "/users/", `{"username":"joe","password":"password1","is_staff":true}`).want(400).shows("unknown field")
	})
}

// TestWrongCredentials: a wrong name and a wrong password look the same.
func TestWrongCredentials(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := s.user("jane")
	_, err := polls.CreateSuperuser(t.Context(), s.db, "locked", "", password)
	s.must(err)
	s.must(s.db.Model(&polls.User{}).Where("username = 'locked'").Update("password_hash", "").Error)
	want := p.send("POST", "/login/", `{"username":"jane","password":"wrong"}`).want(400).shows(`"error":"Wrong Credentials"`).Body.String()
	for _, body := range []string{
		`{"username":"nobody","password":"wrong"}`, `{"username":"nobody","password":"nobody's password"}`, `{}`,
		`{"username":"locked","password":"` + password + `"}`, `{"username":"locked","password":"nobody's password"}`,
		`{"username":"jane' OR '1'='1","password":"wrong"}`, `{"username":"jane","password":"` + strings.Repeat("x", 100) + `"}`,
	} {
		if got := p.send("POST", "/login/", body).want(400).Body.String(); got != want {
			t.Errorf("%s: %s", body, got)
		}
	}
}

// TestLongPassword: bcrypt reads 72 bytes, and a password is all of them and no more.
func TestLongPassword(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	long := strings.Repeat("x", 72)
	s.visitor().post("/signup/", "username", "jane", "password", long).want(303)
	s.visitor().post("/signin/", "username", "jane", "password", long).want(303)
	s.visitor().post("/signin/", "username", "jane", "password", long+"y").want(400)
	s.visitor().post("/signin/", "username", "jane", "password", long[1:]).want(400)
}

// TestSameTime: an unknown name takes as long as a wrong password, because both compare with a hash of the same cost. Without
// that the difference is a hundredfold.
func TestSameTime(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, err := polls.CreateSuperuser(t.Context(), s.db, "known", "", password) // of the default cost
	s.must(err)
	app, err := polls.New(s.db, polls.Options{})
	s.must(err)
	slow := mounted(s, app)
	took := func(name string) time.Duration {
		shortest := time.Hour
		for range 3 {
			start := time.Now()
			slow.visitor().post("/signin/", "username", name, "password", "wrong password").want(400)
			shortest = min(shortest, time.Since(start))
		}
		return shortest
	}
	if known, unknown := took("known"), took("unknown"); unknown < known/4 {
		t.Errorf("a known name took %v, an unknown one %v", known, unknown)
	}
}

// TestGuessing: after ten wrong passwords for a name from a network there is a pause, for names that exist and others.
func TestGuessing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := s.user("jane")
	s.user("joe")
	for _, name := range []string{"jane", "nobody"} {
		body := fmt.Sprintf(`{"username":%q,"password":"wrong password"}`, name)
		var wg sync.WaitGroup
		var wrong, refused atomic.Int64
		for range 30 {
			wg.Go(func() {
				switch a := p.send("POST", "/login/", body); a.Code {
				case 400:
					wrong.Add(1)
				case 429:
					refused.Add(1)
					if a.Header().Get("Retry-After") != "900" {
						t.Errorf("Retry-After %q", a.Header().Get("Retry-After"))
					}
				default:
					t.Errorf("status %d: %s", a.Code, a.Body)
				}
			})
		}
		wg.Wait()
		if wrong.Load() != 10 || refused.Load() != 20 {
			t.Errorf("%s: %d tried, %d refused", name, wrong.Load(), refused.Load())
		}
	}
	right := fmt.Sprintf(`{"username":"Jane","password":%q}`, password)
	p.send("POST", "/login/", right).want(429)
	s.visitor().post("/signin/", "username", "jane", "password", password).want(429).shows("too many attempts")
	s.signIn("joe")
	s.later(15*time.Minute + time.Second)
	p.send("POST", "/login/", right).want(200)
	var left int64
	s.must(s.db.Model(&polls.Attempt{}).Count(&left).Error)
	if left != 0 {
		t.Errorf("%d attempts are kept", left)
	}
}

// TestNetworks: whoever guesses from one network does not lock others out.
func TestNetworks(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"192.0.2.7": "192.0.2.7", "::ffff:192.0.2.7": "192.0.2.7", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64",
		"": "", "nonsense": "",
	} {
		if got := polls.NetworkOf(address); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
}

// TestTokensEnd: a token ends with its time, and with the account.
func TestTokensEnd(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	jane, joe := s.user("jane"), s.user("joe")
	s.later(89 * 24 * time.Hour)
	jane.send("GET", "/polls/", "").want(200)
	s.must(s.db.Where("id = ?", joe.id).Delete(&polls.User{}).Error)
	joe.send("GET", "/polls/", "").want(401)
	s.later(2 * 24 * time.Hour)
	jane.send("GET", "/polls/", "").want(401)
}

// TestSuperuser: what CreateSuperuser refuses, and what the one it makes may do.
func TestSuperuser(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	user, err := polls.CreateSuperuser(t.Context(), s.db, "root", "root@example.com", password)
	s.must(err)
	if !user.IsStaff || !user.IsSuperuser || user.ID != 1 {
		t.Errorf("made %+v", user)
	}
	s.signIn("root").get("/admin/users/").want(200).shows("root@example.com")
	for _, in := range [][3]string{{"root", "", password}, {"", "", password}, {"x", "x", password}, {"x", "", "short"}} {
		if _, err := polls.CreateSuperuser(t.Context(), s.db, in[0], in[1], in[2]); err == nil {
			t.Errorf("%q: made", in)
		}
	}
}
