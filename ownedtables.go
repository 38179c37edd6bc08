package tenancy

import (
	"context"
	"errors"
	"slices"
	"strings"

	"gorm.io/gorm/schema"
)

// OwnedTable describes a table whose rows belong to tenants, for strategies and migrators.
type OwnedTable struct {
	// Name is the table as the model names it, with its schema if it does.
	Name string
	// Schema is the model's. Its ModelType is made by GORM for automatic join tables.
	Schema *schema.Schema
	// Column is the tenant column. It is empty for join tables without one, and where tenants have tables of their own and
	// the model has no tenant field.
	Column string
	// Field writes Column; nil where that is empty.
	Field *schema.Field
	// Links are the references through which a join table without a tenant column is owned: its rows belong to the tenant
	// of the rows they link. Empty for other tables.
	Links []OwnedLink
	// References are the foreign keys that the model holds to owned tables, without polymorphic ones, as GORM knows them: the
	// database may have a constraint for them or not. Empty for join tables without a tenant column, which have Links.
	References []OwnedLink
}

// OwnedLink is a foreign key to an owned table.
type OwnedLink struct {
	// Columns of the table refer, in this order, to References.
	Columns []string
	// References are columns of Table.
	References []string
	// Table is the owned table.
	Table string
}

// OwnedTables lists the owned tables the plugin knows, by name: those of declared models and of what their relations
// lead to, and those of models GORM has seen since. It is empty before db.Use or [Plugin.Declare]. Safe for concurrent
// use.
func (p *Plugin) OwnedTables() []OwnedTable {
	var tables []OwnedTable
	for _, m := range p.known(func(m *model) bool { return m.kind == kindOwned || m.kind == kindLink }) {
		t := OwnedTable{Name: m.table, Schema: m.schema, Column: m.column, Field: m.field}
		for _, side := range m.sides {
			t.Links = append(t.Links, side.link())
		}
		t.References = p.ownedReferences(m)
		tables = append(tables, t)
	}
	return tables
}

// ownedReferences lists what the model refers to and is owned.
func (p *Plugin) ownedReferences(m *model) (links []OwnedLink) {
	if m.kind == kindLink {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.refs[m.schema.ModelType] {
		target, ok := p.tables.Load(tableKey(r.target.Table))
		if ok && target.(*model).kind == kindOwned && r.typeOf == nil {
			links = append(links, r.link())
		}
	}
	return links
}

func (r reference) link() OwnedLink {
	return OwnedLink{Columns: names(r.child), References: names(r.parent), Table: r.target.Table}
}

// ColumnChange says which value a tenant column holds for a tenant, and which for another.
type ColumnChange struct {
	// Table is the table as the model names it.
	Table string
	// Column is its tenant column.
	Column string
	// From and To are the values that the column has for the two tenants, for a statement's arguments.
	From, To any
}

// ColumnChanges lists the tenant columns of owned tables and what has to change in them when a tenant, or a copy of it, gets
// another id, for strategies that are a [Renamer] or a [Cloner]. It fails with [ErrUnknownTenant] for an id that cannot be a
// value of one of them, and with [ErrInvalidID]. Safe for concurrent use.
func (p *Plugin) ColumnChanges(from, to ID) ([]ColumnChange, error) {
	was, is := accessOf(WithTenant(context.Background(), from)), accessOf(WithTenant(context.Background(), to))
	if err := errors.Join(was.err, is.err); err != nil {
		return nil, err
	}
	var changes []ColumnChange
	for _, m := range p.known(func(m *model) bool { return m.kind == kindOwned && m.column != "" }) {
		c := ColumnChange{Table: m.table, Column: m.column}
		var err error
		if c.From, err = m.value(was); err != nil {
			return nil, err
		}
		if c.To, err = m.value(is); err != nil {
			return nil, err
		}
		changes = append(changes, c)
	}
	return changes, nil
}

// ChecksReferences reports whether the plugin looks whose row a reference points at before it is written: false with
// [WithoutReferenceChecks]. Safe for concurrent use.
func (p *Plugin) ChecksReferences() bool { return !p.config.skipReferences }

// CentralTables lists the names of the tables declared central, and with [AllowUndeclared] of those that GORM has seen and
// nobody declared. Safe for concurrent use.
func (p *Plugin) CentralTables() []string {
	var tables []string
	for _, m := range p.known(func(m *model) bool { return m.kind == kindCentral }) {
		tables = append(tables, m.table)
	}
	return tables
}

// known lists one model for each table, by name.
func (p *Plugin) known(want func(*model) bool) []*model {
	byTable := map[string]*model{}
	p.tables.Range(func(_, v any) bool {
		if m := v.(*model); want(m) {
			byTable[tableKey(m.table)] = m
		}
		return true
	})
	models := make([]*model, 0, len(byTable))
	for _, m := range byTable {
		models = append(models, m)
	}
	slices.SortFunc(models, func(a, b *model) int { return strings.Compare(a.table, b.table) })
	return models
}
