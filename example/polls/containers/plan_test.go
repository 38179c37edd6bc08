package containers_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
	"github.com/gorm-tenancy/tenancy/example/polls/containers"
)

// idle is a Runtime that does nothing, and fails to start one tenant.
type idle struct{ broken tenancy.ID }

func (i idle) Up(_ context.Context, id tenancy.ID) error {
	if id == i.broken {
		return errors.New("it does not start")
	}
	return nil
}
func (idle) Test(context.Context, string) error        { return nil }
func (idle) Serve(context.Context, string, bool) error { return nil }
func (idle) Down(context.Context, tenancy.ID) error    { return nil }
func (idle) Purge(context.Context, tenancy.ID) error   { return nil }

// TestPlan shows what a new, changed and removed tenant changes, and that a plan changes nothing.
func TestPlan(t *testing.T) {
	t.Parallel()
	m := &machine{dir: t.TempDir()}
	apply := func(r containers.Runtime, tenants ...catalog.Tenant) error {
		_, err := containers.Open(m.dir).Apply(t.Context(), m.topology(t, tenants...), r, containers.ApplyOptions{})
		return err
	}
	if err := apply(idle{}, tenant("thor"), tenant("potter")); err != nil {
		t.Fatal(err)
	}
	const files = "~ file compose.yaml\n~ file nginx/nginx.conf\n"
	for name, tc := range map[string]struct {
		tenants []catalog.Tenant
		want    string
	}{
		"nothing": {[]catalog.Tenant{tenant("potter"), tenant("thor")}, "nothing to do\n"},
		"new": {
			[]catalog.Tenant{tenant("thor"), tenant("potter"), tenant("loki")},
			"+ tenant loki: +loki_db +loki_migration +loki_web hosts\n~ service nginx\n" + files,
		},
		"domain": {[]catalog.Tenant{tenant("thor", "a.example"), tenant("potter")}, "~ tenant thor: ~thor_web hosts\n" + files},
		"suspended": {
			[]catalog.Tenant{in(catalog.Suspended, tenant("thor")), tenant("potter")},
			"~ tenant thor: hosts\n~ file nginx/nginx.conf\n",
		},
		"removed": {
			[]catalog.Tenant{tenant("thor")},
			"- tenant potter: -potter_db -potter_migration -potter_web hosts\n~ service nginx\n" + files +
				"  secrets and volume of potter are kept; --remove-data removes them\n",
		},
	} {
		before := tree(t, m.dir)
		plan, err := containers.Open(m.dir).Plan(m.topology(t, tc.tenants...))
		var b strings.Builder
		if err := errors.Join(err, plan.Print(&b)); err != nil || b.String() != tc.want {
			t.Errorf("%s: %v\n%swant\n%s", name, err, b.String(), tc.want)
		}
		if plan.Restart {
			t.Errorf("%s: nginx starts anew", name)
		}
		if tree(t, m.dir) != before {
			t.Errorf("%s: the plan changes something", name)
		}
	}

	// A failed apply is still to be done.
	if err := apply(idle{broken: "loki"}, tenant("thor"), tenant("potter"), tenant("loki")); err == nil {
		t.Error("no error")
	}
	plan, err := containers.Open(m.dir).Plan(m.topology(t, tenant("thor"), tenant("potter"), tenant("loki")))
	if err != nil || plan.Empty() {
		t.Errorf("after a failure: %v, %v", plan, err)
	}
	// And its tenant is ended when it is taken out of the catalog before it ever started.
	if plan, err = containers.Open(m.dir).Plan(m.topology(t, tenant("thor"), tenant("potter"))); err != nil || len(plan.Kept) != 1 {
		t.Errorf("after a failure: %v, %v", plan, err)
	}
}

// tree returns all files of a directory with their texts.
func tree(t testing.TB, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		b.WriteString(path + "\n" + info.ModTime().String() + "\n" + string(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}
