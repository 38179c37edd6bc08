package tenancy_test

import (
	"errors"
	"fmt"
	"testing"

	"go.opentelemetry.io/otel/trace/noop"
	"gorm.io/gorm"
	"gorm.io/plugin/opentelemetry/tracing"
)

func TestCoexistOpenTelemetry(t *testing.T) {
	for _, before := range []bool{true, false} {
		for _, prepare := range []bool{true, false} {
			t.Run(fmt.Sprintf("before %v prepared %v", before, prepare), func(t *testing.T) {
				attackAll(newEnvUsing(t, &gorm.Config{PrepareStmt: prepare}, func(db *gorm.DB, tenant gorm.Plugin, _ string) error {
					traces := tracing.NewPlugin(tracing.WithoutMetrics(), tracing.WithTracerProvider(noop.NewTracerProvider()))
					if before {
						return errors.Join(db.Use(traces), db.Use(tenant))
					}
					return errors.Join(db.Use(tenant), db.Use(traces))
				}))
			})
		}
	}
}
