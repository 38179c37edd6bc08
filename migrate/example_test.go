package migrate_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/migrate"
	"github.com/gorm-tenancy/tenancy/strategies/schema"
)

func Example() {
	db, err := gorm.Open(postgres.Open(os.Getenv("DATABASE_URL")))
	if err != nil {
		log.Fatal(err)
	}
	if err := db.Use(tenancy.New(schema.New(), tenancy.OwnedModels(&Poll{}))); err != nil {
		log.Fatal(err)
	}
	runner, err := migrate.New(db, migrate.List("acme", "globex"), []migrate.Source{
		migrate.Files(os.DirFS("migrations")),
		migrate.Step{Version: 20260131, Name: "titles", Run: func(_ context.Context, tx *gorm.DB) error {
			return tx.Model(&Poll{}).Where("title = ''").Update("title", "untitled").Error
		}},
		migrate.Models(),
	}, migrate.Canary("acme"), migrate.OnEvent(func(e migrate.Event) { fmt.Println(e.Kind, e.Tenant, e.Progress) }))
	if err != nil {
		log.Fatal(err)
	}
	report, err := runner.Up(context.Background())
	fmt.Println(report)
	if err != nil {
		log.Fatal(err) // the report says who failed, and the next Up goes on
	}
}

func ExampleRunner_Ready() {
	var runner *migrate.Runner // one for the whole process
	lookUp := func(ctx context.Context, id tenancy.ID) error {
		// … find the tenant, then refuse it while it is behind this program:
		return runner.Ready(ctx, id)
	}
	_ = lookUp
}

func ExampleNewCentral() {
	var db *gorm.DB
	central, err := migrate.NewCentral(db, []migrate.Source{migrate.Files(os.DirFS("migrations/central"))})
	if err != nil {
		log.Fatal(err)
	}
	report, err := central.Up(context.Background())
	fmt.Println(report, err)
}
