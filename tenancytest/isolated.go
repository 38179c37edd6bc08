package tenancytest

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/gorm-tenancy/tenancy"
)

// RequireIsolated makes rows of two tenants for the models, as [Seed] does, and then does everything with each model that its
// schema allows, as the first tenant: with rows of the second, which must come to nothing, and with its own, which must come to
// something. docs/tenancytest.md has the list. Without models it takes those declared with tenancy.OwnedModels.
//
// What a tenant reads must be the same whether the other one has rows or not. After everything that is tried, all owned tables
// are read past the plugin: no row of the other tenant may have changed, and none of the first may point at one.
//
// A model that cannot be covered fails the test, with the reason: it is declared central or not at all, has no primary key, or no
// row of it can be made (see [Rows]). So does db without the plugin.
//
// db is the application's own, on a database of the test's own, such as [Template.Open] gives: rows are written and committed, and
// put back after each attempt; those of [Seed] stay. It must not be a transaction. The test fails at the end with one line
// for each leak; nothing is skipped.
func RequireIsolated(t testing.TB, db *gorm.DB, models ...any) {
	t.Helper()
	c, err := newCheck(t, db, models)
	if err != nil {
		t.Fatalf("%v", err)
		return
	}
	if err := c.every(); err != nil {
		t.Fatalf("%v", err)
		return
	}
	if c.failed {
		t.FailNow()
	}
}

// check is one run of RequireIsolated.
type check struct {
	*seeder
	t      testing.TB
	past   *raw
	start  state // what each attempt begins with
	failed bool
}

const (
	actor  = 0
	victim = 1
)

func newCheck(t testing.TB, db *gorm.DB, models []any) (*check, error) {
	s, err := newSeeder(db, models)
	if err != nil {
		return nil, err
	}
	if err := s.declared(); err != nil {
		return nil, err
	}
	r, err := newRaw(s)
	if err != nil {
		return nil, err
	}
	if err := s.all(); err != nil {
		return nil, err
	}
	return &check{seeder: s, past: r, t: t}, nil
}

// declared refuses models whose rows the plugin does not take for a tenant's.
func (s *seeder) declared() error {
	var errs []error
	for _, m := range s.models {
		stmt := &gorm.Statement{DB: s.db}
		if err := stmt.Parse(m); err != nil {
			return err
		}
		if t := s.tables[stmt.Schema.Table]; t == nil || !t.owned {
			errs = append(errs, fmt.Errorf("tenancytest: %s is not covered: it is declared central, so its rows are everybody's; declare it with "+
				"tenancy.OwnedModels, or do not give it", stmt.Schema.Name))
		}
	}
	return errors.Join(errs...)
}

// every tries each model.
func (c *check) every() error {
	seen := map[*table]bool{}
	for _, m := range c.models {
		stmt := &gorm.Statement{DB: c.db}
		if err := stmt.Parse(m); err != nil {
			return err
		}
		t := c.tables[stmt.Schema.Table]
		if seen[t] {
			continue
		}
		seen[t] = true
		if err := c.model(t); err != nil {
			return err
		}
	}
	return nil
}

// model tries everything with one model, and leaves the rows as they were.
func (c *check) model(t *table) error {
	before, err := c.past.state()
	if err != nil {
		return err
	}
	m, err := c.subject(t)
	if err != nil {
		return err
	}
	if c.start, err = c.past.state(); err != nil {
		return err
	}
	for _, try := range []func(*subject) error{c.placed, c.reads, c.writes, c.nobody} {
		if err := try(m); err != nil {
			return err
		}
	}
	return c.past.restore(before)
}

// subject is a model with the rows that are tried.
type subject struct {
	*table
	c     *check
	own   reflect.Value // a row of the actor
	other reflect.Value // one of the victim, with an id that the actor does not have
}

// subject also makes what fresh rows of the model refer to, for both tenants.
func (c *check) subject(t *table) (*subject, error) {
	m := &subject{table: t, c: c, own: c.last(actor, t), other: c.last(victim, t)}
	if !m.own.IsValid() || !m.other.IsValid() {
		return nil, fmt.Errorf("tenancytest: %s is not covered: no rows of it were made", t.schema.Name)
	}
	return m, c.ancestors(t, map[*table]bool{t: true})
}

func (c *check) last(tenant int, t *table) reflect.Value {
	return c.made[tenant][t][c.count(t, tenant)]
}

// fresh are the numbers of rows that are made while a model is tried.
const fresh = 8

func (c *check) ancestors(t *table, seen map[*table]bool) error {
	for _, r := range t.refs {
		p := r.parent
		if !p.owned || r.skipped || seen[p] || p.single() {
			continue
		}
		seen[p] = true
		if err := c.ancestors(p, seen); err != nil {
			return err
		}
		if _, err := c.make(actor, p, fresh); err != nil {
			return err
		}
	}
	return nil
}

// placed fails the test where the rows that were just made are not where those who made them are.
func (c *check) placed(m *subject) error {
	counts := map[string]int{}
	for _, rec := range c.start {
		if rec.table == m.table {
			counts[rec.owner]++
		}
	}
	for i, id := range c.pair {
		if counts[string(id)] < c.count(m.table, i) {
			c.fail(m, "create", "LEAK: of the rows made as tenant %q some are not that tenant's: %v", id, counts)
			return errNothingElse
		}
	}
	if m.single() {
		return nil
	}
	key := columns(m.schema.PrimaryFields)
	theirs := make([]string, len(key))
	for i, f := range m.schema.PrimaryFields {
		v, _ := f.ValueOf(c.ctx, m.other.Elem())
		theirs[i] = spell(v)
	}
	for _, rec := range c.start {
		if rec.table == m.table && rec.view.tenant == c.pair[actor] && slices.Equal(rec.get(key), theirs) {
			c.fail(m, "read past the plugin", "LEAK: the place of tenant %q has a row of another tenant: %s", c.pair[actor], rec.text)
			return errNothingElse
		}
	}
	return nil
}

var errNothingElse = errors.New("tenancytest: nothing else can be tried")

func (c *check) fail(m *subject, verb, format string, args ...any) {
	c.t.Helper()
	c.failed = true
	c.t.Errorf("tenancytest: %s: %s: %s", m.schema.Name, verb, fmt.Sprintf(format, args...))
}

// session is a fresh one of the actor.
func (c *check) session() *gorm.DB { return c.as(actor) }

// target is what a verb is about: the actor's own row, as the positive control, or the victim's.
type target struct {
	*subject
	row reflect.Value
	own bool
}

func (t target) String() string {
	if t.own {
		return "own row"
	}
	return "other tenant's row"
}

func (m *subject) about(own bool) target {
	if own {
		return target{m, m.own, true}
	}
	return target{m, m.other, false}
}

// from is about with another own row, where there is one.
func (m *subject) from(mine reflect.Value, own bool) target {
	at := m.about(own)
	if own && mine.IsValid() {
		at.row = mine
	}
	return at
}

// key is a condition that names the row by its id, or by its tenant where it has nothing else.
func (t target) key() map[string]any {
	key := map[string]any{}
	for _, f := range t.keyed() {
		key[f.DBName], _ = f.ValueOf(t.c.ctx, t.row.Elem())
	}
	if len(key) == 0 && t.Field != nil {
		key[t.Column], _ = t.Field.ValueOf(t.c.ctx, t.row.Elem())
	}
	return key
}

// copied is the row as it was read by whoever has it; without its tenant where bare is true.
func (t target) copied(tenantless bool) any {
	if tenantless && t.Field != nil {
		return bare(t.c.ctx, t.schema, t.row, t.Field)
	}
	return bare(t.c.ctx, t.schema, t.row)
}

// new returns a pointer to an empty row, list a pointer to an empty slice of rows.
func (m *subject) new() any  { return reflect.New(m.schema.ModelType).Interface() }
func (m *subject) list() any { return reflect.New(reflect.SliceOf(m.schema.ModelType)).Interface() }

// refusal reports an error with which the plugin refuses.
func refusal(err error) bool {
	for _, sentinel := range []error{
		tenancy.ErrNoTenant, tenancy.ErrUnknownTenant, tenancy.ErrTenantMismatch, tenancy.ErrUnconfined, tenancy.ErrUndeclared, tenancy.ErrUnsupported,
	} {
		if errors.Is(err, sentinel) {
			return true
		}
	}
	return false
}

// quiet keeps attempts that must fail out of the log.
func quiet(db *gorm.DB) *gorm.DB {
	return db.Session(&gorm.Session{Logger: logger.Discard})
}

// difference lists what is there now and was not, and the other way round.
func difference(now, was []string) string {
	var b strings.Builder
	for _, side := range []struct {
		sign      string
		these, in []string
	}{{"- ", was, now}, {"+ ", now, was}} {
		there := map[string]bool{}
		for _, text := range side.in {
			there[text] = true
		}
		for _, text := range side.these {
			if !there[text] {
				b.WriteString("\n\t" + side.sign + text)
			}
		}
	}
	return b.String()
}
