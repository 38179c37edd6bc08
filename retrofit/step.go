package retrofit

import (
	"context"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy/migrate"
)

// Step is a stage as a step of migrate.NewCentral, for applications that change their tables in no other way:
//
//	migrate.NewCentral(db, []migrate.Source{r.Step(20260101, retrofit.StageAdd)})
//
// Put the stages into different releases: between them programs are deployed. It runs outside a transaction and, once begun, may
// be killed and run again. It runs on the retrofit's own database, hence the runner's must be the same.
func (r *Retrofit) Step(version int64, s Stage) migrate.Step {
	return migrate.Step{
		Version: version, Name: "retrofit " + string(s), NoTransaction: true, Idempotent: true,
		Run: func(ctx context.Context, _ *gorm.DB) error {
			_, err := r.Do(ctx, s)
			return err
		},
	}
}
