package schema_test

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// severing is a proxy that ends all connections instead of passing on what the client says for the nth time, as if the
// application had died there.
type severing struct {
	net.Listener
	target string
	left   atomic.Int64 // what the client may say before; negative: for ever

	mu   sync.Mutex
	open []net.Conn // guarded by mu
}

func newSevering(t *testing.T, target string) *severing {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	s := &severing{Listener: l, target: target}
	s.left.Store(-1)
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() { s.serve(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		s.sever()
		running.Wait()
	})
	return s
}

func (s *severing) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", s.target)
	if err != nil {
		return
	}
	defer server.Close()
	s.mu.Lock()
	s.open = append(s.open, client, server)
	s.mu.Unlock()
	var answers sync.WaitGroup
	answers.Go(func() { pass(client, server, func() bool { return true }) })
	pass(server, client, func() bool {
		for {
			n := s.left.Load()
			if n < 0 || (n > 0 && s.left.CompareAndSwap(n, n-1)) {
				return true
			}
			if n == 0 {
				s.sever()
				return false
			}
		}
	})
	server.Close()
	answers.Wait()
}

func pass(to, from net.Conn, allowed func() bool) {
	defer to.Close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 && allowed() {
			_, _ = to.Write(buffer[:n])
		}
		if err != nil {
			return
		}
	}
}

func (s *severing) sever() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.open {
		c.Close()
	}
	s.open = nil
}
