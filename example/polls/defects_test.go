package main

import (
	"fmt"
	"strings"
	"testing"
)

// Each test here is named after a defect that such applications have had, and shows that it is none here. BD stands for the
// defects of a book that builds this application four times.

// TestBD1: deleting, and adding choices, looked the poll up without the tenant, so that 403 told another tenant's poll from
// one that is missing; and a missing one was no 404.
func TestBD1(t *testing.T) {
	everywhere(t, func(_ *testing.T, s *site) {
		for _, user := range []string{superuser, "jane"} {
			s.keeps("thor", func() {
				s.same(s.api(potter, user, "DELETE", "/polls/3/", "").want(404), s.api(potter, user, "DELETE", "/polls/99/", ""))
				s.same(s.api(potter, user, "POST", "/polls/3/choices/", `{"choice_text":"x"}`).want(404),
					s.api(potter, user, "POST", "/polls/99/choices/", `{"choice_text":"x"}`))
				for _, method := range []string{"PUT", "PATCH"} {
					s.same(s.api(potter, user, method, "/polls/3/", `{"question":"q"}`).want(404),
						s.api(potter, user, method, "/polls/99/", `{"question":"q"}`))
				}
			})
		}
		s.api(thor, "jane", "POST", "/polls/3/choices/", `{"choice_text":"x"}`).want(201)
		s.keeps("potter", func() { s.api(thor, "jane", "DELETE", "/polls/3/", "").want(204) })
	})
}

// TestBD2: the choices of a poll, and votes, went across tenants by id.
func TestBD2(t *testing.T) {
	everywhere(t, func(_ *testing.T, s *site) {
		s.keeps("thor", func() {
			s.same(s.api(potter, "jane", "GET", "/polls/3/choices/", "").want(404).clean(), s.api(potter, "jane", "GET", "/polls/99/choices/", ""))
			s.same(s.api(potter, "jane", "POST", "/polls/3/choices/7/vote/", "").want(404).clean(),
				s.api(potter, "jane", "POST", "/polls/99/choices/99/vote/", ""))
			s.same(s.api(potter, "jane", "POST", "/polls/1/choices/7/vote/", "").want(404).clean(),
				s.api(potter, "jane", "POST", "/polls/1/choices/99/vote/", ""))
			s.api(potter, "jane", "GET", "/polls/1/choices/", "").want(200).clean().shows("An owl")
			s.api(potter, "jane", "POST", "/polls/1/choices/1/vote/", "").want(201)
		})
		s.api(thor, "jane", "GET", "/polls/3/choices/", "").want(200).shows("secret yes")
		s.api(thor, "jane", "GET", "/polls/1/results/", "").want(200).shows(`"total":0`)
	})
}

// TestBD3: the tenant was a field of the body, which clients chose, and without which every vote failed.
func TestBD3(t *testing.T) {
	everywhere(t, func(_ *testing.T, s *site) {
		s.keeps("thor", func() {
			for _, field := range []string{"tenant", "tenant_id", "TenantID", "Tenant", "space", "Space", "id"} {
				for path, rest := range map[string]string{
					"/polls/": `"question":"q"`, "/polls/1/choices/": `"choice_text":"x"`, "/polls/1/choices/1/vote/": `"voted_by":1`,
				} {
					for _, value := range []string{`"thor"`, `1`, `null`} {
						s.keeps("potter", func() {
							s.api(potter, superuser, "POST", path, fmt.Sprintf(`{%s,%q:%s}`, rest, field, value)).want(400).shows("unknown field")
						})
					}
				}
			}
			s.api(potter, superuser, "POST", "/polls/", `{"question":"q"}`).want(201)
			s.api(potter, superuser, "POST", "/polls/1/choices/", `{"choice_text":"A rat"}`).want(201)
			s.api(potter, superuser, "POST", "/polls/1/choices/1/vote/", "").want(201)
		})
		if rows := s.rows("potter"); !strings.Contains(rows, "A rat") {
			s.Errorf("not stored for potter: %s", rows)
		}
	})
}

// TestBD4: the admin showed choices of all tenants and the tenant as a free choice, and its pick lists had everybody's rows.
func TestBD4(t *testing.T) {
	everywhere(t, func(_ *testing.T, s *site) {
		s.signUp(thor, "loner")
		for _, path := range []string{
			"/admin/", "/admin/polls/", "/admin/choices/", "/admin/votes/", "/admin/users/", "/admin/polls/?q=cellar", "/admin/choices/?q=secret",
			"/admin/polls/add/", "/admin/choices/add/", "/admin/users/add/", "/admin/polls/1/", "/admin/choices/1/", "/admin/users/1/",
		} {
			page := s.page(potter, superuser, path).want(200).Body.String()
			path, _, searching := strings.Cut(path, "?")
			for _, text := range []string{"cellar", "secret", "loner", "tenant", "thor"} {
				if strings.Contains(strings.ToLower(page), text) && !searching {
					s.Errorf("%s shows %q: %s", path, text, page)
				}
			}
		}
		s.page(potter, superuser, "/admin/polls/?q=cellar").shows("0 polls")
		s.page(thor, superuser, "/admin/polls/?q=cellar").shows("1 poll")
		s.page(thor, superuser, "/admin/choices/add/").want(200).shows(secret)
		s.page(thor, superuser, "/admin/polls/add/").want(200).shows("loner")

		s.keeps("thor", func() {
			s.keeps("potter", func() {
				for _, path := range []string{"/admin/polls/3/", "/admin/choices/7/", "/admin/votes/1/", "/admin/users/3/", "/admin/polls/3/delete/"} {
					s.same(s.page(potter, superuser, path).want(404), s.page(potter, superuser, strings.NewReplacer("3", "99", "7", "99", "1", "99").Replace(path)))
				}
				s.form(potter, superuser, "/admin/polls/3/", "question", "q", "created_by", "1").want(404)
				s.form(potter, superuser, "/admin/polls/3/delete/").want(404)
				s.form(potter, superuser, "/admin/users/3/", "email", "").want(404)
				s.form(potter, superuser, "/admin/choices/7/delete/").want(404)
				s.form(potter, superuser, "/admin/choices/add/", "choice_text", "x", "poll", "3").want(400).shows("not in the list")
				s.form(potter, superuser, "/admin/polls/add/", "question", "q", "created_by", "3").want(400).shows("not in the list")
			})
			s.form(potter, superuser, "/admin/choices/add/", "choice_text", "A rat", "poll", "1", "tenant_id", "thor", "tenant", "thor").want(303)
			s.form(potter, superuser, "/admin/polls/1/", "question", "Renamed?", "created_by", "2", "tenant_id", "thor").want(303)
			s.form(potter, superuser, "/admin/polls/2/delete/").want(303)
		})
		if rows := s.rows("potter"); !strings.Contains(rows, "A rat") || !strings.Contains(rows, "Renamed?") || strings.Contains(rows, "swallow") {
			s.Errorf("potter has %s", rows)
		}
	})
}

// TestBD5: an unknown host became "no tenant", and showed the rows of none; the bare host was a tenant. Elsewhere it became
// the schema None (BD9) or the default database (BD13).
func TestBD5(t *testing.T) {
	everywhere(t, func(_ *testing.T, s *site) {
		token, cookie := s.tokens["jane@"+thor], s.cookies["jane@"+thor]
		s.keeps("thor", func() {
			s.keeps("potter", func() {
				for _, host := range []string{"loki.localhost:8080", "loki.polls.local", "poter.polls.local", "example.com", bare, "polls.local", "127.0.0.1:8080"} {
					for _, path := range []string{"/polls/", "/polls/1/", "/polls/3/", "/admin/polls/", "/nothing/"} {
						s.send(host, "GET", path, "", "Authorization", "Token "+token).want(404).clean()
						s.send(host, "GET", path, "", "Cookie", cookie, "Accept", asPage).want(404).clean()
					}
					s.send(host, "POST", "/users/", `{"username":"x","password":"password1"}`, "Content-Type", asJSON).want(404)
					s.send(host, "POST", "/polls/", `{"question":"q"}`, "Content-Type", asJSON, "Authorization", "Token "+token).want(404)
					s.send(host, "DELETE", "/polls/3/", "", "Authorization", "Token "+token).want(404)
				}
			})
		})
		if s.all {
			return
		}
		db, _ := s.raw("")
		for _, table := range tables {
			var n int
			must(s.T, db.QueryRow("SELECT count(*) FROM "+table+" WHERE tenant_id IS NULL OR tenant_id NOT IN ('thor', 'potter')").Scan(&n))
			if n > 0 {
				s.Errorf("%d rows of nobody in %s", n, table)
			}
		}
	})
}

// TestBD6: users and tokens were shared by all tenants.
func TestBD6(t *testing.T) {
	everywhere(t, func(_ *testing.T, s *site) {
		s.signUp(thor, "loner")
		s.keeps("potter", func() {
			for _, user := range []string{superuser, "jane", "loner"} {
				token, cookie := s.tokens[user+"@"+thor], s.cookies[user+"@"+thor]
				s.send(thor, "GET", "/polls/", "", "Authorization", "Token "+token).want(200)
				s.send(potter, "GET", "/polls/", "", "Authorization", "Token "+token).want(401)
				s.send(potter, "POST", "/polls/", `{"question":"q"}`, "Authorization", "Token "+token, "Content-Type", asJSON).want(401)
				s.send(thor, "GET", "/polls/", "", "Cookie", cookie).want(200)
				s.send(potter, "GET", "/polls/", "", "Cookie", cookie).want(401)
				s.send(potter, "GET", "/admin/", "", "Cookie", cookie, "Accept", asPage).want(303)
				s.send(potter, "POST", "/polls/new/", "question=q&choices=a%0Ab", "Cookie", cookie, "Content-Type", asForm, "Accept", asPage).want(303)
				s.keeps("thor", func() {
					s.send(potter, "POST", "/signout/", "", "Cookie", cookie, "Content-Type", asForm, "Accept", asPage).want(303)
				})
				s.send(thor, "GET", "/polls/", "", "Cookie", cookie).want(200)
			}
		})
		for user, status := range map[string]int{"jane": 400, "loner": 400} {
			body := fmt.Sprintf(`{"username":%q,"password":%q}`, user, passwordOf(thor, user))
			s.api(potter, "", "POST", "/login/", body).want(status).shows("Wrong Credentials")
			s.api(thor, "", "POST", "/login/", body).want(200)
		}
		s.signUp(potter, "loner") // the name is free here
	})
}

// TestGuessingElsewhere: whoever guesses a name's password at one tenant locks nobody out at another.
func TestGuessingElsewhere(t *testing.T) {
	everywhere(t, func(_ *testing.T, s *site) {
		for range 10 {
			s.api(potter, "", "POST", "/login/", `{"username":"jane","password":"wrong"}`).want(400)
		}
		s.api(potter, "", "POST", "/login/", `{"username":"jane","password":"wrong"}`).want(429)
		s.api(thor, "", "POST", "/login/", fmt.Sprintf(`{"username":"jane","password":%q}`, passwordOf(thor, "jane"))).want(200)
	})
}

// TestBD8: sessions and sign-in were looked up before the tenant was known. Here a session is found at its own tenant, and
// the two take turns on the same connections (BD11: the path of one request was inherited by the next).
func TestBD8(t *testing.T) {
	everywhere(t, func(_ *testing.T, s *site) {
		for range 5 {
			s.page(thor, "jane", "/").want(200).shows("Sign out jane", "cellar")
			s.page(potter, "jane", "/").want(200).clean().shows("Sign out jane", "swallow")
		}
	})
}

// TestBD12: a misspelt host made a tenant unreachable.
func TestBD12(t *testing.T) {
	everywhere(t, func(_ *testing.T, s *site) {
		for _, sample := range s.Samples() {
			for _, base := range s.BaseDomains() {
				for _, port := range []string{"", ":8080"} {
					s.send(sample.Tenant.ID.String()+"."+base+port, "GET", "/", "").want(200).shows("/polls/")
				}
			}
		}
	})
}

// TestBD16: everybody could delete every poll of the tenant.
func TestBD16(t *testing.T) {
	everywhere(t, func(_ *testing.T, s *site) {
		s.keeps("potter", func() {
			s.api(potter, "jane", "DELETE", "/polls/1/", "").want(403).shows("You can not delete this poll.")
			s.api(potter, "jane", "PUT", "/polls/1/", `{"question":"q"}`).want(403)
			s.api(potter, "jane", "POST", "/polls/1/choices/", `{"choice_text":"x"}`).want(403)
			s.form(potter, "jane", "/polls/1/delete/").want(403)
		})
		s.api(potter, superuser, "DELETE", "/polls/1/", "").want(204)
	})
}

// TestBD17: sign-up and log-in needed a log-in, and whoever voted or asked said who they were.
func TestBD17(t *testing.T) {
	everywhere(t, func(_ *testing.T, s *site) {
		s.signUp(potter, "newcomer")
		var poll struct {
			ID        int64
			CreatedBy int64 `json:"created_by"`
		}
		var vote struct {
			VotedBy int64 `json:"voted_by"`
		}
		s.api(potter, "jane", "POST", "/polls/", `{"question":"q","created_by":1}`).want(201).into(&poll)
		if poll.CreatedBy != 2 {
			s.Errorf("made by %d", poll.CreatedBy)
		}
		s.api(potter, "jane", "PUT", "/polls/3/", `{"question":"q","created_by":1}`).want(200).into(&poll)
		if poll.CreatedBy != 2 {
			s.Errorf("given to %d", poll.CreatedBy)
		}
		s.api(potter, "jane", "POST", "/polls/1/choices/1/vote/", `{"voted_by":1}`).want(201).into(&vote)
		if vote.VotedBy != 2 {
			s.Errorf("voted by %d", vote.VotedBy)
		}
		s.api(potter, superuser, "POST", "/polls/1/choices/1/vote/", `{"voted_by":2}`).want(201)
	})
}
