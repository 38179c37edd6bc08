package tenancyvet

import (
	"go/types"
	"reflect"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
	"gorm.io/gorm/schema"
)

// field is a field of a struct or of one embedded in it.
type field struct {
	v   *types.Var
	tag reflect.StructTag
}

func (f field) name() string { return f.v.Name() }

// setting returns what a tag for GORM says of a key; empty when it says nothing.
func (f field) setting(key string) string { return schema.ParseTagSetting(f.tag.Get("gorm"), ";")[key] }

func (f field) ignored() bool {
	return f.setting("-") != "" && !strings.EqualFold(f.setting("-"), "migration")
}

// mapped reports what only models have: a tag for GORM, or one of GORM's own fields.
func (f field) mapped() bool {
	_, ok := f.tag.Lookup("gorm")
	return ok || f.v.Pkg() != nil && f.v.Pkg().Path() == gormPath
}

// fields lists the fields of a struct as GORM sees them.
func fields(s *types.Struct) []field { return fieldsWithin(s, map[*types.Struct]bool{}) }

func fieldsWithin(s *types.Struct, around map[*types.Struct]bool) (list []field) {
	if around[s] { // embeds a pointer to itself
		return nil
	}
	around[s] = true
	defer delete(around, s)
	for i := range s.NumFields() {
		f := field{s.Field(i), reflect.StructTag(s.Tag(i))}
		inner, plain := embeddable(f)
		switch {
		case f.ignored():
		case plain:
			list = append(list, fieldsWithin(inner, around)...)
		case f.v.Exported():
			list = append(list, f)
		}
	}
	return list
}

// embeddable returns the struct whose fields become the model's own.
func embeddable(f field) (*types.Struct, bool) {
	if !f.v.Embedded() && f.setting("EMBEDDED") == "" {
		return nil, false
	}
	t := types.Unalias(f.v.Type())
	if p, ok := t.(*types.Pointer); ok {
		t = p.Elem()
	}
	s, ok := t.Underlying().(*types.Struct)
	return s, ok && !named(t, gormPath, "DB") && !named(t, "time", "Time")
}

// isTenant reports whether a field holds the tenant, by its tag or by the name that the flag gives.
func isTenant(pass *analysis.Pass, f field) bool {
	return f.tag.Get("tenancy") == "tenant" || f.name() == pass.Analyzer.Flags.Lookup("tenantfield").Value.String()
}

// modelOf judges a type of this package: nil for what is no model of GORM's.
func modelOf(pass *analysis.Pass, t *types.TypeName) *Model {
	s, ok := t.Type().Underlying().(*types.Struct)
	if !ok {
		return nil
	}
	all := fields(s)
	owned := slices.ContainsFunc(all, func(f field) bool { return isTenant(pass, f) })
	if !slices.ContainsFunc(all, field.mapped) && !(owned && bare(all)) {
		return nil
	}
	table := tableOf(flowOf(pass), t)
	return &Model{Name: t.Name(), Table: table[strings.LastIndexByte(table, '.')+1:], Owned: owned, Package: t.Pkg().Path()}
}

// bare reports whether fields without a tag for GORM are a model's all the same: there is an ID, and nothing for JSON, which
// would make it an answer.
func bare(all []field) bool {
	identified := false
	for _, f := range all {
		if _, ok := f.tag.Lookup("json"); ok {
			return false
		}
		identified = identified || f.name() == "ID"
	}
	return identified
}

// tableOf is the name of a model's table: what TableName returns, or the one that GORM makes.
func tableOf(f *flow, t *types.TypeName) string {
	method, _, _ := types.LookupFieldOrMethod(t.Type(), true, t.Pkg(), "TableName")
	fn, ok := method.(*types.Func)
	if !ok {
		return schema.NamingStrategy{}.TableName(t.Name())
	}
	if list := results(f.functions[fn], 0); len(list) == 1 && list[0] != nil {
		text, _ := constantText(f.info, list[0])
		return text
	}
	return ""
}
