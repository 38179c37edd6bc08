package tenancytest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"github.com/gorm-tenancy/tenancy"
)

// table is a table that the models lead to.
type table struct {
	schema *schema.Schema
	owned  bool
	link   bool // made by GORM for a many-to-many relation
	tenancy.OwnedTable
	refs []*reference // foreign keys of its model
}

// reference is a foreign key of a model, to an owned or a central table.
type reference struct {
	parent        *table
	child, parted []*schema.Field // parted are the parent's, in the order of child
	typeOf        *schema.Field   // of a polymorphic one
	typeVal       string
	skipped       bool // rows leave it empty, because the parent's need this one first
}

// graph is what models lead to by their relations.
type graph struct {
	db     *gorm.DB
	plugin *tenancy.Plugin
	tables map[string]*table
	order  []*table // parents first
}

// newGraph follows the relations of the models.
func newGraph(db *gorm.DB, p *tenancy.Plugin, id tenancy.ID, models []any) (*graph, error) {
	g := &graph{db: db, plugin: p, tables: map[string]*table{}}
	var errs []error
	for _, m := range models {
		errs = append(errs, g.learn(id, m))
	}
	for _, known := range p.OwnedTables() {
		t := g.tables[known.Name]
		if t == nil { // a join table, or one that no given model leads to
			t = &table{schema: known.Schema}
			g.tables[known.Name] = t
		}
		t.OwnedTable, t.owned = known, true
		t.link = len(known.Links) > 0 || known.Schema.ModelType.Name() == ""
	}
	for _, t := range g.sorted() {
		g.references(t)
	}
	for _, t := range g.sorted() {
		errs = append(errs, g.visit(t, nil))
	}
	return g, errors.Join(errs...)
}

// learn parses a model, lets the plugin see it, and goes on with its relations.
func (g *graph) learn(id tenancy.ID, model any) error {
	stmt := &gorm.Statement{DB: g.db}
	if err := stmt.Parse(model); err != nil {
		return fmt.Errorf("tenancytest: %T is no model: %w", model, err)
	}
	s := stmt.Schema
	if g.tables[s.Table] != nil {
		return nil
	}
	g.tables[s.Table] = &table{schema: s, OwnedTable: tenancy.OwnedTable{Name: s.Table, Schema: s}}
	ctx := tenancy.WithTenant(context.Background(), id)
	err := g.db.Session(&gorm.Session{NewDB: true, DryRun: true, Context: ctx}).Find(reflect.New(s.ModelType).Interface()).Error
	if errors.Is(err, tenancy.ErrUndeclared) {
		return fmt.Errorf("tenancytest: %s is not covered: %w", s.Name, err)
	}
	for _, rel := range relations(s) {
		if err := g.learn(id, reflect.New(rel.FieldSchema.ModelType).Interface()); err != nil {
			return err
		}
	}
	return nil
}

// relations lists those of a model by name, without those that GORM makes for join tables.
func relations(s *schema.Schema) (all []*schema.Relationship) {
	for _, rel := range s.Relationships.Relations {
		if rel.FieldSchema != nil && rel.Field != nil && rel.Field.Schema == s {
			all = append(all, rel)
		}
	}
	slices.SortFunc(all, func(x, y *schema.Relationship) int { return strings.Compare(x.Name, y.Name) })
	return all
}

func (g *graph) sorted() (all []*table) {
	for _, t := range g.tables {
		all = append(all, t)
	}
	slices.SortFunc(all, func(x, y *table) int { return strings.Compare(x.Name, y.Name) })
	return all
}

// references takes the foreign keys from the relations of a model, on whichever side they are.
func (g *graph) references(t *table) {
	for _, rel := range relations(t.schema) {
		other := g.tables[rel.FieldSchema.Table]
		switch {
		case other == nil:
		case rel.Type == schema.BelongsTo:
			t.refer(other, rel)
		case rel.Type == schema.HasOne, rel.Type == schema.HasMany:
			other.refer(t, rel)
		case rel.JoinTable != nil && g.tables[rel.JoinTable.Table] != nil:
			join := g.tables[rel.JoinTable.Table]
			for _, side := range []struct {
				own bool
				to  *table
			}{{true, t}, {false, other}} {
				r := &reference{parent: side.to}
				for _, ref := range rel.References {
					if ref.OwnPrimaryKey == side.own && ref.PrimaryValue == "" {
						r.child, r.parted = append(r.child, ref.ForeignKey), append(r.parted, ref.PrimaryKey)
					}
				}
				join.keep(r)
			}
		}
	}
}

func (t *table) refer(parent *table, rel *schema.Relationship) {
	r := &reference{parent: parent}
	for _, ref := range rel.References {
		if ref.PrimaryValue != "" {
			r.typeOf, r.typeVal = ref.ForeignKey, ref.PrimaryValue
			continue
		}
		r.child, r.parted = append(r.child, ref.ForeignKey), append(r.parted, ref.PrimaryKey)
	}
	t.keep(r)
}

func (t *table) keep(r *reference) {
	for _, known := range t.refs {
		if known.parent == r.parent && known.typeVal == r.typeVal && slices.Equal(columns(known.child), columns(r.child)) {
			return
		}
	}
	t.refs = append(t.refs, r)
}

func columns(fields []*schema.Field) (all []string) {
	for _, f := range fields {
		all = append(all, f.DBName)
	}
	return all
}

// visit puts a table behind those that its rows refer to. Where these come back to it, a key that may be empty is left so.
func (g *graph) visit(t *table, path []*table) error {
	if slices.Contains(g.order, t) {
		return nil
	}
	path = append(path, t)
	for _, r := range t.refs {
		switch {
		case r.parent == t: // see seeder.refer
		case !slices.Contains(path, r.parent):
			if err := g.visit(r.parent, path); err != nil {
				return err
			}
		case !nullable(r.child):
			return fmt.Errorf("tenancytest: %s and %s need each other's rows first; let a foreign key be a pointer", t.schema.Name, r.parent.schema.Name)
		default:
			r.skipped = true
		}
	}
	if !slices.Contains(g.order, t) {
		g.order = append(g.order, t)
	}
	return nil
}

// nullable reports whether a key may be empty.
func nullable(fields []*schema.Field) bool {
	for _, f := range fields {
		k := f.FieldType.Kind()
		if !f.NotNull && !f.PrimaryKey && (k == reflect.Pointer || k == reflect.Struct || k == reflect.Slice) {
			return true
		}
	}
	return false
}

// keyed are the columns of the primary key but for the tenant's.
func (t *table) keyed() (fields []*schema.Field) {
	for _, f := range t.schema.PrimaryFields {
		if f.DBName != t.Column {
			fields = append(fields, f)
		}
	}
	return fields
}

// byTenant reports whether the primary key holds the tenant, so that two tenants may have the same ids in one table.
func (t *table) byTenant() bool {
	return t.Column != "" && slices.Contains(columns(t.schema.PrimaryFields), t.Column)
}

// crosses reports whether the foreign key can lead to another tenant's row: one that holds the tenant column cannot.
func (t *table) crosses(r *reference) bool {
	return r.parent.owned && (t.Column == "" || !slices.Contains(columns(r.child), t.Column))
}
