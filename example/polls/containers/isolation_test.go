package containers_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// pair is a machine with two tenants whose ids are the same: each has user 1 and poll 1.
func pair(t *testing.T, sqlite bool) (m *machine, thor, potter *visitor) {
	t.Helper()
	m = newMachine(t, sqlite)
	m.mustApply(t, tenant("thor"), tenant("potter", "vote.hogwarts.example"))
	thor, potter = m.member(t, "thor.polls.local", "sif"), m.member(t, "potter.polls.local", "sif")
	thor.question(t, "Who lifts it?")
	potter.question(t, "Which pet?")
	return m, thor, potter
}

// TestIsolation asks two tenants with the same ids through nginx, with PostgreSQL and with SQLite.
func TestIsolation(t *testing.T) {
	t.Parallel()
	for _, sqlite := range []bool{false, true} {
		t.Run(fmt.Sprintf("sqlite=%t", sqlite), func(t *testing.T) {
			t.Parallel()
			m, thor, potter := pair(t, sqlite)
			for v, want := range map[*visitor]string{thor: "Who lifts it?", potter: "Which pet?"} {
				if all := v.must(t, 200, "GET", "/polls/", nil); !strings.Contains(all, want) || strings.Count(all, `"question"`) != 1 {
					t.Errorf("%s has %s", v.host, all)
				}
			}
			mixed := *thor
			mixed.token = potter.token
			mixed.must(t, http.StatusUnauthorized, "GET", "/polls/1/", nil)
			domain := *potter
			domain.host = "vote.hogwarts.example"
			if one := domain.must(t, 200, "GET", "/polls/1/", nil); !strings.Contains(one, "Which pet?") {
				t.Errorf("by the own domain: %s", one)
			}
			// As a browser posts: the Origin has the port that the machine answers at.
			thor.must(t, 201, "POST", "/polls/1/choices/", object{"choice_text": "maybe"}, "Origin", "http://thor.polls.local:8080")
			thor.must(t, 403, "POST", "/polls/1/choices/", object{"choice_text": "maybe"}, "Origin", "http://potter.polls.local:8080")
			if one := potter.must(t, 200, "GET", "/polls/1/", nil); strings.Contains(one, "maybe") {
				t.Error("a choice went to both")
			}
			for _, host := range []string{"hela.polls.local", "polls.local", "127.0.0.1", "_", "thor.polls.local.evil.example", "thor"} {
				m.visitor(host).must(t, http.StatusNotFound, "GET", "/polls/1/", nil)
			}
			m.elsewhere(t)
		})
	}
}

// elsewhere asks each application for the other's host, past nginx: it is pinned, and refuses.
func (m *machine) elsewhere(t *testing.T) {
	t.Helper()
	for own, other := range map[string]string{"thor": "potter.polls.local", "potter": "thor.polls.local"} {
		past := m.visitor(other)
		past.url = "http://" + m.up[own+"_web"].ip.String() + ":8000"
		past.must(t, http.StatusNotFound, "POST", "/login/", object{"username": "sif", "password": "correct horse of sif"})
		past.host = own + ".polls.local"
		past.must(t, http.StatusOK, "POST", "/login/", object{"username": "sif", "password": "correct horse of sif"})
	}
}

// TestNetworks shows that a service finds no name of another tenant's, and nginx no database, and that secrets are its own.
func TestNetworks(t *testing.T) {
	t.Parallel()
	m := newMachine(t, false)
	if err := m.render(t, tenant("thor"), tenant("potter"), tenant("thor_db")); err != nil {
		t.Fatal(err)
	}
	c, err := m.read()
	if err != nil {
		t.Fatal(err)
	}
	meetings := 0
	for a, one := range c.Services {
		for b, two := range c.Services {
			if a == b || !meet(c, a, b) {
				continue
			}
			meetings++
			owner, other := one.Labels["polls.tenant"], two.Labels["polls.tenant"]
			if owner != "" && other != "" && owner != other {
				t.Errorf("%s reaches %s", a, b)
			}
			if a == "nginx" && !slices.Contains(two.Command, "serve") {
				t.Errorf("nginx reaches %s", b)
			}
		}
		for _, s := range one.Secrets {
			if !strings.HasPrefix(c.Secrets[s.Source].File, "./secrets/"+one.Labels["polls.tenant"]+"/") {
				t.Errorf("%s has the secret %s", a, s.Source)
			}
		}
		for _, v := range one.Volumes {
			if a != "nginx" && v.Source != one.Labels["polls.tenant"]+"_data" {
				t.Errorf("%s has the volume %s", a, v.Source)
			}
		}
	}
	// For three tenants, both ways: nginx and web, web and db, migration and db, web and migration.
	if meetings != 24 {
		t.Errorf("%d pairs meet", meetings)
	}
}

// TestHostGames sends what lies about the host.
func TestHostGames(t *testing.T) {
	t.Parallel()
	m, thor, potter := pair(t, true)
	const refused = ""
	for name, tc := range map[string]struct {
		request string
		want    string // the question that is answered
	}{
		"plain":                   {"GET /polls/1/ HTTP/1.1\r\nHost: thor.polls.local\r\n", "Who lifts it?"},
		"with a port":             {"GET /polls/1/ HTTP/1.1\r\nHost: thor.polls.local:8080\r\n", "Who lifts it?"},
		"with another port":       {"GET /polls/1/ HTTP/1.1\r\nHost: thor.polls.local:1\r\n", "Who lifts it?"},
		"trailing dot":            {"GET /polls/1/ HTTP/1.1\r\nHost: thor.polls.local.\r\n", "Who lifts it?"},
		"upper case":              {"GET /polls/1/ HTTP/1.1\r\nHost: THOR.Polls.LOCAL\r\n", "Who lifts it?"},
		"X-Forwarded-Host":        {"GET /polls/1/ HTTP/1.1\r\nHost: thor.polls.local\r\nX-Forwarded-Host: potter.polls.local\r\n", "Who lifts it?"},
		"Forwarded":               {"GET /polls/1/ HTTP/1.1\r\nHost: thor.polls.local\r\nForwarded: host=potter.polls.local\r\n", "Who lifts it?"},
		"X-Original-Host":         {"GET /polls/1/ HTTP/1.1\r\nHost: thor.polls.local\r\nX-Original-Host: potter.polls.local\r\n", "Who lifts it?"},
		"absolute form":           {"GET http://thor.polls.local/polls/1/ HTTP/1.1\r\nHost: potter.polls.local\r\n", "Who lifts it?"},
		"duplicate Host":          {"GET /polls/1/ HTTP/1.1\r\nHost: potter.polls.local\r\nHost: thor.polls.local\r\n", refused},
		"duplicate Host, folded":  {"GET /polls/1/ HTTP/1.1\r\nHost: potter.polls.local\r\n Host: thor.polls.local\r\n", refused},
		"Host with a space":       {"GET /polls/1/ HTTP/1.1\r\nHost: potter.polls.local thor.polls.local\r\n", refused},
		"Host with a comma":       {"GET /polls/1/ HTTP/1.1\r\nHost: potter.polls.local,thor.polls.local\r\n", refused},
		"Host with user info":     {"GET /polls/1/ HTTP/1.1\r\nHost: potter.polls.local@thor.polls.local\r\n", refused},
		"Host with a path":        {"GET /polls/1/ HTTP/1.1\r\nHost: thor.polls.local/x\r\n", refused},
		"no Host":                 {"GET /polls/1/ HTTP/1.1\r\n", refused},
		"no Host, HTTP/1.0":       {"GET /polls/1/ HTTP/1.0\r\n", refused},
		"empty Host":              {"GET /polls/1/ HTTP/1.1\r\nHost:\r\n", refused},
		"space before the colon":  {"GET /polls/1/ HTTP/1.1\r\nHost : thor.polls.local\r\n", refused},
		"two dots":                {"GET /polls/1/ HTTP/1.1\r\nHost: thor.polls.local..\r\n", refused},
		"the upstream's name":     {"GET /polls/1/ HTTP/1.1\r\nHost: thor_web:8000\r\n", refused},
		"a host in a body length": {"GET /polls/1/ HTTP/1.1\r\nHost: thor.polls.local\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n", refused},
	} {
		got := m.raw(t, tc.request+"Authorization: Token "+thor.token+"\r\nConnection: close\r\n\r\n")
		if tc.want != "" && !strings.Contains(got, tc.want) {
			t.Errorf("%s: %s", name, got)
		}
		if strings.Contains(got, "Which pet?") || tc.want == "" && strings.Contains(got, "question") {
			t.Errorf("%s: answered: %s", name, got)
		}
		// The other one's token, which would open what the request reached if it went there.
		got = m.raw(t, tc.request+"Authorization: Token "+potter.token+"\r\nConnection: close\r\n\r\n")
		if strings.Contains(got, "Who lifts it?") || tc.want != "" && strings.Contains(got, "Which pet?") {
			t.Errorf("%s: with the other one's token: %s", name, got)
		}
		if tc.want == "" && strings.Contains(got, `"question"`) {
			t.Errorf("%s: with the other one's token: %s", name, got)
		}
	}
}

// raw sends text that net/http would not, and returns the answer.
func (m *machine) raw(t *testing.T, request string) string {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(m.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(bufio.NewReader(conn))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestVisitors shows that the application counts wrong passwords by visitor: not by nginx, which all come through, and not by
// what a visitor says about its address.
func TestVisitors(t *testing.T) {
	t.Parallel()
	m, _, _ := pair(t, true)
	from := func(address string) *visitor {
		v := m.visitor("thor.polls.local")
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
		v.client = &http.Client{Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true}}
		return v
	}
	wrong := object{"username": "sif", "password": "open sesame please"}
	for i := range 10 {
		from("127.0.0.1").must(t, 400, "POST", "/login/", wrong, "X-Forwarded-For", fmt.Sprintf("192.0.2.%d", i),
			"X-Real-IP", fmt.Sprintf("192.0.2.%d", i))
	}
	from("127.0.0.1").must(t, http.StatusTooManyRequests, "POST", "/login/", wrong, "X-Forwarded-For", "192.0.2.99")
	from("127.0.0.9").must(t, 400, "POST", "/login/", wrong, "X-Forwarded-For", "127.0.0.1")
}

// TestLimits shows that nginx takes no bodies without end, and no accounts without end.
func TestLimits(t *testing.T) {
	t.Parallel()
	m, thor, potter := pair(t, true)
	thor.must(t, http.StatusRequestEntityTooLarge, "POST", "/polls/", object{"question": strings.Repeat("x", 2<<20)})
	refused := 0
	for i := range 40 {
		status, _, err := thor.ask("POST", "/users/", object{"username": fmt.Sprint("u", i), "email": "", "password": "x"})
		if err != nil {
			t.Fatal(err)
		}
		if status == http.StatusTooManyRequests {
			refused++
		}
	}
	if refused == 0 {
		t.Error("accounts without end")
	}
	thor.must(t, 200, "GET", "/polls/1/", nil)
	m.member(t, potter.host, "another") // limits are counted by tenant
}
