package retrofit_test

import (
	"context"
	"fmt"
	"log"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/retrofit"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
)

func Example() {
	db, err := gorm.Open(sqlite.Open("file:retrofit?mode=memory&cache=shared"), &gorm.Config{})
	if err != nil {
		log.Fatal(err)
	}
	// What there is: polls without a tenant.
	if err := db.AutoMigrate(&OldPoll{}); err != nil {
		log.Fatal(err)
	}
	db.Create(&[]OldPoll{{Slug: "lunch"}, {Slug: "dinner"}})

	type Poll struct {
		ID       uint
		TenantID string `gorm:"not null;size:63"`
		Slug     string
	}
	plugin := tenancy.New(shared.New(), tenancy.OwnedModels(&Poll{}))
	r, err := retrofit.New(db, plugin, retrofit.Legacy("acme"))
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	for _, stage := range retrofit.Stages() { // with deployments in between, see docs/retrofit.md
		if _, err := r.Do(ctx, stage); err != nil {
			log.Fatal(err)
		}
	}
	if err := db.Use(plugin); err != nil {
		log.Fatal(err)
	}
	for _, tenant := range []tenancy.ID{"acme", "globex"} {
		var n int64
		db.WithContext(tenancy.WithTenant(ctx, tenant)).Model(&Poll{}).Count(&n)
		fmt.Println(tenant, "has", n, "polls")
	}
	// Output:
	// acme has 2 polls
	// globex has 0 polls
}

// ExampleRetrofit_Plan shows the SQL of all stages and changes nothing.
func ExampleRetrofit_Plan() {
	db, err := gorm.Open(sqlite.Open("file:plan?mode=memory&cache=shared"), &gorm.Config{})
	if err != nil {
		log.Fatal(err)
	}
	if err := db.Exec("CREATE TABLE tags (id integer PRIMARY KEY)").Error; err != nil {
		log.Fatal(err)
	}
	type Tag struct {
		ID       uint
		TenantID string `gorm:"not null"`
	}
	r, err := retrofit.New(db, tenancy.New(shared.New(), tenancy.OwnedModels(&Tag{})), retrofit.Legacy("acme"))
	if err != nil {
		log.Fatal(err)
	}
	plan, err := r.Plan(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(plan.Stages[0].Changes[0].SQL[0])
	// Output: ALTER TABLE `tags` ADD COLUMN `tenant_id` text NOT NULL DEFAULT 'acme'
}
