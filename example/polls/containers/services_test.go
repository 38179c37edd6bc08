package containers_test

import (
	"bytes"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/gorm-tenancy/tenancy/internal/servers"
)

// access lets the administrator in, and everybody else by password.
const access = "host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"

// startDatabase does what the image does: a role and a database by the environment, with the password of the secret.
func (m *machine) startDatabase(c composed, name string) error {
	s := c.Services[name]
	dir, err := os.MkdirTemp("", "polls-hba-")
	if err != nil {
		return err
	}
	m.t.Cleanup(func() { os.RemoveAll(dir) })
	hba := filepath.Join(dir, "hba")
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(hba, []byte(access), 0o644)); err != nil {
		return err
	}
	password, err := m.secret(c, name, s.Environment["POSTGRES_PASSWORD_FILE"])
	if err != nil {
		return err
	}
	r := &running{db: servers.NewPostgres(m.t, "hba_file="+hba)}
	admin, err := sql.Open("pgx", r.db.DSN(servers.Superuser, "postgres"))
	if err != nil {
		return err
	}
	defer admin.Close()
	for _, statement := range []string{
		fmt.Sprintf("CREATE ROLE %s SUPERUSER LOGIN PASSWORD '%s'", s.Environment["POSTGRES_USER"], password),
		fmt.Sprintf("CREATE DATABASE %s OWNER %s", s.Environment["POSTGRES_DB"], s.Environment["POSTGRES_USER"]),
	} {
		if _, err := admin.Exec(statement); err != nil {
			return err
		}
	}
	m.mu.Lock()
	m.up[name] = r
	m.mu.Unlock()
	return nil
}

// secret returns the text of what is mounted at path, by the service's own list of secrets.
func (m *machine) secret(c composed, name, path string) (string, error) {
	for _, s := range c.Services[name].Secrets {
		if "/run/secrets/"+s.Target == path {
			text, err := os.ReadFile(filepath.Join(m.dir, c.Secrets[s.Source].File))
			return string(text), err
		}
	}
	return "", fmt.Errorf("%s has no secret at %q", name, path)
}

// startApp runs the application's binary with what the compose file says.
func (m *machine) startApp(c composed, name string) error {
	s := c.Services[name]
	dsn, err := m.secret(c, name, s.Environment["DATABASE_URL_FILE"])
	if err != nil {
		return err
	}
	file := filepath.Join(m.t.TempDir(), "url")
	if err := os.WriteFile(file, []byte(m.found(c, name, dsn)), 0o600); err != nil {
		return err
	}
	r := &running{ip: loopback(), output: new(bytes.Buffer), ended: make(chan struct{})}
	args := mapped(s.Command, ":8000", r.ip.String()+":8000")
	args = mapped(args, "10.0.0.0/8", "127.0.0.0/8") // where nginx comes from here
	r.command = exec.Command(binary(m.t, m.sqlite), args...)
	r.command.Stdout, r.command.Stderr = r.output, r.output
	for key, value := range s.Environment {
		if key == "DATABASE_URL_FILE" {
			value = file
		}
		r.command.Env = append(r.command.Env, key+"="+value)
	}
	if err := r.command.Start(); err != nil {
		return err
	}
	go func() {
		_ = r.command.Wait()
		close(r.ended)
	}()
	m.mu.Lock()
	m.up[name] = r
	m.mu.Unlock()
	return nil
}

// found is the database's URL with the address that the service finds by the name in it, if they meet in a network, and with
// the directory that is mounted.
func (m *machine) found(c composed, name, dsn string) string {
	for _, v := range c.Services[name].Volumes {
		if v.Type != "volume" || !strings.HasPrefix(dsn, "sqlite://"+v.Target+"/") {
			continue
		}
		m.mu.Lock()
		if m.volumes[v.Source] == "" {
			m.volumes[v.Source] = m.t.TempDir()
		}
		dsn = strings.Replace(dsn, v.Target, m.volumes[v.Source], 1)
		m.mu.Unlock()
	}
	u, err := url.Parse(dsn)
	if err != nil || u.Host == "" || !meet(c, name, u.Hostname()) {
		return dsn
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if r := m.up[u.Hostname()]; r != nil && r.db != nil {
		u.Host = r.db.Addr()
	}
	return u.String()
}

// loopback is an address of this machine that nobody else is likely to use.
func loopback() net.IP {
	ip := make([]byte, 3)
	_, _ = rand.Read(ip)
	return net.IPv4(127, 1+ip[0]%254, ip[1], 1+ip[2]%254)
}

// stop ends a service as compose does: TERM, and waiting.
func (m *machine) stop(name string) {
	m.mu.Lock()
	r := m.up[name]
	delete(m.up, name)
	m.mu.Unlock()
	switch {
	case r == nil:
	case r.db != nil: // ends with the test
		r.db.Stop(m.t)
	default:
		_ = r.command.Process.Signal(syscall.SIGTERM)
		<-r.ended
	}
}
