package docstest_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorm-tenancy/tenancy/internal/docstest"
)

// known are the commands that the documentation may show, by their first words, and what proves each.
var known = []struct {
	words string
	prove func(*reader, *testing.T, docstest.Block, docstest.Command)
}{
	{"make", (*reader).make},
	{"go run ./example/polls", (*reader).start},
	{"curl", (*reader).curl},
	{"go get", (*reader).get},
	{"git clone", (*reader).clone},
	{"cd", (*reader).enter},
}

// reader is somebody who types the commands of one document, one after the other.
type reader struct {
	dir        string // where the commands are typed
	program    string // the example, once it is built
	documented string // address at which the document expects the example
	actual     string // address at which it listens
}

// TestShellBlocks does what a newcomer does: types every command of the documents in their order.
func TestShellBlocks(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"README.md", "CONTRIBUTING.md", "docs/polls.md"} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			follow(t, read(t, filepath.Join(root, file)))
		})
	}
}

// TestSampleCommands does the same with a sample that has one command of each kind.
func TestSampleCommands(t *testing.T) {
	t.Parallel()
	follow(t, read(t, "testdata/commands.md"))
}

func follow(t *testing.T, blocks []docstest.Block) {
	t.Helper()
	r := new(reader)
	for _, b := range blocks {
		if slices.Contains([]string{"bash", "shell", "console", "zsh"}, b.Lang) {
			t.Errorf("%s:%d: write sh, not %s", b.File, b.Line, b.Lang)
		}
		if b.Lang != "sh" {
			continue
		}
		commands, err := docstest.Commands(b)
		if err != nil {
			t.Error(err)
		}
		for _, c := range commands {
			r.run(t, b, c)
		}
	}
}

func (r *reader) run(t *testing.T, b docstest.Block, c docstest.Command) {
	t.Helper()
	t.Logf("%s:%d: %s", b.File, c.Line, c)
	for _, k := range known {
		if strings.HasPrefix(c.String()+" ", k.words+" ") {
			k.prove(r, t, b, c)
			return
		}
	}
	t.Errorf("%s:%d: nothing proves that this command works: %s", b.File, c.Line, c)
}

// make looks whether the target exists. That make test is what CI runs, and so is run all the time, is looked up too.
func (*reader) make(t *testing.T, b docstest.Block, c docstest.Command) {
	t.Helper()
	for _, target := range c.Words[1:] {
		if out, err := command(t, "make", "-n", target); err != nil {
			t.Errorf("%s:%d: %v\n%s", b.File, c.Line, err, out)
		}
	}
	script, err := os.ReadFile(filepath.Join(root, ".ci/run"))
	if err != nil || !strings.HasSuffix(string(script), "\nexec make test\n") {
		t.Errorf(".ci/run does not end with make test: %v", err)
	}
}

// get looks whether the packages are of this module, or of the versions in its go.mod.
func (*reader) get(t *testing.T, b docstest.Block, c docstest.Command) {
	t.Helper()
	for _, word := range c.Words[2:] {
		pkg, _, _ := strings.Cut(word, "@")
		if out, err := command(t, "go", "list", pkg); err != nil {
			t.Errorf("%s:%d: %v\n%s", b.File, c.Line, err, out)
		}
	}
}

func (*reader) clone(t *testing.T, b docstest.Block, c docstest.Command) {
	t.Helper()
	if url := strings.TrimSuffix(c.Words[len(c.Words)-1], ".git"); url != "https://"+module {
		t.Errorf("%s:%d: the repository is https://%s", b.File, c.Line, module)
	}
}

func (*reader) enter(t *testing.T, b docstest.Block, c docstest.Command) {
	t.Helper()
	if len(c.Words) != 2 || c.Words[1] != path.Base(module) {
		t.Errorf("%s:%d: git clone makes the directory %s", b.File, c.Line, path.Base(module))
	}
}

var (
	usage     = regexp.MustCompile(`--addr string .*\(default "([^"]+)"\)`)
	announced = regexp.MustCompile(`http://localhost:(\d+)`)
)

// start builds the example and runs it as the command says, but on a free port. It stops when the test ends.
func (r *reader) start(t *testing.T, b docstest.Block, c docstest.Command) {
	t.Helper()
	polls := r.build(t, b, c)
	if len(c.Words) > 3 && !strings.HasPrefix(c.Words[3], "-") && c.Words[3] != "serve" {
		r.command(t, b, c)
		return
	}
	if r.actual != "" {
		return // in another terminal
	}
	r.documented = documented(t, polls, c.Words[3:])

	ctx, cancel := context.WithCancel(t.Context())
	server := exec.CommandContext(ctx, polls, append(slices.Clone(c.Words[3:]), "--addr", "127.0.0.1:0")...)
	server.Dir = r.dir
	server.Cancel = func() error { return server.Process.Signal(os.Interrupt) }
	server.WaitDelay = 10 * time.Second
	var stderr bytes.Buffer
	server.Stderr = &stderr
	stdout, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_, _ = io.Copy(io.Discard, stdout)
		if err := server.Wait(); err != nil && server.ProcessState.ExitCode() != 0 {
			t.Errorf("the example ended with %v: %s", err, stderr.String())
		}
	})
	for lines := bufio.NewScanner(stdout); r.actual == "" && lines.Scan(); {
		if port := announced.FindStringSubmatch(lines.Text()); port != nil {
			r.actual = "127.0.0.1:" + port[1]
		}
	}
	if r.actual == "" {
		t.Fatalf("%s:%d: the example did not say where it listens", b.File, c.Line)
	}
}

// build builds the example once, and makes the directory in which the commands are typed.
func (r *reader) build(t *testing.T, b docstest.Block, c docstest.Command) string {
	t.Helper()
	if r.program != "" {
		return r.program
	}
	r.dir, r.program = t.TempDir(), filepath.Join(t.TempDir(), "polls")
	if out, err := command(t, "go", "build", "-buildvcs=false", "-o", r.program, c.Words[2]); err != nil {
		t.Fatalf("%s:%d: %v\n%s", b.File, c.Line, err, out)
	}
	return r.program
}

// command runs a command of the example that ends by itself.
func (r *reader) command(t *testing.T, b docstest.Block, c docstest.Command) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), r.program, c.Words[3:]...)
	cmd.Dir = r.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s:%d: %s: %v\n%s", b.File, c.Line, c, err, out)
	}
}

// documented returns the address that a reader expects: that of the flag, or its default.
func documented(t *testing.T, polls string, args []string) string {
	t.Helper()
	for i, arg := range args {
		if strings.TrimLeft(arg, "-") == "addr" && i+1 < len(args) {
			return args[i+1]
		}
	}
	out, _ := command(t, polls, "-h")
	address := usage.FindStringSubmatch(out)
	if address == nil {
		t.Fatalf("no default of --addr in the usage: %s", out)
	}
	return address[1]
}

// curl sends the request, Host header and all, to the example, wherever it listens.
func (r *reader) curl(t *testing.T, b docstest.Block, c docstest.Command) {
	t.Helper()
	if r.actual == "" {
		t.Fatalf("%s:%d: nothing was started that could answer: %s", b.File, c.Line, c)
	}
	request, err := docstest.Curl(c)
	if err != nil {
		t.Fatalf("%s:%d: %v", b.File, c.Line, err)
	}
	client := http.Client{
		Transport:     &http.Transport{DialContext: r.dial, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	answer, err := client.Do(request.WithContext(t.Context()))
	if err != nil {
		t.Fatalf("%s:%d: %v", b.File, c.Line, err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	got, want := fmt.Sprint(answer.StatusCode), b.Options["status"]
	if want == "" {
		got, want = got[:1]+"xx", "2xx"
	}
	if got != want {
		t.Errorf("%s:%d: %s: %s, want %s\n%s", b.File, c.Line, c, answer.Status, want, body)
	}
}

// dial reaches the example at its documented address only: a wrong port in the document must not work here.
func (r *reader) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	_, want, err := net.SplitHostPort(r.documented)
	if err != nil {
		return nil, err
	}
	local := host == "localhost" || strings.HasSuffix(host, ".localhost") || net.ParseIP(host).IsLoopback()
	if !local || port != want {
		return nil, fmt.Errorf("the example is at %s, not at %s", r.documented, address)
	}
	return new(net.Dialer).DialContext(ctx, network, r.actual)
}

func command(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	c := exec.CommandContext(t.Context(), name, args...)
	c.Dir = root
	out, err := c.CombinedOutput()
	return string(out), err
}
