package archtest_test

import (
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	root   = "../.."
	module = "github.com/gorm-tenancy/tenancy"
	gin    = "github.com/gin-gonic/gin"
)

var update = flag.Bool("update", false, "rewrite testdata")

// pkg is what go list says about a package. Imports do not include those of its tests.
type pkg struct {
	ImportPath, Name, Dir string
	Standard              bool
	GoFiles, CgoFiles     []string
	Imports, Deps         []string
}

func list(t *testing.T, args ...string) []pkg {
	t.Helper()
	c := exec.CommandContext(t.Context(), "go", append([]string{"list", "-json=ImportPath,Name,Dir,Standard,GoFiles,CgoFiles,Imports,Deps"}, args...)...)
	c.Dir = root
	c.Stderr = os.Stderr
	out, err := c.Output()
	if err != nil {
		t.Fatal(err)
	}
	var packages []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

// in reports whether path is that of the package or module parent, or below it.
func in(path, parent string) bool { return strings.HasPrefix(path+"/", parent+"/") }

// TestImports holds the arrows: they point to the root, and siblings never meet.
func TestImports(t *testing.T) {
	t.Parallel()
	packages := list(t, "./...")
	if len(packages) == 0 || packages[0].ImportPath != module {
		t.Fatalf("no packages of %s", module)
	}
	for _, p := range packages {
		for _, path := range p.Imports {
			if why := forbidden(strings.TrimPrefix(p.ImportPath, module), path); why != "" {
				t.Errorf("%s imports %s: %s", p.ImportPath, path, why)
			}
		}
		switch name := strings.TrimPrefix(p.ImportPath, module); name {
		case "/httpmw":
			if slices.Contains(p.Deps, gin) {
				t.Errorf("httpmw depends on gin")
			}
			wantImport(t, p, module)
		case "/ginmw":
			wantImport(t, p, module+"/httpmw")
		}
	}
}

// forbidden says why the package with the name, the path below the module, may not import path.
func forbidden(name, path string) string {
	switch {
	case name == "" && in(path, module):
		return "the root is below everything else"
	case name == "" && strings.Contains(path, ".") && !in(path, "gorm.io/gorm"):
		return "the root imports the standard library and GORM"
	case in(name, "/strategies") && in(path, module+"/strategies") && !in(path, module+name) && !in(module+name, path): // a suite's parts know it
		return "strategies do not know each other"
	case in(name, "/migrate") && in(path, module) && path != module:
		return "migrate knows the contract, not who keeps it"
	case in(name, "/retrofit") && in(path, module) && path != module && path != module+"/migrate":
		return "the stages know the contract, not who keeps it"
	case in(name, "/httpmw") && in(path, gin):
		return "httpmw is plain net/http"
	case in(name, "/catalog") && in(path, module) && path != module && !in(path, module+"/catalog") && !in(path, module+"/internal"):
		return "the catalog knows no strategy and no middleware"
	case in(path, module+"/tenantcli") && !in(name, "/example") && !in(name, "/tenantcli"):
		return "only programs have a command line"
	case in(name, "/tenantcli") && (in(path, module+"/strategies") || in(path, module+"/httpmw") || in(path, module+"/ginmw")):
		return "the commands take what the application made"
	case in(name, "/archive") && in(path, module) && path != module && path != module+"/catalog":
		return "an archive is the same under every strategy"
	case in(name, "/tenancytest") && in(path, module) && path != module:
		return "the kit is the same under every strategy"
	case in(path, module+"/tenancytest"):
		return "only tests import the kit"
	case in(path, module+"/example") && !in(name, "/example"):
		return "examples are for applications"
	}
	return ""
}

func wantImport(t *testing.T, p pkg, path string) {
	t.Helper()
	if !slices.Contains(p.Imports, path) {
		t.Errorf("%s does not import %s", p.ImportPath, path)
	}
}

// TestForbidden shows that each rule refuses something.
func TestForbidden(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, path string
		refused    bool
	}{
		{"", "net/http", false},
		{"", "gorm.io/gorm/clause", false},
		{"", "gorm.io/driver/sqlite", true},
		{"", "gorm.io/gormlike", true},
		{"", module + "/httpmw", true},
		{"/strategies/shared", module, false},
		{"/strategies/shared", module + "/strategies/schema", true},
		{"/strategies/shared", module + "/strategies/sharedtest", true},
		{"/strategies/shared", module + "/strategies/shared/inner", false},
		{"/migrate", module, false},
		{"/migrate", module + "/strategies/schema", true},
		{"/retrofit", module + "/migrate", false},
		{"/retrofit", module + "/strategies/shared", true},
		{"/httpmw", module, false},
		{"/httpmw", gin + "/binding", true},
		{"/ginmw", gin, false},
		{"/ginmw", module + "/httpmw", false},
		{"/catalog", module, false},
		{"/catalog", module + "/internal/hostname", false},
		{"/catalog", module + "/httpmw", true},
		{"/catalog", module + "/strategies/schema", true},
		{"/catalog/storetest", module + "/catalog", false},
		{"/archive", module + "/catalog", false},
		{"/archive", module + "/strategies/schema", true},
		{"/bench", module + "/example/polls", true},
		{"/example/polls", module + "/ginmw", false},
		{"/example/polls", module + "/tenantcli", false},
		{"/tenancytest", module, false},
		{"/tenancytest", module + "/strategies/shared", true},
		{"/example/polls", module + "/tenancytest", true},
		{"/catalog", module + "/tenantcli", true},
		{"/bench", module + "/tenantcli", true},
		{"/tenantcli", module + "/migrate", false},
		{"/tenantcli", module + "/strategies/schema", true},
	} {
		if why := forbidden(tc.name, tc.path); (why != "") != tc.refused {
			t.Errorf("%q imports %s: %q", tc.name, tc.path, why)
		}
	}
}

// TestGoldenDependencies shows in review when the core depends on something new.
func TestGoldenDependencies(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for _, p := range list(t, "-deps", ".") {
		if !p.Standard && p.ImportPath != module {
			b.WriteString(p.ImportPath + "\n")
		}
	}
	lines := strings.SplitAfter(b.String(), "\n")
	slices.Sort(lines)
	got := strings.Join(lines, "")
	t.Logf("the core depends on:\n%s", got)

	file := filepath.Join("testdata", "dependencies.txt")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the core's dependencies changed; if that is meant, run make golden\ngot\n%swant\n%s", got, want)
	}
}
