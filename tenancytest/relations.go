package tenancytest

import (
	"errors"
	"reflect"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"
)

// relationWrites are the ways to change a relation to an owned model. The application's own constraints may forbid some: a row
// that must have a parent cannot be taken from it.
func (m *subject) relationWrites(rel *schema.Relationship, other *table) []writeVerb {
	e := m.ends(rel, other)
	theirs := target{&subject{table: other, c: m.c}, m.c.last(victim, other), false}
	another := target{&subject{table: other, c: m.c}, e.another, true}
	related := func(own bool) any {
		if own {
			return another.copied(false)
		}
		return theirs.copied(false)
	}
	added := both
	if e.another == e.related {
		added = otherOnly // there is no second row to add
	}
	association := func(db *gorm.DB, row any) *gorm.Association { return db.Model(row).Association(rel.Name) }
	mine := func() any { return target{m, e.own, true}.copied(false) }
	verbs := []writeVerb{
		{name: "append to " + rel.Name, may: true, only: added, run: func(db *gorm.DB, at target) error {
			return association(db, mine()).Append(related(at.own))
		}},
		{name: "append to " + rel.Name + " by key", only: otherOnly, run: func(db *gorm.DB, at target) error {
			return association(db, mine()).Append(theirs.copied(true))
		}},
		{name: "append to another tenant's " + rel.Name, only: otherOnly, run: func(db *gorm.DB, at target) error {
			return association(db, at.copied(false)).Append(related(true))
		}},
		{name: "replace " + rel.Name, may: true, only: added, run: func(db *gorm.DB, at target) error {
			return association(db, mine()).Replace(related(at.own))
		}},
		{name: "replace another tenant's " + rel.Name, only: otherOnly, run: func(db *gorm.DB, at target) error {
			return association(db, at.copied(false)).Replace(related(true))
		}},
		{name: "delete from " + rel.Name, may: true, run: func(db *gorm.DB, at target) error {
			if !at.own {
				return association(db, mine()).Delete(related(false))
			}
			return association(db, mine()).Delete(target{another.subject, e.related, true}.copied(false))
		}},
		{name: "delete from another tenant's " + rel.Name, only: otherOnly, run: func(db *gorm.DB, at target) error {
			return association(db, at.copied(false)).Delete(related(false))
		}},
		{name: "clear " + rel.Name, may: true, mine: e.own, run: func(db *gorm.DB, at target) error {
			return association(db, at.copied(false)).Clear()
		}},
		{name: "unscoped clear " + rel.Name, may: true, mine: e.own, run: func(db *gorm.DB, at target) error {
			return association(db, at.copied(false)).Unscoped().Clear()
		}},
		{name: "save with " + rel.Name, only: otherOnly, run: func(db *gorm.DB, at target) error {
			row := mine()
			err := nest(m, rel, row, related(false))
			return errors.Join(err, db.Session(&gorm.Session{FullSaveAssociations: true}).Save(row).Error)
		}},
	}
	if m.single() {
		return verbs
	}
	return append(verbs, writeVerb{name: "create with " + rel.Name, only: otherOnly, run: func(db *gorm.DB, at target) error {
		row, err := m.fresh(fresh)
		if err != nil {
			return err
		}
		err = nest(m, rel, row.Interface(), related(false))
		return errors.Join(err, db.Create(row.Interface()).Error)
	}})
}

// ends are rows of the actor at both ends of a relation: own is related to related, and not to another.
type ends struct{ own, related, another reflect.Value }

func (m *subject) ends(rel *schema.Relationship, other *table) ends {
	first, last := m.c.made[actor][other][1], m.c.last(actor, other)
	switch {
	case other != m.table || rel.Type == schema.Many2Many:
		return ends{m.own, last, first}
	case rel.Type == schema.BelongsTo: // to the first, see seeder.refer
		return ends{m.own, first, last}
	}
	return ends{first, last, first}
}

// nest puts a related row into the field of the relation.
func nest(m *subject, rel *schema.Relationship, row, related any) error {
	field := rel.Field.ReflectValueOf(m.c.ctx, reflect.ValueOf(row).Elem())
	value := reflect.ValueOf(related)
	if field.Kind() == reflect.Slice {
		if field.Type().Elem().Kind() != reflect.Pointer {
			value = value.Elem()
		}
		field.Set(reflect.Append(field, value))
		return nil
	}
	if field.Kind() != reflect.Pointer {
		value = value.Elem()
	}
	field.Set(value)
	return nil
}
