package retrofit_test

import (
	"testing"
	"time"

	"github.com/gorm-tenancy/tenancy/retrofit"
)

// BenchmarkStages takes 100,000 polls and as many choices through all stages: go test ./retrofit -run - -bench Stages
// -benchtime 1x
func BenchmarkStages(b *testing.B) {
	for _, kind := range []string{"sqlite", "postgres", "mysql"} {
		b.Run(kind, func(b *testing.B) {
			for range b.N {
				b.StopTimer()
				e := newEnv(b, kind)
				e.seed(50_000)
				r := e.retrofit(byCompany)
				b.StartTimer()
				for _, stage := range retrofit.Stages() {
					report := e.stage(r, stage)
					b.ReportMetric(float64(report.Lock)/float64(time.Millisecond), string(stage)+"-ms-lock")
					b.ReportMetric(report.Took.Seconds(), string(stage)+"-s")
					if stage == retrofit.StageBackfill {
						b.ReportMetric(float64(report.Stamped)/report.Took.Seconds(), "rows/s")
					}
				}
			}
		})
	}
}
