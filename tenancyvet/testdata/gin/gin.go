// Package gin stands in for gin, which would bring a hundred packages to look at: a context, and the engine that hands it out.
package gin

import (
	"context"
	"net/http"
)

// Context is gin's own.
type Context struct {
	context.Context
	Request *http.Request
}

// Copy returns one that nobody else gets.
func (c *Context) Copy() *Context { return c }
