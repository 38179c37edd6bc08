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
		"catalog":  module + "/catalog",
		"migrate":  module + "/migrate",
		"retrofit": module + "/retrofit",
		"httpmw":   module + "/httpmw",
		"ginmw":    module + "/ginmw",

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

		"gin": "github.com/gin-gonic/gin",
	},
	Preambles: map[string]string{
		"": `
			var ctx context.Context
			var db *gorm.DB
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
		"gin": `
			var engine *gin.Engine
			var c *gin.Context
		`,
	},
}
