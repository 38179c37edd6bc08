package doctor_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gorm-tenancy/tenancy/doctor"
)

// TestDocumented: the table of docs/doctor.md says what the code does.
func TestDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/doctor.md")
	must(t, err)
	var have, want []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| ([a-z]+) \\| (.*?) \\|").FindAllStringSubmatch(string(text), -1) {
		have = append(have, strings.Join(row[1:], " | "))
	}
	for _, c := range doctor.Codes() {
		want = append(want, fmt.Sprintf("%s | %s | %s", c.Name, c.Severity, c.Means))
	}
	if !slices.Equal(have, want) {
		t.Errorf("docs/doctor.md has\n%s\nwant\n%s", strings.Join(have, "\n"), strings.Join(want, "\n"))
	}
}

// TestEveryCode: the codes that are listed are those that the sources use.
func TestEveryCode(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../strategies/*/*.go")
	must(t, err)
	used := map[string]bool{}
	code := regexp.MustCompile(`Code: "([a-z-]+)"|code, what = "([a-z-]+)"|^	code[A-Z]\w* += "([a-z-]+)"`)
	for _, file := range append(files, "codes.go") {
		text, err := os.ReadFile(file)
		must(t, err)
		for line := range strings.Lines(string(text)) {
			if m := code.FindStringSubmatch(line); m != nil {
				used[m[1]+m[2]+m[3]] = true
			}
		}
	}
	for _, c := range doctor.Codes() {
		if !used[c.Name] {
			t.Errorf("%s is not used", c.Name)
		}
		delete(used, c.Name)
	}
	if len(used) > 0 || len(doctor.Codes()) < 30 {
		t.Errorf("not listed: %v", used)
	}
}
