package servers

import (
	"fmt"
	"testing"
)

// recorder is a test that goes on after Fatalf and Skipf.
type recorder struct {
	testing.TB
	said string
}

func (r *recorder) Helper() {}

func (r *recorder) Fatalf(format string, args ...any) {
	r.said = "fatal: " + fmt.Sprintf(format, args...)
}

func (r *recorder) Skipf(format string, args ...any) {
	r.said = "skip: " + fmt.Sprintf(format, args...)
}

func TestRequire(t *testing.T) {
	for _, tc := range []struct{ program, all, want string }{
		{"no-such-program", "", "skip: no-such-program is not installed: run make test, which installs it and skips nothing"},
		{"no-such-program", "1", "fatal: no-such-program is not installed: run make install"},
		{"sh", "1", ""},
	} {
		t.Setenv("TENANCY_REQUIRE_ALL", tc.all)
		r := &recorder{TB: t}
		if path := require(r, tc.program); r.said != tc.want || (path != "") != (tc.want == "") {
			t.Errorf("%s: %q, %q", tc.program, path, r.said)
		}
	}
}
