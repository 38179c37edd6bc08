package main

import (
	"log/slog"
	"net/http"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy/example/polls/polls"
	"github.com/gorm-tenancy/tenancy/ginmw"
	"github.com/gorm-tenancy/tenancy/httpmw"
)

// baseHosts returns the hosts whose subdomains are the tenants. Browsers know *.localhost as this machine; for polls.local
// and its subdomains somebody has to say so in /etc/hosts.
func baseHosts() []string { return []string{"localhost", "polls.local"} }

// newServer returns the application behind the middleware that finds the tenant. It is safe for concurrent use.
func newServer(db *gorm.DB, log *slog.Logger, o polls.Options) (http.Handler, error) {
	tenants := directory{db}
	tenancyMW, err := httpmw.New(httpmw.FromSubdomain(baseHosts()...), tenants, httpmw.AllowCentral(), httpmw.WithLogger(log))
	if err != nil {
		return nil, err
	}
	o.Logger = log
	app, err := polls.New(db, o)
	if err != nil {
		return nil, err
	}
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	if err := e.SetTrustedProxies(nil); err != nil {
		return nil, err
	}
	e.Use(
		gin.RecoveryWithWriter(slog.NewLogLogger(log.Handler(), slog.LevelError).Writer()),
		polls.Harden, ginmw.New(tenancyMW), tenants.front,
	)
	app.Mount(e)
	return e, nil
}
