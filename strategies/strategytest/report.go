package strategytest

import (
	"fmt"
	"strings"
	"testing"
)

// line is a line of the table.
type line struct {
	name   string
	counts Counts
}

func (c *Counts) add(other Counts) {
	c.Cases += other.Cases
	c.Passed += other.Passed
	c.Refused += other.Refused
	c.Held += other.Held
	c.Failed += other.Failed
	c.Left += other.Left
}

// String is one line, as it stands in the documentation.
func (c Counts) String() string {
	leaks := "none leaks"
	if c.Failed > 0 {
		leaks = fmt.Sprintf("%d FAILED", c.Failed)
	}
	return fmt.Sprintf("%d cases: %d as plain GORM, %d attacks held, %d refused with an excuse, %s",
		c.Cases, c.Passed, c.Held, c.Refused, leaks)
}

// finish logs the table and fails the test for excuses that nothing needed.
func (s *suite) finish(t *testing.T, total Counts) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "%-26s%7s%7s%7s%9s%7s%9s\n", "mode", "cases", "passed", "held", "excused", "failed", "left out")
	for _, l := range append(s.lines, line{"all", total}) {
		c := l.counts
		fmt.Fprintf(&b, "%-26s%7d%7d%7d%9d%7d%9d\n", l.name, c.Cases, c.Passed, c.Held, c.Refused, c.Failed, c.Left)
	}
	for key, why := range s.h.Lacks {
		fmt.Fprintf(&b, "Excused: %s, because %s.\n", key, why)
		if !s.used[key] && !t.Failed() {
			t.Errorf("nothing needed the excuse %q", key)
		}
	}
	t.Log("\n" + b.String())
}
