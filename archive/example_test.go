package archive_test

import (
	"bytes"
	"context"
	"fmt"
	"log"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/archive"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
)

// Album is a model of the example.
type Album struct {
	ID       uint
	TenantID string
	Title    string
}

func Example() {
	db, err := gorm.Open(sqlite.Open("file:albums?mode=memory&cache=shared"), &gorm.Config{})
	if err != nil {
		log.Fatal(err)
	}
	if err := db.AutoMigrate(&Album{}); err != nil {
		log.Fatal(err)
	}
	if err := db.Use(tenancy.New(shared.New(), tenancy.OwnedModels(&Album{}))); err != nil {
		log.Fatal(err)
	}
	acme := tenancy.WithTenant(context.Background(), "acme")
	if err := db.WithContext(acme).Create(&[]Album{{Title: "Blue"}, {Title: "Red"}}).Error; err != nil {
		log.Fatal(err)
	}

	var file bytes.Buffer
	manifest, err := archive.Export(acme, db, &file)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(manifest.Tables[0].Name, manifest.Tables[0].Rows)
	counts, err := archive.Erase(acme, db)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("erased", counts[0].Rows)
	if _, err := archive.Import(acme, db, &file); err != nil {
		log.Fatal(err)
	}
	sum, err := archive.Sum(acme, db)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(sum.SHA256 == manifest.SHA256)
	report, err := archive.Copy(context.Background(), db, "acme", "trial")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("copied with new keys:", report.Renumbered)
	// Output:
	// albums 2
	// erased 2
	// true
	// copied with new keys: 2
}
