package migrate_test

import (
	"context"
	"errors"
	"testing"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy/migrate"
)

// TestWith changes a runner for one run and leaves it as it was.
func TestWith(t *testing.T) {
	t.Parallel()
	e := sharedEnv(t, crew)
	failing := migrate.Step{Version: 1, Name: "fail", Run: func(context.Context, *gorm.DB) error { return errors.New("no") }}
	first, second := &journal{}, &journal{}
	r := e.runner([]migrate.Source{failing}, migrate.OnEvent(first.add), migrate.Canary("c"))
	with, err := r.With(migrate.Workers(1), migrate.StopAfter(2), migrate.Canary("b", "d"), migrate.OnEvent(second.add))
	must(t, err)
	report, err := with.Up(t.Context())
	if err == nil || len(report.Failed) != 2 || report.Failed[0].Tenant != "b" || report.Failed[1].Tenant != "d" {
		t.Errorf("%v: %v", report, err)
	}
	if first.count(migrate.Failed) != 2 || second.count(migrate.Failed) != 2 {
		t.Errorf("%d and %d events", first.count(migrate.Failed), second.count(migrate.Failed))
	}
	report, err = r.Up(t.Context())
	if err == nil || len(report.Failed) != 1 || report.Failed[0].Tenant != "c" || second.count(migrate.Failed) != 2 {
		t.Errorf("%v: %v", report, err)
	}
	if same, err := r.With(); err != nil {
		t.Error(err)
	} else if report, _ := same.Up(t.Context()); len(report.Failed) != 1 || first.count(migrate.Failed) != 4 {
		t.Errorf("%v", report)
	}
	if _, err := r.With(migrate.Workers(0)); err == nil {
		t.Error("no error")
	}
}
