package operator

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
	"github.com/gorm-tenancy/tenancy/example/polls/polls"
)

// launchKey stands in a tenant's metadata for the launch that made it: of several wishes for one id, the first user is that
// of the one which got it.
const launchKey = "launch"

// Founding returns the hook that makes the first user of a tenant which somebody has launched. db is the one of the
// application, with the plugin.
func Founding(db *gorm.DB) catalog.Hook {
	return catalog.Hook{
		Steps: []catalog.Step{catalog.StepCreate, catalog.StepClaim},
		After: func(ctx context.Context, e catalog.Event) error {
			id := e.Tenant.ID
			if e.Target != "" {
				id = e.Target
			}
			key, ok := e.Tenant.Metadata[launchKey].(string)
			if !ok {
				return nil // made by an operator
			}
			return found(ctx, db, id, key)
		},
	}
}

// found makes the first user. A hash that is gone says that it was done before.
func found(ctx context.Context, db *gorm.DB, id tenancy.ID, key string) error {
	var l Launch
	central := db.WithContext(tenancy.Central(ctx))
	if err := central.Where("id = ? AND tenant = ?", key, id.String()).Take(&l).Error; err != nil {
		return err
	}
	if l.PasswordHash == "" {
		return nil
	}
	user := polls.User{
		Username: l.Username, FoldedName: l.FoldedName, Email: l.Email, PasswordHash: l.PasswordHash, IsStaff: true, IsSuperuser: true,
	}
	err := db.WithContext(tenancy.WithTenant(ctx, id)).Create(&user).Error
	if err != nil && !errors.Is(err, gorm.ErrDuplicatedKey) { // before a crash, since nobody else can sign up yet
		return err
	}
	return central.Model(&Launch{}).Where("id = ?", key).Update("password_hash", "").Error
}

// What is left of a launch is forgotten after a day.
const keepLaunches = 24 * time.Hour

// Between two looks for launches that another process has left, and for steps that hang.
const lookEvery = 15 * time.Second

// Run makes the tenants that visitors have launched, and finishes what a crash has left, until ctx ends. Several processes
// may run it at once.
func (s *Site) Run(ctx context.Context) {
	timer := time.NewTicker(lookEvery)
	defer timer.Stop()
	for ctx.Err() == nil {
		if err := s.work(tenancy.Central(ctx)); err != nil && ctx.Err() == nil {
			s.Logger.ErrorContext(ctx, "launch tenants", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-s.wake:
		case <-timer.C:
			if err := s.Catalog.RepairAll(ctx, catalog.EachOptions{}); err != nil && ctx.Err() == nil {
				s.Logger.ErrorContext(ctx, "repair tenants", "error", err)
			}
		}
	}
}

// work makes the tenants of all launches that are open, and forgets old ones.
func (s *Site) work(ctx context.Context) error {
	db := s.DB.WithContext(ctx)
	if err := db.Where("open = ? AND created_at < ?", false, time.Now().Add(-keepLaunches)).Delete(&Launch{}).Error; err != nil {
		return err
	}
	var open []Launch
	if err := db.Where("open = ?", true).Order("created_at").Limit(100).Find(&open).Error; err != nil {
		return err
	}
	var group errgroup.Group
	group.SetLimit(4)
	for _, l := range open {
		group.Go(func() error { return s.launch(ctx, l) })
	}
	return group.Wait()
}

// launch makes one tenant. It may be called again at any time.
func (s *Site) launch(ctx context.Context, l Launch) error {
	id := tenancy.ID(l.Tenant)
	t, err := s.Catalog.Claim(ctx, catalog.Tenant{
		ID: id, Name: l.Name, Strategy: l.Plan, Metadata: map[string]any{launchKey: l.ID},
	})
	if errors.Is(err, catalog.ErrExists) {
		if t, err = s.Catalog.Store().Get(ctx, id); err == nil && t.Metadata[launchKey] != l.ID {
			return s.settle(ctx, l, taken)
		}
		if err == nil && t.Step != "" {
			t, err = s.Catalog.Repair(ctx, id)
		}
	}
	switch {
	case err == nil && t.Step == "": // it may even be suspended by now
		return s.settle(ctx, l, "")
	case errors.Is(err, catalog.ErrVetoed), errors.Is(err, tenancy.ErrInvalidID):
		return errors.Join(err, s.settle(ctx, l, "This site cannot be made."))
	}
	return err
}

const taken = "This address is taken."

// settle ends a launch. Nothing that the first user typed is kept.
func (s *Site) settle(ctx context.Context, l Launch, problem string) error {
	return s.DB.WithContext(ctx).Model(&Launch{}).Where("id = ?", l.ID).Updates(map[string]any{
		"open": false, "problem": problem, "password_hash": "", "email": "",
	}).Error
}

// stir has Run look now.
func (s *Site) stir() {
	select {
	case s.wake <- struct{}{}:
	default: // it will look anyway
	}
}
