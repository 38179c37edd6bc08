package servers_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/gorm-tenancy/tenancy/internal/servers"
)

// TestNginx tests a configuration, starts with it, refuses a broken one and takes another without a new process.
func TestNginx(t *testing.T) {
	t.Parallel()
	s := servers.NewNginx(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	answering := func(text string) string {
		return fmt.Sprintf("pid %[1]s/pid; events {} http { access_log off; client_body_temp_path %[1]s/a; "+
			"proxy_temp_path %[1]s/b; fastcgi_temp_path %[1]s/c; uwsgi_temp_path %[1]s/d; scgi_temp_path %[1]s/e; server { listen %[2]s; "+
			"location / { return 200 %[3]s; } } }", s.Dir(), addr, text)
	}
	if err := s.Test(answering("one; }")); err == nil {
		t.Error("a broken configuration passes the test")
	}
	for _, text := range []string{"one", "two"} {
		if err := s.Test(answering(text)); err != nil {
			t.Fatal(err)
		}
		if err := s.Serve(answering(text)); err != nil {
			t.Fatal(err)
		}
		for got := ""; got != text; { // the old one answers for a moment
			client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			answer, err := client.Get("http://" + addr)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(answer.Body)
			if err != nil {
				t.Fatal(err)
			}
			_ = answer.Body.Close()
			got = string(body)
		}
	}
}
