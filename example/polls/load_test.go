package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
	"github.com/gorm-tenancy/tenancy/example/polls/hosting"
	"github.com/gorm-tenancy/tenancy/example/polls/polls"
	"github.com/gorm-tenancy/tenancy/internal/servers"
)

var load = flag.Duration("load", time.Second, "how long TestLoad asks each server")

const (
	fleet    = 50  // tenants
	inFlight = 200 // requests at a time
	rounds   = 4   // in which the servers take turns, so that what else the machine does is the same for all
	writes   = 50  // one request in so many stores a poll
)

// loaded is a serving process. The one without the plugin has no tenants, and everybody asks for the same.
type loaded struct {
	name    string
	addr    string
	service *hosting.Service // nil without the plugin
	token   func(tenant string) string
	client  *http.Client

	mu    sync.Mutex // guards all below
	took  []time.Duration
	wrote map[string]int
	wrong []string
}

// TestLoad: 200 requests at a time, over 50 tenants, against the program as it is served: each answer is of the tenant that
// was asked, and each poll is stored for the one that sent it. What it logs are times beside those of the application without
// the plugin, on the same kind of database and in turns.
func TestLoad(t *testing.T) {
	plain, program := build(t, "./plain"), build(t, ".")
	for _, kind := range []struct {
		name    string
		servers []func(*testing.T) *loaded
	}{
		{"SQLite", []func(*testing.T) *loaded{
			func(t *testing.T) *loaded { return startPlain(t, plain, filepath.Join(t.TempDir(), "plain.db")) },
			func(t *testing.T) *loaded { return startLoaded(t, program, hosting.Options{Data: t.TempDir()}) },
			func(t *testing.T) *loaded {
				return startLoaded(t, program, hosting.Options{Strategy: hosting.Database, Data: t.TempDir()})
			},
			func(t *testing.T) *loaded {
				return startLoaded(t, program, hosting.Options{Strategy: hosting.Hybrid, Data: t.TempDir()})
			},
		}},
		{"PostgreSQL", []func(*testing.T) *loaded{
			func(t *testing.T) *loaded { return startPlain(t, plain, emptyPostgres(t)) },
			func(t *testing.T) *loaded { return startLoaded(t, program, hosting.Options{DSN: emptyPostgres(t)}) },
			func(t *testing.T) *loaded {
				return startLoaded(t, program, hosting.Options{DSN: emptyPostgres(t), RowLevelSecurity: true})
			},
			func(t *testing.T) *loaded {
				return startLoaded(t, program, hosting.Options{Strategy: hosting.Schema, DSN: emptyPostgres(t)})
			},
		}},
	} {
		t.Run(kind.name, func(t *testing.T) {
			var all []*loaded
			for _, start := range kind.servers {
				all = append(all, start(t))
			}
			for range rounds {
				for _, s := range all {
					s.drive(t.Context(), *load/rounds)
				}
			}
			for _, s := range all {
				s.check(t, all[0])
			}
		})
	}
}

func emptyPostgres(t *testing.T) string {
	server := servers.Postgres(t)
	return server.DSN(servers.App, server.Database(t))
}

// build builds one of the example's programs.
func build(t *testing.T, path string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "program")
	if said, err := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", out, path).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	return out
}

var listening = regexp.MustCompile(`http://[^:]+:(\d+)$`)

// startServing starts a program and returns where it listens. It ends with the test.
func startServing(t *testing.T, program string, environment []string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, append(args, "--addr", "127.0.0.1:0")...)
	cmd.Env = append(os.Environ(), environment...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Stderr = t.Output()
	stdout, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		if found := listening.FindStringSubmatch(lines.Text()); found != nil {
			return "127.0.0.1:" + found[1]
		}
	}
	t.Fatal("it does not listen")
	return ""
}

func newLoaded(name, addr string) *loaded {
	return &loaded{name: name, addr: addr, wrote: map[string]int{}, client: &http.Client{
		Transport: &http.Transport{MaxIdleConnsPerHost: inFlight, MaxConnsPerHost: inFlight},
	}}
}

// startPlain serves the application without the plugin.
func startPlain(t *testing.T, program, dsn string) *loaded {
	s := newLoaded("without the plugin", startServing(t, program, []string{"POLLS_PASSWORD=a long password"}, "--dsn", dsn))
	request, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+s.addr+"/login/",
		strings.NewReader(`{"username":"shabda","password":"a long password"}`))
	must(t, err)
	request.Header.Set("Content-Type", asJSON)
	answer, err := s.client.Do(request)
	must(t, err)
	defer answer.Body.Close()
	var got struct{ Token string }
	must(t, json.NewDecoder(answer.Body).Decode(&got))
	s.token = func(string) string { return got.Token }
	return s
}

// startLoaded serves the tenants, each of which has a user and the poll 1, that says whose it is.
func startLoaded(t *testing.T, program string, o hosting.Options) *loaded {
	service := opened(t, o, false)
	must(t, service.Prepare(t.Context()))
	user, err := polls.NewSuperuser("shabda", "", "a long password", bcrypt.MinCost)
	must(t, err)
	for i := range fleet {
		must(t, populate(t.Context(), service, tenancy.ID(nameOf(i)), []string{hosting.Shared, hosting.Database}[i%2], user))
	}
	args := []string{"--strategy", service.Strategy()}
	name := service.Strategy()
	if o.Data != "" {
		args = append(args, "--data", o.Data)
	} else {
		args = append(args, "--dsn", o.DSN)
	}
	if o.RowLevelSecurity {
		args, name = append(args, "--row-level-security"), name+" with row-level security"
	}
	s := newLoaded(name, startServing(t, program, nil, args...))
	s.service, s.token = service, func(tenant string) string { return "token of " + tenant }
	return s
}

func nameOf(i int) string { return fmt.Sprintf("t%02d", i) }

func populate(ctx context.Context, service *hosting.Service, id tenancy.ID, strategy string, user polls.User) error {
	if _, err := service.Catalog.Create(tenancy.Central(ctx), catalog.Tenant{ID: id, Strategy: strategy}); err != nil {
		return err
	}
	ctx = tenancy.WithTenant(ctx, id)
	return service.DB.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := tx.Create(&user).Error; err != nil {
			return err
		}
		hash := sha256.Sum256([]byte("token of " + id.String()))
		token := polls.Token{Credential: polls.Credential{
			Hash: hex.EncodeToString(hash[:]), UserID: user.ID, ExpiresAt: time.Now().Add(time.Hour),
		}}
		if err := tx.Omit("User").Create(&token).Error; err != nil {
			return err
		}
		return polls.Seed(ctx, tx, user.ID, polls.Sample{Question: "poll of " + id.String(), Choices: []string{"Yes", "No"}})
	})
}

// drive keeps requests in flight for a while.
func (s *loaded) drive(ctx context.Context, d time.Duration) {
	end := time.Now().Add(d)
	var workers sync.WaitGroup
	for range inFlight {
		workers.Go(func() {
			for time.Now().Before(end) {
				tenant := "plain"
				if s.service != nil {
					tenant = nameOf(rand.IntN(fleet))
				}
				s.ask(ctx, tenant, rand.IntN(writes) == 0)
			}
		})
	}
	workers.Wait()
}

// ask sends one request and judges the answer.
func (s *loaded) ask(ctx context.Context, tenant string, write bool) {
	method, path, body, want := "GET", "/polls/1/", "", http.StatusOK
	if write {
		method, path, body, want = "POST", "/polls/", `{"question":"poll of `+tenant+`"}`, http.StatusCreated
	}
	began := time.Now()
	status, text, err := s.send(ctx, tenant, method, path, body)
	took := time.Since(began)

	s.mu.Lock()
	defer s.mu.Unlock()
	s.took = append(s.took, took)
	switch {
	case err != nil:
		s.wrong = append(s.wrong, err.Error())
	case status != want, strings.Count(text, "poll of ") != 1, !strings.Contains(text, `"question":"poll of `+tenant+`"`):
		s.wrong = append(s.wrong, fmt.Sprintf("%s %s of %s: %d %s", method, path, tenant, status, text))
	case write:
		s.wrote[tenant]++
	}
}

func (s *loaded) send(ctx context.Context, tenant, method, path, body string) (status int, text string, err error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://"+s.addr+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	request.Host = tenant + ".localhost"
	request.Header.Set("Authorization", "Token "+s.token(tenant))
	request.Header.Set("Content-Type", asJSON)
	answer, err := s.client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	read, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(read), err
}

// check reports what was wrong, counts what was stored, and logs how long it took beside the application without the plugin.
func (s *loaded) check(t *testing.T, plain *loaded) {
	t.Helper()
	for i, wrong := range s.wrong {
		if i < 5 {
			t.Errorf("%s: %s", s.name, wrong)
		}
	}
	if len(s.wrong) > 0 || len(s.took) < inFlight {
		t.Errorf("%s: %d of %d answers are wrong", s.name, len(s.wrong), len(s.took))
	}
	for i := range fleet {
		if s.service == nil {
			break
		}
		tenant := nameOf(i)
		db := s.service.DB.WithContext(tenancy.WithTenant(t.Context(), tenancy.ID(tenant))).Model(&polls.Poll{})
		var all, own int64
		must(t, db.Count(&all).Error)
		must(t, db.Where("question = ?", "poll of "+tenant).Count(&own).Error)
		if want := int64(1 + s.wrote[tenant]); all != want || own != want {
			t.Errorf("%s: %s has %d polls, %d of them its own, and has sent %d", s.name, tenant, all, own, want)
		}
	}
	t.Logf("%-34s %6d requests, %5.0f a second, p50 %6.1f ms, p99 %6.1f ms; without the plugin 1: %.2f a second, p50 %.2f, p99 %.2f",
		s.name, len(s.took), float64(len(s.took))/load.Seconds(), ms(s.at(50)), ms(s.at(99)),
		float64(len(s.took))/float64(len(plain.took)), ms(s.at(50))/ms(plain.at(50)), ms(s.at(99))/ms(plain.at(99)))
}

func (s *loaded) at(percent int) time.Duration {
	sorted := slices.Sorted(slices.Values(s.took))
	return sorted[(len(sorted)-1)*percent/100]
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
