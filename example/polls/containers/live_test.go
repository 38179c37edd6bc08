package containers_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gorm-tenancy/tenancy/catalog"
	"github.com/gorm-tenancy/tenancy/example/polls/containers"
)

// load asks for poll 1 all the time, with new connections and with kept ones, until it is ended.
type load struct {
	stop   chan struct{}
	wg     sync.WaitGroup
	asked  atomic.Int64
	failed atomic.Int64
	first  atomic.Value // of string: the first failure
}

func (l *load) ask(v *visitor, want string) {
	l.wg.Add(1)
	go func() {
		defer l.wg.Done()
		for {
			select {
			case <-l.stop:
				return
			default:
			}
			status, text, err := v.ask("GET", "/polls/1/", nil)
			l.asked.Add(1)
			if err != nil || status != http.StatusOK || !strings.Contains(text, want) {
				l.failed.Add(1)
				l.first.CompareAndSwap(nil, fmt.Sprint(v.host, " ", status, " ", err, " ", text))
			}
		}
	}()
}

// under loads both tenants while change runs, and wants not one request to fail.
func under(t *testing.T, thor, potter *visitor, change func()) {
	t.Helper()
	l := &load{stop: make(chan struct{})}
	for v, want := range map[*visitor]string{thor: "Who lifts it?", potter: "Which pet?"} {
		kept := *v
		kept.client = &http.Client{Transport: &http.Transport{}}
		l.ask(v, want)
		l.ask(&kept, want)
	}
	change()
	close(l.stop)
	l.wg.Wait()
	t.Logf("%d requests, %d failed", l.asked.Load(), l.failed.Load())
	if l.failed.Load() > 0 || l.asked.Load() < 100 {
		t.Errorf("%d of %d requests failed: %v", l.failed.Load(), l.asked.Load(), l.first.Load())
	}
}

// TestLaunchUnderLoad adds a tenant and removes one while others are asked all the time: the book's last chapter leaves that
// to the reader.
func TestLaunchUnderLoad(t *testing.T) {
	t.Parallel()
	for _, sqlite := range []bool{false, true} {
		t.Run(fmt.Sprintf("sqlite=%t", sqlite), func(t *testing.T) {
			t.Parallel()
			m, thor, potter := pair(t, sqlite)
			before := m.nginx.Pid()
			loki := m.visitor("loki.polls.local")
			loki.must(t, http.StatusNotFound, "GET", "/polls/1/", nil)
			hogwarts := tenant("potter", "vote.hogwarts.example")
			under(t, thor, potter, func() {
				for range 3 {
					m.mustApply(t, tenant("thor"), hogwarts, tenant("loki"))
					// From the first request on: there is no moment in which the new tenant is known and not served.
					loki.must(t, http.StatusUnauthorized, "GET", "/polls/1/", nil)
					m.mustApply(t, tenant("thor"), hogwarts)
					loki.must(t, http.StatusNotFound, "GET", "/polls/1/", nil)
				}
			})
			if after := m.nginx.Pid(); after != before {
				t.Error("nginx is another process")
			}
		})
	}
}

// TestStates shows that the hosts of a tenant follow its state, and that its application keeps running.
func TestStates(t *testing.T) {
	t.Parallel()
	m, thor, potter := pair(t, true)
	hogwarts := tenant("potter", "vote.hogwarts.example")
	for state, want := range map[catalog.State]int{
		catalog.Suspended: 403, catalog.Maintenance: 503, catalog.Renaming: 503, catalog.Creating: 404, catalog.Active: 200,
		catalog.Deleting: 404,
	} {
		m.mustApply(t, in(state, tenant("thor")), hogwarts)
		thor.must(t, want, "GET", "/polls/1/", nil)
		if text := potter.must(t, 200, "GET", "/polls/1/", nil); !strings.Contains(text, "Which pet?") {
			t.Errorf("%s: %s", state, text)
		}
		if _, up := m.up["thor_web"]; up != (state != catalog.Deleting) {
			t.Errorf("%s: the application runs: %t", state, up)
		}
	}
}

// TestDatabaseDown stops a tenant's database: the others do not notice, and a new tenant that does not start keeps nobody back.
func TestDatabaseDown(t *testing.T) {
	t.Parallel()
	m, thor, potter := pair(t, false)
	m.up["thor_db"].db.Stop(t)
	if status, text, err := thor.ask("GET", "/polls/1/", nil); err != nil || status < 500 {
		t.Errorf("without a database: %d, %v: %s", status, err, text)
	}
	potter.must(t, 200, "GET", "/polls/1/", nil)

	m.block["loki_db"] = true
	hogwarts := tenant("potter", "vote.hogwarts.example")
	err := m.applied(t, tenant("thor"), hogwarts, tenant("loki"), tenant("odin"))
	if err == nil || !strings.Contains(err.Error(), "start loki: loki_db") {
		t.Errorf("a tenant whose database does not start: %v", err)
	}
	m.visitor("odin.polls.local").must(t, 401, "GET", "/polls/1/", nil)
	if status, _, err := m.visitor("loki.polls.local").ask("GET", "/polls/1/", nil); err != nil || status != http.StatusBadGateway {
		t.Errorf("the tenant that did not start: %d, %v", status, err)
	}
	potter.must(t, 200, "GET", "/polls/1/", nil)

	m.up["thor_db"].db.Start(t)
	m.block["loki_db"] = false
	m.mustApply(t, tenant("thor"), hogwarts, tenant("loki"), tenant("odin"))
	m.visitor("loki.polls.local").must(t, 401, "GET", "/polls/1/", nil)
	if text := thor.must(t, 200, "GET", "/polls/1/", nil); !strings.Contains(text, "Who lifts it?") {
		t.Error(text)
	}
}

// TestRefusedConfiguration shows that a configuration that nginx refuses never becomes the one it runs with.
func TestRefusedConfiguration(t *testing.T) {
	t.Parallel()
	m, thor, _ := pair(t, true)
	refusing := refuses{m}
	_, err := containers.Open(m.dir).Apply(t.Context(), m.topology(t, tenant("thor")), refusing, containers.ApplyOptions{})
	if !errors.Is(err, containers.ErrNginx) {
		t.Errorf("%v", err)
	}
	thor.must(t, 200, "GET", "/polls/1/", nil)
	m.visitor("potter.polls.local").must(t, 401, "GET", "/polls/1/", nil)
	text, err := m.config("nginx.conf")
	if err != nil || !strings.Contains(text, "potter") {
		t.Errorf("the file that nginx starts with has changed: %v", err)
	}
}
