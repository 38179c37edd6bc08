package programs_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/gorm-tenancy/tenancy/internal/matrix"
	"github.com/gorm-tenancy/tenancy/strategies/strategytest"
	"github.com/gorm-tenancy/tenancy/strategies/strategytest/programs"
)

const inHole = "PROGRAMS_NOTHING_HOLDS"

// TestNotices is the control: where tenants share tables and nothing holds them, a program finds it, and is shrunk to a few lines.
func TestNotices(t *testing.T) {
	if os.Getenv(inHole) != "" { // in the process below
		h := matrix.Pairs()[0].Harness(t)
		h.Open = h.Bare
		h.Lacks = map[strategytest.Capability]string{}
		programs.Check(t, h.Harness, programs.Options{Operations: 1000})
		return
	}
	t.Parallel()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestNotices$", "-rapid.nofailfile", "-rapid.seed=1", "-rapid.shrinktime=5s")
	child.Env = append(os.Environ(), inHole+"=1")
	out, err := child.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "CROSSING: ") && !strings.Contains(string(out), "WRONG ROWS: ") {
		t.Fatalf("nothing is found where nothing holds: %v\n%s", err, out)
	}
	_, program, ok := strings.Cut(string(out), "The program:\n")
	program, _, _ = strings.Cut(program, "To reproduce")
	if lines := strings.Count(program, "\n"); !ok || lines > 12 {
		t.Errorf("the program was not shrunk:\n%s", out)
	}
}
