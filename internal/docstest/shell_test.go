package docstest_test

import (
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/gorm-tenancy/tenancy/internal/docstest"
)

func TestCommands(t *testing.T) {
	t.Parallel()
	got, err := docstest.Commands(docstest.Block{File: "a.md", Line: 7, Text: strings.Join([]string{
		"# a comment", "make test  # runs all", "", "go run ./example/polls &",
		`curl -H 'Host: a:1' \`, `  "http://b/#c" d\ e é''`, "curl --json '{", "}' x",
	}, "\n")})
	if err != nil {
		t.Fatal(err)
	}
	want := []docstest.Command{
		{Line: 8, Words: []string{"make", "test"}},
		{Line: 10, Words: []string{"go", "run", "./example/polls"}},
		{Line: 11, Words: []string{"curl", "-H", "Host: a:1", "http://b/#c", "d e", "é"}},
		{Line: 13, Words: []string{"curl", "--json", "{\n}", "x"}},
	}
	if len(got) != len(want) {
		t.Fatalf("got %q", got)
	}
	for i, w := range want {
		if got[i].Line != w.Line || !slices.Equal(got[i].Words, w.Words) {
			t.Errorf("got %d %q, want %d %q", got[i].Line, got[i].Words, w.Line, w.Words)
		}
	}
}

func TestCommandsRefuses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ text, want string }{
		{"make\ncurl x | jq", "a.md:2: '|'"},
		{"a && b", "'&'"},
		{"a; b", "';'"},
		{"a > b", "'>'"},
		{"curl http://b?c=d", "'?'"},
		{"echo $HOME", "'$'"},
		{`echo "$HOME"`, "single quotes"},
		{"echo 'a", "the quote ' never ends"},
	} {
		_, err := docstest.Commands(docstest.Block{File: "a.md", Line: 1, Text: tc.text})
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %s", tc.text, err, tc.want)
		}
	}
}

func TestCurl(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ command, method, url, host, body, header string }{
		{"curl a.localhost:8080/x", "GET", "http://a.localhost:8080/x", "a.localhost:8080", "", ""},
		{"curl -si -H 'Host: b:1' http://a/", "GET", "http://a/", "b:1", "", ""},
		{"curl -X DELETE http://a/", "DELETE", "http://a/", "a", "", ""},
		{"curl -d c=1 http://a/", "POST", "http://a/", "a", "c=1", "Content-Type: application/x-www-form-urlencoded"},
		{"curl --json '{}' http://a/", "POST", "http://a/", "a", "{}", "Content-Type: application/json"},
		{"curl http://a/ -H 'X-Tenant: c'", "GET", "http://a/", "a", "", "X-Tenant: c"},
	} {
		r, err := docstest.Curl(one(t, tc.command))
		if err != nil {
			t.Errorf("%s: %v", tc.command, err)
			continue
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		name, value, _ := strings.Cut(tc.header, ": ")
		if r.Method != tc.method || r.URL.String() != tc.url || r.Host != tc.host || string(body) != tc.body ||
			r.Header.Get(name) != value || r.Header.Get("Host") != "" {
			t.Errorf("%s: got %s %s of %s with %q and %v", tc.command, r.Method, r.URL, r.Host, body, r.Header)
		}
	}
	for _, command := range []string{"curl -u a:b http://a/", "curl -H", "curl http://a/ --fail", "curl -k http://a/", "curl"} {
		if r, err := docstest.Curl(one(t, command)); err == nil {
			t.Errorf("%s: got %s, want an error", command, r.URL)
		}
	}
}

func one(t *testing.T, text string) docstest.Command {
	t.Helper()
	c, err := docstest.Commands(docstest.Block{Line: 1, Text: text})
	if err != nil || len(c) != 1 {
		t.Fatalf("%s: %v, %v", text, c, err)
	}
	return c[0]
}
