package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/example/polls/hosting"
	"github.com/gorm-tenancy/tenancy/example/polls/operator"
	"github.com/gorm-tenancy/tenancy/example/polls/polls"
)

const (
	thor   = "thor.localhost:8080"
	potter = "potter.localhost:8080"
	bare   = "localhost:8080"

	asJSON = "application/json"
	asForm = "application/x-www-form-urlencoded"
	asPage = "text/html,*/*;q=0.8"
)

// site is the application in one backend. Both tenants have the users shabda (1, a superuser) and jane (2), and the polls 1
// and 2 of shabda with the choices 1 to 6. thor has one poll more, jane's: 3 with the choices 7 and 8, and jane's vote 1 in it.
type site struct {
	*testing.T
	store
	handler http.Handler
	pages   *operator.Site
	from    string            // the address that requests come from; empty is any
	tokens  map[string]string // by user@host
	cookies map[string]string
}

func newSite(t *testing.T, st store) *site {
	t.Helper()
	must(t, st.Prepare(t.Context()))
	s := &site{T: t, store: st, tokens: map[string]string{}, cookies: map[string]string{}}
	var err error
	s.pages, err = st.Operator(operator.Options{Public: true, PasswordCost: bcrypt.MinCost})
	must(t, err)
	s.handler, err = st.Handler(polls.Options{PasswordCost: bcrypt.MinCost}, s.pages)
	must(t, err)
	for _, sample := range st.Samples() {
		tenant := sample.Tenant
		_, err := st.Catalog.Create(tenancy.Central(t.Context()), tenant)
		must(t, err)
		host := tenant.ID.String() + "." + bare
		for _, user := range []string{superuser, "jane"} {
			s.signUp(host, user)
		}
		db := st.DB.WithContext(tenancy.WithTenant(t.Context(), tenant.ID))
		must(t, db.Model(&polls.User{}).Where("username = ?", superuser).
			Updates(map[string]any{"is_staff": true, "is_superuser": true}).Error)
		must(t, polls.Seed(db.Statement.Context, db, 1, sample.Polls...))
	}
	s.api(thor, "jane", "POST", "/polls/", `{"question":"`+secret+`","choices":["secret yes","secret no"]}`).want(201)
	s.api(thor, "jane", "POST", "/polls/3/choices/7/vote/", "").want(201)
	return s
}

const superuser = hosting.Superuser

const secret = "Is the cellar door still open?"

// passwordOf is another one on each host.
func passwordOf(host, user string) string { return user + " at " + host }

// signUp makes an account and signs it in, as a program and as a browser.
func (s *site) signUp(host, user string) {
	s.Helper()
	s.api(host, "", "POST", "/users/", fmt.Sprintf(`{"username":%q,"email":"%s@%s","password":%q}`,
		user, user, strings.Split(host, ":")[0], passwordOf(host, user))).want(201)
	var got struct{ Token string }
	s.api(host, "", "POST", "/login/", fmt.Sprintf(`{"username":%q,"password":%q}`, user, passwordOf(host, user))).want(200).into(&got)
	s.tokens[user+"@"+host] = got.Token
	w := s.form(host, "", "/signin/", "username", user, "password", passwordOf(host, user)).want(303)
	for _, c := range w.Result().Cookies() {
		s.cookies[user+"@"+host] = c.Name + "=" + c.Value
	}
}

// answer is what came back.
type answer struct {
	*httptest.ResponseRecorder
	s *site
}

// send makes one request; header holds name and value pairs.
func (s *site) send(host, method, path, body string, header ...string) answer {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Host = host
	if s.from != "" {
		r.RemoteAddr = s.from
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return answer{w, s}
}

// api sends JSON with the token of a user of the host, or as nobody.
func (s *site) api(host, user, method, path, body string, header ...string) answer {
	header = append([]string{"Content-Type", asJSON}, header...)
	if user != "" {
		header = append(header, "Authorization", "Token "+s.tokens[user+"@"+host])
	}
	return s.send(host, method, path, body, header...)
}

// page asks for a page with the cookie of a user of the host.
func (s *site) page(host, user, path string) answer {
	return s.send(host, "GET", path, "", "Accept", asPage, "Cookie", s.cookies[user+"@"+host])
}

// form sends name and value pairs with the cookie of a user of the host.
func (s *site) form(host, user, path string, pairs ...string) answer {
	values := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		values.Add(pairs[i], pairs[i+1])
	}
	return s.send(host, "POST", path, values.Encode(), "Content-Type", asForm, "Accept", asPage, "Cookie", s.cookies[user+"@"+host])
}

func (a answer) want(status int) answer {
	a.s.Helper()
	if a.Code != status {
		a.s.Fatalf("status %d, want %d: %s", a.Code, status, a.Body)
	}
	return a
}

func (a answer) into(v any) answer {
	a.s.Helper()
	if err := json.Unmarshal(a.Body.Bytes(), v); err != nil {
		a.s.Fatalf("%v in %s", err, a.Body)
	}
	return a
}

func (a answer) shows(texts ...string) answer {
	a.s.Helper()
	for _, text := range texts {
		if !strings.Contains(a.Body.String(), text) {
			a.s.Errorf("no %q in %s", text, a.Body)
		}
	}
	return a
}

// clean fails when anything of thor's secret poll shows.
func (a answer) clean() answer {
	a.s.Helper()
	for _, text := range []string{"secret", "cellar", "thor"} {
		if strings.Contains(strings.ToLower(a.Body.String()), text) {
			a.s.Errorf("%q shows: %s", text, a.Body)
		}
	}
	return a
}

// same fails when two answers differ: what another tenant has must look like what nobody has.
func (s *site) same(foreign, missing answer) {
	s.Helper()
	if foreign.Code != missing.Code || foreign.Body.String() != missing.Body.String() {
		s.Errorf("%d %s\nagainst %d %s", foreign.Code, foreign.Body, missing.Code, missing.Body)
	}
}

var tables = []string{"users", "tokens", "sessions", "attempts", "polls", "choices", "votes", "counters"}

// rows prints every row a tenant has, read without GORM and without the plugin. Where a tenant has tables of its own, it is
// all there is in them.
func (s *site) rows(tenant string) string {
	s.Helper()
	db, prefix := s.raw(tenant)
	var b strings.Builder
	for _, table := range tables {
		query := "SELECT * FROM " + prefix + table
		if !s.all {
			query += " WHERE tenant_id = '" + tenant + "'"
		}
		rows, err := db.QueryContext(s.Context(), query+" ORDER BY 1, 2, 3")
		must(s.T, err)
		columns, err := rows.Columns()
		must(s.T, err)
		values, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		for rows.Next() {
			must(s.T, rows.Scan(into...))
			fmt.Fprintf(&b, "%s %s\n", table, values)
		}
		must(s.T, rows.Err())
	}
	return b.String()
}

// keeps fails when f changes anything of a tenant.
func (s *site) keeps(tenant string, f func()) {
	s.Helper()
	before := s.rows(tenant)
	f()
	if after := s.rows(tenant); after != before {
		s.Errorf("rows of %s were\n%sand are\n%s", tenant, before, after)
	}
}
