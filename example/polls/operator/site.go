package operator

import (
	"embed"
	"html/template"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/time/rate"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy/catalog"
	"github.com/gorm-tenancy/tenancy/example/polls/polls"
	"github.com/gorm-tenancy/tenancy/migrate"
)

//go:embed templates/*.html
var files embed.FS

// Options say what the pages are about.
type Options struct {
	// DB has the plugin, and the tables of [Models]. Required.
	DB *gorm.DB
	// Catalog has the tenants, and [Founding] among its hooks. Required.
	Catalog *catalog.Catalog
	// Migrations knows the version of each tenant's tables. Required.
	Migrations *migrate.Runner
	// Strategy is the name of the strategy that all tenants are served by; with Plans, each has its own.
	Strategy string
	// Plans are what visitors choose from; none where all tenants are served alike.
	Plans []Plan
	// BaseDomains are the hosts whose subdomains are tenants. At least one.
	BaseDomains []string
	// Public lists the tenants to everybody on the front page, for demonstrations.
	Public bool
	// SecureCookies marks cookies as Secure whatever the request came by. Set it behind a proxy that ends TLS.
	SecureCookies bool
	// PasswordCost is bcrypt's, for first users. The default is bcrypt.DefaultCost.
	PasswordCost int
	// Pace is how often a network may launch a tenant, or try a password, in the long run. The default is once a minute.
	Pace rate.Limit
	// Burst is how often it may at once. The default is ten times.
	Burst int
	// Logger is told of failures that visitors are not. The default is slog.Default().
	Logger *slog.Logger
}

// Site is the pages. It is safe for concurrent use. Its tenants are made while [Site.Run] runs.
type Site struct {
	Options
	templates *template.Template
	unknown   []byte // the hash that the password of an unknown operator is compared with
	launches  *throttle
	attempts  *throttle
	wake      chan struct{}
}

// New returns the pages.
func New(o Options) (*Site, error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.PasswordCost == 0 {
		o.PasswordCost = bcrypt.DefaultCost
	}
	if o.Pace == 0 {
		o.Pace = rate.Every(time.Minute)
	}
	if o.Burst == 0 {
		o.Burst = 10
	}
	s := &Site{Options: o, wake: make(chan struct{}, 1)}
	var err error
	if s.templates, err = template.ParseFS(files, "templates/*.html"); err != nil {
		return nil, err
	}
	if s.unknown, err = bcrypt.GenerateFromPassword([]byte("nobody's password"), bcrypt.DefaultCost); err != nil {
		return nil, err
	}
	if s.launches, err = newThrottle(o.Pace, o.Burst); err != nil {
		return nil, err
	}
	s.attempts, err = newThrottle(o.Pace, o.Burst)
	return s, err
}

// Handler returns the pages. The context of its requests acts for no tenant.
func (s *Site) Handler() (http.Handler, error) {
	e := gin.New()
	e.RedirectTrailingSlash = false
	if err := e.SetTrustedProxies(nil); err != nil {
		return nil, err
	}
	e.SetHTMLTemplate(s.templates)
	e.Use(s.logFailures, polls.Harden, s.sameOrigin)
	e.NoRoute(func(c *gin.Context) {
		c.AbortWithStatusJSON(http.StatusNotFound, gin.H{"status": http.StatusNotFound, "detail": "open a tenant's own address"})
	})
	e.GET("/", s.front)
	e.GET("/start/", s.startPage)
	e.POST("/start/", s.start)
	e.GET("/start/:secret/", s.progress)
	e.GET("/operator/signin/", s.signInPage)
	e.POST("/operator/signin/", s.signIn)
	o := e.Group("/operator/", s.identify)
	o.POST("/signout/", s.signOut)
	o.GET("/", s.tenants)
	o.GET("/tenants/:id/", s.tenant)
	o.GET("/tenants/:id/delete/", s.deletePage)
	o.POST("/tenants/:id/:step/", s.step)
	return e, nil
}

// sameOrigin refuses what a page of another site, a tenant's below the same domain included, makes a browser send.
func (s *Site) sameOrigin(c *gin.Context) {
	if err := http.NewCrossOriginProtection().Check(c.Request); err != nil {
		s.refuse(c, http.StatusForbidden, "The request comes from a page of another site.")
	}
}

// logFailures logs the errors a visitor was not told.
func (s *Site) logFailures(c *gin.Context) {
	c.Next()
	for _, err := range c.Errors {
		s.Logger.ErrorContext(c.Request.Context(), "request failed", "method", c.Request.Method, "path", c.FullPath(), "error", err.Err)
	}
}

// page shows a template, with what every page needs.
func (s *Site) page(c *gin.Context, status int, name string, data gin.H) {
	data["Stylesheet"], data["Operator"] = polls.Stylesheet, signedIn(c)
	c.HTML(status, name, data)
}

// refuse ends a request with what to tell the visitor.
func (s *Site) refuse(c *gin.Context, status int, text string) {
	s.page(c, status, "refused.html", gin.H{"Title": http.StatusText(status), "Text": text})
	c.Abort()
}

// fail ends a request with an error that the visitor is not told.
func (s *Site) fail(c *gin.Context, err error) {
	_ = c.Error(err)
	s.refuse(c, http.StatusInternalServerError, "Something went wrong here; it has been logged.")
}

func (s *Site) front(c *gin.Context) {
	data := gin.H{"Title": "Polls", "Base": s.baseOf(c.Request.Host)}
	if s.Public {
		tenants, _, err := s.list(c.Request.Context(), 0, catalog.Active)
		if err != nil {
			s.fail(c, err)
			return
		}
		data["Tenants"] = tenants
	}
	s.page(c, http.StatusOK, "front.html", data)
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
