package migrate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"github.com/gorm-tenancy/tenancy"
)

// modelsVersion is that of the models, behind every version there can be.
const modelsVersion int64 = 9_000_000_000_000_000_000

// Models runs AutoMigrate for models, after all versioned steps, and again in every tenant when a field, a type or a tag of
// one of them has changed. Without arguments it is those given to tenancy.OwnedModels. There is at most one in a runner.
//
// AutoMigrate adds tables, columns and indexes. It drops nothing, and what a rename loses it does not know: write a step.
func Models(models ...any) Source { return automigrate(models) }

type automigrate []any

// Steps returns the one step.
func (a automigrate) Steps(db *gorm.DB) ([]Step, error) {
	models := []any(a)
	if len(models) == 0 {
		if p, ok := db.Plugins[tenancy.PluginName].(*tenancy.Plugin); ok {
			models = p.OwnedModels()
		}
	}
	if len(models) == 0 {
		return nil, errors.New("migrate: Models: there are none")
	}
	described := map[string]string{}
	for _, m := range models {
		stmt := &gorm.Statement{DB: db}
		if err := stmt.Parse(m); err != nil {
			return nil, fmt.Errorf("migrate: Models: %w", err)
		}
		describe(stmt.Schema, described)
	}
	var lines []string
	for _, text := range described {
		lines = append(lines, text)
	}
	slices.Sort(lines)
	return []Step{{
		Version: modelsVersion, Name: "models", Checksum: checksum(strings.Join(lines, "\n")), Idempotent: true, repeatable: true,
		Run: func(_ context.Context, tx *gorm.DB) error { return tx.AutoMigrate(models...) },
	}}, nil
}

// describe writes down what AutoMigrate looks at: the model and those it refers to.
func describe(s *schema.Schema, into map[string]string) {
	if _, known := into[s.Table]; known {
		return
	}
	var b strings.Builder
	b.WriteString(s.Table)
	for _, f := range s.Fields {
		fmt.Fprintf(&b, "\n\t%s %s %s %q", f.Name, f.DBName, f.FieldType, f.Tag)
	}
	into[s.Table] = b.String()
	for _, r := range s.Relationships.Relations {
		describe(r.FieldSchema, into)
		if r.JoinTable != nil {
			describe(r.JoinTable, into)
		}
	}
}
