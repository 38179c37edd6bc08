// Package shop is a layered shop: handlers, a service, a store.
package shop

import (
	"context"
	"net/http"

	"github.com/gorm-tenancy/tenancy"
	"gorm.io/gorm"
)

type Order struct {
	ID       uint   `gorm:"primaryKey"`
	TenantID string `gorm:"uniqueIndex:idx_number"`
	Number   string `gorm:"uniqueIndex:idx_number"`
	Coupon   string `gorm:"uniqueIndex"` // want `the unique index of Order over Coupon does not hold the tenant`
}

type Store struct{ db *gorm.DB }

func New(db *gorm.DB) *Store { return &Store{db: db} }

func (s *Store) List(ctx context.Context, paid bool) (list []Order, err error) {
	q := s.db.WithContext(ctx)
	if paid {
		q = q.Where("paid")
	}
	return list, q.Find(&list).Error
}

func (s *Store) Lost(ctx context.Context) (list []Order, err error) {
	return list, s.db.Find(&list).Error // want `Find runs without the request's context`
}

func (s *Store) Emptied(ctx context.Context) (list []Order, err error) {
	return list, s.db.WithContext(context.Background()).Find(&list).Error // want `WithContext gets a context without a tenant`
}

func (s *Store) Count(ctx context.Context) (n int) {
	s.db.WithContext(ctx).Raw("SELECT count(*) FROM orders WHERE tenant_id = ?", tenancy.Current).Scan(&n)
	s.db.WithContext(ctx).Raw("SELECT count(*) FROM orders").Scan(&n) // want `the SQL text names the owned table orders`
	s.db.WithContext(ctx).Table("orders").Scan(&n)
	s.db.WithContext(ctx).Table("orders, carts").Scan(&n) // want `the text of Table names the owned table orders`
	//tenancyvet:ignore rawsql the number of all orders is shown on the front page
	s.db.WithContext(ctx).Raw("SELECT count(*) FROM orders").Scan(&n)
	return n
}

func (s *Store) All(ctx context.Context, why string) {
	ctx = tenancy.Bypass(ctx, "nightly report")
	s.db.WithContext(ctx).Exec("DELETE FROM orders")
	_ = tenancy.Bypass(ctx, "")  // want `the reason of tenancy.Bypass is empty`
	_ = tenancy.Bypass(ctx, why) // want `the reason of tenancy.Bypass is no constant`
}

func (s *Store) Handle(w http.ResponseWriter, r *http.Request) {
	go s.List(r.Context(), true) // want `the request's context is cancelled when the handler has returned`
	go s.List(context.WithoutCancel(r.Context()), true)
	ctx := r.Context()
	ctx = context.WithValue(ctx, "k", "v")
	go s.List(ctx, true) // want `the request's context is cancelled when the handler has returned`
}

// Narrow gives a variable to itself: nothing may loop.
func Narrow(ctx context.Context, db *gorm.DB) {
	db = db.Where("a")
	db = db.Where("b")
	db.Exec("UPDATE orders SET paid = 1") // want `the SQL text names the owned table orders`
}

type tree []tree

func Walk(ctx context.Context, db *gorm.DB, t tree) { db.WithContext(ctx).Find(t) }

/* want `without a reason nothing is silenced` */ //tenancyvet:ignore rawsql
/* want `has no check "sql"` */ //tenancyvet:ignore sql because
