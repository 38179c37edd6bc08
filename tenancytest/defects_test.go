package tenancytest_test

import (
	"context"
	"strings"
	"testing"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
	"github.com/gorm-tenancy/tenancy/tenancytest"
)

// Note is a model without defects; each of the others has one.
type (
	Note struct {
		ID       uint
		TenantID string `gorm:"index"`
		Text     string
	}
	Peeping struct { // counts everybody's rows after each read
		ID       uint
		TenantID string `gorm:"index"`
		Text     string
		Of       int64 `gorm:"-"`
	}
	Gossip struct { // shows what it finds past the plugin
		ID       uint
		TenantID string `gorm:"index"`
		Text     string
		Heard    []string `gorm:"-"`
	}
	Greedy struct { // writes everybody's rows with its own
		ID       uint
		TenantID string `gorm:"index"`
		Text     string
		Read     int
	}
	Sweeper struct { // deletes everybody's rows with its own
		ID       uint
		TenantID string `gorm:"index"`
		Text     string
	}
	Coded struct { // tells which codes others have
		ID       uint
		TenantID string `gorm:"index"`
		Code     string `gorm:"size:20;uniqueIndex"`
	}
	Keyless struct {
		TenantID string
		Text     string
	}
	Percent struct { // has a rule that no schema tells
		ID       uint
		TenantID string `gorm:"index"`
		Of       string `gorm:"check:of IN ('sales', 'costs')"`
		Value    int
	}
	Leaf struct { // refers to a note
		ID       uint
		TenantID string `gorm:"index"`
		NoteID   uint
		Note     *Note
	}
)

func (p *Peeping) AfterFind(tx *gorm.DB) error {
	all := tx.Session(&gorm.Session{NewDB: true, Context: tenancy.Bypass(context.Background(), "statistics")})
	return all.Model(&Peeping{}).Count(&p.Of).Error
}

// past is a database handle without the plugin, as an application may keep one by mistake.
type past struct{ db *gorm.DB }

func (g *Gossip) AfterFind(tx *gorm.DB) error {
	if p, ok := tx.Get("past"); ok {
		return p.(past).db.Table("gossips").Order("text").Pluck("text", &g.Heard).Error
	}
	return nil
}

func (g *Greedy) BeforeUpdate(tx *gorm.DB) error {
	all := tx.Session(&gorm.Session{NewDB: true, SkipHooks: true, Context: tenancy.Bypass(context.Background(), "statistics")})
	return all.Model(&Greedy{}).Where("1 = 1").Update("read", gorm.Expr("read + 1")).Error
}

func (s *Sweeper) BeforeDelete(tx *gorm.DB) error {
	all := tx.Session(&gorm.Session{NewDB: true, SkipHooks: true, Context: tenancy.Bypass(context.Background(), "sweep")})
	return all.Where("1 = 1").Delete(&Sweeper{}).Error
}

// naked shares tables and says that the database holds them, which it does not.
type naked struct{}

func (naked) Name() string          { return "naked" }
func (naked) Attach(*gorm.DB) error { return nil }

func (naked) Route(context.Context, tenancy.ID) (tenancy.Route, error) {
	return tenancy.Route{Shared: true, Confined: true}, nil
}

// careless takes one table for a table of each tenant.
type careless struct{ naked }

func (careless) Route(context.Context, tenancy.ID) (tenancy.Route, error) {
	return tenancy.Route{Confined: true}, nil
}

// TestDefects shows that each defect is found by what it breaks, and the same model without it is healthy.
func TestDefects(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		open func(t *testing.T) *gorm.DB
		give []any
		want []string
	}{
		"no plugin": {
			open: func(t *testing.T) *gorm.DB {
				db, err := gorm.Open(sqlite.Open(":memory:"), config())
				must(t, err)
				return db
			},
			want: []string{"db has no plugin"},
		},
		"declared central": {
			open: func(t *testing.T) *gorm.DB {
				return at(t, shared.New(), []tenancy.Option{tenancy.CentralModels(&Note{})}, &Note{})
			},
			give: []any{&Note{}}, want: []string{"Note is not covered: it is declared central"},
		},
		"not declared": {
			open: func(t *testing.T) *gorm.DB { return at(t, shared.New(), nil, &Note{}) },
			give: []any{&Plan{}}, want: []string{"Plan is not covered", "undeclared"},
		},
		"no models": {
			open: func(t *testing.T) *gorm.DB { return at(t, shared.New(), nil) },
			want: []string{"no models"},
		},
		"no key": {
			open: func(t *testing.T) *gorm.DB { return sharing(t, &Keyless{}) },
			want: []string{"Keyless is not covered", "no primary key"},
		},
		"no table": {
			open: func(t *testing.T) *gorm.DB {
				return at(t, shared.New(), []tenancy.Option{tenancy.OwnedModels(&Note{})})
			},
			want: []string{"Note is not covered", "no such table"},
		},
		"a rule that no schema tells": {
			open: func(t *testing.T) *gorm.DB { return sharing(t, &Percent{}) },
			want: []string{"Percent is not covered", "tenancytest.Rows", "CHECK constraint"},
		},
		"a hook that counts under Bypass": {
			open: func(t *testing.T) *gorm.DB { return sharing(t, &Peeping{}) },
			want: []string{"Peeping: find: LEAK", "Peeping: first by key: LEAK: own row"},
		},
		"a hook that reads past the plugin": {
			open: func(t *testing.T) *gorm.DB {
				db := sharing(t, &Gossip{})
				plain, err := gorm.Open(sqlite.Open(db.Dialector.(*sqlite.Dialector).DSN), config())
				must(t, err)
				t.Cleanup(func() {
					if pool, err := plain.DB(); err == nil {
						_ = pool.Close()
					}
				})
				return db.Set("past", past{plain})
			},
			want: []string{"Gossip: find: LEAK"},
		},
		"a hook that writes everybody's rows": {
			open: func(t *testing.T) *gorm.DB { return sharing(t, &Greedy{}) },
			want: []string{"Greedy: update by key: LEAK: own row", "Greedy: save: LEAK"},
		},
		"a hook that deletes everybody's rows": {
			open: func(t *testing.T) *gorm.DB { return sharing(t, &Sweeper{}) },
			want: []string{"Sweeper: delete by key: LEAK"},
		},
		"a unique index over all tenants": {
			open: func(t *testing.T) *gorm.DB { return sharing(t, &Coded{}) },
			want: []string{"Coded: create with another tenant's values: LEAK", "UNIQUE constraint failed: codeds.code"},
		},
		"a unique index that only the database knows": {
			open: func(t *testing.T) *gorm.DB {
				db := sharing(t, &Note{})
				all := db.WithContext(tenancy.Bypass(t.Context(), "break it"))
				must(t, all.Exec("CREATE UNIQUE INDEX global ON notes (text)").Error)
				return db
			},
			want: []string{"Note: create with another tenant's values: LEAK"},
		},
		"references that nobody checks": {
			open: func(t *testing.T) *gorm.DB {
				options := []tenancy.Option{tenancy.OwnedModels(&Note{}, &Leaf{}), tenancy.WithoutReferenceChecks()}
				return at(t, shared.New(), options, &Note{}, &Leaf{})
			},
			give: []any{&Leaf{}},
			want: []string{"Leaf: create with a foreign key to Note: LEAK: other tenant's row: a row of tenant \"a\" points at another tenant's"},
		},
		"text that nothing holds": {
			open: func(t *testing.T) *gorm.DB {
				return at(t, naked{}, []tenancy.Option{tenancy.OwnedModels(&Note{})}, &Note{})
			},
			want: []string{"Note: read past the plugin: LEAK"},
		},
		"one table taken for two": {
			open: func(t *testing.T) *gorm.DB {
				return at(t, careless{}, []tenancy.Option{tenancy.OwnedModels(&Room{}, &Bed{})}, &Room{}, &Bed{})
			},
			want: []string{"Room: read past the plugin: LEAK: the place of tenant \"a\" has a row of another tenant"},
		},
		"another plugin drops conditions of reads": {
			open: func(t *testing.T) *gorm.DB {
				db := sharing(t, &Note{})
				drop := func(tx *gorm.DB) { delete(tx.Statement.Clauses, "WHERE") }
				must(t, db.Callback().Query().After("tenancy:query").Before("gorm:query").Register("drop", drop))
				return db
			},
			want: []string{"Note: find: LEAK", "Note: count: LEAK", "Note: pluck: LEAK", "Note: table: LEAK"},
		},
		"another plugin drops conditions of deletes": {
			open: func(t *testing.T) *gorm.DB {
				db := sharing(t, &Note{})
				drop := func(tx *gorm.DB) { delete(tx.Statement.Clauses, "WHERE"); tx.AllowGlobalUpdate = true }
				must(t, db.Callback().Delete().After("tenancy:delete").Before("gorm:delete").Register("drop", drop))
				return db
			},
			want: []string{"Note: delete by condition: LEAK"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := tc.open(t)
			r := recorded(t, func(t testing.TB) { tenancytest.RequireIsolated(t, db, tc.give...) })
			if !r.ended {
				t.Error("the test went on")
			}
			for _, want := range tc.want {
				if !strings.Contains(r.text(), want) {
					t.Errorf("no %q in\n%s", want, r.text())
				}
			}
		})
	}
}

// TestCompleted shows that what no schema tells can be told.
func TestCompleted(t *testing.T) {
	t.Parallel()
	tenancytest.RequireIsolated(t, sharing(t, &Percent{}), tenancytest.Rows(func(n int, p *Percent) {
		p.Of = []string{"costs", "sales"}[n%2]
	}))
	tenancytest.RequireIsolated(t, sharing(t, &Note{}, &Leaf{}), tenancytest.Tenants("thor", "potter"))
}
