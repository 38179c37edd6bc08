package ginmw_test

import (
	"net/http"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/gorm-tenancy/tenancy/ginmw"
	"github.com/gorm-tenancy/tenancy/httpmw"
	"github.com/gorm-tenancy/tenancy/internal/requesttable"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.TestMode)
	m.Run()
}

func TestRequests(t *testing.T) {
	t.Parallel()
	requesttable.Run(t, func(mw *httpmw.Middleware, handler http.HandlerFunc) http.Handler {
		engine := gin.New()
		engine.Use(ginmw.New(mw))
		engine.Any("/*path", gin.WrapF(handler))
		return engine
	})
}

// Middleware runs for unknown routes too, where gin would like to write an answer of its own.
func TestRequestsOnUnknownRoutes(t *testing.T) {
	t.Parallel()
	requesttable.Run(t, func(mw *httpmw.Middleware, handler http.HandlerFunc) http.Handler {
		engine := gin.New()
		engine.Use(ginmw.New(mw))
		engine.NoRoute(gin.WrapF(handler))
		return engine
	})
}
