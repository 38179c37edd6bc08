// Command polls answers requests: the first six handlers are wrong, the others are right.
package main

import (
	"context"
	"sync"

	"example.com/app/polls/models"
	"example.com/app/polls/store"
	"github.com/gin-gonic/gin"
	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
	"gorm.io/gorm"
)

type app struct {
	s  *store.Store
	db *gorm.DB
}

func (a *app) own(c *gin.Context) {
	a.db.WithContext(c).Find(&[]models.Poll{}) // want `a *gin.Context names no tenant`
}

func (a *app) reused(c *gin.Context) {
	go func() { _ = a.s.Add(c.Request.Context()) }() // want `gin gives c to another request`
}

func (a *app) ended(c *gin.Context) {
	ctx := c.Request.Context()
	go func() { _ = a.s.Add(ctx) }() // want `the request's context is cancelled`
}

func (a *app) emptied(c *gin.Context) {
	_ = a.s.Add(context.Background()) // want `Add gets a context without a tenant`
}

func (a *app) handed(c *gin.Context) {
	a.s.DB().Find(&[]models.Poll{}) // want `Find runs without the request's context`
}

func (a *app) generic(c *gin.Context) {
	gorm.G[models.Poll](a.db).Find(context.TODO()) // want `Find gets a context without a tenant`
}

func (a *app) detached(c *gin.Context) {
	ctx := context.WithoutCancel(c.Request.Context())
	go func() { _ = a.s.Add(ctx) }()
	go a.work(c.Copy())
}

func (a *app) work(c *gin.Context) {}

func (a *app) awaited(c *gin.Context) {
	var wg sync.WaitGroup
	wg.Add(1)
	go func() { defer wg.Done(); _ = a.s.Add(c.Request.Context()) }()
	wg.Wait()
}

func setup(db *gorm.DB) error {
	return db.Use(tenancy.New(shared.New(), tenancy.OwnedModels(&models.Poll{}, &models.Plan{}))) // want `Plan has no tenant field`
}

func setupChoices(db *gorm.DB) error {
	return db.Use(tenancy.New(shared.New(), tenancy.OwnedModels(&models.Choice{}))) // want `Poll not declared`
}

func setupPolls(db *gorm.DB) error {
	return db.Use(tenancy.New(shared.New(), tenancy.OwnedModels(&models.Poll{})))
}

func main() {}
