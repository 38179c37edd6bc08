package strategytest_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/gorm-tenancy/tenancy/internal/matrix"
	"github.com/gorm-tenancy/tenancy/strategies/strategytest"
)

const inHole = "STRATEGYTEST_NOTHING_HOLDS"

// blunt needs the plugin to know whom it is about.
const blunt = "another scope"

// TestNotices is the control of the suite: where two tenants share tables without any strategy, each attack is a leak in every
// mode that it runs in, and everything fails that anybody can see.
func TestNotices(t *testing.T) {
	if os.Getenv(inHole) != "" { // in the process below
		h := matrix.Pairs()[0].Harness(t)
		h.Open = h.Bare
		h.Lacks = map[strategytest.Capability]string{}
		strategytest.Run(t, h.Harness)
		return
	}
	t.Parallel()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestNotices$", "-test.v")
	child.Env = append(os.Environ(), inHole+"=1")
	out, err := child.CombinedOutput()
	if err == nil {
		t.Fatalf("what holds nothing passes:\n%s", out)
	}
	for _, name := range strategytest.Attacks() {
		want := 9 // modes
		switch name {
		case blunt:
			want = 0
		case "database/sql": // needs a connection of its own
			want = 5
		}
		if leaks := strings.Count(string(out), "LEAK: about b: "+name+":"); leaks != want {
			t.Errorf("attack %q reaches b in %d modes, want %d", name, leaks, want)
		}
	}
}
