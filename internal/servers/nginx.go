package servers

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// NginxServer is an nginx of one test. Its methods are not safe for concurrent use.
type NginxServer struct {
	*process
	program string
}

const nginxConfig = "nginx.conf"

// NewNginx returns a server that does not run yet; it ends with the test. A configuration may write below [NginxServer.Dir]
// only, and puts its pid file there. If the tests run as root, nginx runs as www-data and cannot listen below 1024.
func NewNginx(tb testing.TB) *NginxServer {
	tb.Helper()
	program := require(tb, "nginx")
	p, err := newProcess("www-data")
	if err != nil {
		tb.Fatal(err)
	}
	p.ownedBy(tb)
	p.stop = syscall.SIGTERM
	return &NginxServer{p, program}
}

// Dir is the server's directory.
func (s *NginxServer) Dir() string { return s.dir }

// Test returns what nginx -t has against a configuration, nil if nothing.
func (s *NginxServer) Test(config string) error {
	name := filepath.Join(s.dir, nginxConfig+".test")
	if err := os.WriteFile(name, []byte(config), 0o644); err != nil {
		return err
	}
	return s.run(s.program, "-p", s.dir, "-t", "-q", "-c", name)
}

// Serve starts nginx with the configuration, or gives it to the one that runs, by HUP to its process. That returns before
// the new configuration is in force.
func (s *NginxServer) Serve(config string) error {
	name := filepath.Join(s.dir, nginxConfig)
	if err := os.WriteFile(name, []byte(config), 0o644); err != nil {
		return err
	}
	if s.server != nil {
		return s.server.Process.Signal(syscall.SIGHUP)
	}
	// The level notice is the one that tells when it is ready.
	return s.start("start worker process", s.program, "-p", s.dir, "-c", name, "-g", "daemon off; error_log stderr notice;")
}
