// Package store reads and writes polls: the first seven methods are wrong, the others are right.
package store

import (
	"context"
	"fmt"

	"example.com/app/polls/models"
	"github.com/gorm-tenancy/tenancy"
	"gorm.io/gorm"
)

type Store struct{ db *gorm.DB }

func New(db *gorm.DB) *Store { return &Store{db} }

func (s *Store) DB() *gorm.DB { return s.db }

func (s *Store) Uncounted(ctx context.Context) (n int64, err error) {
	return n, s.db.Model(&models.Poll{}).Count(&n).Error // want `Count runs without the request's context`
}

func (s *Store) Raw(ctx context.Context) (n int64, err error) {
	return n, s.db.WithContext(ctx).Raw("SELECT count(*) FROM questions").Scan(&n).Error // want `the SQL text names the owned table questions`
}

func (s *Store) Injected(ctx context.Context, name string) (n int64, err error) {
	return n, s.db.WithContext(ctx).Raw(fmt.Sprintf("SELECT count(*) FROM questions WHERE tenant_id = ? AND question = '%s'", name), tenancy.Current).Scan(&n).Error // want `put together at run time, and tenancy.Current`
}

func (s *Store) Emptied(ctx context.Context) error {
	return s.db.WithContext(context.Background()).Delete(&models.Poll{}, 1).Error // want `WithContext gets a context without a tenant`
}

func (s *Store) SubSelect(ctx context.Context) (ps []models.Poll, err error) {
	return ps, s.db.WithContext(ctx).Where("id IN (SELECT poll_id FROM choices)").Find(&ps).Error // want `the text of Where names the owned table choices`
}

func (s *Store) Contextless() (ps []models.Poll, err error) {
	return ps, s.db.Find(&ps).Error // want `Find on the owned model Poll without a context can only fail`
}

func (s *Store) Reported(ctx context.Context, why string) error {
	return s.db.WithContext(tenancy.Bypass(ctx, why)).Find(&[]models.Poll{}).Error // want `the reason of tenancy.Bypass is no constant`
}

func (s *Store) Narrowed(ctx context.Context) (ps []models.Poll, err error) {
	q := s.db.WithContext(ctx).Model(&models.Poll{})
	q = q.Where("question <> ''")
	return ps, q.Order("id").Find(&ps).Error
}

func (s *Store) Bound(ctx context.Context) (n int64, err error) {
	return n, s.db.WithContext(ctx).Raw("SELECT count(*) FROM questions WHERE tenant_id = ?", tenancy.Current).Scan(&n).Error
}

func (s *Store) Add(ctx context.Context) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := tx.Create(&models.Poll{}).Error; err != nil {
			return err
		}
		return tx.Create(&models.Choice{}).Error
	})
}

func (s *Store) Billing(ctx context.Context) (n int64, err error) {
	ctx = tenancy.Bypass(ctx, "count for billing")
	return n, s.db.WithContext(ctx).Raw("SELECT count(*) FROM questions").Scan(&n).Error
}

func (s *Store) Plans(ctx context.Context) (ps []models.Plan, err error) {
	return ps, s.db.Find(&ps).Error
}

func paginate(page int) func(*gorm.DB) *gorm.DB {
	return func(db *gorm.DB) *gorm.DB { return db.Offset(page * 10).Limit(10) }
}

func (s *Store) Page(ctx context.Context) (ps []models.Poll, err error) {
	return ps, s.db.WithContext(ctx).Scopes(paginate(1)).Preload("Choices", func(db *gorm.DB) *gorm.DB { return db.Order("id") }).Find(&ps).Error
}

func (s *Store) conn(ctx context.Context) *gorm.DB { return s.db.WithContext(ctx) }

func (s *Store) Joined(ctx context.Context) (ps []models.Poll, err error) {
	return ps, s.conn(ctx).Joins("Poll").Find(&ps).Error
}

func (s *Store) Generic(ctx context.Context) (ps []models.Poll, err error) {
	return gorm.G[models.Poll](s.db).Where("id > ?", 1).Find(ctx)
}
