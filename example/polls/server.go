package main

import (
	"embed"
	"html/template"
	"log/slog"
	"net/http"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy/ginmw"
	"github.com/gorm-tenancy/tenancy/httpmw"
)

// baseHost is the host whose subdomains are the tenants. Browsers know *.localhost as this machine.
const baseHost = "localhost"

const (
	stylesheet = "/static/polls.css"
	maxBody    = 64 << 10
)

//go:embed templates/*.html static/polls.css
var files embed.FS

// newServer returns the application as a handler, safe for concurrent use.
func newServer(db *gorm.DB, log *slog.Logger) (http.Handler, error) {
	tenants := directory{db}
	tenancyMW, err := httpmw.New(httpmw.FromSubdomain(baseHost), tenants, httpmw.AllowCentral(), httpmw.WithLogger(log))
	if err != nil {
		return nil, err
	}
	templates, err := template.ParseFS(files, "templates/*.html")
	if err != nil {
		return nil, err
	}
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.SetHTMLTemplate(templates)
	r.HandleMethodNotAllowed = true
	r.Use(
		gin.RecoveryWithWriter(slog.NewLogLogger(log.Handler(), slog.LevelError).Writer()),
		logFailures(log), harden, ginmw.New(tenancyMW), tenants.front,
	)
	r.NoRoute(notFound)
	r.NoMethod(notAllowed)
	r.StaticFileFS(stylesheet, stylesheet[1:], http.FS(files))
	routes(r, &handlers{db: db})

	// Another site, and another tenant's page too, must not vote with a visitor's cookie.
	return http.NewCrossOriginProtection().Handler(r), nil
}

func routes(r gin.IRouter, h *handlers) {
	r.GET("/", h.listPage)
	r.GET("/polls/:id", h.pollPage)
	r.POST("/polls/:id/votes", h.voteForm)
	r.GET("/polls/:id/results", h.resultsPage)

	r.GET(apiPrefix+"polls", h.listPolls)
	r.POST(apiPrefix+"polls", h.createPoll)
	r.GET(apiPrefix+"polls/:id", h.readPoll)
	r.POST(apiPrefix+"polls/:id/choices", h.createChoice)
	r.POST(apiPrefix+"polls/:id/votes", h.createVote)
	r.GET(apiPrefix+"polls/:id/results", h.readResults)
}

// harden limits what a request may send and what a page may load.
func harden(c *gin.Context) {
	c.Header("Content-Security-Policy",
		"default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	c.Header("X-Content-Type-Options", "nosniff")
	c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, maxBody)
}

// logFailures logs the errors a visitor was not told.
func logFailures(log *slog.Logger) gin.HandlerFunc {
	return func(c *gin.Context) {
		c.Next()
		for _, err := range c.Errors {
			log.ErrorContext(c.Request.Context(), "request failed",
				"method", c.Request.Method, "path", c.Request.URL.Path, "error", err.Err)
		}
	}
}
