package tenancytest

import (
	"errors"
	"reflect"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"
)

// read is a way to read rows. It returns what was read, for comparison, and how many.
type readVerb struct {
	name string
	run  func(db *gorm.DB, at target) (any, int, error)
	all  bool          // reads everything: what it is about does not matter
	mine reflect.Value // the own row, where it is not the subject's
}

// readVerbs are the ways to read every model.
func (m *subject) readVerbs() []readVerb {
	verbs := []readVerb{
		{name: "find", all: true, run: func(db *gorm.DB, at target) (any, int, error) { return rowsOf(at.list(), db.Find) }},
		{name: "find by condition", run: func(db *gorm.DB, at target) (any, int, error) {
			return rowsOf(at.list(), db.Where(at.key()).Find)
		}},
		{name: "find by OR", run: func(db *gorm.DB, at target) (any, int, error) {
			return rowsOf(at.list(), db.Where("1 = 0").Or(at.key()).Find)
		}},
		{name: "first by key", run: func(db *gorm.DB, at target) (any, int, error) {
			v := at.identified()
			tx := db.First(v)
			return v, int(tx.RowsAffected), tx.Error
		}},
		{name: "take", run: func(db *gorm.DB, at target) (any, int, error) {
			v := at.new()
			tx := db.Where(at.key()).Take(v)
			return v, int(tx.RowsAffected), tx.Error
		}},
		{name: "count", all: true, run: func(db *gorm.DB, at target) (any, int, error) { return counted(db.Model(at.new())) }},
		{name: "count by condition", run: func(db *gorm.DB, at target) (any, int, error) {
			return counted(db.Model(at.new()).Where(at.key()))
		}},
		{name: "pluck", run: func(db *gorm.DB, at target) (any, int, error) {
			var v []any
			tx := db.Model(at.new()).Where(at.key()).Pluck(at.schema.PrimaryFields[0].DBName, &v)
			return v, len(v), tx.Error
		}},
		{name: "scan into maps", run: func(db *gorm.DB, at target) (any, int, error) {
			var v []map[string]any
			tx := db.Model(at.new()).Select(at.selectable()).Where(at.key()).Find(&v)
			return v, len(v), tx.Error
		}},
		{name: "rows", run: func(db *gorm.DB, at target) (any, int, error) { return scanned(db.Model(at.new()).Where(at.key()), at) }},
		{name: "table", run: func(db *gorm.DB, at target) (any, int, error) {
			var v []map[string]any
			tx := db.Table(at.Name).Where(at.key()).Find(&v)
			return v, len(v), tx.Error
		}},
		{name: "unscoped", run: func(db *gorm.DB, at target) (any, int, error) {
			return rowsOf(at.list(), db.Unscoped().Where("1 = 0").Or(at.key()).Find)
		}},
		{name: "sub-query", run: func(db *gorm.DB, at target) (any, int, error) {
			column := at.schema.PrimaryFields[len(at.schema.PrimaryFields)-1].DBName
			sub := db.Session(&gorm.Session{NewDB: true}).Model(at.new()).Select(column).Where(at.key())
			return rowsOf(at.list(), db.Where(db.Statement.Quote(column)+" IN (?)", sub).Find)
		}},
		{name: "first or init", run: func(db *gorm.DB, at target) (any, int, error) {
			v := at.new()
			tx := db.Where(at.key()).FirstOrInit(v)
			return v, int(tx.RowsAffected), tx.Error
		}},
		{name: "in a transaction", run: func(db *gorm.DB, at target) (any, int, error) {
			v := at.list()
			n := 0
			err := db.Transaction(func(tx *gorm.DB) error {
				found := tx.Where(at.key()).Find(v)
				n = int(found.RowsAffected)
				return found.Error
			})
			return v, n, err
		}},
	}
	if m.schema.PrioritizedPrimaryField != nil { // what FindInBatches needs
		verbs = append(verbs, readVerb{name: "in batches", run: func(db *gorm.DB, at target) (any, int, error) {
			var all []string
			v := at.list()
			tx := db.Where(at.key()).FindInBatches(v, 1, func(tx *gorm.DB, _ int) error {
				if all = append(all, dump(v)); len(all) > 20 { // a key names one row
					return errors.New("the batches do not end")
				}
				return nil
			})
			return all, len(all), tx.Error
		}})
	}
	for _, rel := range relations(m.schema) {
		if other := m.c.tables[rel.FieldSchema.Table]; other != nil && other.owned {
			verbs = append(verbs, m.relationReads(rel)...)
		}
	}
	return append(verbs, m.textReads()...)
}

func (m *subject) relationReads(rel *schema.Relationship) []readVerb {
	related := func(at target, v any) int { // how many related rows were loaded
		n := 0
		list := reflect.ValueOf(v).Elem()
		for i := range list.Len() {
			f := reflect.Indirect(rel.Field.ReflectValueOf(at.c.ctx, list.Index(i)))
			switch {
			case !f.IsValid():
			case f.Kind() == reflect.Slice:
				n += f.Len()
			case !f.IsZero():
				n++
			}
		}
		return n
	}
	verbs := []readVerb{
		{name: "preload " + rel.Name, run: func(db *gorm.DB, at target) (any, int, error) {
			v := at.list()
			tx := db.Preload(rel.Name).Where("1 = 0").Or(at.key()).Find(v)
			return v, related(at, v), tx.Error
		}},
		{name: "find " + rel.Name, run: func(db *gorm.DB, at target) (any, int, error) {
			v := reflect.New(reflect.SliceOf(rel.FieldSchema.ModelType))
			err := db.Model(at.copied(false)).Association(rel.Name).Find(v.Interface())
			return v.Interface(), v.Elem().Len(), err
		}},
		{name: "count " + rel.Name, run: func(db *gorm.DB, at target) (any, int, error) {
			a := db.Model(at.copied(false)).Association(rel.Name)
			n := a.Count()
			return n, int(n), a.Error
		}},
	}
	if rel.Type == schema.BelongsTo || rel.Type == schema.HasOne {
		verbs = append(verbs, readVerb{name: "join " + rel.Name, run: func(db *gorm.DB, at target) (any, int, error) {
			v := at.list()
			tx := db.Joins(rel.Name).Where(at.key()).Find(v)
			return v, related(at, v), tx.Error
		}})
	}
	for i := range verbs {
		verbs[i].mine = m.ends(rel, m.c.tables[rel.FieldSchema.Table]).own
	}
	return verbs
}

// selectable are the columns that GORM scans into maps.
func (m *subject) selectable() (names []string) {
	for _, f := range m.schema.Fields {
		if f.DBName != "" && f.Readable && f.Serializer == nil {
			names = append(names, f.DBName)
		}
	}
	return names
}

// identified is a row with nothing but its primary key, and its tenant if that is part of it.
func (t target) identified() any {
	var others []*schema.Field
	for _, f := range t.schema.Fields {
		if !f.PrimaryKey {
			others = append(others, f)
		}
	}
	return bare(t.c.ctx, t.schema, t.row, others...)
}

func rowsOf(list any, find func(any, ...any) *gorm.DB) (any, int, error) {
	tx := find(list)
	return list, reflect.ValueOf(list).Elem().Len(), tx.Error
}

func counted(tx *gorm.DB) (any, int, error) {
	var n int64
	err := tx.Count(&n).Error
	return n, int(n), err
}

func scanned(tx *gorm.DB, at target) (any, int, error) {
	rows, err := tx.Rows()
	if err != nil {
		return nil, 0, err
	}
	defer rows.Close()
	var all []any
	for rows.Next() {
		v := at.new()
		if err := tx.ScanRows(rows, v); err != nil {
			return all, len(all), err
		}
		all = append(all, v)
	}
	return all, len(all), rows.Err()
}

// outcome is what a read came to.
type outcome struct {
	text string
	n    int
	err  string
}

func (c *check) look(v readVerb, at target) outcome {
	found, n, err := v.run(quiet(c.session()), at)
	o := outcome{text: dump(found), n: n}
	if err != nil {
		o.err, o.text = err.Error(), "" // what GORM left in the destination is nobody's result
		if errors.Is(err, gorm.ErrRecordNotFound) {
			o.text = dump(found)
		}
	}
	return o
}

// reads tries every way to read, first with the victim's rows there and then without them: the actor must not see a difference.
func (c *check) reads(m *subject) error {
	verbs := m.readVerbs()
	var with [2][]outcome
	for i, own := range []bool{true, false} {
		for _, v := range verbs {
			if v.all && !own {
				with[i] = append(with[i], outcome{})
				continue
			}
			with[i] = append(with[i], c.look(v, m.from(v.mine, own)))
		}
	}
	now, err := c.past.state()
	if err != nil {
		return err
	}
	if !now.same(c.start) {
		c.fail(m, "read", "LEAK: reading changed rows:%s", difference(now.texts(), c.start.texts()))
	}
	if err := c.past.restore(c.start.without(c.pair[actor])); err != nil {
		return err
	}
	for i, own := range []bool{true, false} {
		for j, v := range verbs {
			if v.all && !own {
				continue
			}
			c.compare(m, v, m.about(own), with[i][j], c.look(v, m.from(v.mine, own)))
		}
	}
	return c.past.restore(c.start)
}

func (c *check) compare(m *subject, v readVerb, at target, with, alone outcome) {
	switch {
	case with != alone:
		c.fail(m, v.name, "LEAK: %s: what tenant %q reads depends on rows of others:\n\twith them    %s\n\twithout them %s", at, c.pair[actor], with, alone)
	case at.own && with.err != "":
		c.fail(m, v.name, "the positive control failed, so nothing is shown: %s", with.err)
	case at.own && with.n == 0:
		c.fail(m, v.name, "the positive control found nothing, so nothing is shown")
	}
}

func (o outcome) String() string {
	if o.err != "" {
		return "error: " + o.err
	}
	return o.text
}

// texts are all rows.
func (s state) texts() (all []string) {
	for _, rec := range s {
		all = append(all, rec.owner+": "+rec.text)
	}
	return all
}

// texts are ways to read with SQL text, which the database holds or the plugin refuses.
func (m *subject) textReads() []readVerb {
	if !m.c.routes[actor].Confined {
		return nil
	}
	return []readVerb{{name: "SQL text", run: func(db *gorm.DB, at target) (any, int, error) {
		var v []map[string]any
		where, vars := named(db, at.key())
		tx := db.Raw("SELECT * FROM "+db.Statement.Quote(at.Name)+" WHERE 1 = 0 OR "+where, vars...).Scan(&v)
		return v, len(v), tx.Error
	}}}
}

// named writes a key as SQL.
func named(db *gorm.DB, key map[string]any) (string, []any) {
	var parts []string
	var vars []any
	for name, v := range key {
		parts = append(parts, db.Statement.Quote(name)+" = ?")
		vars = append(vars, v)
	}
	return strings.Join(parts, " AND "), vars
}
