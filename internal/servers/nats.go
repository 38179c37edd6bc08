package servers

import (
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// NATS starts a NATS server with JetStream for one test and returns its URL.
func NATS(tb testing.TB) string {
	tb.Helper()
	program := require(tb, "nats-server")
	p, err := newProcess("nats")
	if err != nil {
		tb.Fatal(err)
	}
	p.ownedBy(tb)
	p.stop = syscall.SIGTERM
	url := ""
	err = retryPorts(func(port int) error {
		url = "nats://127.0.0.1:" + strconv.Itoa(port)
		return p.start("Server is ready", program, "--addr", "127.0.0.1", "--port", strconv.Itoa(port),
			"--jetstream", "--store_dir", filepath.Join(p.dir, "store"))
	})
	if err != nil {
		tb.Fatal(err)
	}
	return url
}
