package tenancy

import (
	"context"
	"fmt"

	"gorm.io/gorm"
)

// pipeline is one callback: in front of or behind which of GORM's own it stands.
type pipeline struct {
	name     string
	register func(name string, fn func(*gorm.DB)) error
	fn       func(*gorm.DB)
	failed   bool // runs for a statement that has failed, too
}

// register puts the wall into GORM's pipelines. The positions are promises: queries before GORM adds the soft-delete
// and primary-key conditions and builds; create twice, so that hooks see the tenant and cannot change it, and once more while
// its transaction can be rolled back and nothing of its associations is saved; update and delete directly before GORM's
// own, because gorm.DeletedAt builds its SQL inside gorm:delete.
func (p *Plugin) register(db *gorm.DB) error {
	cb := db.Callback()
	pipelines := []pipeline{
		{"tenancy:query", cb.Query().Before("gorm:query").Register, p.beforeQuery, false},
		{"tenancy:row", cb.Row().Before("gorm:row").Register, p.beforeRow, false},
		{"tenancy:raw", cb.Raw().Before("gorm:raw").Register, p.beforeRaw, false},
		{"tenancy:stamp", cb.Create().Before("gorm:before_create").Register, p.stamp, false},
		{"tenancy:create", cb.Create().Before("gorm:create").Register, p.beforeCreate, false},
		{"tenancy:verify", cb.Create().After("gorm:create").Before("gorm:save_after_associations").Register, p.afterCreate, true},
		{"tenancy:update", cb.Update().Before("gorm:update").Register, p.beforeUpdate, false},
		{"tenancy:delete", cb.Delete().Before("gorm:delete").Register, p.beforeDelete, false},
	}
	if p.isolation.Connections {
		pipelines = append(pipelines, p.places(db)...)
	}
	for _, l := range pipelines {
		if err := l.register(l.name, p.unlessIdle(l)); err != nil {
			return fmt.Errorf("tenancy: register %s: %w", l.name, err)
		}
	}
	return nil
}

// places puts the choice of a place in front of everything else, and takes it back at the end.
func (p *Plugin) places(db *gorm.DB) []pipeline {
	cb := db.Callback()
	const before, after = "tenancy:place", "tenancy:placed"
	return []pipeline{
		{before, cb.Query().Before("*").Register, p.place, false},
		{after, cb.Query().After("*").Register, restore, true},
		{before, cb.Row().Before("*").Register, p.place, false},
		{after, cb.Row().After("*").Register, restore, true},
		{before, cb.Raw().Before("*").Register, p.place, false},
		{after, cb.Raw().After("*").Register, restore, true},
		{before, cb.Create().Before("*").Register, p.place, false},
		{after, cb.Create().After("*").Register, restore, true},
		{before, cb.Update().Before("*").Register, p.place, false},
		{after, cb.Update().After("*").Register, restore, true},
		{before, cb.Delete().Before("*").Register, p.place, false},
		{after, cb.Delete().After("*").Register, restore, true},
	}
}

// unlessIdle leaves alone a statement that there is nothing to hold for, and one that has failed already.
func (p *Plugin) unlessIdle(l pipeline) func(*gorm.DB) {
	return func(db *gorm.DB) {
		if db.Error != nil && !l.failed || p.config.allowUndeclared && p.idle(db) {
			return
		}
		l.fn(db)
	}
}

func (p *Plugin) beforeQuery(db *gorm.DB)  { p.check(db, opQuery) }
func (p *Plugin) beforeRaw(db *gorm.DB)    { p.check(db, opRaw) }
func (p *Plugin) beforeUpdate(db *gorm.DB) { p.check(db, opUpdate) }
func (p *Plugin) beforeDelete(db *gorm.DB) { p.check(db, opDelete) }

func (p *Plugin) beforeRow(db *gorm.DB) {
	p.check(db, opQuery)
	if rows, _ := db.Get("rows"); db.Error != nil && rows != true && !db.DryRun && db.Statement.ConnPool != nil {
		// Row() hands its caller whatever lies in Dest. A nil *sql.Row would panic there; this one reports the error.
		db.Statement.Dest = db.Statement.ConnPool.QueryRowContext(db.Statement.Context,
			db.Statement.SQL.String(), db.Statement.Vars...)
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
	if err == nil {
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
		return p.reachable(stmt.Context, a)
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
	if w.siloed || w.apart {
		if err := p.together(db, t); err != nil {
			return err
		}
	}
	if w.siloed {
		if op == opDelete {
			w.completeKeys(t.model)
		}
		return w.keepColumn(t)
	}
	switch op {
	case opUpdate:
		if err := w.protectSet(t); err != nil {
			return err
		}
		w.makeRoom(4)
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
		return p.reachable(db.Statement.Context, a)
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
func (p *Plugin) reachable(ctx context.Context, a *access) error {
	if p.isolation.Mixed && a.mode == modeSeveral {
		return p.sharing(ctx, a)
	}
	if !p.isolation.Siloed || (a.mode != modeBypass && a.mode != modeSeveral) {
		return nil
	}
	return fmt.Errorf("%w: each tenant has tables of its own; run the statement once for each, with tenancy.ForTenant", ErrUnconfined)
}

// sharing refuses a statement over several tenants of whom one has tables of its own.
func (p *Plugin) sharing(ctx context.Context, a *access) error {
	for _, one := range a.several {
		route, err := p.strategy.Route(ctx, one.id)
		if err != nil {
			return err
		}
		if !route.Shared {
			return fmt.Errorf("%w: one of the tenants has tables of its own; run the statement once for each, with tenancy.ForTenant",
				ErrUnconfined)
		}
	}
	return nil
}

// refuse ends a statement: the error is recorded, and the SQL is replaced by one that cannot be sent, because Row()
// and caching plugins go on in spite of an error.
func refuse(db *gorm.DB, op, table string, err error) {
	err = &StatementError{Op: op, Table: table, Err: err}
	_ = db.AddError(err)
	db.Statement.SQL.Reset()
	db.Statement.SQL.WriteString("SELECT ")
	db.Statement.Vars = nil
	db.Statement.AddVar(db.Statement, &poison{err: err}) // in the dialect's form: what PostgreSQL cannot parse hides the refusal
	db.Statement.ConnPool = preparedOn(db.Statement.ConnPool)
}

// preparedOn is the pool that GORM prepares on. Where preparing fails, its Row() has neither rows nor an error, and Scan
// panics; a connection that is confined fails there already.
func preparedOn(pool gorm.ConnPool) gorm.ConnPool {
	switch p := pool.(type) {
	case *gorm.PreparedStmtDB:
		return p.ConnPool
	case *gorm.PreparedStmtTX:
		return p.Tx
	}
	return pool
}
