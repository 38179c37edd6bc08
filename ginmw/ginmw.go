// Package ginmw puts the middleware of package httpmw in front of gin handlers.
//
//	mw, err := httpmw.New(httpmw.FromSubdomain("example.com"), directory)
//	if err != nil {
//		return err
//	}
//	engine.Use(ginmw.New(mw))
//
// The tenant is in the context of the request, so pass that to GORM: db.WithContext(c.Request.Context()). It stays
// there in a copy made by c.Copy() for a goroutine; note that the request's context ends with the request, so work that
// outlives it needs context.WithoutCancel. To pass the *gin.Context itself, db.WithContext(c), set
// engine.ContextWithFallback = true; without it a *gin.Context names no tenant and every statement on owned tables is
// refused.
package ginmw

import (
	"github.com/gin-gonic/gin"

	"github.com/gorm-tenancy/tenancy/httpmw"
)

// New returns a gin handler that admits requests as mw does. A request that is not admitted gets the answer of mw, and
// the handlers after it do not run. It panics if mw is nil, which is a mistake at start-up. Safe for concurrent use.
func New(mw *httpmw.Middleware) gin.HandlerFunc {
	if mw == nil {
		panic("ginmw: the middleware is nil")
	}
	return func(c *gin.Context) {
		admitted, ok := mw.Admit(c.Writer, c.Request)
		if !ok {
			c.Abort()
			// Otherwise gin gives an answer without a body its own: that to HEAD on an unknown route.
			c.Writer.WriteHeaderNow()
			return
		}
		c.Request = admitted
	}
}
