package containers_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/example/polls/containers"
	"github.com/gorm-tenancy/tenancy/internal/servers"
)

// composed is what a machine reads of a compose file, by its own eyes.
type composed struct {
	Services map[string]composedService
	Secrets  map[string]struct{ File string }
}

type composedService struct {
	Image       string
	Command     []string
	Environment map[string]string
	Networks    []string
	Secrets     []struct{ Source, Target string }
	Volumes     []struct{ Type, Source, Target string }
	Ports       []struct {
		Target    int
		Published string
	}
	DependsOn   map[string]struct{ Condition string } `yaml:"depends_on"`
	Healthcheck struct{ Test []string }
	Labels      map[string]string
}

// machine runs a rendered directory without Docker: services are processes, each at an address of its own on loopback,
// networks are who finds whom by name, volumes are directories. It reads the compose file anew in each call, and does
// nothing that is not in it.
type machine struct {
	t      testing.TB
	dir    string // the rendered directory
	sqlite bool
	nginx  *servers.NginxServer
	dns    string
	url    string // where nginx answers
	status string // where nginx tells its version

	mu      sync.Mutex // guards what follows
	up      map[string]*running
	names   composed // what the name server goes by
	volumes map[string]string
	events  []string
	block   map[string]bool // services that do not get healthy
}

// running is a service.
type running struct {
	ip      net.IP
	command *exec.Cmd
	output  *bytes.Buffer
	ended   chan struct{}
	db      *servers.PostgresServer
}

func newMachine(t testing.TB, sqlite bool) *machine {
	t.Helper()
	m := &machine{
		t: t, dir: t.TempDir(), sqlite: sqlite, nginx: servers.NewNginx(t), status: freeAddr(t),
		up: map[string]*running{}, volumes: map[string]string{}, block: map[string]bool{},
	}
	m.url = "http://" + freeAddr(t)
	m.dns = names(t, m.resolve)
	t.Cleanup(func() {
		for name := range m.up {
			m.stop(name)
		}
	})
	return m
}

func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (m *machine) read() (composed, error) {
	var c composed
	text, err := os.ReadFile(filepath.Join(m.dir, "compose.yaml"))
	if err == nil {
		err = yaml.Unmarshal(text, &c)
	}
	return c, err
}

// resolve is what nginx finds by a name: services that run and share a network with it.
func (m *machine) resolve(name string) (net.IP, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.up[name]
	return func() net.IP {
		if r == nil {
			return nil
		}
		return r.ip
	}(), r != nil && meet(m.names, "nginx", name)
}

func meet(c composed, a, b string) bool {
	return slices.ContainsFunc(c.Services[a].Networks, func(n string) bool { return slices.Contains(c.Services[b].Networks, n) })
}

func (m *machine) event(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.events = append(m.events, fmt.Sprintf(format, args...))
}

// Up is a containers.Runtime's. Like compose, it makes a service that differs anew; here, all of the tenant's but databases.
func (m *machine) Up(ctx context.Context, id tenancy.ID) error {
	c, err := m.read()
	if err != nil {
		return err
	}
	m.mu.Lock()
	m.names = c
	m.mu.Unlock()
	for name, s := range c.Services {
		if s.Labels["polls.tenant"] == string(id) && slices.Contains(s.Command, "serve") {
			m.stop(name)
			if err := m.start(ctx, c, name); err != nil {
				return err
			}
			return m.await(ctx, c, name, "service_healthy")
		}
	}
	return errors.New("the tenant has no service that serves")
}

// start starts a service after what it depends on.
func (m *machine) start(ctx context.Context, c composed, name string) error {
	m.mu.Lock()
	_, up := m.up[name]
	m.mu.Unlock()
	if up {
		return nil
	}
	for dependency, d := range c.Services[name].DependsOn {
		if err := m.start(ctx, c, dependency); err != nil {
			return err
		}
		if err := m.await(ctx, c, dependency, d.Condition); err != nil {
			return fmt.Errorf("%s: %w", dependency, err)
		}
	}
	m.event("start %s", name)
	if strings.HasPrefix(c.Services[name].Image, "postgres:") {
		return m.startDatabase(c, name)
	}
	return m.startApp(c, name)
}

func (m *machine) await(ctx context.Context, c composed, name, condition string) error {
	m.mu.Lock()
	r, blocked := m.up[name], m.block[name]
	m.mu.Unlock()
	if blocked {
		return errors.New("it does not get healthy")
	}
	switch condition {
	case "service_completed_successfully":
		<-r.ended
		m.mu.Lock()
		delete(m.up, name)
		m.mu.Unlock()
		if !r.command.ProcessState.Success() {
			return fmt.Errorf("%s: %s", r.command.ProcessState, r.output)
		}
		m.event("completed %s", name)
		return nil
	case "service_healthy":
		return m.healthy(ctx, c, name, r)
	}
	return fmt.Errorf("no such condition: %q", condition)
}

func (m *machine) healthy(ctx context.Context, c composed, name string, r *running) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	test := c.Services[name].Healthcheck.Test
	if len(test) < 2 || test[0] != "CMD" {
		return errors.New("it has no health check")
	}
	for tick := time.NewTicker(50 * time.Millisecond); ; {
		var check *exec.Cmd
		if r.db != nil {
			check = exec.CommandContext(ctx, test[1], append(test[2:], "-p", port(r.db.Addr()))...)
		} else {
			check = exec.CommandContext(ctx, binary(m.t, m.sqlite), mapped(test[2:], "127.0.0.1:8000", r.ip.String()+":8000")...)
			select {
			case <-r.ended:
				return fmt.Errorf("it ended: %s", r.output)
			default:
			}
		}
		if check.Run() == nil {
			m.event("healthy %s", name)
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("it does not get healthy: %w", ctx.Err())
		case <-tick.C:
		}
	}
}

func port(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return port
}

// mapped replaces a part of arguments by what stands for it here.
func mapped(args []string, old, now string) []string {
	args = slices.Clone(args)
	for i := range args {
		if args[i] == old {
			args[i] = now
		}
	}
	return args
}

// Test is a containers.Runtime's.
func (m *machine) Test(_ context.Context, file string) error {
	config, err := m.config(file)
	if err != nil {
		return err
	}
	return m.nginx.Test(config)
}

// Serve is a containers.Runtime's.
func (m *machine) Serve(ctx context.Context, version string, _ bool) error {
	c, err := m.read()
	if err != nil {
		return err
	}
	m.mu.Lock()
	m.names = c
	m.mu.Unlock()
	config, err := m.config("nginx.conf")
	if err != nil {
		return err
	}
	if err := m.nginx.Serve(config); err != nil {
		return err
	}
	m.event("nginx %s", version)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	return containers.Await(ctx, version, func(ctx context.Context) (string, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+m.status+"/", nil)
		if err != nil {
			return "", err
		}
		answer, err := client.Do(r)
		if err != nil {
			return "", err
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		return string(text), err
	})
}

// config is nginx's configuration with what a container has replaced by what stands for it here, and nothing else. What it
// replaces has to be there.
func (m *machine) config(file string) (string, error) {
	text, err := os.ReadFile(filepath.Join(m.dir, "nginx", file))
	if err != nil {
		return "", err
	}
	config := string(text)
	for _, r := range [][2]string{
		{"listen 80", "listen " + strings.TrimPrefix(m.url, "http://")},
		{"listen 127.0.0.1:8081;", "listen " + m.status + ";"},
		{"resolver 127.0.0.11 ", "resolver " + m.dns + " "},
		{" /tmp/", " " + m.nginx.Dir() + "/"},
		{"access_log /dev/stdout ", "access_log " + m.nginx.Dir() + "/access.log "},
	} {
		if !strings.Contains(config, r[0]) {
			return "", fmt.Errorf("nothing to replace: %s", r[0])
		}
		config = strings.ReplaceAll(config, r[0], r[1])
	}
	return config, nil
}

// Down is a containers.Runtime's.
func (m *machine) Down(_ context.Context, id tenancy.ID) error {
	m.event("down %s", id)
	for _, suffix := range []string{"_web", "_migration", "_db"} {
		m.stop(string(id) + suffix)
	}
	return nil
}

// Purge is a containers.Runtime's.
func (m *machine) Purge(_ context.Context, id tenancy.ID) error {
	m.event("purge %s", id)
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.volumes, string(id)+"_data")
	return nil
}
