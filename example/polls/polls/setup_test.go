package polls_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/crypto/bcrypt"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/gorm-tenancy/tenancy/example/polls/polls"
)

const password = "correct horse"

// site is the application by itself, on a plain database: nothing but GORM is under it.
type site struct {
	testing.TB
	db     *gorm.DB
	engine *gin.Engine
	log    strings.Builder
	late   atomic.Int64 // how much later than it is the application's clock says
}

func newSite(t testing.TB) *site {
	t.Helper()
	s := &site{TB: t}
	dsn := filepath.Join(t.TempDir(), "polls.db") + "?_foreign_keys=on&_journal_mode=WAL&_busy_timeout=10000&_txlock=immediate"
	db, err := gorm.Open(sqlite.Open(dsn), &gorm.Config{
		TranslateError: true, Logger: logger.Discard,
		NowFunc: func() time.Time { return time.Now().Add(time.Duration(s.late.Load())) },
	})
	s.must(err)
	pool, err := db.DB()
	s.must(err)
	t.Cleanup(func() { _ = pool.Close() })
	s.must(db.AutoMigrate(polls.Models()...))
	s.db = db
	log := slog.New(slog.NewTextHandler(&s.log, nil))
	app, err := polls.New(db, polls.Options{Logger: log, PasswordCost: bcrypt.MinCost})
	s.must(err)
	gin.SetMode(gin.ReleaseMode)
	s.engine = mounted(s, app).engine
	return s
}

// mounted serves app, over the database of s.
func mounted(s *site, app *polls.App) *site {
	m := &site{TB: s.TB, db: s.db, engine: gin.New()}
	app.Mount(m.engine)
	return m
}

func (s *site) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// later moves the application's clock.
func (s *site) later(d time.Duration) { s.late.Add(int64(d)) }

// answer is what came back.
type answer struct {
	*httptest.ResponseRecorder
	site *site
}

// send makes one request; header holds name and value pairs.
func (s *site) send(method, path, body string, header ...string) answer {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Host = "polls.example"
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.engine.ServeHTTP(w, r)
	return answer{w, s}
}

// program sends JSON with a user's token; browser sends forms and reads pages with a user's cookie.
type (
	program struct {
		*site
		header []string
		id     int64
	}
	browser struct {
		*site
		cookie string
	}
)

// user signs up and logs in.
func (s *site) user(name string) program {
	s.Helper()
	p := program{site: s}
	p.send("POST", "/users/", fmt.Sprintf(`{"username":%q,"email":"%s@example.com","password":%q}`, name, name, password)).want(201)
	var got struct{ Token string }
	p.send("POST", "/login/", fmt.Sprintf(`{"username":%q,"password":%q}`, name, password)).want(200).into(&got)
	p.header = []string{"Authorization", "Token " + got.Token}
	s.must(s.db.Model(&polls.User{}).Select("id").Where("username = ?", name).Scan(&p.id).Error)
	return p
}

func (p program) send(method, path, body string, header ...string) answer {
	p.Helper()
	return p.site.send(method, path, body, append(append([]string{"Content-Type", "application/json"}, p.header...), header...)...)
}

// visitor is a browser that nobody signed in with.
func (s *site) visitor() *browser { return &browser{site: s} }

// signIn signs a user in who exists.
func (s *site) signIn(name string) *browser {
	s.Helper()
	b := s.visitor()
	b.post("/signin/", "username", name, "password", password).want(303)
	if b.cookie == "" {
		s.Fatalf("%s has no session", name)
	}
	return b
}

func (b *browser) send(method, path, body string, header ...string) answer {
	header = append(header, "Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	if b.cookie != "" {
		header = append(header, "Cookie", b.cookie)
	}
	a := b.site.send(method, path, body, header...)
	for _, c := range a.Result().Cookies() {
		b.cookie = c.Name + "=" + c.Value
		if c.MaxAge < 0 {
			b.cookie = ""
		}
	}
	return a
}

func (b *browser) get(path string) answer { return b.send("GET", path, "") }

// post sends a form of name and value pairs.
func (b *browser) post(path string, pairs ...string) answer {
	values := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		values.Add(pairs[i], pairs[i+1])
	}
	return b.send("POST", path, values.Encode(), "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin")
}

func (a answer) want(status int) answer {
	a.site.Helper()
	if a.Code != status {
		a.site.Fatalf("status %d, want %d: %s\n%s", a.Code, status, a.Body, a.site.log.String())
	}
	return a
}

func (a answer) into(v any) answer {
	a.site.Helper()
	if err := json.Unmarshal(a.Body.Bytes(), v); err != nil {
		a.site.Fatalf("%v in %s", err, a.Body)
	}
	return a
}

func (a answer) shows(texts ...string) answer {
	a.site.Helper()
	for _, text := range texts {
		if !strings.Contains(a.Body.String(), text) {
			a.site.Errorf("no %q in %s", text, a.Body)
		}
	}
	return a
}

func (a answer) hides(texts ...string) answer {
	a.site.Helper()
	for _, text := range texts {
		if strings.Contains(a.Body.String(), text) {
			a.site.Errorf("%q in %s", text, a.Body)
		}
	}
	return a
}

// to checks where a redirect leads.
func (a answer) to(path string) answer {
	a.site.Helper()
	if got := a.want(http.StatusSeeOther).Header().Get("Location"); got != path {
		a.site.Errorf("goes to %s, not to %s", got, path)
	}
	return a
}

// rows prints what the tables hold, read without the application. Times are left out.
func (s *site) rows() string {
	s.Helper()
	var b strings.Builder
	for _, table := range []string{"users", "polls", "choices", "votes", "tokens", "sessions"} {
		var rows []map[string]any
		s.must(s.db.Table(table).Find(&rows).Error)
		for _, row := range rows {
			delete(row, "pub_date")
			delete(row, "expires_at")
			fmt.Fprintln(&b, table, row)
		}
	}
	return b.String()
}

// keeps fails when f changes a row.
func (s *site) keeps(f func()) {
	s.Helper()
	before := s.rows()
	f()
	if after := s.rows(); after != before {
		s.Errorf("rows were\n%sand are\n%s", before, after)
	}
}
