package wire_test

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gorm-tenancy/tenancy/internal/servers"
	"github.com/gorm-tenancy/tenancy/internal/wire"
)

// echo answers every line with the same line.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				for lines := bufio.NewScanner(c); lines.Scan(); {
					_, _ = io.WriteString(c, lines.Text()+"\n")
				}
			}()
		}
	}()
	return l.Addr().String()
}

// client is one connection through the proxy.
type client struct {
	net.Conn
	*bufio.Scanner
}

func dial(t *testing.T, p *wire.Proxy) client {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return client{c, bufio.NewScanner(c)}
}

// say returns the answer, or "" if the connection is closed.
func (c client) say(line string) string {
	if _, err := io.WriteString(c, line+"\n"); err != nil || !c.Scan() {
		return ""
	}
	return c.Text()
}

func TestTrips(t *testing.T) {
	t.Parallel()
	p := wire.New(t, echo(t))
	one, two := dial(t, p), dial(t, p)
	for i, word := range []string{"a", "b", "c"} {
		if got := one.say(word); got != word || p.Trips() != 2*i+1 {
			t.Errorf("%q and %d trips after %q", got, p.Trips(), word)
		}
		if two.say(word); p.Trips() != 2*i+2 {
			t.Errorf("%d trips after %q again", p.Trips(), word)
		}
	}
	p.Reset()
	if one.say("x\ny"); p.Trips() != 1 {
		t.Errorf("%d trips for two lines at once", p.Trips())
	}
	one.Close()
	if two.say("z"); p.Trips() != 2 {
		t.Errorf("%d trips after a farewell", p.Trips())
	}
}

func TestDelay(t *testing.T) {
	t.Parallel()
	const delay = 40 * time.Millisecond
	p := wire.New(t, echo(t))
	c := dial(t, p)
	c.say("warm")
	p.Delay(delay)
	begin := time.Now()
	if got := c.say("a"); got != "a" {
		t.Fatalf("%q", got)
	}
	if took := time.Since(begin); took < 2*delay {
		t.Errorf("a round trip took %s", took)
	}
}

func TestCutAndRefuse(t *testing.T) {
	t.Parallel()
	p := wire.New(t, echo(t))
	c, other := dial(t, p), dial(t, p)
	if c.say("a") != "a" || other.say("a") != "a" {
		t.Fatal("no answer")
	}
	p.Refuse(true)
	if got := dial(t, p).say("b"); got != "" {
		t.Errorf("a refused connection says %q", got)
	}
	if got := c.say("b"); got != "b" {
		t.Errorf("an open connection says %q", got)
	}
	p.Cut()
	if one, two := c.say("c"), other.say("c"); one+two != "" {
		t.Errorf("cut connections say %q, %q", one, two)
	}
	p.Refuse(false)
	if got := dial(t, p).say("d"); got != "d" {
		t.Errorf("a new connection says %q", got)
	}
}

// TestPostgresTrips counts what pgx does in its modes: the prepared statement costs a trip of its own, once.
func TestPostgresTrips(t *testing.T) {
	t.Parallel()
	s := servers.Postgres(t)
	direct := s.DSN(servers.App, s.Database(t))
	for _, tc := range []struct {
		mode          string
		first, second int
	}{
		{"simple_protocol", 1, 1},
		{"exec", 1, 1},
		{"cache_statement", 2, 1},
		{"describe_exec", 2, 2},
	} {
		t.Run(tc.mode, func(t *testing.T) {
			t.Parallel()
			p := wire.New(t, s.Addr())
			dsn := strings.Replace(direct, s.Addr(), p.Addr(), 1) + "&default_query_exec_mode=" + tc.mode
			conn, err := pgx.Connect(t.Context(), dsn)
			if err != nil {
				t.Fatal(err)
			}
			if p.Trips() != 1 {
				t.Errorf("%d trips to connect", p.Trips())
			}
			for i, want := range []int{tc.first, tc.second} {
				p.Reset()
				var n int
				if err := conn.QueryRow(t.Context(), "SELECT $1::int", 1).Scan(&n); err != nil || n != 1 {
					t.Fatal(n, err)
				}
				if p.Trips() != want {
					t.Errorf("query %d took %d trips, want %d", i+1, p.Trips(), want)
				}
			}
			p.Reset()
			if err := conn.Close(t.Context()); err != nil || p.Trips() != 0 {
				t.Errorf("%v and %d trips to close", err, p.Trips())
			}
		})
	}
}
