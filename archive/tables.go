package archive

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"github.com/gorm-tenancy/tenancy"
)

// table is what is known of an owned table on one side.
type table struct {
	name    string
	schema  *schema.Schema
	tenant  string // the tenant column; "" for join tables without one
	columns []Column
	keys    []int // which columns order the rows
	keyless bool  // there is no primary key, all columns order them
	refs    []*reference
}

// column returns the place of a column, or -1.
func (t *table) column(name string) int {
	return slices.IndexFunc(t.columns, func(c Column) bool { return strings.EqualFold(c.Name, name) })
}

// auto returns the place of the auto-increment key, or -1: the whole primary key, and no other tenant's row has the same.
func (t *table) auto() int {
	if len(t.schema.PrimaryFields) != 1 || t.keyless || len(t.keys) != 1 {
		return -1
	}
	f := t.schema.PrimaryFields[0]
	key := t.columns[t.keys[0]]
	if key.Kind != Int || !f.AutoIncrement && !f.HasDefaultValue {
		return -1
	}
	if _, _, parents := t.refersTo(key.Name); parents {
		return -1
	}
	return t.keys[0]
}

// session checks who asks and returns what all functions work with: no hooks, and the tenant's context.
func session(ctx context.Context, db *gorm.DB) (*gorm.DB, *tenancy.Plugin, tenancy.ID, error) {
	id, err := tenancy.Require(ctx)
	if err != nil {
		return nil, nil, "", err
	}
	plugin, ok := db.Plugins[tenancy.PluginName].(*tenancy.Plugin)
	if !ok {
		return nil, nil, "", errors.New("archive: db.Use(tenancy.New(…)) comes first")
	}
	return db.Session(&gorm.Session{NewDB: true, Context: ctx, SkipHooks: true, AllowGlobalUpdate: true}), plugin, id, nil
}

// loadTables describes the owned tables, those that others refer to first.
func loadTables(tx *gorm.DB, plugin *tenancy.Plugin, o *options) ([]*table, error) {
	var tables []*table
	for _, owned := range plugin.OwnedTables() {
		t := &table{name: owned.Name, schema: owned.Schema, tenant: owned.Column}
		if err := t.readColumns(tx, o); err != nil {
			return nil, err
		}
		tables = append(tables, t)
	}
	if len(tables) == 0 {
		return nil, fmt.Errorf("%w: no model is declared with tenancy.OwnedModels", tenancy.ErrUndeclared)
	}
	if !o.skipTables {
		if err := checkDeclared(tx, plugin, tables); err != nil {
			return nil, err
		}
	}
	findReferences(tables)
	return inOrder(tables), nil
}

// inOrder puts parents first. Where tables refer to each other in a circle, the references of the first by name are
// deferred.
func inOrder(tables []*table) []*table {
	var ordered []*table
	placed := map[*table]bool{}
	ready := func(t *table) bool {
		return !slices.ContainsFunc(t.refs, func(r *reference) bool { return r.parent != t && !placed[r.parent] })
	}
	for len(ordered) < len(tables) {
		next := -1
		for i, t := range tables {
			if placed[t] {
				continue
			}
			if ready(t) {
				next = i
				break
			}
		}
		if next < 0 {
			next = breakCircle(tables, placed)
		}
		placed[tables[next]] = true
		ordered = append(ordered, tables[next])
	}
	for i, t := range ordered {
		for _, r := range t.refs {
			r.deferred = r.optional && slices.Index(ordered, r.parent) >= i
		}
	}
	return ordered
}

// breakCircle chooses a table of a circle, one whose open references can all be written later if there is one.
func breakCircle(tables []*table, placed map[*table]bool) int {
	first := -1
	for i, t := range tables {
		if placed[t] || !t.reaches(t, placed, map[*table]bool{}) {
			continue
		}
		if first < 0 {
			first = i
		}
		if !slices.ContainsFunc(t.refs, func(r *reference) bool { return r.parent != t && !placed[r.parent] && !r.optional }) {
			return i
		}
	}
	return first
}

// reaches reports whether references lead to another table, through tables that have no place yet.
func (t *table) reaches(goal *table, placed, seen map[*table]bool) bool {
	return slices.ContainsFunc(t.refs, func(r *reference) bool {
		if r.parent == t || placed[r.parent] || seen[r.parent] {
			return false
		}
		seen[r.parent] = true
		return r.parent == goal || r.parent.reaches(goal, placed, seen)
	})
}

func find(tables []*table, name string) *table {
	for _, t := range tables {
		if tableKey(t.name) == tableKey(name) {
			return t
		}
	}
	return nil
}
