package httpmw_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gorm-tenancy/tenancy/httpmw"
)

// The requests of this test go through the server's own parser, which no recorder does.
func TestOverTheWire(t *testing.T) {
	t.Parallel()
	resolver := httpmw.Chain(httpmw.FromSubdomain("example.com"), httpmw.FromHeader("X-Tenant"))
	server := httptest.NewServer(middleware(t, resolver, quiet()).Handler(http.HandlerFunc(whoami)))
	t.Cleanup(server.Close)
	const bad = http.StatusBadRequest
	for name, c := range map[string]struct {
		request string
		want    int
	}{
		"two hosts":        {"GET / HTTP/1.1\r\nHost: thor.example.com\r\nHost: potter.example.com\r\n", bad},
		"user info":        {"GET / HTTP/1.1\r\nHost: thor@potter.example.com\r\n", bad},
		"no host":          {"GET / HTTP/1.0\r\nX-Tenant: thor\r\n", bad},
		"empty host":       {"GET / HTTP/1.1\r\nHost:\r\nX-Tenant: thor\r\n", bad},
		"absolute wins":    {"GET http://nobody.example.com/ HTTP/1.1\r\nHost: thor.example.com\r\n", http.StatusNotFound},
		"absolute, header": {"GET http://thor.example.com/ HTTP/1.1\r\nHost: x\r\nX-Tenant: potter\r\n", bad},
		"header twice":     {"GET / HTTP/1.1\r\nHost: thor.example.com\r\nX-Tenant: thor\r\nx-tenant: potter\r\n", bad},
		"header blank":     {"GET / HTTP/1.1\r\nHost: thor.example.com\r\nX-Tenant:  \r\n", bad},
		"HEAD has no body": {"HEAD / HTTP/1.1\r\nHost: nobody.example.com\r\n", http.StatusNotFound},
		"plain":            {"GET / HTTP/1.1\r\nHost: THOR.example.com:80\r\nX-Tenant: thor\r\n", http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			fmt.Fprintf(conn, "%sConnection: close\r\n\r\n", c.request)
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			if response.StatusCode != c.want {
				t.Errorf("status %d, want %d", response.StatusCode, c.want)
			}
		})
	}
}
