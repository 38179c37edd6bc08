package docstest_test

import "github.com/gorm-tenancy/tenancy/internal/docstest"

const module = "github.com/gorm-tenancy/tenancy"

// wrapper says what the fragments of the documentation may use without declaring it.
var wrapper = docstest.Wrapper{
	Packages: map[string]string{
		"tenancy":  module,
		"shared":   module + "/strategies/shared",
		"schema":   module + "/strategies/schema",
		"database": module + "/strategies/database",
		"pinned":   module + "/strategies/pinned",
		"hybrid":   module + "/strategies/hybrid",
		"catalog":  module + "/catalog",
		"migrate":  module + "/migrate",
		"archive":  module + "/archive",
		"doctor":   module + "/doctor",
		"retrofit": module + "/retrofit",
		"httpmw":   module + "/httpmw",
		"ginmw":    module + "/ginmw",

		"tenantcli":   module + "/tenantcli",
		"tenancytest": module + "/tenancytest",

		"context": "context",
		"errors":  "errors",
		"fmt":     "fmt",
		"http":    "net/http",
		"os":      "os",
		"slog":    "log/slog",
		"strings": "strings",
		"testing": "testing",
		"time":    "time",

		"gorm":       "gorm.io/gorm",
		"gormschema": "gorm.io/gorm/schema",
		"clause":     "gorm.io/gorm/clause",
		"sqlite":     "gorm.io/driver/sqlite",
		"postgres":   "gorm.io/driver/postgres",
		"mysql":      "gorm.io/driver/mysql",

		"cobra": "github.com/spf13/cobra",
		"gin":   "github.com/gin-gonic/gin",

		// Of nested modules: blocks that use these say which.
		"asynqjobs":   module + "/integrations/jobs/asynqjobs",
		"riverjobs":   module + "/integrations/jobs/riverjobs",
		"natsjobs":    module + "/integrations/jobs/natsjobs",
		"oteltenancy": module + "/oteltenancy",

		"sql":              "database/sql",
		"asynq":            "github.com/hibiken/asynq",
		"river":            "github.com/riverqueue/river",
		"riverdatabasesql": "github.com/riverqueue/river/riverdriver/riverdatabasesql",
		"riverpgxv5":       "github.com/riverqueue/river/riverdriver/riverpgxv5",
		"rivertype":        "github.com/riverqueue/river/rivertype",
		"pgx":              "github.com/jackc/pgx/v5",
		"pgxpool":          "github.com/jackc/pgx/v5/pgxpool",
		"nats":             "github.com/nats-io/nats.go",
		"jetstream":        "github.com/nats-io/nats.go/jetstream",
		"sdktrace":         "go.opentelemetry.io/otel/sdk/trace",
		"otel":             "go.opentelemetry.io/otel",
		"propagation":      "go.opentelemetry.io/otel/propagation",
	},
	Preambles: map[string]string{
		"": `
			var ctx context.Context
			var db, other *gorm.DB
			var file *os.File
			var dsn, adminDSN string
			var key []byte
			var err error
			var id tenancy.ID
			var logger *slog.Logger
			var strategy *schema.Strategy
			var w http.ResponseWriter
			var r *http.Request
			var mux *http.ServeMux
			var handler http.Handler
			var directory httpmw.Directory
			var mw *httpmw.Middleware
			var store catalog.Store
			var tenants *catalog.Catalog
			var runner *migrate.Runner
			var mixed *hybrid.Strategy
			var job http.Header
			var plugin *tenancy.Plugin
			var rf *retrofit.Retrofit

			type Poll struct {
				ID       uint
				TenantID string
				Question string
				Votes    int
				Choices  []Choice
			}
			type Choice struct {
				ID       uint
				TenantID string
				PollID   uint
				Text     string
				Votes    int
			}
			type Plan struct {
				ID   uint
				Name string
			}
			var poll Poll
			var polls []Poll
			var choice Choice
			var choices []Choice
			var plan Plan
			var plans []Plan
		`,
		"cli": `
			var newServe, newRecount func() *cobra.Command
		`,
		"asynq": `
			var redis asynq.RedisConnOpt
			var payload []byte
			func count(ctx context.Context, task *asynq.Task) error { return nil }
		`,
		"river": `
			var pool *pgxpool.Pool
			var workers *river.Workers
			var client *river.Client[pgx.Tx]
			var within *river.Client[*sql.Tx]
		`,
		"nats": `
			var js jetstream.JetStream
			var consumer jetstream.Consumer
			var payload []byte
			func count(ctx context.Context, msg jetstream.Msg) error { return nil }
		`,
		"otel": `
			var exporter sdktrace.SpanExporter
			var engine *gin.Engine
		`,
		"gin": `
			var engine *gin.Engine
			var c *gin.Context
		`,
	},
}
