package main

import (
	"errors"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"
)

const apiPrefix = "/api/"

// problem is an error meant for the visitor, as RFC 9457 spells it.
type problem struct {
	Status int    `json:"status"`
	Title  string `json:"title"`
	Detail string `json:"detail,omitempty"`
}

// Error returns the detail.
func (p problem) Error() string { return p.Detail }

func badRequest(detail string) error { return problem{Status: http.StatusBadRequest, Detail: detail} }

// problemOf decides what the visitor learns of an error. Unexpected ones show nothing of themselves.
func problemOf(err error) problem {
	var p problem
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &p):
	case errors.Is(err, gorm.ErrRecordNotFound):
		p = problem{Status: http.StatusNotFound, Detail: "there is no such poll"}
	case errors.As(err, &tooLarge):
		p = problem{Status: http.StatusRequestEntityTooLarge, Detail: "the request is too large"}
	default:
		p = problem{Status: http.StatusInternalServerError, Detail: "something went wrong here; it has been logged"}
	}
	p.Title = http.StatusText(p.Status)
	return p
}

// fail ends a request with an error: JSON for the API, a page for everybody else.
func fail(c *gin.Context, err error) {
	p := problemOf(err)
	if p.Status == http.StatusInternalServerError {
		_ = c.Error(err)
	}
	if strings.HasPrefix(c.Request.URL.Path, apiPrefix) {
		c.Header("Content-Type", "application/problem+json")
		c.AbortWithStatusJSON(p.Status, p)
		return
	}
	c.HTML(p.Status, "error.html", page(c, gin.H{"Title": p.Title, "Detail": p.Detail}))
	c.Abort()
}

func notFound(c *gin.Context) {
	fail(c, problem{Status: http.StatusNotFound, Detail: "there is nothing at this address"})
}

func notAllowed(c *gin.Context) {
	fail(c, problem{Status: http.StatusMethodNotAllowed, Detail: c.Request.Method + " is not possible here"})
}
