package tenancy

import (
	"errors"
	"fmt"
	"reflect"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"
)

// siloedDialector is a dialector whose AutoMigrate keeps owned tables with the tenant and central ones with all. GORM adds
// the models that a model refers to by itself: those of a poll that has a plan would give each tenant an empty table of
// plans in front of the one they share.
type siloedDialector struct {
	gorm.Dialector
	plugin *Plugin
}

var (
	_ gorm.SavePointerDialectorInterface = siloedDialector{}
	_ gorm.ErrorTranslator               = siloedDialector{}
)

// separate makes db migrate owned and central tables separately. It bears being called again.
func (p *Plugin) separate(db *gorm.DB) {
	if _, ok := db.Dialector.(siloedDialector); !ok {
		db.Dialector = siloedDialector{db.Dialector, p}
	}
}

const migratingKey = "tenancy:migrating"

// Unwrap returns the application's dialector.
func (d siloedDialector) Unwrap() gorm.Dialector { return d.Dialector }

// Migrator is called by GORM.
func (d siloedDialector) Migrator(db *gorm.DB) gorm.Migrator {
	m := siloedMigrator{d.Dialector.Migrator(db), d, db}
	if _, ok := db.Get(migratingKey); ok {
		return otherSide{m}
	}
	return m
}

// unprepared takes prepared statements out: tenants may be at different versions, and PostgreSQL refuses a prepared
// "select *" where a table has other columns than where it was prepared.
func unprepared(db *gorm.DB) *gorm.DB {
	if !db.PrepareStmt {
		return db
	}
	db = db.Session(&gorm.Session{Context: db.Statement.Context})
	db.Config.PrepareStmt = false
	for { // a prepared session of a prepared db is twice so
		switch pool := db.Statement.ConnPool.(type) {
		case *gorm.PreparedStmtDB:
			db.Statement.ConnPool = pool.ConnPool
		case *gorm.PreparedStmtTX:
			db.Statement.ConnPool = pool.Tx
		default:
			return db
		}
	}
}

// SavePoint is called by GORM.
func (d siloedDialector) SavePoint(tx *gorm.DB, name string) error {
	if inner, ok := d.Dialector.(gorm.SavePointerDialectorInterface); ok {
		return inner.SavePoint(tx, name)
	}
	return gorm.ErrUnsupportedDriver
}

// RollbackTo is called by GORM.
func (d siloedDialector) RollbackTo(tx *gorm.DB, name string) error {
	if inner, ok := d.Dialector.(gorm.SavePointerDialectorInterface); ok {
		return inner.RollbackTo(tx, name)
	}
	return gorm.ErrUnsupportedDriver
}

// Translate is called by GORM.
func (d siloedDialector) Translate(err error) error {
	if inner, ok := d.Dialector.(gorm.ErrorTranslator); ok {
		return inner.Translate(err)
	}
	return err
}

// siloedMigrator is the migrator applications see.
type siloedMigrator struct {
	gorm.Migrator
	dialector siloedDialector
	db        *gorm.DB
}

// buildsIndexes is gorm/migrator's BuildIndexOptionsInterface, which GORM's migrators ask each other for.
type buildsIndexes interface {
	BuildIndexOptions([]schema.IndexOption, *gorm.Statement) []any
}

var _ buildsIndexes = siloedMigrator{}

// AutoMigrate refuses models whose tables have no place here, and leaves alone those that GORM adds by itself.
func (m siloedMigrator) AutoMigrate(models ...any) error {
	for _, v := range models {
		if _, name := v.(string); name || !m.elsewhere(v) {
			continue
		}
		if accessOf(m.db.Statement.Context).mode == modeTenant {
			return fmt.Errorf("%w: %T is central; migrate it once, with %s", ErrUnconfined, v, migrationLine)
		}
		return fmt.Errorf("%w: each tenant has its own table of %T; name a tenant with tenancy.WithTenant", ErrUnconfined, v)
	}
	err := m.autoMigrate(models)
	if prepared, ok := m.db.ConnPool.(*gorm.PreparedStmtDB); ok {
		prepared.Reset() // as the drivers do when a table changes
	}
	return err
}

// autoMigrate migrates central models first, and where their statements go, when all tenants' tables are reached from here:
// owned ones refer to them.
func (m siloedMigrator) autoMigrate(models []any) error {
	named := map[reflect.Type]bool{}
	var central, owned []any
	for _, v := range models {
		s, err := parse(m.db, v)
		if err == nil {
			named[s.ModelType] = true
		}
		if err == nil && m.dialector.plugin.modelOf(m.db, s).kind == kindCentral {
			central = append(central, v)
			continue
		}
		owned = append(owned, v)
	}
	db := unprepared(m.db).Set(migratingKey, named).Session(&gorm.Session{})
	_, within := m.db.Statement.ConnPool.(gorm.TxCommitter)
	a := accessOf(m.db.Statement.Context)
	if within || a.mode != modeBypass || !m.dialector.plugin.isolation.Mixed || len(central) == 0 {
		return m.dialector.Dialector.Migrator(db).AutoMigrate(models...)
	}
	beside := *a
	beside.central = true
	apart := db.WithContext(&placed{m.db.Statement.Context, &beside}).Session(&gorm.Session{})
	if err := m.dialector.Dialector.Migrator(apart).AutoMigrate(central...); err != nil {
		return err
	}
	db = db.Set(migratingKey, map[reflect.Type]bool{}).Session(&gorm.Session{}) // those of central ones are done
	return m.dialector.Dialector.Migrator(db).AutoMigrate(owned...)
}

// ColumnTypes reads the columns without a prepared statement.
func (m siloedMigrator) ColumnTypes(v any) ([]gorm.ColumnType, error) {
	return m.dialector.Dialector.Migrator(unprepared(m.db)).ColumnTypes(v)
}

// elsewhere reports whether a model's table is not among those the context migrates: those of a tenant with tables of its
// own, or else the central ones, beside which shared tables stand.
func (m siloedMigrator) elsewhere(v any) bool {
	s, err := parse(m.db, v)
	if err != nil {
		return false // GORM reports it
	}
	known := m.dialector.plugin.modelOf(m.db, s)
	if known.kind == kindUndeclared {
		return false
	}
	if !m.separates() {
		return !known.confined() && !m.names(s)
	}
	return known.confined() != (accessOf(m.db.Statement.Context).mode == modeTenant)
}

// names reports whether AutoMigrate was given a model by the application. Beside shared tables central ones are made when
// they are named: they may stand elsewhere.
func (m siloedMigrator) names(s *schema.Schema) bool {
	named, ok := m.db.Get(migratingKey)
	return !ok || named.(map[reflect.Type]bool)[s.ModelType]
}

// separates reports whether owned and central tables stand apart where the context leads.
func (m siloedMigrator) separates() bool {
	p, ctx := m.dialector.plugin, m.db.Statement.Context
	if !p.isolation.Mixed {
		return true
	}
	a := accessOf(ctx)
	if a.mode != modeTenant {
		return false
	}
	route, err := p.strategy.Route(ctx, a.id)
	return err == nil && !route.Shared
}

// BuildIndexOptions is called by GORM's own migrators.
func (m siloedMigrator) BuildIndexOptions(opts []schema.IndexOption, stmt *gorm.Statement) []any {
	if inner, ok := m.Migrator.(buildsIndexes); ok {
		return inner.BuildIndexOptions(opts, stmt)
	}
	_ = stmt.AddError(errors.New("tenancy: the migrator cannot build indexes"))
	return nil
}

// otherSide is what AutoMigrate asks about each model: one that lives elsewhere is there, and as it should be.
type otherSide struct{ siloedMigrator }

func (m otherSide) HasTable(v any) bool { return m.elsewhere(v) || m.Migrator.HasTable(v) }

func (m otherSide) ColumnTypes(v any) ([]gorm.ColumnType, error) {
	if m.elsewhere(v) {
		return nil, nil
	}
	return m.Migrator.ColumnTypes(v)
}

func (m otherSide) AddColumn(v any, field string) error {
	if m.elsewhere(v) {
		return nil
	}
	return m.Migrator.AddColumn(v, field)
}

func (m otherSide) HasConstraint(v any, name string) bool {
	return m.elsewhere(v) || m.keyAway(v, name) || m.Migrator.HasConstraint(v, name)
}

func (m otherSide) HasIndex(v any, name string) bool {
	return m.elsewhere(v) || m.Migrator.HasIndex(v, name)
}
