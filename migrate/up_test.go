package migrate_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/migrate"
)

// TestUp makes steps of all kinds once in each tenant, in order, and nothing at the second time.
func TestUp(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, e *env) {
		ctx := t.Context()
		sources := []migrate.Source{shout(2), migrate.Step{Version: 1, Name: "question", Run: func(_ context.Context, tx *gorm.DB) error {
			return tx.Model(&Poll{}).Where("id > 0").Update("title", gorm.Expr(strings.ReplaceAll(concat(tx), "!", "?"))).Error
		}}}
		if e.prefix != "" {
			sources = append(sources, migrate.Models(), migrate.Files(fstest.MapFS{
				"00003_tags.sql": {Data: []byte("-- +goose Up\nCREATE TABLE tags (id int PRIMARY KEY, name varchar(9));\n" +
					"INSERT INTO tags VALUES (1, 'x');\n-- +goose Down\nDROP TABLE tags;\n")},
			}))
		}
		events := &journal{}
		r := e.runner(sources, migrate.OnEvent(events.add))
		report, err := r.Up(ctx)
		must(t, err)
		steps := 2 * len(mustHistory(t, r, "a"))
		if report.Done != 2 || report.AtHead != 0 || report.Steps != steps || events.count(migrate.Stepped) != steps {
			t.Errorf("%+v", report)
		}
		for range 2 {
			if report, err = r.Up(ctx); err != nil || report.AtHead != 2 || report.Steps != 0 {
				t.Errorf("again: %+v %v", report, err)
			}
		}
		for _, id := range e.tenants {
			if got, want := e.titles(id), strings.ReplaceAll("# one?!, # two?!", "#", string(id)); got != want {
				t.Errorf("%s has %q", id, got)
			}
			must(t, r.Ready(ctx, id))
			for _, entry := range mustHistory(t, r, id) {
				if entry.State != migrate.StateDone || entry.Attempts != 1 || entry.FinishedAt == nil || entry.Error != "" {
					t.Errorf("%+v", entry)
				}
			}
			if e.prefix != "" && e.query("SELECT count(*) FROM "+e.prefix+string(id)+".tags") != "1" {
				t.Error("no tags")
			}
		}
		must(t, r.Healthy(ctx))
	})
}

func mustHistory(t testing.TB, r *migrate.Runner, id tenancy.ID) []migrate.Entry {
	t.Helper()
	entries, err := r.History(context.Background(), id)
	must(t, err)
	if len(entries) == 0 {
		t.Errorf("the ledger has nothing of %s", id)
	}
	return entries
}

// TestFailure: a failure and a panic in one tenant leave nothing there and do not stop the others; the next run goes on.
func TestFailure(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for name, tc := range map[string]struct {
		fail func() error
		want error
	}{
		"error": {func() error { return broken }, broken},
		"panic": {func() error { panic("broken") }, migrate.ErrPanic},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			backends(t, func(t *testing.T, e *env) {
				failing := true
				r := e.runner([]migrate.Source{migrate.Step{Version: 1, Name: name, Run: func(ctx context.Context, tx *gorm.DB) error {
					if err := shout(1).Run(ctx, tx); err != nil {
						return err
					}
					if id, _ := tenancy.FromContext(ctx); id == "a" && failing {
						return tc.fail()
					}
					return nil
				}}})
				report, err := r.Up(t.Context())
				var partial *migrate.PartialError
				var failed *migrate.StepError
				if !errors.As(err, &partial) || !errors.As(err, &failed) || failed.Tenant != "a" || failed.Version != 1 || !errors.Is(err, tc.want) {
					t.Fatal(err)
				}
				if report.Done != 1 || len(report.Failed) != 1 || e.titles("a") != "a one, a two" || e.titles("b") != "b one!, b two!" {
					t.Errorf("%v: %s; %s", report, e.titles("a"), e.titles("b"))
				}
				if a, b := r.Ready(t.Context(), "a"), r.Ready(t.Context(), "b"); !errors.Is(a, migrate.ErrBehind) && !errors.Is(a, migrate.ErrHalfDone) || b != nil {
					t.Error(a, b)
				}
				if entry := mustHistory(t, r, "a")[0]; !strings.Contains(entry.Error, "broken") || entry.State == migrate.StateDone {
					t.Errorf("%+v", entry)
				}
				failing = false
				if e.db.Name() == "mysql" { // DDL could have been part of it: somebody has to say that it was not
					if _, err := r.Up(t.Context()); !errors.Is(err, migrate.ErrHalfDone) {
						t.Error(err)
					}
					must(t, r.Resolve(t.Context(), "a", 1, migrate.Undone))
				}
				report, err = r.Up(t.Context())
				if err != nil || report.Done != 1 || report.AtHead != 1 || e.titles("a") != "a one!, a two!" || e.titles("b") != "b one!, b two!" {
					t.Errorf("%v %v: %s; %s", report, err, e.titles("a"), e.titles("b"))
				}
				if entry := mustHistory(t, r, "a")[0]; entry.Attempts != 2 || entry.State != migrate.StateDone || entry.Error != "" {
					t.Errorf("%+v", entry)
				}
			})
		})
	}
}
