package hosting

import (
	"context"
	"time"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
	"github.com/gorm-tenancy/tenancy/example/polls/polls"
	"github.com/gorm-tenancy/tenancy/migrate"
	"github.com/gorm-tenancy/tenancy/strategies/schema"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
)

// runners makes the migrations of the central tables and of the tenants. A pinned process has no central tables.
func (s *Service) runners(store catalog.Store) (err error) {
	t, db := &s.target, s.DB
	if t.Strategy == Pinned {
		s.Migrations, err = migrate.New(db, migrate.List(t.tenant), []migrate.Source{migrate.Models(polls.Models()...)})
		return err
	}
	models := centralModels()
	own := []migrate.Source{migrate.Models(polls.Models()...)}
	if t.Strategy == Shared { // the shared tables stand beside the central ones; what is left for each tenant are rows
		models = append(models, polls.Models()...)
		own = []migrate.Source{migrate.Step{Version: 1, Name: "remove what has expired", Run: expire}}
	}
	sources := []migrate.Source{migrate.Models(models...)}
	home := db
	if t.RowLevelSecurity {
		if home, err = t.openDB(); err != nil { // policies are written by connections without the plugin
			return err
		}
		s.closes(home)
		sources = []migrate.Source{protected{db, models}}
	}
	if s.Central, err = migrate.NewCentral(home, sources); err != nil {
		return err
	}
	s.Migrations, err = migrate.New(db, catalog.IDs(store), own, migrate.Within(schema.AsOwner))
	return err
}

// expire removes what nobody can sign in with any more.
func expire(_ context.Context, tx *gorm.DB) error {
	for _, credential := range []any{&polls.Session{}, &polls.Token{}} {
		if err := tx.Where("expires_at <= ?", time.Now()).Delete(credential).Error; err != nil {
			return err
		}
	}
	return nil
}

// protected is migrate.Models for tables under row-level security: tables and policies are made together.
type protected struct {
	db     *gorm.DB // behind the plugin, which knows the owned tables
	models []any
}

// Steps implements migrate.Source.
func (p protected) Steps(db *gorm.DB) ([]migrate.Step, error) {
	steps, err := migrate.Models(p.models...).Steps(db)
	if err != nil {
		return nil, err
	}
	plugin, _ := p.db.Plugins[tenancy.PluginName].(*tenancy.Plugin)
	for i := range steps {
		steps[i].Run = func(ctx context.Context, tx *gorm.DB) error {
			return plugin.Strategy().(*shared.Strategy).Migrate(ctx, tx, plugin, centralModels()...)
		}
	}
	return steps, nil
}
