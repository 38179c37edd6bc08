package schema_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/strategies/schema"
)

func ExampleNew() {
	db, err := gorm.Open(postgres.Open(os.Getenv("DATABASE_URL")))
	if err != nil {
		log.Fatal(err)
	}
	strategy := schema.New()
	if err := db.Use(tenancy.New(strategy, tenancy.OwnedModels(&Voter{}), tenancy.CentralModels(&Plan{}))); err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	if err := strategy.Provision(ctx, "acme"); err != nil {
		log.Fatal(err)
	}
	var names []string
	err = db.WithContext(tenancy.WithTenant(ctx, "acme")).Raw("SELECT name FROM voters").Scan(&names).Error
	fmt.Println(names, err)
}

func ExampleAsOwner() {
	var db *gorm.DB // with schema.New(schema.Roles())
	ctx := tenancy.WithTenant(context.Background(), "acme")
	err := db.WithContext(schema.AsOwner(ctx)).AutoMigrate(&Voter{})
	fmt.Println(err)
}
