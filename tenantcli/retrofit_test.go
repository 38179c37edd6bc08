package tenantcli_test

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"testing"

	"github.com/spf13/cobra"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/retrofit"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
	"github.com/gorm-tenancy/tenancy/tenantcli"
)

// Article gets its tenant now.
type Article struct {
	ID       uint
	TenantID string `gorm:"not null;size:63"`
	Title    string
}

// TestRetrofit takes a table through all stages by commands. There is no environment: Open is never called.
func TestRetrofit(t *testing.T) {
	t.Parallel()
	db, err := gorm.Open(sqlite.Open(filepath.Join(t.TempDir(), "old.db")+"?_busy_timeout=5000"), &gorm.Config{Logger: logger.Discard})
	must(t, err)
	must(t, db.Exec("CREATE TABLE articles (id integer PRIMARY KEY AUTOINCREMENT, title text)").Error)
	must(t, db.Exec("INSERT INTO articles (title) VALUES ('one'), ('two')").Error)
	rows := func(query string) string {
		pool, err := db.DB()
		must(t, err)
		return (&world{TB: t}).lines(pool, query)
	}
	var broken error
	var root func() *cobra.Command
	root = func() *cobra.Command {
		cmd := &cobra.Command{Use: "app"}
		cmd.AddCommand(tenantcli.Commands(tenantcli.App{
			Root: root,
			Open: func(context.Context) (*tenantcli.Environment, error) {
				return nil, errors.New("there is no plugin yet")
			},
			Retrofit: func(context.Context) (*retrofit.Retrofit, error) {
				if broken != nil {
					return nil, broken
				}
				return newRetrofit(db)
			},
		})...)
		return cmd
	}
	run := func(code int, args ...string) result {
		t.Helper()
		r := verbatim(t.Context(), root(), "", append([]string{"retrofit"}, args...)...)
		if r.code != code {
			t.Errorf("%v: %+v", args, r)
		}
		return r
	}
	run(2, "nonsense")
	run(2, "add", "more")
	run(1, "check")
	var plan retrofit.Plan
	must(t, json.Unmarshal([]byte(run(0, "plan", "--json").out), &plan))
	if len(plan.Stages) != 4 || rows("SELECT id, title, 0 FROM articles WHERE tenant_id = ''") != "-" {
		t.Errorf("the plan is %v", plan)
	}
	run(1, "backfill") // before add
	run(0, "add")
	must(t, db.Exec("INSERT INTO articles (title) VALUES ('by the old program')").Error)
	run(0, "backfill")
	run(0, "constrain")
	run(0, "check")
	var report retrofit.Report
	must(t, json.Unmarshal([]byte(run(0, "finish", "--json").out), &report))
	if report.Stage != retrofit.StageFinish {
		t.Errorf("%+v", report)
	}
	if got := rows("SELECT id, tenant_id || ' ' || title, 0 FROM articles ORDER BY id"); got != "1 acme one 0, 2 acme two 0, 3 acme by the old program 0" {
		t.Error(got)
	}
	broken = errors.New("no database")
	run(1, "plan")
	if cmd, _, err := (&world{TB: t}).root().Find([]string{"retrofit"}); err == nil && cmd.Name() == "retrofit" {
		t.Error("an application without a retrofit has the command")
	}
}

func newRetrofit(db *gorm.DB) (*retrofit.Retrofit, error) {
	return retrofit.New(db, tenancy.New(shared.New(), tenancy.OwnedModels(&Article{})), retrofit.Legacy("acme"))
}
