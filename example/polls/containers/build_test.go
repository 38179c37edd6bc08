package containers_test

import (
	"context"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/gorm-tenancy/tenancy/example/polls/containers"
)

// built are the binaries, made once as the Dockerfile says.
type built struct {
	once sync.Once
	path string
	err  error
}

// binaries live as long as the test binary.
var (
	binaries   = map[bool]*built{false: {}, true: {}}
	binaryDir  string
	buildLine  = regexp.MustCompile(`(?m)^RUN (CGO_ENABLED=.* go build .*) -o /out/polls (\S+)$`)
	sourceRoot = filepath.Join("..", "..", "..")
)

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "polls-containers-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		binaryDir = dir
		return m.Run()
	}())
}

// binary returns the application, built by the line of the Dockerfile that is rendered.
func binary(t testing.TB, sqlite bool) string {
	t.Helper()
	b := binaries[sqlite]
	b.once.Do(func() {
		b.path = filepath.Join(binaryDir, fmt.Sprintf("polls-%t", sqlite))
		line := buildLine.FindStringSubmatch(files(t, containers.Options{SQLite: sqlite})["Dockerfile"])
		if line == nil {
			b.err = fmt.Errorf("the Dockerfile builds nothing")
			return
		}
		c := exec.CommandContext(context.Background(), "sh", "-c", line[1]+` -o "$0" `+line[2], b.path)
		c.Dir = sourceRoot
		if out, err := c.CombinedOutput(); err != nil {
			b.err = fmt.Errorf("%w: %s", err, out)
		}
	})
	if b.err != nil {
		t.Fatal(b.err)
	}
	return b.path
}

// TestStaticBinary runs what the Dockerfile builds where there is nothing else, as FROM scratch promises.
func TestStaticBinary(t *testing.T) {
	t.Parallel()
	for _, sqlite := range []bool{false, true} {
		t.Run(fmt.Sprintf("sqlite=%t", sqlite), func(t *testing.T) {
			t.Parallel()
			path := binary(t, sqlite)
			f, err := elf.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			for _, p := range f.Progs {
				if p.Type == elf.PT_INTERP {
					t.Error("it asks for a dynamic linker")
				}
			}
			if libraries, err := f.ImportedLibraries(); err != nil || len(libraries) > 0 {
				t.Errorf("it asks for %v, %v", libraries, err)
			}
			out, err := alone(t, path, sqlite)
			if err != nil || !strings.Contains(out, "succeeded") && !strings.Contains(out, "thor") {
				t.Errorf("alone: %v\n%s", err, out)
			}
		})
	}
}

// alone runs the binary's migration of an SQLite file, or its help, in a directory that is the whole file system, if the test
// may make it so, and otherwise beside all else.
func alone(t *testing.T, path string, sqlite bool) (string, error) {
	t.Helper()
	root := t.TempDir()
	if err := os.Chmod(root, 0o777); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "polls"), text, 0o755); err != nil {
		t.Fatal(err)
	}
	args := []string{"serve", "--help"}
	if sqlite {
		args = []string{"migrate", "up"}
	}
	c := exec.CommandContext(t.Context(), filepath.Join(root, "polls"), args...)
	data := root
	if os.Geteuid() == 0 {
		c.Path, c.Args[0], c.Dir, data = "/polls", "/polls", "/", ""
		c.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
	}
	c.Env = []string{"POLLS_STRATEGY=pinned", "POLLS_TENANT=thor", "DATABASE_URL=sqlite://" + data + "/polls.db"}
	out, err := c.CombinedOutput()
	return string(out), err
}
