package archive

import (
	"fmt"
	"slices"

	"gorm.io/gorm/schema"
)

// reference is a foreign key of one owned table to another, known by the relations of the models.
type reference struct {
	parent     *table
	pairs      []pair // without the tenant column
	typeColumn string // of a polymorphic reference
	typeValue  string
	optional   bool // its columns may be NULL
	deferred   bool // the parent's rows may come later
}

type pair struct{ child, parent string }

// findReferences fills in the references of the tables.
func findReferences(tables []*table) {
	for _, t := range tables {
		for _, rel := range t.schema.Relationships.Relations {
			owner := rel.Schema.Table // GORM lists relations with the other side, too
			switch rel.Type {
			case schema.BelongsTo:
				add(tables, owner, rel.FieldSchema.Table, rel.References)
			case schema.HasOne, schema.HasMany:
				add(tables, rel.FieldSchema.Table, owner, rel.References)
			case schema.Many2Many:
				var own, other []*schema.Reference
				for _, ref := range rel.References {
					if ref.OwnPrimaryKey || ref.PrimaryValue != "" {
						own = append(own, ref)
					} else {
						other = append(other, ref)
					}
				}
				add(tables, rel.JoinTable.Table, owner, own)
				add(tables, rel.JoinTable.Table, rel.FieldSchema.Table, other)
			}
		}
	}
}

// add records that child holds a foreign key to parent, if both are owned.
func add(tables []*table, child, parent string, refs []*schema.Reference) {
	from, to := find(tables, child), find(tables, parent)
	if from == nil || to == nil {
		return
	}
	r := &reference{parent: to, optional: true}
	for _, ref := range refs {
		if ref.PrimaryValue != "" {
			r.typeColumn, r.typeValue = ref.ForeignKey.DBName, ref.PrimaryValue
			continue
		}
		if ref.ForeignKey.DBName == from.tenant {
			continue
		}
		if from.column(ref.ForeignKey.DBName) < 0 || to.column(ref.PrimaryKey.DBName) < 0 {
			return // not in the database
		}
		r.pairs = append(r.pairs, pair{ref.ForeignKey.DBName, ref.PrimaryKey.DBName})
		f := from.schema.FieldsByDBName[ref.ForeignKey.DBName]
		r.optional = r.optional && !f.NotNull && !f.PrimaryKey
	}
	same := func(o *reference) bool {
		return o.parent == to && o.typeValue == r.typeValue && o.typeColumn == r.typeColumn && slices.Equal(o.pairs, r.pairs)
	}
	if len(r.pairs) == 0 || slices.ContainsFunc(from.refs, same) {
		return
	}
	from.refs = append(from.refs, r)
}

// applies reports whether a row of t makes the reference, and returns the key it refers to by the parent's columns. A
// column of a number that is zero refers to nothing, as GORM has it.
func (r *reference) applies(t *table, values []any) (map[string]any, bool) {
	if r.typeColumn != "" {
		i := t.column(r.typeColumn)
		if i < 0 || fmt.Sprint(values[i]) != r.typeValue {
			return nil, false
		}
	}
	key := map[string]any{}
	for _, p := range r.pairs {
		v := values[t.column(p.child)]
		if v == nil || v == int64(0) {
			return nil, false
		}
		key[p.parent] = v
	}
	return key, true
}
