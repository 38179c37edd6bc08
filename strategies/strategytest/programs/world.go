package programs

import (
	"database/sql"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/strategies/strategytest"
)

// world is a harness with its databases.
type world struct {
	h               strategytest.Harness
	tenants, acting []tenancy.ID
	app, plain      []*gorm.DB // by mode
	places          map[tenancy.ID]*sql.DB
	central         *sql.DB
	control         *sql.DB
	start           map[tenancy.ID]rows // what plain GORM starts with
	clean           remains
	dirty           remains // what the last program left
	plainLeft       rows
	operations      int
	refused, failed int // of the operations
}

// remains are the rows of every place, and the central ones.
type remains struct {
	places  map[*sql.DB]rows
	of      map[tenancy.ID]*sql.DB
	central rows
}

func newWorld(t testing.TB, h strategytest.Harness, tenants []tenancy.ID) *world {
	t.Helper()
	w := &world{h: h, tenants: tenants, acting: tenants, places: map[tenancy.ID]*sql.DB{}, start: map[tenancy.ID]rows{}}
	if h.Lacks[strategytest.Others] != "" {
		w.acting = tenants[:1]
	}
	w.build(t)
	for _, m := range modes {
		w.app = append(w.app, h.Open(t, configOf(m.config), options()...))
		plain := h.Plain(t, configOf(m.config))
		must(t, plain.Callback().Create().Before("gorm:before_create").Register("programs:stamp", stamp))
		must(t, plain.Callback().Update().Before("gorm:update").Register("programs:keep", keep))
		w.plain = append(w.plain, plain)
	}
	pool, err := w.plain[0].DB()
	must(t, err)
	w.control = pool
	w.central = h.Raw(t, "")
	for _, id := range tenants {
		w.places[id] = h.Raw(t, id)
	}
	w.seed(t)
	return w
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// build makes the tables.
func (w *world) build(t testing.TB) {
	t.Helper()
	h := w.h
	if h.Prepare != nil {
		h.Prepare(t, ownedModels(), centralModels())
	}
	app := h.Open(t, configOf(gorm.Config{}), options()...)
	if h.Prepare == nil {
		models := centralModels()
		if h.Provision == nil {
			models = append(models, ownedModels()...)
		}
		must(t, app.WithContext(tenancy.Bypass(t.Context(), "make the tables")).AutoMigrate(models...))
	}
	for _, id := range w.tenants {
		if h.Provision != nil {
			must(t, h.Provision(t.Context(), id))
		}
	}
	plain := h.Plain(t, configOf(gorm.Config{}))
	must(t, plain.AutoMigrate(append(centralModels(), ownedModels()...)...))
}

// seed fills everything and remembers how it is read.
func (w *world) seed(t testing.TB) {
	t.Helper()
	must(t, refill(w.central, filling(centralTables, false, w.tenants[:1], nil)))
	must(t, refill(w.control, filling(centralTables, false, w.tenants[:1], nil)))
	for _, pool := range w.pools() {
		must(t, refill(pool, filling(ownedTables, true, w.within(pool), nil)))
	}
	for _, id := range w.tenants {
		must(t, refill(w.control, filling(ownedTables, true, []tenancy.ID{id}, nil)))
		left, err := read(w.control, ownedTables, true)
		must(t, err)
		w.start[id], w.plainLeft = left, left
	}
	left, err := w.left()
	must(t, err)
	w.clean, w.dirty = left, left
}

// pools are those of the tenants, each once.
func (w *world) pools() (all []*sql.DB) {
	for _, id := range w.tenants {
		if !slices.Contains(all, w.places[id]) {
			all = append(all, w.places[id])
		}
	}
	return all
}

// within are the tenants of a place.
func (w *world) within(pool *sql.DB) (ids []tenancy.ID) {
	for _, id := range w.tenants {
		if w.places[id] == pool {
			ids = append(ids, id)
		}
	}
	return ids
}

// reset makes everything what it was before the last program.
func (w *world) reset() error {
	for _, pool := range w.pools() {
		if names := w.dirty.places[pool].differ(w.clean.places[pool]); len(names) > 0 {
			if err := refill(pool, filling(ownedTables, true, w.within(pool), names)); err != nil {
				return err
			}
		}
	}
	if len(w.dirty.central.differ(w.clean.central)) > 0 {
		return refill(w.central, filling(centralTables, false, w.tenants[:1], nil))
	}
	return nil
}

func (w *world) refillPlain(id tenancy.ID) error {
	names := w.plainLeft.differ(w.start[id])
	if len(names) == 0 {
		return nil
	}
	return refill(w.control, filling(ownedTables, true, []tenancy.ID{id}, names))
}

// left reads everything.
func (w *world) left() (remains, error) {
	now := remains{places: map[*sql.DB]rows{}, of: w.places}
	for _, pool := range w.pools() {
		all, err := read(pool, ownedTables, true)
		if err != nil {
			return now, err
		}
		now.places[pool] = all
	}
	central, err := read(w.central, centralTables, false)
	now.central = central
	return now, err
}

// against compares the rows of a tenant with those that plain GORM left.
func (r remains) against(id tenancy.ID, plain rows) string {
	for _, t := range ownedTables {
		got, want := r.places[r.of[id]][t.name][string(id)], plain[t.name][string(id)]
		if !slices.Equal(got, want) {
			return fmt.Sprintf("%s of %s are\n\t%s\nand should be\n\t%s", t.name, id, strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
		}
	}
	return ""
}

// rest looks for rows where nobody's should be, and at the central ones.
func (r remains) rest(w *world) string {
	for pool, tables := range r.places {
		within := w.within(pool)
		for name, tenants := range tables {
			for id, all := range tenants {
				switch {
				case !slices.Contains(within, tenancy.ID(id)):
					return fmt.Sprintf("%s has rows of %q, where %v are:\n\t%s", name, id, within, strings.Join(all, "\n\t"))
				case !slices.Contains(w.acting, tenancy.ID(id)) && !slices.Equal(all, w.clean.places[pool][name][id]):
					return fmt.Sprintf("%s of %s are\n\t%s\nalthough it does nothing", name, id, strings.Join(all, "\n\t"))
				}
			}
		}
	}
	if names := r.central.differ(w.clean.central); len(names) > 0 {
		return fmt.Sprintf("%v changed", names)
	}
	return ""
}

// marked reports that a text has a word of a tenant.
func marked(text string, id tenancy.ID) bool {
	return strings.Contains(text, `"`+string(id)+"-")
}

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
