package tenancytest

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
)

// view is a way to rows past the statement wall. What it sees belongs to tenant, where that is not empty.
type view struct {
	ctx    context.Context
	tenant tenancy.ID
	tables []*table
}

// record is a row as the database has it.
type record struct {
	view   *view
	table  *table
	owner  string // the tenant's column, or the tenant whose tables these are; empty of central rows
	names  []string
	values []any
	key    string // of the view, the table and the primary key
	text   string
}

// state is what all tables hold, by key.
type state map[string]*record

// raw reads and writes rows with SQL of its own on the application's *sql.DB: the plugin's callbacks see nothing of it.
type raw struct {
	db    *gorm.DB
	pool  *sql.DB
	views []*view
	names map[string][2]string // what the tenant column of a table holds for the two
	pair  tenants
}

// newRaw looks for ways that show the rows of both tenants. Tables that tenants share are read whole, unless the database
// itself holds tenants apart: then, as where each has tables of its own, each is asked for its rows.
func newRaw(s *seeder) (*raw, error) {
	pool, err := s.db.DB()
	if err != nil {
		return nil, fmt.Errorf("tenancytest: give the *gorm.DB itself, not a transaction: %w", err)
	}
	r := &raw{db: s.db, pool: pool, names: s.columns, pair: s.pair}
	var owned, central []*table
	for _, t := range s.order {
		if t.owned {
			owned = append(owned, t)
		} else {
			central = append(central, t)
		}
	}
	ctx := s.ctx
	whole := false
	for i, id := range s.pair {
		if s.routes[i].Shared && !s.routes[i].Confined {
			whole = true
			continue
		}
		r.views = append(r.views, &view{tenancy.WithTenant(ctx, id), id, owned})
	}
	if whole {
		r.views = append(r.views, &view{tenancy.Bypass(ctx, "tenancytest: compare rows"), "", owned})
	}
	r.views = append(r.views, &view{tenancy.Central(ctx), "", central})
	return r, nil
}

// state reads all rows.
func (r *raw) state() (state, error) {
	now := state{}
	for _, v := range r.views {
		for _, t := range v.tables {
			if err := r.read(now, v, t); err != nil {
				return nil, fmt.Errorf("tenancytest: read table %q past the plugin: %w", t.Name, err)
			}
		}
	}
	now.links()
	return now, nil
}

func (r *raw) read(now state, v *view, t *table) error {
	found, err := r.pool.QueryContext(v.ctx, "SELECT * FROM "+r.db.Statement.Quote(t.Name))
	if err != nil {
		return err
	}
	defer found.Close()
	names, err := found.Columns()
	if err != nil {
		return err
	}
	for found.Next() {
		rec := &record{view: v, table: t, owner: string(v.tenant), names: names, values: make([]any, len(names))}
		into := make([]any, len(names))
		for i := range into {
			into[i] = &rec.values[i]
		}
		if err := found.Scan(into...); err != nil {
			return err
		}
		r.describe(rec)
		for now[rec.key] != nil { // rows without a key of their own
			rec.key += "'"
		}
		now[rec.key] = rec
	}
	return found.Err()
}

// describe fills in whose the record is and how it is told from others.
func (r *raw) describe(rec *record) {
	t := rec.table
	keys := columns(t.schema.PrimaryFields)
	var key, text strings.Builder
	fmt.Fprintf(&key, "%s/%s:", rec.view.tenant, t.Name)
	text.WriteString(t.Name)
	for i, name := range rec.names {
		if b, ok := rec.values[i].([]byte); ok {
			rec.values[i] = slices.Clone(b)
		}
		spelled := spell(rec.values[i])
		fmt.Fprintf(&text, " %s=%s", name, spelled)
		if len(keys) == 0 || slices.Contains(keys, name) {
			fmt.Fprintf(&key, " %s=%s", name, spelled)
		}
		if t.Column != "" && name == t.Column && rec.view.tenant == "" {
			rec.owner = r.tenantOf(t, spelled)
		}
	}
	rec.key, rec.text = key.String(), text.String()
}

// tenantOf turns what a tenant column holds into a tenant, or leaves it.
func (r *raw) tenantOf(t *table, spelled string) string {
	for i, name := range r.names[t.Name] {
		if name == spelled {
			return string(r.pair[i])
		}
	}
	return "column " + spelled
}

// links finds the owner of rows without a tenant column: that of the rows they link.
func (s state) links() {
	var owners map[string]string // of what links may point at
	for _, rec := range s {
		if !rec.table.owned || rec.owner != "" {
			continue
		}
		if owners == nil {
			owners = s.targets()
		}
		sides := map[string]bool{}
		for _, l := range rec.table.Links {
			if owner, ok := owners[pointer(rec.view, l.Table, l.References, rec.get(l.Columns))]; ok {
				sides[owner] = true
			}
		}
		var all []string
		for side := range sides {
			all = append(all, side)
		}
		slices.Sort(all)
		rec.owner = strings.Join(all, "+")
	}
}

// inherit leaves links whose rows are gone to those who had them before.
func (s state) inherit(before state) {
	for key, rec := range s {
		if old := before[key]; old != nil && old.text == rec.text && len(rec.table.Links) > 0 {
			rec.owner = old.owner
		}
	}
}

// targets are the owners of all rows that have one, by what a link or a foreign key to them holds.
func (s state) targets() map[string]string {
	owners := map[string]string{}
	wanted := map[string][][]string{} // by table: the columns that are pointed at
	for _, rec := range s {
		for _, l := range rec.table.Links {
			wanted[l.Table] = append(wanted[l.Table], l.References)
		}
		for _, r := range rec.table.refs {
			wanted[r.parent.Name] = append(wanted[r.parent.Name], columns(r.parted))
		}
	}
	for _, rec := range s {
		for _, names := range wanted[rec.table.Name] {
			at := pointer(rec.view, rec.table.Name, names, rec.get(names))
			if old, ok := owners[at]; ok && old != rec.owner {
				owners[at] = "both"
				continue
			}
			owners[at] = rec.owner
		}
	}
	return owners
}

func pointer(v *view, table string, names, values []string) string {
	return fmt.Sprintf("%s/%s%q%q", v.tenant, table, names, values)
}

// get returns values of columns as text.
func (rec *record) get(names []string) []string {
	all := make([]string, len(names))
	for i, name := range names {
		if at := slices.Index(rec.names, name); at >= 0 {
			all[i] = spell(rec.values[at])
		}
	}
	return all
}

// spell writes a value the same way whatever the driver made of it.
func spell(v any) string {
	if valuer, ok := v.(driver.Valuer); ok {
		if plain, err := valuer.Value(); err == nil {
			v = plain
		}
	}
	switch v := v.(type) {
	case nil:
		return "NULL"
	case []byte:
		return string(v)
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	}
	return fmt.Sprint(v)
}

// of are the rows of a tenant, as texts.
func (s state) of(tenant tenancy.ID) (all []string) {
	for _, rec := range s {
		if rec.table.owned && rec.owner == string(tenant) {
			all = append(all, rec.text)
		}
	}
	slices.Sort(all)
	return all
}

// without leaves out everything that is not a tenant's own: what the tenant sees must not depend on it.
func (s state) without(tenant tenancy.ID) state {
	rest := state{}
	for key, rec := range s {
		if !rec.table.owned || rec.owner == string(tenant) {
			rest[key] = rec
		}
	}
	return rest
}

// others are the owned rows that are not the tenant's, as texts.
func (s state) others(tenant tenancy.ID) (all []string) {
	for _, rec := range s {
		if rec.table.owned && rec.owner != string(tenant) {
			all = append(all, rec.owner+": "+rec.text)
		}
	}
	slices.Sort(all)
	return all
}

// same reports whether two states hold the same.
func (s state) same(o state) bool {
	if len(s) != len(o) {
		return false
	}
	for key, rec := range s {
		if other, ok := o[key]; !ok || other.text != rec.text {
			return false
		}
	}
	return true
}

// step is a statement that brings one row back.
type step struct {
	ctx  context.Context
	text string
	vars []any
}

// restore makes the tables hold what they held. It retries what foreign keys refuse until nothing more moves.
func (r *raw) restore(want state) error {
	for range 3 {
		now, err := r.state()
		if err != nil {
			return err
		}
		if now.same(want) {
			return nil
		}
		if err := r.run(r.steps(now, want)); err != nil {
			return fmt.Errorf("tenancytest: the rows cannot be put back: %w", err)
		}
	}
	now, err := r.state()
	if err == nil && !now.same(want) {
		err = errors.New("tenancytest: the rows cannot be put back: something changes them when they are written")
	}
	return err
}

func (r *raw) run(steps []step) error {
	for len(steps) > 0 {
		var failed []step
		var last error
		for _, s := range steps {
			if _, err := r.pool.ExecContext(s.ctx, s.text, s.vars...); err != nil {
				failed, last = append(failed, s), err
			}
		}
		if len(failed) == len(steps) {
			return last
		}
		steps = failed
	}
	return nil
}

// steps lists what turns one state into another.
func (r *raw) steps(now, want state) (steps []step) {
	for key, rec := range now {
		if want[key] == nil {
			steps = append(steps, r.statement(rec, "DELETE FROM ", nil))
		}
	}
	for key, rec := range want {
		switch old := now[key]; {
		case old == nil:
			steps = append(steps, r.insert(rec))
		case old.text != rec.text:
			steps = append(steps, r.statement(rec, "UPDATE ", rec.names))
		}
	}
	return steps
}

// writable reports a column that statements may write.
func (rec *record) writable(name string) bool {
	f := rec.table.schema.FieldsByDBName[name]
	return f == nil || f.Creatable
}

func (r *raw) insert(rec *record) step {
	stmt := &gorm.Statement{DB: r.db}
	stmt.WriteString("INSERT INTO " + stmt.Quote(rec.table.Name) + " (")
	first := true
	for _, name := range rec.names {
		if rec.writable(name) {
			comma(stmt, &first, ", ")
			stmt.WriteString(stmt.Quote(name))
		}
	}
	stmt.WriteString(") VALUES (")
	first = true
	for i, name := range rec.names {
		if rec.writable(name) {
			comma(stmt, &first, ", ")
			bind(stmt, rec.values[i])
		}
	}
	stmt.WriteString(")")
	return step{rec.view.ctx, stmt.SQL.String(), stmt.Vars}
}

// statement deletes or updates one row by its key.
func (r *raw) statement(rec *record, verb string, set []string) step {
	stmt := &gorm.Statement{DB: r.db}
	stmt.WriteString(verb + stmt.Quote(rec.table.Name))
	keys := columns(rec.table.schema.PrimaryFields)
	first := true
	for i, name := range set {
		if !slices.Contains(keys, name) && rec.writable(name) {
			if first {
				stmt.WriteString(" SET ")
			}
			comma(stmt, &first, ", ")
			stmt.WriteString(stmt.Quote(name) + " = ")
			bind(stmt, rec.values[i])
		}
	}
	stmt.WriteString(" WHERE ")
	first = true
	for i, name := range rec.names {
		if len(keys) > 0 && !slices.Contains(keys, name) {
			continue
		}
		comma(stmt, &first, " AND ")
		stmt.WriteString(stmt.Quote(name))
		if rec.values[i] == nil {
			stmt.WriteString(" IS NULL")
			continue
		}
		stmt.WriteString(" = ")
		bind(stmt, rec.values[i])
	}
	return step{rec.view.ctx, stmt.SQL.String(), stmt.Vars}
}

func comma(stmt *gorm.Statement, first *bool, separator string) {
	if !*first {
		stmt.WriteString(separator)
	}
	*first = false
}

func bind(stmt *gorm.Statement, v any) {
	stmt.Vars = append(stmt.Vars, v)
	stmt.DB.Dialector.BindVarTo(stmt, stmt, v)
}
