package polls

import (
	"net/http"

	"github.com/gin-gonic/gin"
)

// Stylesheet is the path of the application's style sheet, which is the same for everybody.
const Stylesheet = "/static/polls.css"

const (
	maxBody = 64 << 10

	kindKey = "polls.kind"
	userKey = "polls.user"
)

// kind is how a route answers.
type kind uint8

const (
	kindEither kind = iota // as the reader prefers
	kindJSON
	kindPage
)

func answerJSON(c *gin.Context)  { c.Set(kindKey, kindJSON) }
func answerPages(c *gin.Context) { c.Set(kindKey, kindPage) }

func answerEither(c *gin.Context) {
	c.Set(kindKey, kindEither)
	c.Writer.Header().Add("Vary", "Accept")
}

// wantsPage reports whether the answer is a page. Whoever accepts anything is a program.
func wantsPage(c *gin.Context) bool {
	if k, ok := c.Get(kindKey); ok && k != kindEither {
		return k == kindPage
	}
	return c.NegotiateFormat(gin.MIMEJSON, gin.MIMEHTML) == gin.MIMEHTML
}

// handler answers a request, or returns what there is to say instead.
type handler func(*gin.Context) error

func either(program, page handler) handler {
	return func(c *gin.Context) error {
		if wantsPage(c) {
			return page(c)
		}
		return program(c)
	}
}

// routes registers each path twice, with and without a slash at the end.
type routes struct {
	app *App
	to  gin.IRoutes
}

// open registers what everybody may ask.
func (r routes) open(method, path string, h handler) { r.handle(method, path, r.app.answer(h)) }

// member registers what only users may ask who are signed in.
func (r routes) member(method, path string, h handler) {
	r.handle(method, path, r.app.member, r.app.answer(h))
}

func (r routes) handle(method, path string, handlers ...gin.HandlerFunc) {
	r.to.Handle(method, path, handlers...)
	if path != "/" {
		r.to.Handle(method, path[:len(path)-1], handlers...)
	}
}

func (a *App) answer(h handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		if err := h(c); err != nil {
			a.fail(c, err)
		}
	}
}

// Harden limits what a request may send and what a page may load, and keeps answers out of caches. [App.Mount] uses it; use
// it earlier, too, where something answers in front of the application.
func Harden(c *gin.Context) {
	h := c.Writer.Header()
	h.Set("Content-Security-Policy",
		"default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, maxBody)
}

// sameOrigin refuses what a page of another site, a neighbour below the same domain included, makes a browser send.
func (a *App) sameOrigin(c *gin.Context) {
	if err := http.NewCrossOriginProtection().Check(c.Request); err != nil {
		a.fail(c, problem{Status: http.StatusForbidden, Detail: "the request comes from a page of another site"})
	}
}

// logFailures logs the errors a visitor was not told.
func (a *App) logFailures(c *gin.Context) {
	c.Next()
	for _, err := range c.Errors {
		a.log.ErrorContext(c.Request.Context(), "request failed",
			"method", c.Request.Method, "path", c.Request.URL.Path, "error", err.Err)
	}
}

// static serves a file that is the same for everybody.
func static(contentType, name string) gin.HandlerFunc {
	return func(c *gin.Context) {
		content, err := files.ReadFile(name)
		if err != nil {
			c.AbortWithStatus(http.StatusInternalServerError)
			return
		}
		c.Header("Cache-Control", "public, max-age=3600")
		c.Data(http.StatusOK, contentType, content)
	}
}
