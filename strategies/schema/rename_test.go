package schema_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/strategies/schema"
)

// TestRename gives tenant a's schema to another id; b's stays as it is.
func TestRename(t *testing.T) {
	t.Parallel()
	for name, with := range map[string]setup{
		"plain": {},
		"roles": {creator: true, options: []schema.Option{schema.Roles()}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, with)
			before := strings.ReplaceAll(e.dump(e.prefix+"a", ownedTables...), `"tenant_id": "a"`, `"tenant_id": "c"`)
			e.untouched(func() {
				for range 2 { // it is idempotent
					must(t, e.strategy.Rename(t.Context(), "a", "c"))
				}
			})
			if after := e.dump(e.prefix+"c", ownedTables...); after != before {
				t.Errorf("before\n%s\nafter\n%s", before, after)
			}
			var polls []Poll
			must(t, e.db.WithContext(as("c")).Preload("Choices").Preload("Tags").Find(&polls).Error)
			must(t, e.db.WithContext(as("c")).Create(&Poll{Title: "new"}).Error)
			if len(polls) != 2 || polls[0].Title != "a-poll1" || len(polls[0].Choices) != 2 || len(polls[0].Tags) != 1 {
				t.Errorf("read %+v", polls)
			}
			var notes []Note // whose tenant column says the new id, too
			if err := e.db.WithContext(as("c")).Find(&notes).Error; err != nil || len(notes) != 2 {
				t.Errorf("%v, %d notes", err, len(notes))
			}
			if err := e.db.WithContext(as("a")).Find(&polls).Error; err == nil {
				t.Error("the old id still reads")
			}
			must(t, e.strategy.Provision(t.Context(), "a")) // the old id is free, and its schema empty
			if text := e.dump(e.prefix+"a", ownedTables...); strings.Contains(text, "a-poll1") {
				t.Errorf("the next tenant of the id has rows: %s", text)
			}
			must(t, e.strategy.Deprovision(t.Context(), "c"))
		})
	}
}

func TestRenameRefuses(t *testing.T) {
	t.Parallel()
	e := newEnv(t, setup{})
	e.exec("CREATE SCHEMA tenant_stranger; CREATE TABLE tenant_stranger.polls (id int)")
	for _, tc := range []struct {
		from, to tenancy.ID
		want     error
	}{
		{"a", "b", schema.ErrForeign},
		{"a", "stranger", schema.ErrForeign},
		{"stranger", "c", schema.ErrForeign},
		{"nobody", "c", tenancy.ErrUnknownTenant},
		{"a", "C", tenancy.ErrInvalidID},
		{"A", "c", tenancy.ErrInvalidID},
		{"a", tenancy.ID(strings.Repeat("x", 60)), tenancy.ErrInvalidID},
	} {
		before := e.dump("tenant_a", ownedTables...) + e.query("SELECT string_agg(nspname, ' ' ORDER BY nspname) FROM pg_namespace")
		e.untouched(func() {
			if err := e.strategy.Rename(t.Context(), tc.from, tc.to); !errors.Is(err, tc.want) {
				t.Errorf("%s to %.9s: %v, want %v", tc.from, tc.to, err, tc.want)
			}
		})
		if after := e.dump("tenant_a", ownedTables...) + e.query("SELECT string_agg(nspname, ' ' ORDER BY nspname) FROM pg_namespace"); after != before {
			t.Errorf("%s to %.9s: something changed", tc.from, tc.to)
		}
	}
}

// TestRenameBackAndForth has many rename at once: the rows are in one of the two schemas, whole, and nobody waits forever.
func TestRenameBackAndForth(t *testing.T) {
	t.Parallel()
	e := newEnv(t, setup{})
	before := strings.ReplaceAll(e.dump("tenant_a", ownedTables...), `"tenant_id": "a"`, `"tenant_id": "c"`)
	var wg sync.WaitGroup
	for i := range 8 {
		from, to := tenancy.ID("a"), tenancy.ID("c")
		if i%2 == 1 {
			from, to = to, from
		}
		wg.Go(func() {
			if err := e.strategy.Rename(context.Background(), from, to); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	must(t, e.strategy.Rename(t.Context(), "a", "c"))
	if after := e.dump("tenant_c", ownedTables...); after != before {
		t.Errorf("before\n%s\nafter\n%s", before, after)
	}
}

func TestRenameOnMySQL(t *testing.T) {
	t.Parallel()
	m := newMaria(t, gorm.Config{})
	if err := m.strategy.Rename(t.Context(), "a", "c"); !errors.Is(err, tenancy.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
}
