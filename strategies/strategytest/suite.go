package strategytest

import (
	"context"
	"database/sql"
	"log/slog"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/gorm-tenancy/tenancy"
)

// suite is a harness with its databases.
type suite struct {
	h       Harness
	a, b    place // of a, and of b: the same pool where they share tables
	central place
	control place // of plain GORM, the central tables included
	used    map[Capability]bool
	lines   []line
}

func newSuite(t *testing.T, h Harness) *suite {
	t.Helper()
	s := &suite{h: h, used: map[Capability]bool{}}
	if h.Prepare != nil {
		h.Prepare(t, ownedModels(), centralModels())
	}
	app := h.Open(t, configOf(gorm.Config{}), options()...)
	if h.Prepare == nil {
		models := centralModels()
		if h.Provision == nil {
			models = append(models, ownedModels()...)
		}
		if err := app.WithContext(tenancy.Bypass(t.Context(), "make the tables")).AutoMigrate(models...); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []tenancy.ID{actor, victim, actor} { // twice, because it is idempotent
		if h.Provision == nil {
			break
		}
		if err := h.Provision(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	plain := h.Plain(t, configOf(gorm.Config{}))
	if err := plain.AutoMigrate(append(centralModels(), ownedModels()...)...); err != nil {
		t.Fatal(err)
	}
	for _, table := range ownedTables {
		if plain.Name() == "sqlite" { // which takes nothing for a key
			break
		}
		if err := plain.Exec("ALTER TABLE " + table.name + " ALTER COLUMN tenant_id SET DEFAULT ''").Error; err != nil {
			t.Fatal(err)
		}
	}
	pool, err := plain.DB()
	if err != nil {
		t.Fatal(err)
	}
	s.a, s.b = owned(h.Raw(t, actor)), owned(h.Raw(t, victim))
	s.central = place{pool: h.Raw(t, ""), tables: centralTables}
	s.control = owned(pool)
	s.reset(t)
	return s
}

func owned(pool *sql.DB) place { return place{pool: pool, tables: ownedTables, owned: true} }

func (s *suite) controlCentral() place { return place{pool: s.control.pool, tables: centralTables} }

func (s *suite) shared() bool { return s.a.pool == s.b.pool }

func options() []tenancy.Option {
	return []tenancy.Option{
		tenancy.OwnedModels(ownedModels()...), tenancy.CentralModels(centralModels()...), tenancy.Logger(slog.New(slog.DiscardHandler)),
	}
}

// configOf has no foreign keys made: what keeps references inside a tenant is the strategy.
func configOf(c gorm.Config) *gorm.Config {
	c.Logger, c.TranslateError, c.DisableForeignKeyConstraintWhenMigrating = logger.Discard, true, true
	return &c
}

// reset makes all rows what they are at the start of every case. In a database of one tenant nobody is named.
func (s *suite) reset(t testing.TB) {
	t.Helper()
	if s.shared() {
		s.a.fill(t, actor, victim)
	} else {
		s.a.fill(t, actor)
		s.b.fill(t, victim)
	}
	s.central.fill(t, actor)
	s.control.fill(t, "")
	s.controlCentral().fill(t, actor)
}

// state is what all tables hold.
type state struct {
	own, others, central string
	// what plain GORM left, and what is there of a tenant that it does not know
	plain, strays, plainCentral string
}

func (s *suite) state(t testing.TB) state {
	t.Helper()
	var now state
	now.own, now.others = of(s.a.read(t), actor)
	if !s.shared() { // everything there is b's, whatever it says
		_, all := of(s.b.read(t), "nobody")
		now.others += all
	}
	now.central, _ = of(s.central.read(t), "")
	now.plain, now.strays = of(s.control.read(t), "")
	now.plainCentral, _ = of(s.controlCentral().read(t), "")
	return now
}

// session is a mode in use.
type session struct {
	*testing.T
	*suite
	mode       mode
	app, plain *gorm.DB
	start      state
	counts     Counts
}

func (s *suite) session(t *testing.T, m mode) *session {
	t.Helper()
	app, plain := s.h.Open(t, configOf(m.config), options()...), s.h.Plain(t, configOf(m.config))
	return &session{T: t, suite: s, mode: m, app: app, plain: plain, start: s.state(t)}
}

func as(id tenancy.ID) context.Context { return tenancy.WithTenant(context.Background(), id) }
