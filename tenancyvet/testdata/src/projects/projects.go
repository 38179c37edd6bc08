// Package projects is a project-management API with a generic repository; nothing in it is wrong.
package projects

import (
	"context"
	"net/http"

	"gorm.io/gorm"
)

type Base struct {
	ID       uint   `gorm:"primaryKey"`
	TenantID string `gorm:"uniqueIndex:idx_key"`
}

type Project struct {
	Base
	Key string `gorm:"uniqueIndex:idx_key"`
}

type Repository[T any] struct{ db *gorm.DB }

func NewRepository[T any](db *gorm.DB) *Repository[T] { return &Repository[T]{db: db} }

func (r *Repository[T]) conn(ctx context.Context) *gorm.DB { return r.db.WithContext(ctx) }

func (r *Repository[T]) Find(ctx context.Context, where ...func(*gorm.DB) *gorm.DB) (list []T, err error) {
	q := r.conn(ctx)
	for _, w := range where {
		q = w(q)
	}
	return list, q.Find(&list).Error
}

func (r *Repository[T]) Add(ctx context.Context, v *T) error {
	return r.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error { return tx.Create(v).Error })
}

type API struct{ projects *Repository[Project] }

func (a *API) Index(w http.ResponseWriter, req *http.Request) {
	_, _ = a.projects.Find(req.Context(), func(db *gorm.DB) *gorm.DB { return db.Where("open") })
	ctx := context.WithoutCancel(req.Context())
	go func() { _ = a.projects.Add(ctx, &Project{}) }()
}
