package tenancyvet

import (
	"go/ast"
	"go/types"
	"reflect"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// Models reports models whose definition tells tenants about each other, or lacks the tenant.
var Models = &analysis.Analyzer{
	Name: "models",
	Doc: `check unique indexes and tenant fields of models

A unique index of an owned model that does not hold the tenant column tells a tenant, by the error, which values others have,
and keeps it from using them. A model that belongs to an owned one and has no tenant field is refused at its first use, as is one
that is given to tenancy.OwnedModels together with the shared strategy. What is declared with tenancy.OwnedModels should be all
owned models: Table("polls"), SQL text and references are judged for declared models only.`,
	Requires:   []*analysis.Analyzer{flows},
	ResultType: reflect.TypeFor[*models](),
	FactTypes:  []analysis.Fact{(*Model)(nil)},
	Flags:      stringFlag("tenantfield", "TenantID", "the Go field that holds the tenant, as given to tenancy.TenantField"),
	Run:        runModels,
}

// Model is a fact about a struct type that GORM can map to a table. It is immutable and safe for concurrent use.
type Model struct {
	// Name is the struct's, and Table that of its table: what TableName returns if it returns a constant, or the name GORM
	// makes; empty where TableName computes it.
	Name, Table string
	// Owned reports a tenant field.
	Owned bool
	// Package is the import path.
	Package string
}

// AFact marks the type for the driver.
func (*Model) AFact() {}

// models are those of a package and of all that it imports.
type models struct {
	byType  map[*types.TypeName]*Model
	byTable map[string]*Model // owned ones, by the table's name in small letters
	owning  map[string]bool   // packages that have owned models
}

func modelsOf(pass *analysis.Pass) *models { return pass.ResultOf[Models].(*models) }

func runModels(pass *analysis.Pass) (any, error) {
	f := flowOf(pass)
	known := &models{byType: map[*types.TypeName]*Model{}, byTable: map[string]*Model{}, owning: map[string]bool{}}
	for _, fact := range pass.AllObjectFacts() {
		if m, ok := fact.Fact.(*Model); ok {
			known.add(fact.Object.(*types.TypeName), m)
		}
	}
	var own []*types.TypeName
	for _, name := range pass.Pkg.Scope().Names() {
		t, ok := pass.Pkg.Scope().Lookup(name).(*types.TypeName)
		if !ok || t.IsAlias() {
			continue
		}
		if m := modelOf(pass, t); m != nil {
			pass.ExportObjectFact(t, m)
			known.add(t, m)
			own = append(own, t)
		}
	}
	central := f.declaredTypes("CentralModels")
	for _, t := range own {
		if central[t] {
			continue
		}
		if known.byType[t].Owned {
			uniqueIndexes(pass, known, t)
		} else {
			missingTenant(pass, known, t)
		}
	}
	declarations(pass, known)
	return known, nil
}

func (k *models) add(t *types.TypeName, m *Model) {
	k.byType[t] = m
	if !m.Owned {
		return
	}
	k.owning[m.Package] = true
	if m.Table != "" {
		k.byTable[strings.ToLower(m.Table)] = m
	}
}

// mixed reports whether the model's package has owned models, so that one without a tenant field was left central on purpose.
func (k *models) mixed(m *Model) bool { return k.owning[m.Package] }

// named returns the model that a type, or what it points to or is a list of, is; nil for others.
func (k *models) named(t types.Type) *Model {
	n := structOf(t)
	if n == nil {
		return nil
	}
	return k.byType[n.Obj()]
}

// of returns the model that a statement is about; nil when that cannot be seen.
func (k *models) of(info *types.Info, m method) *Model {
	switch m.name {
	case "Create", "CreateInBatches", "Save", "First", "Take", "Last", "Find", "FindInBatches", "FirstOrInit", "FirstOrCreate", "Delete":
		if len(m.args) > 0 {
			if found := k.named(info.TypeOf(m.args[0])); found != nil {
				return found
			}
		}
	}
	for call, ok := ast.Unparen(m.receiver).(*ast.CallExpr); ok; {
		inner, is := methodOf(info, call)
		if !is {
			break
		}
		if inner.name == "Model" && len(inner.args) == 1 {
			return k.named(info.TypeOf(inner.args[0]))
		}
		call, ok = ast.Unparen(inner.receiver).(*ast.CallExpr)
	}
	return nil
}

// structOf returns the named struct behind pointers, slices and arrays.
func structOf(t types.Type) *types.Named {
	for seen := map[types.Type]bool{}; t != nil && !seen[t]; { // type list []list has no end
		seen[t] = true
		switch u := types.Unalias(t).(type) {
		case *types.Pointer:
			t = u.Elem()
		case *types.Slice:
			t = u.Elem()
		case *types.Array:
			t = u.Elem()
		case *types.Named:
			if _, ok := u.Underlying().(*types.Struct); ok {
				return u
			}
			t = u.Underlying()
			if _, ok := t.(*types.Slice); !ok {
				return nil
			}
		default:
			return nil
		}
	}
	return nil
}
