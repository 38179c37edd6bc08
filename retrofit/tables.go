package retrofit

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"github.com/gorm-tenancy/tenancy"
)

// table is an owned table with a tenant column.
type table struct {
	name   string // as the model names it
	quoted string
	alias  string // quoted, without schema
	column string // quoted
	plain  string // the column's name
	kind   string // the column's type
	zero   string // what a program without the plugin writes into the column, as a literal
	legacy string // the tenant of all rows, as a literal; empty with From
	tell   string // an expression over the row: whose it is
	refs   []reference

	primary []string // the model's primary key, without the tenant
	keys    []string // SQLite: the table's
}

// reference is a foreign key of child to an owned parent.
type reference struct {
	child, parent   string
	columns, target []string
	typeColumn      string // of a polymorphic reference
	typeValue       string
}

func (r reference) key() string { return fmt.Sprint(r) }

// link is a join table without tenant column.
type link struct {
	name  string
	sides []tenancy.OwnedLink
}

// learn lists the owned tables and the references between them.
func (r *Retrofit) learn() error {
	owned := r.plugin.OwnedTables()
	refs := references(owned)
	for _, o := range owned {
		if len(o.Links) > 0 {
			r.links = append(r.links, link{o.Name, o.Links})
			continue
		}
		if o.Column == "" || o.Field == nil {
			return fmt.Errorf("%w: table %q has no tenant field; the strategy must be shared", tenancy.ErrUndeclared, o.Name)
		}
		t := &table{
			name: o.Name, quoted: r.quote(o.Name), alias: r.quote(lastSegment(o.Name)), column: r.quote(o.Column), plain: o.Column,
			refs: refs[o.Name],
		}
		for _, name := range o.Schema.PrimaryFieldDBNames {
			if name != o.Column {
				t.primary = append(t.primary, name)
			}
		}
		if !o.Field.NotNull {
			return fmt.Errorf("retrofit: field %s of %s needs the tag `gorm:\"not null\"`, or AutoMigrate takes away what Constrain does",
				o.Field.Name, o.Schema.ModelType)
		}
		t.kind, t.zero = columnOf(r.db, o.Field)
		r.tables = append(r.tables, t)
	}
	if len(r.tables) == 0 {
		return fmt.Errorf("%w: the plugin owns no table; name the models with tenancy.OwnedModels", tenancy.ErrUndeclared)
	}
	return r.tellers()
}

// tellers finds for each table what tells whose its rows are.
func (r *Retrofit) tellers() error {
	for _, m := range r.config.from {
		stmt := &gorm.Statement{DB: r.db}
		if err := stmt.Parse(m.model); err != nil {
			return fmt.Errorf("retrofit: From: %w", err)
		}
		t := r.table(stmt.Schema.Table)
		if t == nil || t.tell != "" {
			return fmt.Errorf("retrofit: From(%T): it is not an owned model, or is given twice", m.model)
		}
		t.tell = "(" + m.query + ")"
	}
	for _, t := range r.tables {
		switch {
		case r.config.legacy != "":
			if t.zero == "0" && strings.Trim(string(r.config.legacy), "0123456789") != "" {
				return fmt.Errorf("retrofit: Legacy: %w: its id is no value of column %s of table %q",
					tenancy.ErrUnknownTenant, t.plain, t.name)
			}
			t.legacy = t.literal(string(r.config.legacy))
			t.tell = t.legacy
		case t.tell == "" && len(t.refs) == 0:
			return fmt.Errorf("retrofit: table %q refers to no owned table: say whose its rows are with retrofit.From", t.name)
		case t.tell == "":
			t.tell = r.inherited(t)
		}
	}
	return nil
}

// inherited is the tenant of the rows that a row refers to.
func (r *Retrofit) inherited(t *table) string {
	each := make([]string, len(t.refs))
	for i, ref := range t.refs {
		parent := r.table(ref.parent)
		each[i] = fmt.Sprintf("(SELECT tenancy_parent.%s FROM %s tenancy_parent WHERE %s)", parent.column, parent.quoted,
			r.joined(ref, t.alias, "tenancy_parent"))
	}
	if len(each) == 1 {
		return each[0]
	}
	return "COALESCE(" + strings.Join(each, ", ") + ")"
}

// joined is the condition under which a row of child refers to one of parent.
func (r *Retrofit) joined(ref reference, child, parent string) string {
	var on []string
	for i := range ref.columns {
		on = append(on, parent+"."+r.quote(ref.target[i])+" = "+child+"."+r.quote(ref.columns[i]))
	}
	if ref.typeColumn != "" {
		on = append(on, child+"."+r.quote(ref.typeColumn)+" = '"+strings.ReplaceAll(ref.typeValue, "'", "''")+"'")
	}
	return strings.Join(on, " AND ")
}

func (r *Retrofit) table(name string) *table {
	for _, t := range r.tables {
		if strings.EqualFold(t.name, name) {
			return t
		}
	}
	return nil
}

func (r *Retrofit) quote(name string) string { return r.db.Statement.Quote(name) }

// missing is the condition of a column without a tenant.
func (t *table) missing(column string) string {
	return "(" + column + " IS NULL OR " + column + " = " + t.zero + ")"
}

// definition is that of the column to be added.
func (t *table) definition() string {
	if t.legacy != "" {
		return t.column + " " + t.kind + " NOT NULL DEFAULT " + t.legacy
	}
	return t.column + " " + t.kind
}

func (t *table) literal(id string) string {
	if t.zero == "0" {
		return id
	}
	return "'" + id + "'"
}

// mark is in the names of a table's triggers, so that others than those of the given text are noticed.
func mark(text string) string {
	sum := sha256.Sum256([]byte(text))
	return prefix + hex.EncodeToString(sum[:5])
}

// prefix begins the names of whatever is there for the time of the retrofit only.
const prefix = "tenancy_retrofit_"

// columnOf returns the type of a tenant column and what stands there when nobody sets it.
func columnOf(db *gorm.DB, f *schema.Field) (kind, zero string) {
	kind = db.Dialector.DataTypeOf(f)
	if m, ok := db.Migrator().(interface{ DataTypeOf(*schema.Field) string }); ok {
		kind = m.DataTypeOf(f)
	}
	switch f.IndirectFieldType.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return kind, "0"
	}
	if strings.EqualFold(kind, "uuid") {
		return kind, "'00000000-0000-0000-0000-000000000000'"
	}
	if db.Name() == "mysql" { // a type that can have a default and an index, compared byte by byte
		if strings.HasSuffix(kind, "text") {
			kind = fmt.Sprintf("varchar(%d)", tenancy.MaxIDLength)
		}
		if strings.HasPrefix(kind, "varchar") {
			kind += " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
		}
	}
	return kind, "''"
}

// references lists the foreign keys between owned tables, by the table that holds them, from both sides of the relations.
func references(owned []tenancy.OwnedTable) map[string][]reference {
	column := map[string]string{}
	for _, o := range owned {
		column[o.Name] = o.Column
	}
	found := map[string][]reference{}
	for _, o := range owned {
		for _, rel := range o.Schema.Relationships.Relations {
			ref := reference{child: rel.Schema.Table, parent: rel.FieldSchema.Table}
			switch rel.Type {
			case schema.HasOne, schema.HasMany:
				ref.child, ref.parent = ref.parent, ref.child
			case schema.BelongsTo:
			default:
				continue
			}
			for _, pair := range rel.References {
				if pair.PrimaryValue != "" {
					ref.typeColumn, ref.typeValue = pair.ForeignKey.DBName, pair.PrimaryValue
					continue
				}
				if pair.ForeignKey.DBName == column[ref.child] && pair.PrimaryKey.DBName == column[ref.parent] {
					continue // the tenant is what is to be found
				}
				ref.columns, ref.target = append(ref.columns, pair.ForeignKey.DBName), append(ref.target, pair.PrimaryKey.DBName)
			}
			known := slices.ContainsFunc(found[ref.child], func(k reference) bool { return k.key() == ref.key() })
			if column[ref.child] != "" && column[ref.parent] != "" && len(ref.columns) > 0 && !known {
				found[ref.child] = append(found[ref.child], ref)
			}
		}
	}
	for _, refs := range found {
		slices.SortFunc(refs, func(a, b reference) int { return strings.Compare(a.key(), b.key()) })
	}
	return found
}

func lastSegment(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }
