package tenancy

import (
	"context"
	"database/sql/driver"
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"sync/atomic"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"
)

// model is what the wall knows of one table. It is immutable once published and is itself the tenant predicate
// (see Build), so that scoping a statement allocates nothing for it.
type model struct {
	plugin *Plugin
	schema *schema.Schema
	table  string
	kind   kind
	err    error // why an undeclared model is refused

	// Of owned models, all empty where tenants have tables of their own and the model has no tenant column:
	field  *schema.Field // nil, too, for a type without the field on an owned table
	column string
	quoted atomic.Pointer[quoted] // see writeColumn
	value  func(*access) (any, error)
	where  clause.Clause // WHERE with nothing but the predicate

	// Of automatic join tables:
	sides []reference

	refs atomic.Pointer[knownReferences] // see Plugin.references
}

// knownReferences is what Plugin.references found when the plugin knew this many relations.
type knownReferences struct {
	relations int64
	refs      []reference
}

type kind uint8

const (
	kindCentral kind = iota
	kindOwned
	kindLink // a join table without tenant column, owned through the rows it links
	kindUndeclared
)

// confined reports whether rows of the model belong to tenants, or may.
func (m *model) confined() bool { return m != nil && m.kind != kindCentral }

// reference is a foreign key (columns of the child) that points at an owned parent.
type reference struct {
	child   []*schema.Field
	parent  []*schema.Field
	target  *schema.Schema
	typeOf  *schema.Field // of a polymorphic reference
	typeVal string
}

// declare reads the models given as options. All types are known before the first relation is followed. p.mu is held.
func (p *Plugin) declare(db *gorm.DB) error {
	for _, v := range p.config.central {
		s, err := parse(db, v)
		if err != nil {
			return fmt.Errorf("tenancy: CentralModels: %w", err)
		}
		p.config.centralTypes[s.ModelType] = true
	}
	owned := make([]*schema.Schema, len(p.config.owned))
	for i, v := range p.config.owned {
		s, err := parse(db, v)
		if err != nil {
			return fmt.Errorf("tenancy: OwnedModels: %w", err)
		}
		owned[i] = s
		p.config.ownedTypes[s.ModelType] = true
	}
	for _, v := range p.config.central {
		s, _ := parse(db, v)
		if m := p.publish(p.newModel(s)); m.kind != kindCentral {
			return fmt.Errorf("tenancy: %s is both owned and central", s.Name)
		}
		p.relations(db, s)
	}
	for _, s := range owned {
		if p.config.centralTypes[s.ModelType] {
			return fmt.Errorf("tenancy: %s is declared in both OwnedModels and CentralModels", s.Name)
		}
		m := p.classify(db, s)
		if m.kind == kindUndeclared {
			return fmt.Errorf("tenancy: OwnedModels: %w", m.err)
		}
		if m.kind == kindCentral {
			return fmt.Errorf("tenancy: OwnedModels: table %q of %s is declared central", s.Table, s.Name)
		}
	}
	return nil
}

// parse waits for GORM's parser: another goroutine's half-filled schema must not be read.
func parse(db *gorm.DB, v any) (*schema.Schema, error) {
	stmt := &gorm.Statement{DB: db}
	if err := stmt.Parse(v); err != nil {
		return nil, err
	}
	return stmt.Schema, nil
}

// modelOf returns what is known of a schema, learning it at first sight.
func (p *Plugin) modelOf(db *gorm.DB, s *schema.Schema) *model {
	if m := p.first.get(s); m != nil {
		return m
	}
	if m, ok := p.models.Load(s); ok {
		return m.(*model)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.classify(db, s)
}

// firstModels stands in front of Plugin.models, whose look-up costs a short statement one per cent. A schema has one
// place; of those that share it the first published keeps it, and the others are looked up.
type firstModels [64]atomic.Pointer[model]

func (f *firstModels) of(s *schema.Schema) *atomic.Pointer[model] {
	return &f[uint(7*len(s.Fields)+len(s.Table))%uint(len(f))]
}

func (f *firstModels) get(s *schema.Schema) *model {
	if m := f.of(s).Load(); m != nil && m.schema == s {
		return m
	}
	return nil
}

// put replaces what was published for the same schema before: a join table is judged again when the models it links
// are known, and GORM may have given it another name since.
func (f *firstModels) put(m *model) {
	for i := range f {
		if old := f[i].Load(); old != nil && old.schema == m.schema {
			f[i].Store(m)
		}
	}
	f.of(m.schema).CompareAndSwap(nil, m)
}

// classify learns a schema and, through its relations, all it can reach. p.mu is held.
func (p *Plugin) classify(db *gorm.DB, s *schema.Schema) *model {
	if m, ok := p.models.Load(s); ok {
		return m.(*model)
	}
	m := p.newModel(s)
	if m.kind == kindUndeclared && !p.learning[s] {
		p.learning[s] = true // what follows may come back here
		defer delete(p.learning, s)
		// A join table is known through the models it links: learn those first.
		for _, rel := range s.Relationships.Relations {
			if rel.Type == schema.BelongsTo {
				p.classifyType(db, rel.FieldSchema.ModelType)
			}
		}
		p.models.Range(func(k, _ any) bool {
			p.links(db, k.(*schema.Schema))
			return true
		})
		if known, ok := p.models.Load(s); ok {
			return known.(*model)
		}
	}
	m = p.publish(m)
	p.relations(db, s)
	return m
}

func (p *Plugin) classifyType(db *gorm.DB, t reflect.Type) (*schema.Schema, *model) {
	s, err := parse(db, reflect.New(t).Interface())
	if err != nil {
		return nil, nil
	}
	return s, p.classify(db, s)
}

func (p *Plugin) publish(m *model) *model {
	if m.confined() {
		p.owns.Store(true)
	}
	if m.kind == kindOwned && m.field != nil {
		p.columns.LoadOrStore(columnType{m.field.FieldType, m.field.Size}, m)
	}
	p.models.Store(m.schema, m)
	p.first.put(m)
	if m.kind == kindOwned || m.kind == kindLink || m.kind == kindCentral {
		if old, ok := p.tables.Load(tableKey(m.table)); !ok || old.(*model).field == nil {
			p.tables.Store(tableKey(m.table), m)
			p.tables.Store(tableKey(lastSegment(m.table)), m)
		}
	}
	return m
}

// columnType is what decides which tenants a tenant column can hold.
type columnType struct {
	goType reflect.Type
	size   int
}

// fits refuses a tenant that some tenant column cannot hold, or would hold as another's: a database compares the text
// '007' with a number as 7.
func (p *Plugin) fits(a *access) (err error) {
	p.columns.Range(func(_, m any) bool {
		_, err = m.(*model).value(a)
		return err == nil
	})
	return err
}

// newModel judges a schema by itself: declared central, with a tenant field, or neither.
func (p *Plugin) newModel(s *schema.Schema) *model {
	m := &model{plugin: p, schema: s, table: s.Table}
	if p.config.centralTypes[s.ModelType] {
		return m
	}
	if field := p.tenantField(s); field != nil {
		if err := m.own(field); err != nil {
			m.kind, m.err = kindUndeclared, err
		}
		return m
	}
	if p.isolation.Siloed && p.config.ownedTypes[s.ModelType] {
		m.kind = kindOwned
		return m
	}
	// Another struct on an owned table is readable through the table's column, and one on a join table through its links.
	if known, ok := p.tables.Load(tableKey(s.Table)); ok {
		if owner := known.(*model); owner.kind == kindOwned || owner.kind == kindLink {
			m.kind, m.column, m.value, m.sides = owner.kind, owner.column, owner.value, owner.sides
			m.seal()
			return m
		}
	}
	if p.config.allowUndeclared {
		return m
	}
	m.kind = kindUndeclared
	if p.isolation.Siloed {
		m.err = fmt.Errorf("%w: declare %s with tenancy.OwnedModels(&%s{}) if each tenant has its own table, or with "+
			"tenancy.CentralModels", ErrUndeclared, s.ModelType, s.Name)
		return m
	}
	m.err = fmt.Errorf("%w: %s has no tenant field; add `%s string` to it if its rows belong to tenants, or declare it "+
		"with tenancy.CentralModels(&%s{})", ErrUndeclared, s.ModelType, p.config.tenantField, s.Name)
	return m
}

func (p *Plugin) tenantField(s *schema.Schema) *schema.Field {
	for _, f := range s.Fields {
		if f.Tag.Get("tenancy") == "tenant" && f.DBName != "" {
			return f
		}
	}
	if f := s.FieldsByName[p.config.tenantField]; f != nil && f.DBName != "" {
		return f
	}
	return nil
}

// own makes m an owned model with the given tenant field.
func (m *model) own(f *schema.Field) error {
	if !f.Creatable {
		return fmt.Errorf("%w: field %s of %s holds the tenant and must be writable on create", ErrUndeclared, f.Name, m.schema.ModelType)
	}
	m.kind, m.field, m.column = kindOwned, f, f.DBName
	switch f.IndirectFieldType.Kind() {
	case reflect.String:
		m.value = textValue(f)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		m.value = intValue(f)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		m.value = uintValue(f)
	default:
		m.value = scannedValue(f)
	}
	m.seal()
	return nil
}

func (m *model) seal() {
	m.where = clause.Clause{Name: "WHERE", Expression: clause.Where{Exprs: []clause.Expression{m}}}
}

// relations learns the models a schema refers to and the foreign keys between them. p.mu is held.
func (p *Plugin) relations(db *gorm.DB, s *schema.Schema) {
	for _, rel := range s.Relationships.Relations {
		if rel.FieldSchema == nil {
			continue
		}
		p.classifyType(db, rel.FieldSchema.ModelType)
		switch rel.Type {
		case schema.BelongsTo:
			p.addReference(rel.Schema, rel.FieldSchema, rel)
		case schema.HasOne, schema.HasMany: // GORM lists it with the child, too
			p.addReference(rel.FieldSchema, rel.Schema, rel)
		}
	}
	p.links(db, s)
}

// addReference records that child holds a foreign key to parent.
func (p *Plugin) addReference(child, parent *schema.Schema, rel *schema.Relationship) {
	r := reference{target: parent}
	for _, ref := range rel.References {
		if ref.PrimaryValue != "" {
			r.typeOf, r.typeVal = ref.ForeignKey, ref.PrimaryValue
			continue
		}
		r.child = append(r.child, ref.ForeignKey)
		r.parent = append(r.parent, ref.PrimaryKey)
	}
	p.keep(child, r)
}

func (p *Plugin) keep(child *schema.Schema, r reference) {
	for _, known := range p.refs[child.ModelType] {
		if known.same(r) {
			return
		}
	}
	p.refs[child.ModelType] = append(p.refs[child.ModelType], r)
	p.relationCount.Add(1)
}

func (r reference) same(o reference) bool {
	if r.target.ModelType != o.target.ModelType || len(r.child) != len(o.child) || r.typeVal != o.typeVal {
		return false
	}
	for i := range r.child {
		if r.child[i].DBName != o.child[i].DBName || r.parent[i].DBName != o.parent[i].DBName {
			return false
		}
	}
	return true
}

// links learns the join tables of a schema's many-to-many relations. p.mu is held.
func (p *Plugin) links(db *gorm.DB, s *schema.Schema) {
	for _, rel := range s.Relationships.Many2Many {
		join := rel.JoinTable
		if known, ok := p.models.Load(join); ok && known.(*model).kind != kindUndeclared && known.(*model).kind != kindOwned {
			continue
		}
		m := p.newModel(join)
		own := reference{target: s}
		other := reference{target: rel.FieldSchema}
		for _, ref := range rel.References {
			side := &other
			if ref.OwnPrimaryKey {
				side = &own
			}
			if ref.PrimaryValue == "" {
				side.child, side.parent = append(side.child, ref.ForeignKey), append(side.parent, ref.PrimaryKey)
			}
		}
		if m.kind == kindOwned { // a join model with a tenant field of its own
			p.publish(m)
			p.keep(join, own)
			p.keep(join, other)
			continue
		}
		if p.config.centralTypes[join.ModelType] {
			p.publish(m)
			continue
		}
		m = &model{plugin: p, schema: join, table: join.Table}
		for _, side := range []reference{own, other} {
			if _, owner := p.classifyType(db, side.target.ModelType); owner != nil && owner.kind == kindOwned {
				m.kind = kindLink
				m.sides = append(m.sides, side)
			}
		}
		m.seal()
		p.publish(m)
	}
}

// references returns the foreign keys a model holds to owned models, without those that include the tenant column on
// both sides: they cannot leave the tenant.
func (p *Plugin) references(db *gorm.DB, m *model) []reference {
	if m.kind == kindLink {
		return m.sides
	}
	relations := p.relationCount.Load()
	if known := m.refs.Load(); known != nil && known.relations == relations {
		return known.refs
	}
	p.mu.Lock()
	known := p.refs[m.schema.ModelType]
	p.mu.Unlock()
	var refs []reference
	for _, r := range known {
		if parent := p.modelOf(db, r.target); parent.kind == kindOwned && !r.composite(m, parent) {
			refs = append(refs, r)
		}
	}
	m.refs.Store(&knownReferences{relations, refs})
	return refs
}

func (r reference) composite(child, parent *model) bool {
	for i := range r.child {
		if r.child[i].DBName == child.column && r.parent[i].DBName == parent.column {
			return true
		}
	}
	return false
}

// textValue, intValue, uintValue and scannedValue turn a tenant into a value of the tenant column. Two IDs must never
// give one value: a number is refused unless it is written as the ID is.
func textValue(f *schema.Field) func(*access) (any, error) {
	return func(a *access) (any, error) {
		if f.Size > 0 && len(a.id) > f.Size {
			return nil, misfit(f)
		}
		return a.bind, nil
	}
}

func intValue(f *schema.Field) func(*access) (any, error) {
	bits := f.IndirectFieldType.Bits()
	return func(a *access) (any, error) {
		n, err := strconv.ParseInt(string(a.id), 10, bits)
		if err != nil || n == 0 || strconv.FormatInt(n, 10) != string(a.id) {
			return nil, misfit(f)
		}
		return n, nil
	}
}

func uintValue(f *schema.Field) func(*access) (any, error) {
	bits := f.IndirectFieldType.Bits()
	return func(a *access) (any, error) {
		n, err := strconv.ParseUint(string(a.id), 10, bits)
		if err != nil || n == 0 || strconv.FormatUint(n, 10) != string(a.id) {
			return nil, misfit(f)
		}
		return n, nil
	}
}

func scannedValue(f *schema.Field) func(*access) (any, error) {
	return func(a *access) (any, error) {
		scratch := reflect.New(f.Schema.ModelType).Elem()
		if err := f.Set(context.Background(), scratch, string(a.id)); err != nil {
			return nil, misfit(f)
		}
		v, zero := f.ValueOf(context.Background(), scratch)
		if zero || emptyValue(v) || spelling(v) != string(a.id) {
			return nil, misfit(f)
		}
		return v, nil
	}
}

// spelling is the text a column value would be written as in a tenant ID.
func spelling(v any) string {
	if m, ok := v.(encoding.TextMarshaler); ok {
		if b, err := m.MarshalText(); err == nil {
			return string(b)
		}
	}
	if s, ok := v.(fmt.Stringer); ok {
		return s.String()
	}
	if d, ok := v.(driver.Valuer); ok {
		v, _ = d.Value()
	}
	if b, ok := v.([]byte); ok {
		return string(b)
	}
	return fmt.Sprint(v)
}

func misfit(f *schema.Field) error {
	return fmt.Errorf("%w: its id is not a value of column %s (%s)", ErrUnknownTenant, f.DBName, f.FieldType)
}
