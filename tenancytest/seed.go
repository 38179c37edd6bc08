package tenancytest

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/gorm-tenancy/tenancy"
)

// Seed makes rows of two tenants, see [Tenants], for the models and for what their relations lead to: two rows of each for the
// first tenant and three for the second. Without models it takes those declared with tenancy.OwnedModels. The tables must be
// there; places of the tenants are made where the strategy makes places.
//
// Values are derived from the schema: by type and size, other ones for each tenant and row, so that unique columns take them;
// foreign keys lead to rows of the same tenant and the same number, and many-to-many relations link such rows. What has a
// default, and what GORM fills in, is left to them. Hooks run. See [Rows] for what this cannot guess.
//
// Both tenants have the same ids, from 900001 on, where their tables or the primary key hold the tenant. Where tenants share a
// table whose key is the id alone they cannot; the second tenant's then begin at 900021.
//
// Rows of these ids that are there already are taken as they are, so Seed may be called again. The error names the model whose
// rows cannot be made. What was made before it stays. Not safe for concurrent use with itself
// on one database.
func Seed(db *gorm.DB, models ...any) error {
	s, err := newSeeder(db, models)
	if err != nil {
		return err
	}
	return s.all()
}

// seeder makes rows through the plugin, as the application would.
type seeder struct {
	*graph
	given
	ctx    context.Context
	routes []tenancy.Route
	wanted map[*table]bool                     // has rows of both tenants
	made   [2]map[*table]map[int]reflect.Value // pointers to rows, by tenant, table and number
	common map[*table]reflect.Value            // a row of each central table that rows refer to

	columns map[string][2]string // what the tenant column of a table holds for the two
}

func newSeeder(db *gorm.DB, args []any) (*seeder, error) {
	p, err := pluginOf(db)
	if err != nil {
		return nil, err
	}
	s := &seeder{ctx: context.Background(), wanted: map[*table]bool{}, common: map[*table]reflect.Value{}}
	if s.given, err = readModels(p, args); err != nil {
		return nil, err
	}
	if len(s.models) == 0 {
		s.models = p.OwnedModels()
	}
	if len(s.models) == 0 {
		return nil, errors.New("tenancytest: no models: give some, or declare them with tenancy.OwnedModels")
	}
	if s.routes, err = provisioned(s.ctx, p, s.pair[0], s.pair[1]); err != nil {
		return nil, err
	}
	if s.graph, err = newGraph(db, p, s.pair[0], s.models); err != nil {
		return nil, err
	}
	changes, err := p.ColumnChanges(s.pair[0], s.pair[1])
	if err != nil {
		return nil, fmt.Errorf("tenancytest: name two tenants with tenancytest.Tenants: %w", err)
	}
	s.columns = map[string][2]string{}
	for _, c := range changes {
		s.columns[c.Table] = [2]string{spell(c.From), spell(c.To)}
	}
	for i := range s.made {
		s.made[i] = map[*table]map[int]reflect.Value{}
	}
	for _, m := range s.models {
		s.want(m)
	}
	return s, nil
}

// want marks the owned tables that a model leads to.
func (s *seeder) want(model any) {
	stmt := &gorm.Statement{DB: s.db}
	if stmt.Parse(model) != nil {
		return // newGraph has said so
	}
	t := s.tables[stmt.Schema.Table]
	if t == nil || s.wanted[t] || !t.owned {
		return
	}
	s.wanted[t] = true
	for _, rel := range relations(t.schema) {
		s.want(reflect.New(rel.FieldSchema.ModelType).Interface())
	}
}

// all makes the rows, and then links them.
func (s *seeder) all() error {
	for _, t := range s.order {
		if !s.wanted[t] || t.link {
			continue
		}
		if err := s.coverable(t); err != nil {
			return err
		}
		for i := range s.pair {
			for n := 1; n <= s.count(t, i); n++ {
				if _, err := s.make(i, t, n); err != nil {
					return err
				}
			}
		}
	}
	for _, t := range s.order {
		for _, r := range t.refs {
			if err := s.close(t, r); err != nil {
				return err
			}
		}
		for _, rel := range relations(t.schema) {
			if err := s.link(t, rel); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *seeder) coverable(t *table) error {
	if len(t.schema.PrimaryFields) == 0 {
		return fmt.Errorf("tenancytest: %s is not covered: it has no primary key, so no row can be named", t.schema.Name)
	}
	return nil
}

// count is how many rows a tenant gets. The second has one that the first has not.
func (s *seeder) count(t *table, tenant int) int {
	if t.single() {
		return 1
	}
	return 2 + tenant
}

// single reports that a tenant can have one row only.
func (t *table) single() bool {
	if t.Field == nil {
		return false
	}
	if len(t.keyed()) == 0 || t.Field.Unique {
		return true
	}
	for _, x := range t.schema.ParseIndexes() {
		if x.Class == "UNIQUE" && len(x.Fields) == 1 && x.Fields[0].DBName == t.Column && x.Where == "" {
			return true
		}
	}
	return false
}

// make creates row n of a tenant.
func (s *seeder) make(tenant int, t *table, n int) (reflect.Value, error) {
	row, err := s.build(tenant, t, n)
	if err != nil {
		return row, err
	}
	if there, err := s.there(tenant, t, row); err != nil {
		return row, err
	} else if there.IsValid() {
		row = there
	} else if err := s.as(tenant).Omit(clause.Associations).Create(row.Interface()).Error; err != nil {
		return row, fmt.Errorf("tenancytest: %s is not covered: its row cannot be made from the schema; complete it with tenancytest.Rows: %w",
			t.schema.Name, err)
	}
	if s.made[tenant][t] == nil {
		s.made[tenant][t] = map[int]reflect.Value{}
	}
	s.made[tenant][t][n] = row
	return row, nil
}

// there returns the row of the same key that Seed made before, or the only one that the tenant can have.
func (s *seeder) there(tenant int, t *table, row reflect.Value) (reflect.Value, error) {
	key := map[string]any{}
	for _, f := range t.keyed() {
		v, zero := f.ValueOf(s.ctx, row.Elem())
		if zero && !t.single() {
			return reflect.Value{}, nil // a hook or the database gives it
		}
		key[f.DBName] = v
	}
	db := s.as(tenant).Session(&gorm.Session{SkipHooks: true})
	if !t.single() {
		db = db.Where(key)
	}
	found := reflect.New(t.schema.ModelType)
	tx := db.Limit(1).Find(found.Interface())
	if tx.Error != nil {
		return found, fmt.Errorf("tenancytest: %s is not covered: its table cannot be read: %w", t.schema.Name, tx.Error)
	}
	if tx.RowsAffected == 0 || !s.same(tenant, t, row, found) {
		return reflect.Value{}, nil
	}
	return found, nil
}

// same reports whether what was found is what was asked for: this is the package that does not trust the answer.
func (s *seeder) same(tenant int, t *table, row, found reflect.Value) bool {
	for _, f := range t.keyed() {
		want, _ := f.ValueOf(s.ctx, row.Elem())
		got, _ := f.ValueOf(s.ctx, found.Elem())
		if !t.single() && spell(want) != spell(got) {
			return false
		}
	}
	if t.Field == nil {
		return true
	}
	owner, _ := t.Field.ValueOf(s.ctx, found.Elem())
	return spell(owner) == s.columns[t.Name][tenant]
}

// as is a fresh session of a tenant.
func (s *seeder) as(tenant int) *gorm.DB {
	return s.db.Session(&gorm.Session{NewDB: true, Context: tenancy.WithTenant(s.ctx, s.pair[tenant])})
}

// build derives row n of a tenant; the rows that it refers to are there.
func (s *seeder) build(tenant int, t *table, n int) (reflect.Value, error) {
	row := reflect.New(t.schema.ModelType)
	id := s.pair[tenant]
	keys := derived{mark: fmt.Sprintf("key%d", n), number: n}
	own := derived{mark: fmt.Sprintf("%.8s%d", id, n), number: 20*tenant + n}
	if !s.overlap(t) {
		keys = own
	}
	for _, f := range t.schema.Fields {
		switch {
		case f.DBName == "" || f == t.Field || t.refers(f):
		case f.PrimaryKey:
			k := keys
			k.number += keyBase(f)
			k.set(s.ctx, f, row.Elem())
		default:
			own.set(s.ctx, f, row.Elem())
		}
	}
	for _, r := range t.refs {
		if err := s.refer(tenant, t, r, n, row.Elem()); err != nil {
			return row, err
		}
	}
	if set := s.sets[t.schema.ModelType]; set != nil {
		set(n, row.Interface())
	}
	return row, nil
}

// overlap reports whether both tenants may have the same ids.
func (s *seeder) overlap(t *table) bool {
	return t.byTenant() || !s.routes[0].Shared || !s.routes[1].Shared
}

// refers reports whether the field is a foreign key, or says of a polymorphic one what it points at.
func (t *table) refers(f *schema.Field) bool {
	for _, r := range t.refs {
		if f == r.typeOf {
			return true
		}
		for _, c := range r.child {
			if c.DBName == f.DBName && f.DBName != t.Column {
				return true
			}
		}
	}
	return false
}

// refer points a row at row n of the same tenant.
func (s *seeder) refer(tenant int, t *table, r *reference, n int, row reflect.Value) error {
	parent := row
	switch {
	case r.skipped:
		return nil // see seeder.close
	case r.parent == t && nullable(r.child):
		first, ok := s.made[tenant][t][1]
		if n == 1 || !ok {
			return nil
		}
		parent = first.Elem()
	case r.parent != t:
		p, err := s.parent(tenant, r.parent, n)
		if err != nil {
			return err
		}
		if !p.IsValid() {
			return nil
		}
		parent = p.Elem()
	}
	if r.typeOf != nil {
		if _, zero := r.typeOf.ValueOf(s.ctx, row); !zero {
			return nil // points at something else
		}
		if err := r.typeOf.Set(s.ctx, row, r.typeVal); err != nil {
			return err
		}
	}
	return r.point(s.ctx, t, row, parent)
}

// close fills in foreign keys that had to wait for their parents.
func (s *seeder) close(t *table, r *reference) error {
	if !r.skipped || !s.wanted[t] || r.typeOf != nil {
		return nil
	}
	for tenant := range s.pair {
		for n, row := range s.made[tenant][t] {
			parent, err := s.parent(tenant, r.parent, n)
			if err != nil || !parent.IsValid() {
				return err
			}
			if err := r.point(s.ctx, t, row.Elem(), parent.Elem()); err != nil {
				return err
			}
			values := map[string]any{}
			for _, f := range r.child {
				if f.DBName != t.Column {
					values[f.DBName], _ = f.ValueOf(s.ctx, row.Elem())
				}
			}
			if err := s.as(tenant).Model(bare(s.ctx, t.schema, row)).Updates(values).Error; err != nil {
				return fmt.Errorf("tenancytest: %s is not covered: its foreign key to %s cannot be set: %w", t.schema.Name, r.parent.schema.Name, err)
			}
		}
	}
	return nil
}

// point sets the foreign key, but for the tenant in it.
func (r *reference) point(ctx context.Context, t *table, row, parent reflect.Value) error {
	for i, f := range r.child {
		if f.DBName == t.Column {
			continue
		}
		v, _ := r.parted[i].ValueOf(ctx, parent)
		if err := f.Set(ctx, row, v); err != nil {
			return err
		}
	}
	return nil
}

// parent returns row n of a table, or the nearest there is.
func (s *seeder) parent(tenant int, t *table, n int) (reflect.Value, error) {
	if !t.owned {
		return s.central(t)
	}
	made := s.made[tenant][t]
	if row, ok := made[n]; ok {
		return row, nil
	}
	return made[1], nil
}

// central returns a row of a central table: one that is there, or a new one.
func (s *seeder) central(t *table) (reflect.Value, error) {
	if row, ok := s.common[t]; ok {
		return row, nil
	}
	db := s.db.Session(&gorm.Session{NewDB: true, Context: tenancy.Central(s.ctx)})
	row := reflect.New(t.schema.ModelType)
	found := db.Limit(1).Find(row.Interface())
	if found.Error != nil {
		return row, fmt.Errorf("tenancytest: central %s: %w", t.schema.Name, found.Error)
	}
	if found.RowsAffected == 0 {
		built, err := s.build(0, t, 1)
		if err != nil {
			return row, err
		}
		row = built
		if err := db.Omit(clause.Associations).Create(row.Interface()).Error; err != nil {
			return row, fmt.Errorf("tenancytest: the central %s has no rows, and none can be made; seed one: %w", t.schema.Name, err)
		}
	}
	s.common[t] = row
	return row, nil
}

// link fills a many-to-many relation between rows of the same number.
func (s *seeder) link(t *table, rel *schema.Relationship) error {
	other := s.tables[rel.FieldSchema.Table]
	if rel.Type != schema.Many2Many || !s.wanted[t] || other == nil || !other.owned {
		return nil
	}
	for tenant := range s.pair {
		for n, row := range s.made[tenant][t] {
			to := s.made[tenant][other][n]
			if !to.IsValid() {
				continue
			}
			err := s.as(tenant).Model(bare(s.ctx, t.schema, row)).Association(rel.Name).Append(bare(s.ctx, other.schema, to))
			if err != nil {
				return fmt.Errorf("tenancytest: %s.%s is not covered: its rows cannot be linked: %w", t.schema.Name, rel.Name, err)
			}
		}
	}
	return nil
}

// bare returns a pointer to a copy of a row without what was loaded with it. Fields that are left out are empty.
func bare(ctx context.Context, s *schema.Schema, row reflect.Value, without ...*schema.Field) any {
	c := reflect.New(s.ModelType)
next:
	for _, f := range s.Fields {
		if f.DBName == "" {
			continue
		}
		for _, w := range without {
			if w == f {
				continue next
			}
		}
		if _, zero := f.ValueOf(ctx, row.Elem()); !zero {
			f.ReflectValueOf(ctx, c.Elem()).Set(f.ReflectValueOf(ctx, row.Elem()))
		}
	}
	return c.Interface()
}
