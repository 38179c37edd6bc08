package tenancyvet

import (
	"fmt"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
	"gorm.io/gorm/schema"
)

// index is a unique index that the tags of a model describe.
type index struct {
	fields []field
	unique bool
	tenant bool // holds the tenant column
}

// uniqueIndexes reports those of an owned model that span all tenants.
func uniqueIndexes(pass *analysis.Pass, known *models, t *types.TypeName) {
	all := fields(t.Type().Underlying().(*types.Struct))
	references := known.references(t, all)
	for _, x := range indexesOf(pass, all) {
		scoped := x.tenant || slices.ContainsFunc(x.fields, func(f field) bool { return references[f.name()] })
		if !x.unique || scoped {
			continue
		}
		var names []string
		at := t.Pos()
		for _, f := range slices.Backward(x.fields) {
			names = append([]string{f.name()}, names...)
			if f.v.Pkg() == pass.Pkg {
				at = f.v.Pos()
			}
		}
		report(pass, analysis.Diagnostic{Pos: at, Message: fmt.Sprintf("the unique index of %s over %s does not hold the tenant: a tenant "+
			"learns by the error which values others have, and cannot use them; give the tenant field the same uniqueIndex name",
			t.Name(), strings.Join(names, ", "))})
	}
}

// indexesOf reads tags as GORM does: fields that name one index share it.
func indexesOf(pass *analysis.Pass, all []field) (list []*index) {
	byName := map[string]*index{}
	for _, f := range all {
		for _, part := range strings.Split(f.tag.Get("gorm"), ";") {
			key, value, _ := strings.Cut(part, ":")
			key = strings.ToUpper(strings.TrimSpace(key))
			if key != "INDEX" && key != "UNIQUEINDEX" && key != "UNIQUE" {
				continue
			}
			name, rest, _ := strings.Cut(value, ",")
			options := schema.ParseTagSetting(rest, ",")
			switch {
			case key == "UNIQUE":
				name = "unique " + f.name()
			case name == "" && options["COMPOSITE"] != "":
				name = "composite " + options["COMPOSITE"]
			case name == "":
				name = "field " + f.name()
			}
			x := byName[name]
			if x == nil {
				x = &index{}
				byName[name], list = x, append(list, x)
			}
			x.fields = append(x.fields, f)
			x.unique = x.unique || key != "INDEX" || options["UNIQUE"] != "" || strings.EqualFold(options["CLASS"], "UNIQUE")
			x.tenant = x.tenant || isTenant(pass, f) || strings.Contains(options["EXPRESSION"], "tenant")
		}
	}
	return list
}

// references names the fields that refer to rows of owned models: the plugin looks whose those are, so a value of them is one
// tenant's.
func (k *models) references(t *types.TypeName, all []field) map[string]bool {
	refs := map[string]bool{}
	for _, f := range all {
		if m := k.named(f.v.Type()); m != nil && m.Owned && !isList(f.v.Type()) {
			k.refer(refs, f, f.name()+"ID")
		}
	}
	for parent, m := range k.byType {
		if !m.Owned {
			continue
		}
		for _, f := range fields(parent.Type().Underlying().(*types.Struct)) {
			if n := structOf(f.v.Type()); n != nil && n.Obj() == t && f.setting("MANY2MANY") == "" {
				k.refer(refs, f, m.Name+"ID")
			}
		}
	}
	return refs
}

func (k *models) refer(refs map[string]bool, f field, name string) {
	if named := f.setting("FOREIGNKEY"); named != "" {
		name = named
	}
	for _, one := range strings.Split(name, ",") {
		refs[strings.TrimSpace(one)] = true
	}
}

func isList(t types.Type) bool {
	switch types.Unalias(t).Underlying().(type) {
	case *types.Slice, *types.Array:
		return true
	}
	return false
}
