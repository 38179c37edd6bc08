package hosting

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/example/polls/operator"
	"github.com/gorm-tenancy/tenancy/example/polls/polls"
	"github.com/gorm-tenancy/tenancy/ginmw"
	"github.com/gorm-tenancy/tenancy/httpmw"
)

// HealthPath is answered on every host: 200 while the process can ask its database, and nothing else.
const HealthPath = "/healthz"

// Handler returns the application behind the middleware that finds the tenant. pages answer what is asked of no tenant; nil
// answers nothing. It is safe for concurrent use.
func (s *Service) Handler(o polls.Options, pages *operator.Site) (http.Handler, error) {
	mw, err := s.middleware()
	if err != nil {
		return nil, err
	}
	gin.SetMode(gin.ReleaseMode)
	front := http.NotFoundHandler()
	if pages != nil {
		if front, err = pages.Handler(); err != nil {
			return nil, err
		}
	}
	o.Logger, o.Again = s.target.Logger, deadlocked
	app, err := polls.New(s.DB, o)
	if err != nil {
		return nil, err
	}
	e := gin.New()
	if err := e.SetTrustedProxies(s.target.TrustedProxies); err != nil {
		return nil, err
	}
	e.Use(
		gin.RecoveryWithWriter(slog.NewLogLogger(s.target.Logger.Handler(), slog.LevelError).Writer()),
		polls.Harden, ginmw.New(mw), central(front),
	)
	app.Mount(e)
	return s.health(e), nil
}

// Operator returns the operator's pages, or nil in a pinned process, which has no tenants to operate. What o says of the
// service is filled in.
func (s *Service) Operator(o operator.Options) (*operator.Site, error) {
	if s.target.Strategy == Pinned {
		return nil, nil
	}
	o.DB, o.Catalog, o.Migrations, o.Strategy = s.DB, s.Catalog, s.Migrations, s.target.Strategy
	o.BaseDomains, o.Logger = s.target.BaseDomains, s.target.Logger
	if s.target.Strategy == Hybrid {
		o.Plans = []operator.Plan{
			{Strategy: Shared, Title: "Pooled", Text: "in tables that several sites share"},
			{Strategy: Database, Title: "Siloed", Text: "in a database of its own"},
		}
	}
	return operator.New(o)
}

// middleware finds the tenant by the host: a subdomain, or a domain of its own.
func (s *Service) middleware() (*httpmw.Middleware, error) {
	log := httpmw.WithLogger(s.target.Logger)
	if s.target.Strategy != Pinned {
		return httpmw.New(httpmw.FromDomain(s.Catalog, s.target.BaseDomains...), s.Catalog, httpmw.AllowCentral(), log)
	}
	own := map[string]tenancy.ID{}
	for _, domain := range s.target.Domains {
		own[domain] = s.target.tenant
	}
	return httpmw.New(httpmw.FromDomain(httpmw.DomainMap(own), s.target.BaseDomains...), s.Catalog, log)
}

// central hands what is asked of no tenant to front, but for the stylesheet, which is the same for everybody. Requests for
// a tenant pass.
func central(front http.Handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		if _, ok := tenancy.FromContext(c.Request.Context()); ok || c.FullPath() == polls.Stylesheet {
			return
		}
		c.Abort()
		front.ServeHTTP(c.Writer, c.Request)
	}
}

// health answers [HealthPath] in front of everything else.
func (s *Service) health(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != HealthPath {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		if err := s.answers(r.Context()); err != nil {
			s.target.Logger.ErrorContext(r.Context(), "the database does not answer", "error", err)
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusOK)
	})
}

func (s *Service) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(tenancy.Central(ctx), 2*time.Second)
	defer cancel()
	pool, err := s.DB.DB()
	if err != nil {
		return err
	}
	err = pool.PingContext(ctx)
	if errors.Is(err, context.Canceled) {
		return nil // the visitor has left
	}
	return err
}
