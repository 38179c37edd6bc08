package strategytest_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/gorm-tenancy/tenancy/internal/matrix"
	"github.com/gorm-tenancy/tenancy/strategies/strategytest"
)

// TestStrategies runs the suite over all pairs of a strategy and a database, and holds the page that says what became of it.
func TestStrategies(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/strategytest.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range matrix.Pairs() {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			line := fmt.Sprintf("> %s: %s\n", p.Name, strategytest.Run(t, p.Harness(t).Harness))
			if !strings.Contains(string(page), line) {
				t.Errorf("docs/strategytest.md does not say\n%s", line)
			}
		})
	}
}
