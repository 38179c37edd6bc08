package tenancy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"
)

// PluginName is the name under which the plugin registers itself in gorm.Config.Plugins.
const PluginName = "tenancy"

// Plugin is the statement wall, a gorm.Plugin made by [New]. After db.Use it is safe for concurrent use; one Plugin
// may serve several *gorm.DB.
type Plugin struct {
	strategy  Strategy
	isolation Isolation
	config    config

	models sync.Map    // *schema.Schema → *model
	first  firstModels // some of models; written with p.mu held
	tables sync.Map    // lower-case table name → *model

	columns sync.Map // columnType → a *model with such a tenant column

	owns          atomic.Bool  // some table is owned or undeclared: without one there is nothing to hold
	relationCount atomic.Int64 // grows with refs

	mu       sync.Mutex
	refs     map[reflect.Type][]reference // guarded by mu; who points where, by the type that holds the foreign key
	learning map[*schema.Schema]bool      // guarded by mu; undeclared schemas that classify is looking at
	guarded  map[uintptr]bool             // guarded by mu; clause builder maps whose ON CONFLICT is wrapped
}

var _ gorm.Plugin = (*Plugin)(nil)

type config struct {
	tenantField     string
	owned, central  []any
	ownedTypes      map[reflect.Type]bool
	centralTypes    map[reflect.Type]bool
	allowUndeclared bool
	skipReferences  bool
	onBypass        func(context.Context, BypassUse)
	logger          *slog.Logger
}

// Option configures the plugin.
type Option func(*config)

// OwnedModels declares the models whose rows belong to tenants. Pass pointers: OwnedModels(&Poll{}, &Choice{}).
// A model with a tenant field is recognised without it, but only when GORM first sees the model: Table("polls") with a
// map, raw SQL and references between tables can be judged only for declared models. A declared model without a
// tenant field makes db.Use fail with [ErrUndeclared], unless the strategy gives each tenant tables of its own.
func OwnedModels(models ...any) Option {
	return func(c *config) { c.owned = append(c.owned, models...) }
}

// CentralModels declares the models that all tenants share: tenants, plans, countries. Statements on them are left
// untouched. Declaring wins over a tenant field: a central table of subscriptions may well have a TenantID.
func CentralModels(models ...any) Option {
	return func(c *config) { c.central = append(c.central, models...) }
}

// TenantField names the Go field that holds the tenant in models that do not mark one by the tag `tenancy:"tenant"`.
// The default is "TenantID".
func TenantField(name string) Option {
	return func(c *config) { c.tenantField = name }
}

// AllowUndeclared treats models and tables that are neither owned nor declared central as central, for adopting the
// plugin step by step. By default they are refused with [ErrUndeclared], so that a forgotten tenant column does not
// become a shared table in silence.
func AllowUndeclared() Option {
	return func(c *config) { c.allowUndeclared = true }
}

// WithoutReferenceChecks switches off the query that looks, before a foreign key or a many-to-many link is written,
// whether the row it points at is the tenant's own. Do so only where the database checks it: with foreign keys that
// include the tenant column, which need no query anyway, every reference is already safe.
func WithoutReferenceChecks() Option {
	return func(c *config) { c.skipReferences = true }
}

// BypassUse describes one statement that ran under [Bypass].
type BypassUse struct {
	Reason string // as given to Bypass
	Op     string // "query", "create", "update", "delete" or "raw"
	Table  string // empty for raw SQL
}

// OnBypass sets the hook that is told of every statement under [Bypass], in addition to the logger. It runs on the
// statement's goroutine before the statement and must be safe for concurrent use. By default there is none.
func OnBypass(hook func(context.Context, BypassUse)) Option {
	return func(c *config) { c.onBypass = hook }
}

// Logger sets where each use of [Bypass] is logged, at level Info. The default is slog.Default().
func Logger(l *slog.Logger) Option {
	return func(c *config) { c.logger = l }
}

// New returns the plugin for a strategy:
//
//	err := db.Use(tenancy.New(shared.New(), tenancy.OwnedModels(&Poll{}), tenancy.CentralModels(&Plan{})))
//
// New never fails; mistakes in the strategy or the options make db.Use fail.
func New(s Strategy, opts ...Option) *Plugin {
	p := &Plugin{
		strategy: s,
		config:   config{tenantField: "TenantID", ownedTypes: map[reflect.Type]bool{}, centralTypes: map[reflect.Type]bool{}},
		refs:     map[reflect.Type][]reference{},
		learning: map[*schema.Schema]bool{},
		guarded:  map[uintptr]bool{},
	}
	for _, opt := range opts {
		opt(&p.config)
	}
	if i, ok := s.(Isolator); ok {
		p.isolation = i.Isolation()
	}
	return p
}

// Name returns [PluginName].
func (p *Plugin) Name() string { return PluginName }

// Initialize is called by db.Use. It registers the callbacks and reads the declared models. It may be called again
// for the same or another *gorm.DB, as dbresolver does for every replica.
func (p *Plugin) Initialize(db *gorm.DB) error {
	if p.strategy == nil {
		return errors.New("tenancy: New needs a strategy, for example tenancy.New(shared.New())")
	}
	if err := p.attach(db); err != nil {
		return err
	}
	if err := p.Declare(db); err != nil {
		return err
	}
	v, ok := p.strategy.(Verifier)
	if !ok {
		return nil
	}
	if err := v.Verify(db, p); err != nil {
		return fmt.Errorf("tenancy: verify the %s strategy: %w", p.strategy.Name(), err)
	}
	return nil
}

// attach puts both walls under db.
func (p *Plugin) attach(db *gorm.DB) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.strategy.Attach(db); err != nil {
		return fmt.Errorf("tenancy: attach the %s strategy: %w", p.strategy.Name(), err)
	}
	if p.isolation.Siloed || p.isolation.Mixed {
		p.separate(db)
	}
	p.guardOnDuplicateKey(db)
	return p.register(db)
}

// Declare reads the models given to [OwnedModels] and [CentralModels] as db names them. It neither changes db nor asks
// the database. db.Use calls it; migrators that run before db.Use do, too, to know [Plugin.OwnedTables]. It fails as
// db.Use would, for example with [ErrUndeclared]. It may be called several times and is safe for concurrent use.
func (p *Plugin) Declare(db *gorm.DB) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.declare(db)
}

// OwnedModels returns the models that were declared with the option of that name. Safe for concurrent use.
func (p *Plugin) OwnedModels() []any { return slices.Clone(p.config.owned) }

// Strategy returns the strategy given to [New]. Safe for concurrent use.
func (p *Plugin) Strategy() Strategy { return p.strategy }

// guardOnDuplicateKey makes MySQL's upsert keep foreign rows as they are: ON DUPLICATE KEY UPDATE has no WHERE.
func (p *Plugin) guardOnDuplicateKey(db *gorm.DB) {
	key := reflect.ValueOf(db.ClauseBuilders).Pointer()
	build := db.ClauseBuilders["ON CONFLICT"]
	if build == nil || p.guarded[key] {
		return
	}
	p.guarded[key] = true
	db.ClauseBuilders["ON CONFLICT"] = func(c clause.Clause, b clause.Builder) {
		build(onDuplicateKey(c, b), b)
	}
}

// idle reports, where no model has to be declared, whether there is nothing to hold: no table is owned. It looks at the
// statement's model first, which may turn out to be the first owned one.
func (p *Plugin) idle(db *gorm.DB) bool {
	if p.owns.Load() || p.isolation.Connections {
		return false
	}
	if s := db.Statement.Schema; s != nil && p.first.get(s) == nil {
		p.modelOf(db, s)
	}
	return !p.owns.Load()
}

func (p *Plugin) reportBypass(ctx context.Context, a *access, op, table string) {
	use := BypassUse{Reason: a.reason, Op: op, Table: table}
	if p.config.onBypass != nil {
		p.config.onBypass(ctx, use)
	}
	logger := p.config.logger
	if logger == nil {
		logger = slog.Default()
	}
	logger.LogAttrs(ctx, slog.LevelInfo, "tenancy: bypass",
		slog.String("reason", use.Reason), slog.String("op", use.Op), slog.String("table", use.Table))
}

// migrationLine is the way out that errors about DDL show.
const migrationLine = `db.WithContext(tenancy.Bypass(ctx, "create tables")).AutoMigrate(...)`

func tableKey(name string) string { return strings.ToLower(name) }
