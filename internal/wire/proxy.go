// Package wire puts a TCP proxy between a client and a server in tests: it counts round trips, adds a delay and cuts
// connections. It knows nothing of the protocol.
package wire

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Proxy forwards connections from a loopback port to a server. It is safe for concurrent use.
type Proxy struct {
	listener net.Listener
	target   string
	trips    atomic.Int64
	delay    atomic.Int64 // nanoseconds
	running  sync.WaitGroup

	mu      sync.Mutex // guards what follows
	refused bool
	open    map[net.Conn]struct{}
}

// New starts a proxy for a server's host:port. It ends with the test and cuts what is still connected.
func New(tb testing.TB, target string) *Proxy {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	p := &Proxy{listener: l, target: target, open: map[net.Conn]struct{}{}}
	p.running.Go(p.accept)
	tb.Cleanup(func() {
		_ = l.Close()
		p.Refuse(true)
		p.Cut()
		p.running.Wait()
	})
	return p
}

// Addr is where clients connect, host:port.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Trips is the number of round trips since the start or the last Reset, on all connections together: how often the server
// answered after a client had sent something. What a client sends in one go counts once, however many messages it holds,
// and so does the answer; what nobody answers, such as a farewell, does not count. A trip is counted before the client gets
// the answer, so the number is exact for clients that wait for it before they send more.
func (p *Proxy) Trips() int { return int(p.trips.Load()) }

// Reset sets Trips to 0.
func (p *Proxy) Reset() { p.trips.Store(0) }

// Delay holds back all bytes that arrive from now on for d, in each direction, without making the line narrower: a round
// trip takes 2d longer. The default is 0.
func (p *Proxy) Delay(d time.Duration) { p.delay.Store(int64(d)) }

// Cut closes all connections, in the middle of whatever they do. New ones are accepted.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		_ = c.Close()
	}
}

// Refuse says whether new connections are closed at once. Those that are open stay.
func (p *Proxy) Refuse(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refused = on
}

func (p *Proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.running.Go(func() { p.serve(c) })
	}
}

// serve forwards in both directions until one of them ends.
func (p *Proxy) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer server.Close()
	if !p.remember(client, server) {
		return
	}
	defer p.forget(client, server)
	var asked atomic.Bool // the client spoke last
	var both sync.WaitGroup
	both.Go(func() { p.copy(server, client, func() { asked.Store(true) }) })
	both.Go(func() {
		p.copy(client, server, func() {
			if asked.Swap(false) {
				p.trips.Add(1)
			}
		})
	})
	both.Wait()
}

func (p *Proxy) remember(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refused {
		return false
	}
	for _, c := range conns {
		p.open[c] = struct{}{}
	}
	return true
}

func (p *Proxy) forget(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		delete(p.open, c)
	}
}

// chunk is what was read at once and the time to write it.
type chunk struct {
	bytes []byte
	due   time.Time
}

// copy calls arrived before the other side can see the bytes, and closes both when one of them ends.
func (p *Proxy) copy(to, from net.Conn, arrived func()) {
	line := make(chan chunk, 1024)
	var writer sync.WaitGroup
	writer.Go(func() {
		defer to.Close()
		defer from.Close()
		for c := range line {
			if wait := time.Until(c.due); wait > 0 {
				<-time.After(wait)
			}
			_, _ = to.Write(c.bytes) // if it fails, the reader fails too
		}
	})
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			arrived()
			line <- chunk{append([]byte(nil), buffer[:n]...), time.Now().Add(time.Duration(p.delay.Load()))}
		}
		if err != nil {
			break
		}
	}
	close(line)
	writer.Wait()
}
