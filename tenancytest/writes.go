package tenancytest

import (
	"context"
	"errors"
	"reflect"
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/gorm-tenancy/tenancy"
)

// writeVerb is a way to write.
type writeVerb struct {
	name string
	run  func(db *gorm.DB, at target) error
	// only says that it is about the own row, or about the other tenant's, alone; the other is tried by another verb.
	only scope
	// must is that it has to work for the actor although it is about the other tenant's row.
	must bool
	// mine is the own row, where it is not the subject's.
	mine reflect.Value
	// may is that constraints of the application may stand in the way of the own row.
	may bool
}

type scope int

const (
	both scope = iota
	ownOnly
	otherOnly
)

// writes tries every way to write.
func (c *check) writes(m *subject) error {
	verbs := slices.Concat(m.creates(), m.updates(), m.deletes(), m.textWrites())
	for _, rel := range relations(m.schema) {
		if other := c.tables[rel.FieldSchema.Table]; other != nil && other.owned {
			verbs = append(verbs, m.relationWrites(rel, other)...)
		}
	}
	for _, v := range verbs {
		for _, own := range []bool{true, false} {
			if own && v.only == otherOnly || !own && v.only == ownOnly {
				continue
			}
			if err := c.attempt(m, v, m.from(v.mine, own)); err != nil {
				return err
			}
		}
	}
	return nil
}

// attempt runs a verb and looks what became of everybody's rows.
func (c *check) attempt(m *subject, v writeVerb, at target) error {
	err := v.run(quiet(c.session()), at)
	now, stateErr := c.past.state()
	if stateErr != nil {
		return stateErr
	}
	now.inherit(c.start)
	actor := c.pair[actor]
	crossed := now.crossing(actor)
	was, is := c.start.others(actor), now.others(actor)
	changed := !slices.Equal(now.of(actor), c.start.of(actor))
	switch {
	case !slices.Equal(was, is):
		c.fail(m, v.name, "LEAK: %s: tenant %q changed rows that are not its own:%s", at, actor, difference(is, was))
	case len(crossed) > 0:
		c.fail(m, v.name, "LEAK: %s: a row of tenant %q points at another tenant's: %s", at, actor, crossed[0])
	case v.must && err != nil && !refusal(err):
		c.fail(m, v.name, "LEAK: tenant %q learns which values others have, because this fails: %v", actor, err)
	case at.own && err != nil && !(v.may && !refusal(err)):
		c.fail(m, v.name, "the positive control failed, so nothing is shown: %v", err)
	case at.own && err == nil && !changed:
		c.fail(m, v.name, "the positive control changed nothing, so nothing is shown")
	}
	if now.same(c.start) {
		return nil
	}
	return c.past.restore(c.start)
}

// crossing lists rows of a tenant whose foreign keys lead to other tenants' rows of the same table.
func (s state) crossing(tenant tenancy.ID) (all []string) {
	owners := s.targets()
	for _, rec := range s {
		if rec.owner != string(tenant) {
			continue
		}
		for _, r := range rec.table.refs {
			if !rec.table.crosses(r) || r.typeOf != nil && rec.get([]string{r.typeOf.DBName})[0] != r.typeVal {
				continue
			}
			owner, ok := owners[pointer(rec.view, r.parent.Name, columns(r.parted), rec.get(columns(r.child)))]
			if ok && owner != string(tenant) && owner != "both" {
				all = append(all, rec.text)
			}
		}
	}
	return all
}

// fresh returns a pointer to a row that is not there yet.
func (m *subject) fresh(n int) (reflect.Value, error) { return m.c.build(actor, m.table, n) }

// creates are the ways to create a row.
func (m *subject) creates() []writeVerb {
	if m.single() {
		return m.plant()
	}
	verbs := []writeVerb{
		{name: "create", only: ownOnly, run: func(db *gorm.DB, at target) error {
			row, err := m.fresh(fresh)
			return errors.Join(err, bareOf(db).Create(row.Interface()).Error)
		}},
		{name: "create in batches", only: ownOnly, run: func(db *gorm.DB, at target) error {
			row, err := m.fresh(fresh)
			list := reflect.New(reflect.SliceOf(m.schema.ModelType))
			list.Elem().Set(reflect.Append(list.Elem(), row.Elem()))
			return errors.Join(err, bareOf(db).CreateInBatches(list.Interface(), 1).Error)
		}},
		{name: "create with another tenant's key", only: otherOnly, run: func(db *gorm.DB, at target) error {
			row, err := m.fresh(fresh)
			if err != nil {
				return err
			}
			at.copy(row.Elem(), at.keyed())
			return bareOf(db).Create(row.Interface()).Error
		}},
		{name: "create with another tenant's values", only: otherOnly, must: true, run: func(db *gorm.DB, at target) error {
			row, err := m.fresh(fresh)
			if err != nil {
				return err
			}
			at.copy(row.Elem(), m.plain())
			return bareOf(db).Create(row.Interface()).Error
		}},
		{name: "first or create", run: func(db *gorm.DB, at target) error {
			row, err := m.fresh(fresh)
			if err != nil {
				return err
			}
			if at.own { // a new one
				return bareOf(db).Where(target{m, row, true}.key()).Attrs(row.Interface()).FirstOrCreate(at.new()).Error
			}
			v := at.new()
			err = bareOf(db).Where(at.key()).Attrs(row.Interface()).FirstOrCreate(v).Error
			m.unseen("first or create", v)
			return err
		}},
		{name: "upsert that does nothing", only: otherOnly, run: func(db *gorm.DB, at target) error {
			return bareOf(db).Clauses(clause.OnConflict{DoNothing: true}).Create(at.copied(true)).Error
		}},
	}
	for _, r := range m.refs {
		if r.parent.owned && r.parent != m.table && !r.skipped {
			verbs = append(verbs, m.pointing(r))
		}
	}
	return append(verbs, m.plant()...)
}

// plant are the ways to give another tenant a row.
func (m *subject) plant() []writeVerb {
	if m.Field == nil {
		return nil
	}
	theirs := func() (reflect.Value, error) {
		row, err := m.c.build(victim, m.table, fresh)
		if err == nil {
			target{m, m.other, false}.copy(row.Elem(), []*schema.Field{m.Field})
		}
		return row, err
	}
	return []writeVerb{
		{name: "create for another tenant", only: otherOnly, run: func(db *gorm.DB, at target) error {
			row, err := theirs()
			return errors.Join(err, bareOf(db).Create(row.Interface()).Error)
		}},
		{name: "create for another tenant from a map", only: otherOnly, run: func(db *gorm.DB, at target) error {
			row, err := theirs()
			values := map[string]any{}
			for _, f := range m.schema.Fields {
				if v, zero := f.ValueOf(m.c.ctx, row.Elem()); f.DBName != "" && f.Creatable && !zero {
					values[f.DBName] = v
				}
			}
			return errors.Join(err, db.Model(m.new()).Create(values).Error)
		}},
		{name: "give to another tenant", only: otherOnly, run: func(db *gorm.DB, at target) error {
			theirs, _ := m.Field.ValueOf(m.c.ctx, m.other.Elem())
			return db.Model(m.new()).Where(m.about(true).key()).Update(m.Column, theirs).Error
		}},
	}
}

// pointing points a new row, and an old one, at another tenant's row.
func (m *subject) pointing(r *reference) writeVerb {
	return writeVerb{name: "create with a foreign key to " + r.parent.schema.Name, run: func(db *gorm.DB, at target) error {
		row, err := m.fresh(fresh)
		if err != nil {
			return err
		}
		if !at.own {
			if err := r.point(m.c.ctx, m.table, row.Elem(), m.c.last(victim, r.parent).Elem()); err != nil {
				return err
			}
		}
		err = bareOf(db).Create(row.Interface()).Error
		if at.own {
			return err
		}
		values := map[string]any{}
		for _, f := range r.child {
			if f.DBName != m.Column && f.Updatable && !f.PrimaryKey {
				values[f.DBName], _ = f.ValueOf(m.c.ctx, row.Elem())
			}
		}
		if len(values) > 0 {
			err = errors.Join(err, db.Model(m.new()).Where(m.about(true).key()).Updates(values).Error)
		}
		return err
	}}
}

// unseen fails the test if what was loaded is another tenant's row.
func (m *subject) unseen(verb string, v any) {
	row := reflect.ValueOf(v)
	for _, f := range m.plain() {
		got, zero := f.ValueOf(m.c.ctx, row.Elem())
		if text, ok := got.(string); ok && !zero {
			if theirs, _ := f.ValueOf(m.c.ctx, m.other.Elem()); theirs == text {
				m.c.fail(m, verb, "LEAK: other tenant's row: it was read: %s", dump(v))
				return
			}
		}
	}
}

// plain are the columns that are neither keys nor the tenant's, and that the application writes.
func (m *subject) plain() (fields []*schema.Field) {
	for _, f := range m.schema.Fields {
		if f.DBName != "" && f != m.Field && !f.PrimaryKey && !m.table.refers(f) && !leftAlone(f) {
			fields = append(fields, f)
		}
	}
	return fields
}

// copy takes values of fields from the row.
func (t target) copy(to reflect.Value, fields []*schema.Field) {
	for _, f := range fields {
		f.ReflectValueOf(t.c.ctx, to).Set(f.ReflectValueOf(t.c.ctx, t.row.Elem()))
	}
}

// bareOf leaves out associations, which are tried by themselves.
func bareOf(db *gorm.DB) *gorm.DB { return db.Omit(clause.Associations) }

// changeable is the column that updates write, and a value that no row has; nil where no column may change.
func (m *subject) changeable() (*schema.Field, any) {
	var second *schema.Field
	for _, f := range m.plain() {
		if !f.Updatable || len((derived{}).values(f)) == 0 {
			continue
		}
		if f.IndirectFieldType.Kind() == reflect.Bool || f.Unique || f.Serializer != nil {
			if second == nil {
				second = f
			}
			continue
		}
		return f, m.unlike(f)
	}
	if second == nil {
		return nil, nil
	}
	if second.IndirectFieldType.Kind() == reflect.Bool {
		now, _ := second.ValueOf(m.c.ctx, m.own.Elem())
		b, _ := now.(bool)
		return second, !b
	}
	return second, m.unlike(second)
}

// unlike is a value of a field in a row that was never made.
func (m *subject) unlike(f *schema.Field) any {
	row, err := m.fresh(fresh + 1)
	if err != nil {
		return nil
	}
	v, _ := f.ValueOf(m.c.ctx, row.Elem())
	return v
}

// updates are the ways to update a row.
func (m *subject) updates() []writeVerb {
	f, value := m.changeable()
	if f == nil {
		m.c.t.Logf("tenancytest: %s: it has no column to update", m.schema.Name)
		return []writeVerb{{name: "upsert", only: otherOnly, run: func(db *gorm.DB, at target) error {
			return bareOf(db).Clauses(clause.OnConflict{UpdateAll: true}).Create(at.copied(true)).Error
		}}}
	}
	changed := func(at target, tenantless bool) any {
		row := at.copied(tenantless)
		_ = f.Set(m.c.ctx, reflect.ValueOf(row).Elem(), value)
		return row
	}
	return []writeVerb{
		{name: "update by key", run: func(db *gorm.DB, at target) error {
			return db.Model(at.identified()).Update(f.DBName, value).Error
		}},
		{name: "update by condition", run: func(db *gorm.DB, at target) error {
			return db.Model(m.new()).Where(at.key()).Update(f.DBName, value).Error
		}},
		{name: "update by OR", run: func(db *gorm.DB, at target) error {
			return db.Model(m.new()).Where("1 = 0").Or(at.key()).Update(f.DBName, value).Error
		}},
		{name: "updates with a map", run: func(db *gorm.DB, at target) error {
			return db.Model(m.new()).Where(at.key()).Updates(map[string]any{f.DBName: value}).Error
		}},
		{name: "updates with a struct", run: func(db *gorm.DB, at target) error {
			return db.Model(m.new()).Where(at.key()).Select(f.Name).Updates(changed(at, true)).Error
		}},
		{name: "update column", run: func(db *gorm.DB, at target) error {
			return db.Model(m.new()).Where(at.key()).UpdateColumn(f.DBName, value).Error
		}},
		{name: "update in a table", run: func(db *gorm.DB, at target) error {
			return db.Table(m.Name).Where(at.key()).Updates(map[string]any{f.DBName: value}).Error
		}},
		{name: "update all", only: ownOnly, run: func(db *gorm.DB, at target) error {
			return db.Model(m.new()).Where("1 = 1").Updates(map[string]any{f.DBName: value}).Error
		}, may: true}, // the column may be unique
		{name: "save", run: func(db *gorm.DB, at target) error { return bareOf(db).Save(changed(at, false)).Error }},
		{name: "upsert", run: func(db *gorm.DB, at target) error {
			return bareOf(db).Clauses(clause.OnConflict{UpdateAll: true}).Create(changed(at, true)).Error
		}},
		{name: "save without its tenant", only: otherOnly, run: func(db *gorm.DB, at target) error {
			return bareOf(db).Save(changed(at, true)).Error
		}},
	}
}

// deletes are the ways to delete a row. What points at it may stand in the way.
func (m *subject) deletes() []writeVerb {
	return []writeVerb{
		{name: "delete by key", may: true, run: func(db *gorm.DB, at target) error { return db.Delete(at.identified()).Error }},
		{name: "delete by condition", may: true, run: func(db *gorm.DB, at target) error {
			return db.Where(at.key()).Delete(m.new()).Error
		}},
		{name: "delete by OR", may: true, run: func(db *gorm.DB, at target) error {
			return db.Where("1 = 0").Or(at.key()).Delete(m.new()).Error
		}},
		{name: "delete a list", may: true, run: func(db *gorm.DB, at target) error {
			list := reflect.New(reflect.SliceOf(m.schema.ModelType))
			list.Elem().Set(reflect.Append(list.Elem(), reflect.ValueOf(at.copied(false)).Elem()))
			return db.Delete(list.Interface()).Error
		}},
		{name: "delete unscoped", may: true, run: func(db *gorm.DB, at target) error {
			return db.Unscoped().Where(at.key()).Delete(m.new()).Error
		}},
		{name: "delete in a table", may: true, run: func(db *gorm.DB, at target) error {
			return db.Table(m.Name).Where(at.key()).Delete(nil).Error
		}},
	}
}

// textWrites are SQL text: held by the database, or refused.
func (m *subject) textWrites() []writeVerb {
	if !m.c.routes[actor].Confined {
		return []writeVerb{{name: "SQL text", only: otherOnly, run: func(db *gorm.DB, at target) error {
			table := db.Statement.Quote(m.Name)
			err := db.Raw("SELECT * FROM " + table).Scan(&[]map[string]any{}).Error
			if !errors.Is(err, tenancy.ErrUnconfined) {
				m.c.fail(m, "SQL text", "LEAK: nothing holds it, and it is not refused: %v", err)
			}
			return db.Exec("DELETE FROM " + table).Error
		}}}
	}
	return []writeVerb{{name: "SQL text", may: true, run: func(db *gorm.DB, at target) error {
		where, vars := named(db, at.key())
		return db.Exec("DELETE FROM "+db.Statement.Quote(m.Name)+" WHERE 1 = 0 OR ("+where+")", vars...).Error
	}}}
}

// nobody tries without a tenant what must be refused.
func (c *check) nobody(m *subject) error {
	var verbs []writeVerb
	for _, r := range []struct {
		name string
		run  func(db *gorm.DB, at target) error
	}{
		{"find", func(db *gorm.DB, at target) error { return db.Find(m.list()).Error }},
		{"count", func(db *gorm.DB, at target) error { return db.Model(m.new()).Count(new(int64)).Error }},
		{"delete", func(db *gorm.DB, at target) error { return db.Where("1 = 1").Delete(m.new()).Error }},
		{"create", func(db *gorm.DB, at target) error {
			row, err := m.fresh(fresh)
			return errors.Join(err, bareOf(db).Create(row.Interface()).Error)
		}},
		{"save", func(db *gorm.DB, at target) error { return bareOf(db).Save(at.copied(false)).Error }},
	} {
		verbs = append(verbs, writeVerb{name: r.name + " without a tenant", run: r.run})
	}
	for _, v := range verbs {
		db := c.db.Session(&gorm.Session{NewDB: true, Context: context.Background()})
		err := v.run(quiet(db), m.about(true))
		now, stateErr := c.past.state()
		if stateErr != nil {
			return stateErr
		}
		if err == nil || !now.same(c.start) {
			c.fail(m, v.name, "LEAK: it is not refused:%s", difference(now.texts(), c.start.texts()))
			if err := c.past.restore(c.start); err != nil {
				return err
			}
		}
	}
	return nil
}
