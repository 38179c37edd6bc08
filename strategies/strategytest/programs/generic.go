package programs

import (
	"context"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// generics are steps through gorm.G, which needs to know the model when it is compiled.
type generics struct {
	find   func(ctx context.Context, db *gorm.DB, where []any) (any, error)
	first  func(ctx context.Context, db *gorm.DB, where []any) (any, error)
	count  func(ctx context.Context, db *gorm.DB, where []any) (any, error)
	create func(ctx context.Context, db *gorm.DB, tenant string, v values) (any, error)
	update func(ctx context.Context, db *gorm.DB, where []any, column string, value any) (any, error)
	set    func(ctx context.Context, db *gorm.DB, where []any, column string, value any) (any, error)
	delete func(ctx context.Context, db *gorm.DB, where []any) (any, error)
}

func genericsOf[T any](row func(tenant string, v values) T) generics {
	where := func(db *gorm.DB, w []any) gorm.ChainInterface[T] { return gorm.G[T](db).Where(w[0], w[1:]...) }
	return generics{
		find: func(ctx context.Context, db *gorm.DB, w []any) (any, error) {
			return where(db, w).Order("id").Find(ctx)
		},
		first: func(ctx context.Context, db *gorm.DB, w []any) (any, error) {
			return where(db, w).First(ctx)
		},
		count: func(ctx context.Context, db *gorm.DB, w []any) (any, error) {
			return where(db, w).Count(ctx, "*")
		},
		create: func(ctx context.Context, db *gorm.DB, tenant string, v values) (any, error) {
			r := row(tenant, v)
			err := gorm.G[T](db).Create(ctx, &r)
			return r, err
		},
		update: func(ctx context.Context, db *gorm.DB, w []any, column string, value any) (any, error) {
			return where(db, w).Update(ctx, column, value)
		},
		set: func(ctx context.Context, db *gorm.DB, w []any, column string, value any) (any, error) {
			return where(db, w).Set(clause.Assignment{Column: clause.Column{Name: column}, Value: value}).Update(ctx)
		},
		delete: func(ctx context.Context, db *gorm.DB, w []any) (any, error) { return where(db, w).Delete(ctx) },
	}
}
