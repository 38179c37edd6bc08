package shared

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
)

// prepare bounds the wait for locks (nobody's requests shall queue behind a migration that waits) and lets one migration
// run at a time. The number stands for this package.
const prepare = "SELECT set_config('lock_timeout', '5s', true), pg_advisory_xact_lock(7283901552310)"

// Migrate runs AutoMigrate for p's owned models and the central ones given, and then protects the owned tables and their
// partitions: row-level security on and forced, and one policy for everybody that compares the tenant column with the
// statement's tenant. It changes only what differs, replaces its own policies that somebody changed, and leaves those of
// other names alone; GORM's logger is told of them.
//
// All happens in one transaction, in which it waits at most 5 seconds for each lock: with PostgreSQL's error 55P03 nothing
// was done. Call it before db.Use, which refuses tables without policies, and as the role that owns the tables, on a db
// with p or without any plugin: the role sees no rows through it. It fails with tenancy.ErrUnconfined where a policy of
// another name shows the session's role more rows, or where an owned model is no table. ctx needs no tenant. Safe for
// concurrent use, by several processes, too.
func (s *Strategy) Migrate(ctx context.Context, db *gorm.DB, p *tenancy.Plugin, central ...any) error {
	if !s.rowSecurity {
		return errWithoutRowSecurity
	}
	if err := errors.Join(s.validate(), supported(db)); err != nil {
		return err
	}
	if err := p.Declare(db); err != nil {
		return err
	}
	ctx = context.WithValue(tenancy.Bypass(ctx, "migrate the shared strategy"), maintenance{}, true)
	return db.Session(&gorm.Session{NewDB: true, Context: ctx}).Transaction(func(tx *gorm.DB) error {
		if _, err := tx.Statement.ConnPool.ExecContext(ctx, prepare); err != nil {
			return fmt.Errorf("shared: wait for another migration: %w", err)
		}
		if err := tx.AutoMigrate(append(central, ownedModels(p)...)...); err != nil {
			return fmt.Errorf("shared: migrate the models: %w", err)
		}
		return s.protect(ctx, tx, p)
	})
}

// ownedModels returns a value of each owned model. GORM makes join tables with the models they link.
func ownedModels(p *tenancy.Plugin) []any {
	var models []any
	for _, t := range p.OwnedTables() {
		if len(t.Links) == 0 {
			models = append(models, reflect.New(t.Schema.ModelType).Interface())
		}
	}
	return models
}

// protect writes the policies that are missing or say something else.
func (s *Strategy) protect(ctx context.Context, tx *gorm.DB, p *tenancy.Plugin) error {
	relations, err := s.relations(ctx, tx, tx.Statement.ConnPool, p.OwnedTables())
	if err != nil {
		return err
	}
	for _, r := range relations {
		if err := r.acceptable(); err != nil {
			return err
		}
		if r.kind == kindView {
			continue
		}
		for _, foreign := range r.policies {
			if foreign.name != policyName {
				tx.Logger.Warn(ctx, "tenancy: policy %q of table %s is not ours and was left alone", foreign.name, r.name)
			}
		}
		condition, err := conditionOf(tx, r.owned, r.name)
		if err != nil {
			return err
		}
		if r.protected(condition) {
			continue
		}
		for _, statement := range protection(r.name, condition) {
			if _, err := tx.Statement.ConnPool.ExecContext(ctx, statement); err != nil {
				return fmt.Errorf("shared: protect table %s: %w", r.name, err)
			}
		}
	}
	return nil
}

// kindView is pg_class.relkind of a view.
const kindView = "v"

// acceptable refuses what no policy of ours can protect.
func (r relation) acceptable() error {
	switch {
	case r.kind == kindView && r.above:
		return &tenancy.Defect{
			Code: "view-above-policies", Table: r.name, Err: tenancy.ErrUnconfined,
			Message: "view " + r.name + " reads with the rights of an owner whom policies do not hold",
			Mend:    "ALTER VIEW " + r.name + " SET (security_invoker = true), or let another role own it",
		}
	case r.kind == kindView: // its tables are protected, and policies hold its owner
		return nil
	case r.kind != "r" && r.kind != "p":
		return &tenancy.Defect{
			Code: "policy-impossible", Table: r.name, Err: tenancy.ErrUnconfined,
			Message: r.name + " is no table and can have no policies", Mend: "make it a table, or declare its model central",
		}
	}
	for _, p := range r.policies {
		if p.widens() {
			return &tenancy.Defect{
				Code: "policy-foreign", Table: r.name, Err: tenancy.ErrUnconfined,
				Message: fmt.Sprintf("policy %q of table %s shows the session's role more rows than its tenant's", p.name, r.name),
				Mend:    "DROP POLICY, make it restrictive, or give it to a role that this one does not inherit from",
			}
		}
	}
	return nil
}
