package httpmw_test

import (
	"net/http"
	"testing"

	"github.com/gorm-tenancy/tenancy/httpmw"
	"github.com/gorm-tenancy/tenancy/internal/requesttable"
)

func TestRequests(t *testing.T) {
	t.Parallel()
	requesttable.Run(t, func(mw *httpmw.Middleware, handler http.HandlerFunc) http.Handler {
		return mw.Handler(handler)
	})
}
