package tenancy

import (
	"fmt"

	"gorm.io/gorm"
)

// pipeline is one callback: in front of or behind which of GORM's own it stands.
type pipeline struct {
	name     string
	register func(name string, fn func(*gorm.DB)) error
	fn       func(*gorm.DB)
}

// register puts the wall into GORM's pipelines. The positions are promises: queries before GORM adds the soft-delete
// and primary-key conditions and builds; create twice, so that hooks see the tenant and cannot change it; update and
// delete directly before GORM's own, because gorm.DeletedAt builds its SQL inside gorm:delete.
func (p *Plugin) register(db *gorm.DB) error {
	cb := db.Callback()
	for _, l := range []pipeline{
		{"tenancy:query", cb.Query().Before("gorm:query").Register, p.beforeQuery},
		{"tenancy:row", cb.Row().Before("gorm:row").Register, p.beforeRow},
		{"tenancy:raw", cb.Raw().Before("gorm:raw").Register, p.beforeRaw},
		{"tenancy:stamp", cb.Create().Before("gorm:before_create").Register, p.stamp},
		{"tenancy:create", cb.Create().Before("gorm:create").Register, p.beforeCreate},
		{"tenancy:verify", cb.Create().After("gorm:create").Register, p.afterCreate},
		{"tenancy:update", cb.Update().Before("gorm:update").Register, p.beforeUpdate},
		{"tenancy:delete", cb.Delete().Before("gorm:delete").Register, p.beforeDelete},
	} {
		if err := l.register(l.name, l.fn); err != nil {
			return fmt.Errorf("tenancy: register %s: %w", l.name, err)
		}
	}
	if !p.isolation.Connections {
		return nil
	}
	return p.registerPlaces(db)
}

// registerPlaces puts the choice of a place in front of everything else, and takes it back at the end.
func (p *Plugin) registerPlaces(db *gorm.DB) error {
	cb := db.Callback()
	const before, after = "tenancy:place", "tenancy:placed"
	for _, l := range []pipeline{
		{before, cb.Query().Before("*").Register, p.place}, {after, cb.Query().After("*").Register, restore},
		{before, cb.Row().Before("*").Register, p.place}, {after, cb.Row().After("*").Register, restore},
		{before, cb.Raw().Before("*").Register, p.place}, {after, cb.Raw().After("*").Register, restore},
		{before, cb.Create().Before("*").Register, p.place}, {after, cb.Create().After("*").Register, restore},
		{before, cb.Update().Before("*").Register, p.place}, {after, cb.Update().After("*").Register, restore},
		{before, cb.Delete().Before("*").Register, p.place}, {after, cb.Delete().After("*").Register, restore},
	} {
		if err := l.register(l.name, l.fn); err != nil {
			return fmt.Errorf("tenancy: register %s: %w", l.name, err)
		}
	}
	return nil
}

func (p *Plugin) beforeQuery(db *gorm.DB) {
	if db.Error == nil {
		p.check(db, opQuery)
	}
}

func (p *Plugin) beforeRow(db *gorm.DB) {
	if db.Error != nil {
		return
	}
	p.check(db, opQuery)
	if rows, _ := db.Get("rows"); db.Error != nil && rows != true && !db.DryRun && db.Statement.ConnPool != nil {
		// Row() hands its caller whatever lies in Dest. A nil *sql.Row would panic there; this one reports the error.
		db.Statement.Dest = db.Statement.ConnPool.QueryRowContext(db.Statement.Context,
			db.Statement.SQL.String(), db.Statement.Vars...)
	}
}

func (p *Plugin) beforeRaw(db *gorm.DB) {
	if db.Error == nil {
		p.check(db, opRaw)
	}
}

func (p *Plugin) beforeUpdate(db *gorm.DB) {
	if db.Error == nil {
		p.check(db, opUpdate)
	}
}

func (p *Plugin) beforeDelete(db *gorm.DB) {
	if db.Error == nil {
		p.check(db, opDelete)
	}
}

// The operations of [StatementError] and [BypassUse].
const (
	opQuery  = "query"
	opCreate = "create"
	opUpdate = "update"
	opDelete = "delete"
	opRaw    = "raw"
)

// check is the path of every statement but an insert: who asks, which table, and then the guard.
func (p *Plugin) check(db *gorm.DB, op string) {
	stmt := db.Statement
	if stmt.SQL.Len() > 0 {
		if err := p.guardRaw(db); err != nil {
			refuse(db, opRaw, "", err)
		}
		return
	}
	t, err := p.target(db)
	if err == nil && !p.idle() {
		err = p.confine(db, op, t)
	}
	if err != nil {
		refuse(db, op, stmt.Table, err)
	}
}

// confine holds a built statement inside its tenant.
func (p *Plugin) confine(db *gorm.DB, op string, t target) error {
	stmt := db.Statement
	a := accessOf(stmt.Context)
	switch a.mode {
	case modeInternal:
		return nil
	case modeBypass:
		if err := p.together(db, t); err != nil || !t.model.confined() {
			return err
		}
		p.reportBypass(stmt.Context, a, op, stmt.Table)
		return p.reachable(a)
	case modeNone:
		p.centralise(stmt, t)
	}
	if t.model.confined() && a.mode != modeTenant {
		if err := p.permit(db, a); err != nil {
			return err
		}
	}
	w, err := p.newWall(db, a)
	if err != nil && t.model.confined() {
		return err
	}
	w.updating = op == opUpdate
	if w.siloed {
		if err := p.together(db, t); err != nil {
			return err
		}
		return w.keepColumn(t)
	}
	switch op {
	case opUpdate:
		if err := w.protectSet(t); err != nil {
			return err
		}
	case opDelete:
		w.completeKeys(t.model)
	}
	return w.confine(t)
}

// permit says whether an owned table may be touched at all. A dry run without a tenant is a sub-query that the
// statement around it will give its tenant (see deferred): nothing is sent from a dry run.
func (p *Plugin) permit(db *gorm.DB, a *access) error {
	switch a.mode {
	case modeTenant:
		_, err := p.strategy.Route(db.Statement.Context, a.id)
		return err
	case modeSeveral:
		return p.reachable(a)
	}
	if db.DryRun {
		return nil
	}
	return a.noTenant()
}

// centralise says for whom a statement without a tenant on central tables runs, where the connection asks.
func (p *Plugin) centralise(stmt *gorm.Statement, t target) {
	if p.isolation.Connections && !t.model.confined() {
		stmt.Context = &placed{stmt.Context, &access{mode: modeCentral, origin: accessOf(stmt.Context)}}
	}
}

// reachable refuses a statement over all or several tenants where they share no table.
func (p *Plugin) reachable(a *access) error {
	if !p.isolation.Siloed || (a.mode != modeBypass && a.mode != modeSeveral) {
		return nil
	}
	return fmt.Errorf("%w: each tenant has tables of its own; run the statement once for each, with tenancy.ForTenant", ErrUnconfined)
}

// refuse ends a statement: the error is recorded, and the SQL is replaced by one that cannot be sent, because Row()
// and caching plugins go on in spite of an error.
func refuse(db *gorm.DB, op, table string, err error) {
	err = &StatementError{Op: op, Table: table, Err: err}
	_ = db.AddError(err)
	db.Statement.SQL.Reset()
	db.Statement.SQL.WriteString("SELECT ?")
	db.Statement.Vars = []any{&poison{err: err}}
}
