package doctor_test

import (
	"context"
	"fmt"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/doctor"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
)

// A unique index over all tenants tells one of them what another has.
func ExampleRun() {
	type Domain struct {
		ID       string `gorm:"primaryKey;type:uuid"`
		TenantID string `gorm:"index"`
		Name     string `gorm:"uniqueIndex"`
	}
	db, err := gorm.Open(sqlite.Open("file:example?mode=memory&cache=shared"))
	if err != nil {
		panic(err)
	}
	if err := db.Use(tenancy.New(shared.New(), tenancy.OwnedModels(&Domain{}))); err != nil {
		panic(err)
	}
	ctx := context.Background()
	if err := db.WithContext(tenancy.Bypass(ctx, "create tables")).AutoMigrate(&Domain{}); err != nil {
		panic(err)
	}
	report, err := doctor.Run(ctx, db)
	if err != nil {
		panic(err)
	}
	for _, f := range report.Findings {
		fmt.Println(f.Severity, f.Code, f.Table)
	}
	fmt.Println(report.Err())
	// Output:
	// warning unique-global domains
	// <nil>
}
