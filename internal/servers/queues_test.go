package servers_test

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/gorm-tenancy/tenancy/internal/servers"
)

// TestQueues speaks a word with Redis and NATS, and looks whether they end with their test.
func TestQueues(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		start      func(testing.TB) string
		say, reply string
	}{
		"redis": {servers.Redis, "PING\r\n", "+PONG"},
		"nats":  {servers.NATS, "", `"jetstream":true`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := ""
			t.Run("test", func(t *testing.T) {
				addr = strings.TrimPrefix(tc.start(t), "nats://")
				conn, err := net.Dial("tcp", addr)
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				if _, err := fmt.Fprint(conn, tc.say); err != nil {
					t.Fatal(err)
				}
				if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.Contains(line, tc.reply) {
					t.Errorf("%q, %v", line, err)
				}
			})
			if addr == "" {
				return // the test failed or was skipped, and said why
			}
			if conn, err := net.Dial("tcp", addr); err == nil {
				_ = conn.Close()
				t.Error("the server is still there")
			}
		})
	}
}
