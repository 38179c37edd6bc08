package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/migrate"
)

// everything lists all tables, columns and polls of all tenants and of the central schema, past the walls.
func (e *env) everything() string {
	e.Helper()
	q := "SELECT group_concat(name || coalesce(sql, ''), ';') FROM sqlite_master"
	switch e.db.Name() {
	case "postgres":
		q = "SELECT string_agg(concat_ws(' ', table_schema, table_name, column_name, data_type), ';' ORDER BY table_schema, table_name, ordinal_position) " +
			"FROM information_schema.columns WHERE table_schema NOT IN ('pg_catalog', 'information_schema')"
	case "mysql":
		e.exec("SET SESSION group_concat_max_len = 1000000")
		q = "SELECT group_concat(concat_ws(' ', table_schema, table_name, column_name, column_type) ORDER BY table_schema, table_name, ordinal_position) " +
			"FROM information_schema.columns WHERE table_schema LIKE '" + strings.TrimSuffix(e.prefix, "_") + "%'"
	}
	all := e.query(q)
	for _, id := range e.tenants {
		all += "\n" + e.titles(id)
	}
	return all
}

// TestPlanChangesNothing: neither plan, dry run, status, drift nor the checks leave a trace, not even a ledger.
func TestPlanChangesNothing(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, e *env) {
		e.raw.SetMaxOpenConns(1)
		sources := []migrate.Source{shout(1)}
		if e.prefix != "" {
			e.exec("ALTER TABLE " + e.prefix + "a.polls DROP COLUMN title")
			e.exec("ALTER TABLE " + e.prefix + "a.polls ADD COLUMN title varchar(50)")
			e.exec("ALTER TABLE " + e.prefix + "b.polls DROP COLUMN title")
			e.exec("ALTER TABLE " + e.prefix + "b.polls ADD COLUMN title varchar(100)")
			e.exec("ALTER TABLE " + e.prefix + "a.polls DROP COLUMN tenant_id")
			sources = append(sources, migrate.Models(), migrate.Files(fstest.MapFS{
				"2_tags.sql": {Data: []byte("-- +goose Up\nCREATE TABLE tags (id int);\n-- +goose Down\nDROP TABLE tags;\n")},
			}))
		}
		r := e.runner(sources)
		ctx := t.Context()
		before := e.titlesless()
		plan, err := r.Plan(ctx)
		if err != nil || len(plan.Tenants) != 2 || len(plan.Tenants[0].Steps) != len(sources) || plan.Total != 2 || plan.AtHead != 0 {
			t.Errorf("%+v %v", plan, err)
		}
		statements, err := r.DryRun(ctx, "a")
		must(t, err)
		if got := fmt.Sprintf("%v", statements); e.prefix != "" && (!strings.Contains(got, "CREATE TABLE tags") || strings.Contains(got, "DROP TABLE") ||
			!strings.Contains(got, "ALTER TABLE") || !strings.Contains(got, "tenant_id")) {
			t.Errorf("the dry run says %s", got)
		}
		status, err := r.Status(ctx)
		if err != nil || len(status) != 2 || status[0].AtHead {
			t.Errorf("%+v %v", status, err)
		}
		if history, err := r.History(ctx, "a"); err != nil || len(history) != 0 {
			t.Errorf("%+v %v", history, err)
		}
		if a, b := r.Ready(ctx, "a"), r.Healthy(ctx); !errors.Is(a, migrate.ErrBehind) || !errors.Is(b, migrate.ErrBehind) {
			t.Error(a, b)
		}
		drift, err := r.Drift(ctx)
		from, errFrom := r.DriftFrom(ctx, "b")
		switch {
		case e.prefix == "" && !errors.Is(errFrom, tenancy.ErrUnsupported):
			t.Error(from, errFrom)
		case e.prefix != "" && (err != nil || len(drift) != 1 || drift[0].Tenant != "a" || !strings.Contains(strings.Join(drift[0].Differences, ";"), "tenant_id")):
			t.Errorf("%+v %v", drift, err)
		case e.prefix != "" && (errFrom != nil || len(from) != 1 || from[0].Tenant != "a" || len(from[0].Differences) != 3):
			t.Errorf("%+v %v", from, errFrom)
		}
		if after := e.titlesless(); after != before {
			t.Errorf("something changed:\n%s\n%s", before, after)
		}
		_, err = r.Up(ctx)
		must(t, err)
		if drift, err := r.Drift(ctx); e.prefix != "" && (err != nil || len(drift) != 0) {
			t.Errorf("after Up: %+v %v", drift, err)
		}
		if e.titlesless() == before {
			t.Error("the comparison sees nothing")
		}
	})
}

// titlesless is everything but for titles that are NULL.
func (e *env) titlesless() string {
	e.Helper()
	for _, id := range e.tenants {
		if e.prefix != "" {
			e.exec("UPDATE " + e.prefix + string(id) + ".polls SET title = 'x' WHERE title IS NULL")
		}
	}
	return e.everything()
}

// Ballot is as tables of the name were, and Ballot2 as they are to be.
type (
	Ballot  struct{ ID uint }
	Ballot2 struct {
		ID    uint
		Title string `gorm:"size:50"`
	}
)

// TableName is called by GORM.
func (Ballot2) TableName() string { return "ballots" }

// TestModels: AutoMigrate runs again in every tenant when a model has changed, and only then.
func TestModels(t *testing.T) {
	t.Parallel()
	siloed(t, func(t *testing.T, e *env) {
		for i, models := range [][]any{{&Ballot{}}, {&Ballot2{}}, {&Ballot{}}, {&Ballot2{}}} {
			for round, want := range []int{2, 0} {
				report, err := e.runner([]migrate.Source{migrate.Models(models...)}).Up(t.Context())
				if err != nil || report.Steps != want {
					t.Errorf("state %d, round %d: %v %v", i, round, report, err)
				}
			}
		}
		e.exec("INSERT INTO " + e.prefix + "b.ballots (id, title) VALUES (1, 'x')")
	})
}

// TestHalfDone: what failed outside a transaction is not tried again before somebody has looked.
func TestHalfDone(t *testing.T) {
	t.Parallel()
	e := postgresEnv(t, []tenancy.ID{"a", "b"})
	e.exec("UPDATE tenant_a.polls SET title = 'same'")
	r := e.runner([]migrate.Source{migrate.Step{
		Version: 1, Name: "unique", NoTransaction: true,
		SQL: "-- +goose Up\nCREATE UNIQUE INDEX CONCURRENTLY polls_title ON polls (title);",
	}})
	for range 2 {
		report, err := r.Up(t.Context())
		if err == nil || report.Done+report.AtHead != 1 || mustHistory(t, r, "a")[0].State != migrate.StateHalf {
			t.Errorf("%v: %v", report, err)
		}
	}
	if _, err := r.Up(t.Context()); !errors.Is(err, migrate.ErrHalfDone) || mustHistory(t, r, "a")[0].Attempts != 1 {
		t.Error(err)
	}
	if err := r.Resolve(t.Context(), "b", 1, migrate.Undone); err == nil {
		t.Error("b is not half done")
	}
	e.exec("DROP INDEX tenant_a.polls_title; UPDATE tenant_a.polls SET title = id::text")
	must(t, r.Resolve(t.Context(), "a", 1, migrate.Undone))
	report, err := r.Up(t.Context())
	if err != nil || report.Done != 1 || e.query("SELECT count(*) FROM pg_indexes WHERE indexname = 'polls_title'") != "2" {
		t.Errorf("%v: %v", report, err)
	}
}

// TestComplete: a step that somebody finished by hand is not run again.
func TestComplete(t *testing.T) {
	t.Parallel()
	e := mariaEnv(t, []tenancy.ID{"a", "b"})
	files := migrate.Files(fstest.MapFS{"1_two.sql": {Data: []byte("-- +goose Up\nCREATE TABLE one (id int);\nCREATE TABLE two (id int);\n")}})
	e.exec("CREATE TABLE " + e.prefix + "a.two (id int)")
	r := e.runner([]migrate.Source{files, shout(2)})
	if report, err := r.Up(t.Context()); err == nil || report.Done != 1 {
		t.Errorf("%v: %v", report, err)
	}
	must(t, r.Resolve(t.Context(), "a", 1, migrate.Complete))
	if report, err := r.Up(t.Context()); err != nil || report.Done != 1 || report.Steps != 1 {
		t.Errorf("%v: %v", report, err)
	}
}

// TestBaseline: a tenant that has everything already is told so, in the ledger and in its own place.
func TestBaseline(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, e *env) {
		r := e.runner([]migrate.Source{shout(1), shout(2)})
		for range 2 {
			must(t, r.Baseline(t.Context(), "a"))
		}
		report, err := r.Up(t.Context())
		if err != nil || report.AtHead != 1 || e.titles("a") != "a one, a two" || e.titles("b") != "b one!!, b two!!" {
			t.Errorf("%v %v: %s; %s", report, err, e.titles("a"), e.titles("b"))
		}
		_, err = e.raw.Exec(fmt.Sprintf("DELETE FROM %s", map[string]string{
			"postgres": "tenancy_heads", "mysql": strings.TrimSuffix(e.prefix, "_") + ".tenancy_heads", "sqlite": "tenancy_heads",
		}[e.db.Name()]))
		must(t, err)
		_, err = e.raw.Exec("DELETE FROM " + strings.TrimPrefix(map[bool]string{true: strings.TrimSuffix(e.prefix, "_") + "."}[e.db.Name() == "mysql"], "") + "tenancy_ledger")
		must(t, err)
		// Without its ledger, the tenants' own places still say that nothing is to be done twice.
		report, err = r.Up(t.Context())
		if err != nil || report.Done != 2 || e.titles("a") != "a one, a two" || e.titles("b") != "b one!!, b two!!" {
			t.Errorf("%v %v: %s; %s", report, err, e.titles("a"), e.titles("b"))
		}
	})
}

// TestForget: a tenant that was removed and made again is migrated again, and nobody else is.
func TestForget(t *testing.T) {
	t.Parallel()
	e := postgresEnv(t, []tenancy.ID{"a", "b"})
	r := e.runner([]migrate.Source{shout(1)})
	_, err := r.Up(t.Context())
	must(t, err)
	provisioner := e.strategy.(tenancy.Provisioner)
	must(t, provisioner.Deprovision(t.Context(), "a"))
	must(t, r.Forget(t.Context(), "a"))
	must(t, provisioner.Provision(t.Context(), "a"))
	e.exec("INSERT INTO tenant_a.polls (id, title) VALUES (1, 'new')")
	report, err := r.Up(t.Context())
	if err != nil || report.Done != 1 || report.AtHead != 1 || e.titles("a") != "new!" || e.titles("b") != "b one!, b two!" {
		t.Errorf("%v %v: %s; %s", report, err, e.titles("a"), e.titles("b"))
	}
}

// TestCentral: central tables have steps of their own, which run once and not in a tenant.
func TestCentral(t *testing.T) {
	t.Parallel()
	e := postgresEnv(t, []tenancy.ID{"a", "b"})
	runs := 0
	central, err := migrate.NewCentral(e.db, []migrate.Source{
		migrate.Step{Version: 1, Name: "plans", SQL: "-- +goose Up\nCREATE TABLE plans (id int PRIMARY KEY, name text);"},
		migrate.Step{Version: 2, Name: "free", Run: func(_ context.Context, tx *gorm.DB) error {
			runs++
			return tx.Exec("INSERT INTO plans VALUES (1, 'free')").Error
		}},
	})
	must(t, err)
	for i := range 2 {
		report, err := central.Up(t.Context())
		if err != nil || report.Total != 1 || report.Done != 1-i {
			t.Errorf("%v: %v", report, err)
		}
	}
	must(t, central.Healthy(t.Context()))
	if got := e.query("SELECT string_agg(table_schema, ' ') FROM information_schema.tables WHERE table_name = 'plans'"); got != "public" || runs != 1 {
		t.Errorf("%s, %d times", got, runs)
	}
	tenants := e.runner([]migrate.Source{shout(1)})
	if err := tenants.Ready(t.Context(), "a"); !errors.Is(err, migrate.ErrBehind) {
		t.Error(err)
	}
	report, err := tenants.Up(t.Context())
	if err != nil || report.Total != 2 || report.Done != 2 {
		t.Errorf("%v: %v", report, err)
	}
}

// TestMistakes: what is wrong with sources and options is said at once.
func TestMistakes(t *testing.T) {
	t.Parallel()
	e := sharedEnv(t, []tenancy.ID{"a"})
	run := func(context.Context, *gorm.DB) error { return nil }
	for name, tc := range map[string]struct {
		sources []migrate.Source
		opts    []migrate.Option
	}{
		"no steps":       {nil, nil},
		"no version":     {[]migrate.Source{migrate.Step{Name: "x", Run: run}}, nil},
		"no name":        {[]migrate.Source{migrate.Step{Version: 1, Run: run}}, nil},
		"nothing to do":  {[]migrate.Source{migrate.Step{Version: 1, Name: "x"}}, nil},
		"two things":     {[]migrate.Source{migrate.Step{Version: 1, Name: "x", Run: run, SQL: "-- +goose Up"}}, nil},
		"one version":    {[]migrate.Source{shout(1), shout(1)}, nil},
		"no files":       {[]migrate.Source{migrate.Files(fstest.MapFS{})}, nil},
		"a bad name":     {[]migrate.Source{migrate.Files(fstest.MapFS{"polls.sql": {}})}, nil},
		"models twice":   {[]migrate.Source{migrate.Models(), migrate.Models()}, nil},
		"no workers":     {[]migrate.Source{shout(1)}, []migrate.Option{migrate.Workers(0)}},
		"a short lease":  {[]migrate.Source{shout(1)}, []migrate.Option{migrate.Leases(1)}},
		"no attempts":    {[]migrate.Source{shout(1)}, []migrate.Option{migrate.Retry(0, 1)}},
		"negative limit": {[]migrate.Source{shout(1)}, []migrate.Option{migrate.StopAfter(-1)}},
		"no function":    {[]migrate.Source{shout(1)}, []migrate.Option{migrate.OnEvent(nil)}},
	} {
		if _, err := migrate.New(e.db, migrate.List("a"), tc.sources, tc.opts...); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	plain, err := gorm.Open(e.db.Dialector)
	must(t, err)
	if _, err := migrate.New(plain, migrate.List("a"), []migrate.Source{shout(1)}); err == nil {
		t.Error("without the plugin")
	}
	if _, err := migrate.New(e.db, nil, []migrate.Source{shout(1)}); err == nil {
		t.Error("without tenants")
	}
	if !slices.Contains([]string{"412 of 1000 tenants"}, (migrate.Progress{Total: 1000, Done: 412}).String()) {
		t.Error("progress")
	}
}
