package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestPotterCannotReachThor: whatever potter's users send, thor's rows stay as they are and nothing of them shows.
func TestPotterCannotReachThor(t *testing.T) {
	everywhere(t, func(_ *testing.T, s *site) {
		const other = "thor.localhost:8080"
		for _, tc := range []struct {
			name, method, path, body string
			header                   []string
			want                     int
		}{
			{name: "read a poll", method: "GET", path: "/polls/3/", want: 404},
			{name: "read results", method: "GET", path: "/polls/3/results/", want: 404},
			{name: "open a page", method: "GET", path: "/polls/3/", header: []string{"Accept", asPage}, want: 404},
			{name: "open results", method: "GET", path: "/polls/3/results/", header: []string{"Accept", asPage}, want: 404},
			{name: "open the form to delete", method: "GET", path: "/polls/3/delete/", want: 404},
			{name: "delete by form", method: "POST", path: "/polls/3/delete/", header: []string{"Content-Type", asForm}, want: 404},
			{name: "vote by form", method: "POST", path: "/polls/3/vote/", body: "choice=7", header: []string{"Content-Type", asForm}, want: 404},
			{name: "vote for a foreign choice by form", method: "POST", path: "/polls/1/vote/", body: "choice=7", header: []string{"Content-Type", asForm}, want: 404},
			{
				name: "name the host beside the host", method: "GET", path: "/polls/3/",
				header: []string{"X-Forwarded-Host", other, "Forwarded", "host=" + other, "X-Tenant-ID", "thor", "X-Host", other}, want: 404,
			},
			{name: "overrule the method", method: "POST", path: "/polls/3/", header: []string{"X-HTTP-Method-Override", "DELETE"}, want: 405},
			{name: "SQL in the id", method: "GET", path: "/polls/3%20OR%201=1/", want: 404},
			{name: "SQL in the page", method: "GET", path: "/polls/?page=1%20OR%201=1", want: 200},
			{name: "list", method: "GET", path: "/polls/?tenant_id=thor&tenant=thor", want: 200},
			{name: "list as a page", method: "GET", path: "/", header: []string{"Accept", asPage}, want: 200},
			{name: "search the admin", method: "GET", path: "/admin/polls/?q=%25", header: []string{"Accept", asPage}, want: 200},
			{name: "break out of the search", method: "GET", path: "/admin/votes/?q=')%20OR%201=1%20--", header: []string{"Accept", asPage}, want: 200},
			{name: "name the poll in the body", method: "POST", path: "/polls/1/choices/", body: `{"choice_text":"x","poll":3}`, want: 201},
			{name: "name another maker", method: "POST", path: "/polls/", body: `{"question":"q","created_by":3}`, want: 201},
		} {
			s.Run(tc.name, func(t *testing.T) {
				s := &site{T: t, store: s.store, handler: s.handler, tokens: s.tokens, cookies: s.cookies}
				s.keeps("thor", func() {
					a := s.api(potter, superuser, tc.method, tc.path, tc.body, tc.header...).want(tc.want)
					if text := a.Body.String(); strings.Contains(text, "secret") || strings.Contains(text, "cellar") {
						s.Errorf("thor's data shows: %s", text)
					}
				})
			})
		}
	})
}

// TestForeignAndMissingLookTheSame: an answer must not tell an id that another tenant has from one that nobody has.
func TestForeignAndMissingLookTheSame(t *testing.T) {
	everywhere(t, func(_ *testing.T, s *site) {
		for _, path := range []string{"/polls/%d/", "/polls/%d/results/", "/polls/%d/choices/"} {
			s.same(s.api(potter, "jane", "GET", fmt.Sprintf(path, 3), "").want(404), s.api(potter, "jane", "GET", fmt.Sprintf(path, 99), ""))
		}
		for _, path := range []string{"/polls/%d/", "/polls/%d/results/", "/polls/%d/delete/"} {
			s.same(s.page(potter, "jane", fmt.Sprintf(path, 3)).want(404), s.page(potter, "jane", fmt.Sprintf(path, 99)))
		}
	})
}

// TestSameIDs: both tenants have user 1, poll 1 and choice 1, and each reads and writes its own.
func TestSameIDs(t *testing.T) {
	everywhere(t, func(_ *testing.T, s *site) {
		s.api(thor, "jane", "GET", "/polls/1/", "").want(200).shows("hammer", `"id":1`)
		s.keeps("thor", func() {
			s.api(potter, "jane", "GET", "/polls/1/", "").want(200).clean().shows("Which pet", `"id":1`)
			s.api(potter, "jane", "POST", "/polls/1/choices/1/vote/", "").want(201).shows(`{"id":1,"choice":1,"poll":1,"voted_by":2}`)
			s.api(potter, superuser, "POST", "/polls/1/choices/", `{"choice_text":"A rat"}`).want(201).shows(`"id":7`)
			s.api(potter, superuser, "PUT", "/polls/1/", `{"question":"Which pet?"}`).want(200)
			s.form(potter, superuser, "/admin/choices/2/", "choice_text", "A lynx").want(303)
			s.form(potter, superuser, "/admin/users/2/", "email", "", "password", "another password").want(303)
			s.api(potter, superuser, "DELETE", "/polls/2/", "").want(204)
		})
		s.keeps("potter", func() { s.api(thor, "jane", "POST", "/polls/1/choices/1/vote/", "").want(201) })
	})
}

// TestKeysRefuseForeignRows: what the application might forget, the keys of the shared tables still know.
func TestKeysRefuseForeignRows(t *testing.T) {
	t.Parallel()
	s := newSite(t, sharedSQLite(t))
	db, _ := s.raw("")
	insert := `INSERT INTO votes (tenant_id, id, poll_id, choice_id, voted_by_id) VALUES (?, 99, ?, ?, ?)`
	for name, row := range map[string][]any{
		"poll of another tenant":   {"potter", 3, 1, 1},
		"choice of another tenant": {"potter", 1, 7, 1},
		"voter of nobody":          {"potter", 1, 1, 99},
		"second vote":              {"thor", 3, 8, 2},
	} {
		if _, err := db.ExecContext(t.Context(), insert, row...); err == nil {
			t.Errorf("%s: stored", name)
		}
	}
	if _, err := db.ExecContext(t.Context(), insert, "potter", 1, 1, 1); err != nil {
		t.Errorf("a good vote: %v", err)
	}
}

func TestHosts(t *testing.T) {
	t.Parallel()
	s := newSite(t, sharedSQLite(t))
	for host, want := range map[string]int{
		"loki.localhost:8080": 404, "thor.localhost.example.com": 404, "localhost.example.com": 404, "example.com": 404,
		"a.thor.localhost": 404, "notlocalhost": 404, "thor-localhost": 404, "thor.polls.local.example.com": 404, "local": 404,
		"www.localhost": 400, "-.localhost": 400, ".localhost": 400, "thor%2elocalhost": 400,
	} {
		for _, path := range []string{"/", "/polls/", "/polls/1/", "/nowhere/", "/openapi.json", "/static/polls.css"} {
			s.send(host, "GET", path, "").want(want)
		}
	}
	for _, host := range []string{"THOR.localhost", "thor.localhost.", "thor.LocalHost:80", "thor.polls.local"} {
		s.send(host, "GET", "/polls/1/", "", "Authorization", "Token "+s.tokens["jane@"+thor]).want(200).shows("hammer")
	}
}

func TestBareHost(t *testing.T) {
	t.Parallel()
	s := newSite(t, sharedSQLite(t))
	for host, base := range map[string]string{
		bare: bare, "polls.local": "polls.local", "POLLS.local.:80": "polls.local:80", "127.0.0.1:8080": bare, "[::1]:8080": bare,
	} {
		s.send(host, "GET", "/", "").want(200).shows(`href="//thor.`+base+`/"`, `href="//potter.`+base+`/"`)
	}
	h := s.send(bare, "GET", "/", "").Header()
	if !strings.HasPrefix(h.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("headers %v", h)
	}
	s.send(bare, "GET", "/static/polls.css", "").want(200)
	for _, path := range []string{"/polls/", "/polls/1/", "/signin/", "/signup/", "/admin/", "/openapi.json", "/nowhere/"} {
		s.send(bare, "GET", path, "").want(http.StatusNotFound)
	}
	s.keeps("", func() {
		s.send(bare, "POST", "/users/", `{"username":"x","password":"password1"}`, "Content-Type", asJSON).want(404)
		s.form(bare, "", "/signup/", "username", "x", "password", "password1").want(404)
	})
}
