package servers

import (
	"strconv"
	"syscall"
	"testing"
)

// Redis starts a Redis server for one test and returns where it listens, host:port. It keeps nothing on disk.
func Redis(tb testing.TB) string {
	tb.Helper()
	program := require(tb, "redis-server")
	p, err := newProcess("redis")
	if err != nil {
		tb.Fatal(err)
	}
	p.ownedBy(tb)
	p.stop = syscall.SIGTERM
	addr := ""
	err = retryPorts(func(port int) error {
		addr = "127.0.0.1:" + strconv.Itoa(port)
		return p.start("Ready to accept connections", program, "--port", strconv.Itoa(port), "--bind", "127.0.0.1",
			"--dir", p.dir, "--save", "", "--appendonly", "no", "--protected-mode", "no")
	})
	if err != nil {
		tb.Fatal(err)
	}
	return addr
}
