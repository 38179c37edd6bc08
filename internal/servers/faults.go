package servers

import (
	"syscall"
	"testing"
)

// Stop ends the server and its connections in good order. Start starts it again with all its data.
func (p *process) Stop(tb testing.TB) {
	tb.Helper()
	p.signal(tb, p.stop)
}

// Kill ends the server with kill -9. Start starts it again with all that was committed.
func (p *process) Kill(tb testing.TB) {
	tb.Helper()
	p.signal(tb, syscall.SIGKILL)
}

// Start starts the server after Stop or Kill, at the same address.
func (p *process) Start(tb testing.TB) {
	tb.Helper()
	p.mustBeOwn(tb)
	if err := p.boot(); err != nil {
		tb.Fatal(err)
	}
}

// Pid is the operating system's number of the server's process.
func (p *process) Pid() int { return p.server.Process.Pid }

func (p *process) signal(tb testing.TB, signal syscall.Signal) {
	tb.Helper()
	p.mustBeOwn(tb)
	if err := p.end(signal); err != nil {
		tb.Fatal(err)
	}
}

func (p *process) mustBeOwn(tb testing.TB) {
	tb.Helper()
	if !p.own {
		tb.Fatal("other tests use this server: take one from NewPostgres or NewMariaDB")
	}
}
