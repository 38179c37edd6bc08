package strategytest_test

import (
	"context"
	"maps"
	"os"
	"os/exec"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/strategies/strategytest"
)

// holed is a strategy with a hole: the tenants' tables are taken for silos, so that nothing holds a statement.
type holed struct{}

func (holed) Name() string          { return "holed" }
func (holed) Attach(*gorm.DB) error { return nil }
func (holed) Isolation() tenancy.Isolation { return tenancy.Isolation{Siloed: true} }

func (holed) Route(context.Context, tenancy.ID) (tenancy.Route, error) {
	return tenancy.Route{Confined: true}, nil
}

const inHole = "STRATEGYTEST_HOLED"

// TestNotices is the control of the suite: with a strategy that holds nothing, every attack leaks, and so do uses in all modes.
func TestNotices(t *testing.T) {
	if os.Getenv(inHole) != "" { // in the process below
		h := sharedOnSQLite(t)
		h.make = func() tenancy.Strategy { return holed{} }
		h.Lacks = maps.Clone(h.Lacks)
		h.Lacks["never"] = "nothing needs it"
		strategytest.Run(t, h.Harness)
		return
	}
	t.Parallel()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestNotices$", "-test.v")
	child.Env = append(os.Environ(), inHole+"=1")
	out, err := child.CombinedOutput()
	if err == nil {
		t.Fatalf("a strategy that holds nothing passes:\n%s", out)
	}
	for _, want := range leaks {
		if !strings.Contains(string(out), "LEAK: "+want+":") {
			t.Errorf("%s is not noticed", want)
		}
	}
	if testing.Verbose() {
		t.Logf("%s", out)
	}
}

var leaks = []string{"find"}
