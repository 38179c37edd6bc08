package polls

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"
)

// problem is an error meant for the visitor, as RFC 9457 spells it, and a member more that says the same as detail.
type problem struct {
	Status int    `json:"status"`
	Title  string `json:"title"`
	Detail string `json:"detail"`
	Brief  string `json:"error"`

	retryAfter time.Duration
}

// Error returns the detail.
func (p problem) Error() string { return p.Detail }

func badRequest(detail string) error { return problem{Status: http.StatusBadRequest, Detail: detail} }

func forbidden(detail string) error { return problem{Status: http.StatusForbidden, Detail: detail} }

// problemOf decides what the visitor learns of an error. Unexpected ones show nothing of themselves.
func problemOf(err error) problem {
	var p problem
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &p):
	case errors.Is(err, gorm.ErrRecordNotFound):
		p = problem{Status: http.StatusNotFound, Detail: "Not found."}
	case errors.As(err, &tooLarge):
		p = problem{Status: http.StatusRequestEntityTooLarge, Detail: "the request is too large"}
	default:
		p = problem{Status: http.StatusInternalServerError, Detail: "something went wrong here; it has been logged"}
	}
	p.Title, p.Brief = http.StatusText(p.Status), p.Detail
	return p
}

// fail ends a request with an error: JSON for programs, a page for people.
func (a *App) fail(c *gin.Context, err error) {
	p := problemOf(err)
	if p.Status == http.StatusInternalServerError {
		_ = c.Error(err)
	}
	if p.retryAfter > 0 {
		c.Header("Retry-After", strconv.Itoa(int(p.retryAfter.Seconds())))
	}
	if wantsPage(c) {
		a.page(c, p.Status, "error.html", gin.H{"Title": p.Title, "Detail": p.Detail})
		c.Abort()
		return
	}
	if p.Status == http.StatusUnauthorized {
		c.Header("WWW-Authenticate", "Token")
	}
	c.Header("Content-Type", "application/problem+json")
	c.AbortWithStatusJSON(p.Status, p)
}

func (a *App) notFound(c *gin.Context) {
	a.fail(c, problem{Status: http.StatusNotFound, Detail: "there is nothing at this address"})
}

func (a *App) notAllowed(c *gin.Context) {
	a.fail(c, problem{Status: http.StatusMethodNotAllowed, Detail: c.Request.Method + " is not possible here"})
}
