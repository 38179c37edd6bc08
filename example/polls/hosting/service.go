package hosting

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/archive"
	"github.com/gorm-tenancy/tenancy/catalog"
	"github.com/gorm-tenancy/tenancy/example/polls/operator"
	"github.com/gorm-tenancy/tenancy/example/polls/polls"
	"github.com/gorm-tenancy/tenancy/migrate"
)

// Service is the application with its tenants. It is safe for concurrent use. Close it in the end.
type Service struct {
	// DB has the plugin.
	DB *gorm.DB
	// Catalog has the tenants.
	Catalog *catalog.Catalog
	// Central migrates the central tables; nil in a pinned process, which has none.
	Central *migrate.Runner
	// Migrations migrates the tenants.
	Migrations *migrate.Runner

	target target
	close  []func() error
}

func centralModels() []any { return append(catalog.Models(), operator.Models()...) }

// Open opens the database and makes nothing in it; see [Service.Prepare]. It fails with [ErrOptions] for options that do not
// go together. ctx is for the opening only.
func Open(ctx context.Context, o Options) (*Service, error) {
	t, err := settle(o)
	if err != nil {
		return nil, err
	}
	s := &Service{target: t}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Service) open(ctx context.Context) (err error) {
	if s.DB, err = s.target.openDB(); err != nil {
		return err
	}
	s.closes(s.DB)
	strategy, err := s.target.strategy(func(ctx context.Context, id tenancy.ID) (string, string, error) {
		return s.Catalog.Place(ctx, id)
	})
	if err != nil {
		return err
	}
	plugin := tenancy.New(strategy, tenancy.OwnedModels(polls.Models()...), tenancy.CentralModels(centralModels()...),
		tenancy.Logger(s.target.Logger))
	if err := s.DB.Use(plugin); err != nil {
		return err
	}
	store := s.store()
	if err := s.runners(store); err != nil {
		return err
	}
	if s.Catalog, err = catalog.New(store, s.catalogOptions(strategy)...); err != nil {
		return err
	}
	if s.target.Strategy != Pinned {
		return nil
	}
	_, err = s.Catalog.Create(ctx, catalog.Tenant{ID: s.target.tenant, Name: s.target.Tenant})
	return err
}

// store keeps the tenants in the central database. A pinned process knows its own.
func (s *Service) store() catalog.Store {
	if s.target.Strategy == Pinned {
		return catalog.NewMemory()
	}
	return catalog.GORM(s.DB)
}

func (s *Service) catalogOptions(strategy tenancy.Strategy) []catalog.Option {
	if s.target.Strategy == Pinned {
		return nil
	}
	hooks := []catalog.Hook{catalog.Baselining(s.Migrations), operator.Founding(s.DB), archive.PurgeHook(s.DB)}
	if s.target.Strategy == Hybrid {
		hooks = append(hooks, placed())
	}
	return []catalog.Option{
		catalog.Strategy(strategy), catalog.CopyWith(archive.Copier(s.DB)),
		catalog.BaseDomains(s.target.BaseDomains...), catalog.Hooks(hooks...),
	}
}

// placed refuses a new tenant of which nobody said where its rows go.
func placed() catalog.Hook {
	return catalog.Hook{Steps: []catalog.Step{catalog.StepCreate}, Before: func(_ context.Context, e catalog.Event) error {
		if e.Tenant.Strategy != Shared && e.Tenant.Strategy != Database {
			return fmt.Errorf("say where the tenant's rows go: the strategy %s or %s", Shared, Database)
		}
		return nil
	}}
}

// Acting acts for the pinned tenant in a process that serves one, and otherwise for whom ctx acts.
func (s *Service) Acting(ctx context.Context) context.Context {
	if s.target.Strategy == Pinned {
		return tenancy.WithTenant(ctx, s.target.tenant)
	}
	return ctx
}

// Strategy returns the name of the strategy.
func (s *Service) Strategy() string { return s.target.Strategy }

// BaseDomains returns the hosts whose subdomains are tenants, the first one for links.
func (s *Service) BaseDomains() []string { return s.target.BaseDomains }

// Prepare makes the tables that are missing and brings the others to head.
func (s *Service) Prepare(ctx context.Context) error {
	if s.Central != nil {
		if _, err := s.Central.Up(ctx); err != nil {
			return fmt.Errorf("migrate the central tables: %w", err)
		}
	}
	_, err := s.Migrations.Up(ctx)
	return err
}

// Ready fails with migrate.ErrBehind where migrations have to be run before the application can be served. Tenants that
// are behind stop no others.
func (s *Service) Ready(ctx context.Context) error {
	if s.Central != nil {
		return s.Central.Healthy(ctx)
	}
	return s.Migrations.Healthy(ctx)
}

// closes remembers a database for Close.
func (s *Service) closes(db *gorm.DB) {
	s.close = append(s.close, func() error {
		pool, err := db.DB()
		if err != nil {
			return err
		}
		return pool.Close()
	})
}

// Close gives the connections back. Requests that are under way then fail.
func (s *Service) Close() error {
	var err error
	for _, f := range s.close {
		err = errors.Join(err, f())
	}
	s.close = nil
	return err
}
