package operator

import (
	"embed"
	"html/template"
	"log/slog"
	"net"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/gorm-tenancy/tenancy/catalog"
	"github.com/gorm-tenancy/tenancy/example/polls/polls"
)

//go:embed templates/*.html
var files embed.FS

// Options say what the pages are about.
type Options struct {
	// Catalog has the tenants. Required.
	Catalog *catalog.Catalog
	// BaseDomains are the hosts whose subdomains are tenants. At least one.
	BaseDomains []string
	// Public lists the tenants to everybody on the front page, for demonstrations.
	Public bool
	// Logger is told of failures that visitors are not. The default is slog.Default().
	Logger *slog.Logger
}

// Site is the pages. It is safe for concurrent use.
type Site struct {
	Options
	templates *template.Template
}

// New returns the pages.
func New(o Options) (*Site, error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	templates, err := template.ParseFS(files, "templates/*.html")
	if err != nil {
		return nil, err
	}
	return &Site{Options: o, templates: templates}, nil
}

// Handler returns the pages. The context of its requests acts for no tenant.
func (s *Site) Handler() http.Handler {
	e := gin.New()
	e.RedirectTrailingSlash = false
	e.NoRoute(func(c *gin.Context) {
		c.AbortWithStatusJSON(http.StatusNotFound, gin.H{"status": http.StatusNotFound, "detail": "open a tenant's own address"})
	})
	e.SetHTMLTemplate(s.templates)
	e.GET("/", s.front)
	return e
}

func (s *Site) front(c *gin.Context) {
	var tenants []catalog.Tenant
	if s.Public {
		var err error
		if tenants, err = s.list(c, catalog.Active); err != nil {
			_ = c.AbortWithError(http.StatusInternalServerError, err)
			return
		}
	}
	c.HTML(http.StatusOK, "front.html", gin.H{
		"Title": "Polls", "Stylesheet": polls.Stylesheet, "Tenants": tenants, "Base": s.baseOf(c.Request.Host),
	})
}

func (s *Site) list(c *gin.Context, states ...catalog.State) (tenants []catalog.Tenant, err error) {
	for t, err := range s.Catalog.Store().List(c.Request.Context(), catalog.Filter{States: states}) {
		if err != nil {
			return nil, err
		}
		tenants = append(tenants, t)
	}
	return tenants, nil
}

// baseOf returns the base host by which somebody came, with the port. Who came by an address is sent to the first one.
func (s *Site) baseOf(host string) string {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	base := s.BaseDomains[0]
	for _, known := range s.BaseDomains {
		if strings.EqualFold(strings.TrimSuffix(name, "."), known) {
			base = known
		}
	}
	if port == "" {
		return base
	}
	return net.JoinHostPort(base, port)
}
