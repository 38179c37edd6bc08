package programs_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/gorm-tenancy/tenancy/internal/matrix"
	"github.com/gorm-tenancy/tenancy/strategies/strategytest/programs"
)

var operations = flag.Int("operations", 20_000, "how many operations all strategies run together, at least")

func TestMain(m *testing.M) {
	flag.Parse()
	defaults := map[string]string{
		"rapid.checks": fmt.Sprint(*operations / len(matrix.Pairs())), // more than are needed: an operation ends them
		"rapid.seed":   "1",                                           // the same programs in every run; 0 draws others
	}
	flag.Visit(func(f *flag.Flag) { delete(defaults, f.Name) })
	for name, value := range defaults {
		_ = flag.Set(name, value)
	}
	os.Exit(m.Run())
}

func TestStrategies(t *testing.T) {
	t.Parallel()
	pairs := matrix.Pairs()
	for _, p := range pairs {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			o := programs.Options{Operations: *operations/len(pairs) + 1, Mixed: strings.Contains(p.Name, "hybrid")}
			t.Logf("programs: %s: %s", p.Name, programs.Check(t, p.Harness(t).Harness, o))
		})
	}
}
