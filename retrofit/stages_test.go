package retrofit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/migrate"
	"github.com/gorm-tenancy/tenancy/retrofit"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
)

// TestLegacy: with one tenant no row is without it at any time, and no other tenant's can be written while old programs would
// read it.
func TestLegacy(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, e *env) {
		e.seed(5)
		r := e.retrofit(retrofit.Legacy("acme"))
		globex := func() error {
			db := e.open()
			must(t, db.Use(newPlugin()))
			return db.WithContext(asGlobex).Create(&Poll{Slug: fmt.Sprint("globex ", e.count("SELECT count(*) FROM polls"))}).Error
		}
		for _, stage := range retrofit.Stages()[:3] {
			report := e.stage(r, stage)
			if n := e.count("SELECT count(*) FROM polls WHERE tenant_id = 'acme'"); n != e.count("SELECT count(*) FROM polls") || report.Stamped != 0 {
				t.Errorf("%s: %d polls are acme's, %d were stamped", stage, n, report.Stamped)
			}
			must(t, e.db.Create(&OldPoll{Slug: string(stage)}).Error)
			must(t, e.db.Create(&Poll{Slug: "new " + string(stage)}).Error)
			if err := globex(); !contains(err, "tenancy: another tenant's row") {
				t.Errorf("%s: globex writes while old programs run: %v", stage, err)
			}
		}
		e.stage(r, retrofit.StageFinish)
		must(t, globex())
		if err := e.db.Create(&OldPoll{Slug: "late"}).Error; err == nil {
			t.Error("the default is still there")
		}
	})
}

// TestOrder: no stage runs before its predecessor has finished, and each may run again.
func TestOrder(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, e *env) {
		e.seed(5)
		r := e.retrofit(byCompany)
		refused := func(want error, stages ...retrofit.Stage) {
			t.Helper()
			before := e.structure()
			for _, stage := range stages {
				if report, err := r.Do(t.Context(), stage); !errors.Is(err, want) || len(report.Changes) > 0 {
					t.Errorf("%s: %v, %d changes, want %v", stage, err, len(report.Changes), want)
				}
			}
			if _, err := r.Check(t.Context()); err == nil {
				t.Error("Check is content")
			}
			if after := e.structure(); after != before {
				t.Errorf("a refused stage changed\n%s\nto\n%s", before, after)
			}
		}
		refused(retrofit.ErrStage, retrofit.StageBackfill, retrofit.StageConstrain, retrofit.StageFinish)
		e.stage(r, retrofit.StageAdd)
		refused(retrofit.ErrUntold, retrofit.StageConstrain)
		refused(retrofit.ErrStage, retrofit.StageFinish)
		e.stage(r, retrofit.StageBackfill)
		refused(retrofit.ErrStage, retrofit.StageFinish)
		e.stage(r, retrofit.StageConstrain)
		_, err := r.Check(t.Context())
		must(t, err)
		e.stage(r, retrofit.StageFinish)
		before := e.structure()
		for _, stage := range retrofit.Stages() {
			if report := e.stage(r, stage); len(report.Changes)+int(report.Stamped) > 0 {
				t.Errorf("%s again: %v", stage, report)
			}
		}
		if after := e.structure(); after != before {
			t.Errorf("again changed\n%s\nto\n%s", before, after)
		}
		_, err = r.Check(t.Context())
		must(t, err)
	})
}

// TestPlan changes nothing and is what is done.
func TestPlan(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, e *env) {
		e.seed(5)
		r := e.retrofit(byCompany)
		before := e.structure()
		plan, err := r.Plan(t.Context())
		must(t, err)
		if after := e.structure(); after != before {
			t.Errorf("Plan changed\n%s\nto\n%s", before, after)
		}
		for i, stage := range retrofit.Stages() {
			var want, got []string
			now, err := r.Plan(t.Context())
			must(t, err)
			for _, c := range now.Stages[i].Changes {
				want = append(want, c.SQL...)
			}
			if len(want) == 0 || len(plan.Stages[i].Changes) == 0 && stage != retrofit.StageFinish {
				t.Errorf("%s: nothing is planned", stage)
			}
			for _, c := range e.stage(r, stage).Changes {
				got = append(got, c.SQL...)
			}
			if stage != retrofit.StageBackfill && strings.Join(want, "\n") != strings.Join(got, "\n") {
				t.Errorf("%s: planned\n%s\ndone\n%s", stage, strings.Join(want, "\n"), strings.Join(got, "\n"))
			}
		}
		if plan, err = r.Plan(t.Context()); err != nil || strings.Contains(plan.String(), ";") {
			t.Errorf("something is left: %v\n%v", err, plan)
		}
	})
}

// TestProblems: rows that stand in the way are reported with their keys and stop the next stage; mended, they do not.
func TestProblems(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		spoil, mend string
		kind        retrofit.Kind
		want        error
		key         string
		opts        []retrofit.Option
	}{
		"untold":  {"UPDATE polls SET company_id = 9 WHERE id = 3", "UPDATE polls SET company_id = 1 WHERE id = 3", retrofit.Untold, retrofit.ErrUntold, "3", nil},
		"invalid": {"UPDATE companies SET slug = 'Acme Inc' WHERE id = 1", "UPDATE companies SET slug = 'acme' WHERE id = 1", retrofit.Invalid, tenancy.ErrInvalidID, "", nil},
		"crossing": {
			"UPDATE choices SET poll_id = 2 WHERE id = 3", "UPDATE choices SET poll_id = 3 WHERE id = 3", retrofit.Crossing, tenancy.ErrTenantMismatch, "3",
			[]retrofit.Option{retrofit.From(&Choice{}, "SELECT CASE WHEN choices.id % 2 = 1 THEN 'acme' ELSE 'globex' END")},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			backends(t, func(t *testing.T, e *env) {
				e.seed(5)
				r := e.retrofit(append(tc.opts, byCompany)...)
				if e.kind == "sqlite" {
					e.exec("PRAGMA foreign_keys = OFF")
				}
				e.exec(tc.spoil)
				e.stage(r, retrofit.StageAdd)
				for _, stage := range retrofit.Stages()[1:3] {
					report, err := r.Do(t.Context(), stage)
					if !errors.Is(err, tc.want) || len(report.Problems) == 0 || report.Problems[0].Kind != tc.kind || report.Problems[0].Rows == 0 {
						t.Fatalf("%s: %v: %+v", stage, err, report.Problems)
					}
					if keys := fmt.Sprint(report.Problems[0].Keys); tc.key != "" && keys != "["+tc.key+"]" {
						t.Errorf("%s: keys %s", stage, keys)
					}
				}
				e.exec(tc.mend)
				if name == "invalid" { // its rows were stamped, and would keep what they have
					for _, table := range []string{"polls", "choices"} {
						e.untriggered(table, "UPDATE "+table+" SET tenant_id = NULL")
					}
					e.stage(r, retrofit.StageAdd)
				}
				e.stage(r, retrofit.StageBackfill)
				e.stage(r, retrofit.StageConstrain)
				e.stage(r, retrofit.StageFinish)
			})
		})
	}
}

// TestGuard attacks the triggers: nothing that is written while they are there gets another tenant than its own.
func TestGuard(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, e *env) {
		e.seed(5)
		r := e.retrofit(byCompany)
		e.stage(r, retrofit.StageAdd)
		// Nothing but the row itself tells whose this one is.
		e.exec("INSERT INTO polls (company_id, slug, votes, tenant_id) VALUES (9, 'by hand', 0, 'acme')")
		for _, stage := range retrofit.Stages()[1:3] {
			e.stage(r, stage)
			before := e.dump("globex")
			for query, refused := range map[string]bool{
				"UPDATE polls SET tenant_id = 'globex' WHERE id = 1":                                             true,
				"UPDATE polls SET tenant_id = 'acme' WHERE id = 2":                                               true,
				"UPDATE polls SET tenant_id = 'globex' WHERE slug = 'by hand'":                                   true,
				"UPDATE polls SET tenant_id = NULL, votes = 5 WHERE slug = 'by hand'":                            false,
				"UPDATE polls SET company_id = 2 WHERE id = 1":                                                   true,
				"UPDATE choices SET poll_id = 2 WHERE id = 1":                                                    true,
				"INSERT INTO polls (company_id, slug, votes, tenant_id) VALUES (1, 'planted', 0, 'globex')":      true,
				"INSERT INTO choices (poll_id, text, tenant_id) VALUES (2, 'planted', 'acme')":                   true,
				"UPDATE polls SET tenant_id = 'acme' WHERE id = 1":                                               false,
				"UPDATE polls SET tenant_id = '' WHERE id = 1":                                                   false,
				"UPDATE choices SET poll_id = 3 WHERE id = 1":                                                    false,
				"INSERT INTO choices (poll_id, text, tenant_id) VALUES (1, 'own " + string(stage) + "', 'acme')": false,
			} {
				if err := e.db.Exec(query).Error; (err != nil) != refused || refused && !contains(err, "tenancy: ") {
					t.Errorf("%s: %s: %v", stage, query, err)
				}
			}
			if after := e.dump("globex"); after != before {
				t.Errorf("globex had\n%s\nand has\n%s", before, after)
			}
			if n := e.count("SELECT count(*) FROM polls WHERE tenant_id IS NULL OR tenant_id = ''"); n > 0 {
				t.Errorf("%d polls have no tenant", n)
			}
		}
		if err := e.db.Exec("INSERT INTO polls (company_id, slug, votes) VALUES (9, 'nobody', 0)").Error; err == nil {
			t.Error("constrained, and a row without a tenant is written")
		}
	})
}

// TestComposite: the database keeps references inside.
func TestComposite(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, e *env) {
		e.seed(5)
		e.all(e.retrofit(byCompany, retrofit.CompositeKeys()))
		insert := "INSERT INTO choices (tenant_id, poll_id, text) VALUES ('acme', ?, 'text')"
		must(t, e.db.Exec(insert, 1).Error)
		if err := e.db.Exec(insert, 2).Error; !contains(err, "fk_choices_poll_id_tenant") {
			t.Errorf("a choice of globex's poll: %v", err)
		}
		if report := e.stage(e.retrofit(byCompany, retrofit.CompositeKeys()), retrofit.StageConstrain); len(report.Changes) > 0 {
			t.Errorf("made again: %v", report.Changes)
		}
	})
	e := newEnv(t, "sqlite")
	if _, err := retrofit.New(e.db, newPlugin(), byCompany, retrofit.CompositeKeys()); !errors.Is(err, tenancy.ErrUnsupported) {
		t.Errorf("SQLite: %v", err)
	}
}

// TestIndexInTheWay: a foreign index is never taken for one of ours.
func TestIndexInTheWay(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, e *env) {
		e.exec("CREATE INDEX idx_polls_slug_tenant ON polls (votes)")
		r := e.retrofit(byCompany)
		e.stage(r, retrofit.StageAdd)
		e.stage(r, retrofit.StageBackfill)
		if _, err := r.Constrain(t.Context()); !errors.Is(err, tenancy.ErrUnsupported) || !contains(err, "idx_polls_slug_tenant") {
			t.Errorf("Constrain: %v", err)
		}
		e.exec(map[string]string{"mysql": "ALTER TABLE polls RENAME INDEX idx_polls_slug_tenant TO votes"}[e.kind] +
			map[string]string{"sqlite": "DROP INDEX idx_polls_slug_tenant", "postgres": "ALTER INDEX idx_polls_slug_tenant RENAME TO votes"}[e.kind])
		e.all(r)
	})
}

// TestAutoMigrate: GORM's migrator takes nothing of it away.
func TestAutoMigrate(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, e *env) {
		e.seed(5)
		e.all(e.retrofit(byCompany))
		must(t, e.db.AutoMigrate(&Poll{}, &Choice{}))
		separate(t, e)
	})
	type Poll struct {
		ID       uint
		TenantID string
	}
	plugin := tenancy.New(shared.New(), tenancy.OwnedModels(&Poll{}))
	if _, err := retrofit.New(newEnv(t, "sqlite").db, plugin, retrofit.Legacy("acme")); !contains(err, "not null") {
		t.Errorf("a model with which it would: %v", err)
	}
}

// TestIgnore: statements that swallow errors plant nothing either.
func TestIgnore(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, e *env) {
		e.seed(5)
		r := e.retrofit(byCompany)
		for _, stage := range retrofit.Stages()[:3] {
			e.stage(r, stage)
		}
		before := e.dump("globex")
		insert := map[string]string{"sqlite": "INSERT OR IGNORE", "mysql": "INSERT IGNORE", "postgres": "INSERT"}[e.kind]
		behind := map[string]string{"postgres": " ON CONFLICT DO NOTHING"}[e.kind]
		_ = e.db.Exec(insert + " INTO polls (company_id, slug, votes, tenant_id) VALUES (1, 'planted', 0, 'globex')" + behind)
		must(t, e.db.Exec(insert+" INTO polls (company_id, slug, votes, tenant_id) VALUES (1, 'own', 0, 'acme')"+behind).Error)
		if after := e.dump("globex"); after != before {
			t.Errorf("globex had\n%s\nand has\n%s", before, after)
		}
		if n := e.count("SELECT count(*) FROM polls WHERE slug = 'own' AND tenant_id = 'acme'"); n != 1 {
			t.Errorf("%d own polls", n)
		}
	})
}

// TestMistakes are found before the database is asked.
func TestMistakes(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "sqlite")
	for name, opts := range map[string][]retrofit.Option{
		"nothing":      nil,
		"both":         {retrofit.Legacy("acme"), byCompany},
		"no id":        {retrofit.Legacy("Acme Inc")},
		"no root":      {retrofit.From(&Choice{}, "SELECT 'acme'")},
		"central":      {byCompany, retrofit.From(&Company{}, "SELECT 'acme'")},
		"twice":        {byCompany, byCompany},
		"statement":    {retrofit.From(&Poll{}, "SELECT 'acme'; DROP TABLE polls")},
		"no select":    {retrofit.From(&Poll{}, "companies.slug")},
		"batch":        {byCompany, retrofit.BatchSize(0)},
		"no patience":  {byCompany, retrofit.LockTimeout(0)},
		"nil progress": {byCompany, retrofit.OnProgress(nil)},
	} {
		if _, err := retrofit.New(e.db, newPlugin(), opts...); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := retrofit.New(e.db, tenancy.New(shared.New()), byCompany); !errors.Is(err, tenancy.ErrUndeclared) {
		t.Errorf("no owned models: %v", err)
	}
	if _, err := e.retrofit(byCompany).Do(t.Context(), "everything"); err == nil {
		t.Error("an unknown stage is done")
	}
}

// TestCommand runs the stages from a command line.
func TestCommand(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "sqlite")
	e.seed(5)
	r := e.retrofit(byCompany)
	run := func(args ...string) (int, string, string) {
		var out, errs bytes.Buffer
		status := retrofit.Command(context.Background(), r, args, &out, &errs)
		return status, out.String(), errs.String()
	}
	for _, tc := range []struct {
		args   string
		status int
		out    string
		errs   string
	}{
		{"", 2, "", "usage"},
		{"all", 2, "", "usage"},
		{"--fast add", 2, "", "usage"},
		{"add backfill", 2, "", "usage"},
		{"plan", 0, "ADD COLUMN `tenant_id`", ""},
		{"backfill", 1, "backfill: 0 changes", "run add first"},
		{"add", 0, "add: 4 changes", ""},
		{"constrain", 1, "", "polls: untold: keys [1 2 3"},
		{"--json backfill", 0, `"stamped":20`, ""},
		{"check", 1, "", "run constrain first"},
		{"constrain", 0, "constrain: ", ""},
		{"check", 0, "check: 0 changes", ""},
		{"finish", 0, "finish: 2 changes", ""},
		{"check", 0, "", ""},
	} {
		status, out, errs := run(strings.Fields(tc.args)...)
		if status != tc.status || !strings.Contains(out, tc.out) || !strings.Contains(errs, tc.errs) {
			t.Errorf("%s: %d\n%s\n%s", tc.args, status, out, errs)
		}
		if strings.HasPrefix(tc.args, "--json") && !json.Valid([]byte(out)) {
			t.Errorf("%s: %s", tc.args, out)
		}
	}
}

// TestStep makes the stages steps of the central migrations.
func TestStep(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, e *env) {
		e.seed(5)
		r := e.retrofit(byCompany)
		db := e.open()
		var sources []migrate.Source
		for i, stage := range retrofit.Stages() {
			sources = append(sources, r.Step(int64(i+1), stage))
			runner, err := migrate.NewCentral(db, sources)
			must(t, err)
			report, err := runner.Up(t.Context())
			if err != nil || report.Steps != 1 {
				t.Fatalf("%s: %v, %v", stage, report, err)
			}
		}
		_, err := r.Check(t.Context())
		must(t, err)
	})
}
