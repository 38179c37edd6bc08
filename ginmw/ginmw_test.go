package ginmw_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/ginmw"
	"github.com/gorm-tenancy/tenancy/httpmw"
)

func engine(t *testing.T, handler gin.HandlerFunc, ids ...tenancy.ID) *gin.Engine {
	t.Helper()
	mw, err := httpmw.New(httpmw.FromSubdomain("example.com"), httpmw.Tenants(ids...))
	if err != nil {
		t.Fatal(err)
	}
	e := gin.New()
	e.Use(ginmw.New(mw))
	e.GET("/", handler)
	return e
}

func get(e http.Handler, host string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Host = host
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	return w
}

func TestRefusalAbortsTheChain(t *testing.T) {
	t.Parallel()
	e := engine(t, func(*gin.Context) { t.Error("the handler ran") }, "thor")
	if w := get(e, "nobody.example.com"); w.Code != http.StatusNotFound {
		t.Errorf("status %d, want 404", w.Code)
	}
}

// A *gin.Context is a context of its own. It names the tenant only if the engine lets it ask the request's context.
func TestContextItself(t *testing.T) {
	t.Parallel()
	for _, fallback := range []bool{false, true} {
		e := engine(t, func(c *gin.Context) {
			if id, ok := tenancy.FromContext(c.Request.Context()); id != "thor" || !ok {
				t.Errorf("the request acts for %q (%v)", id, ok)
			}
			if id, ok := tenancy.FromContext(c); ok != fallback {
				t.Errorf("fallback %v: the gin context acts for %q (%v)", fallback, id, ok)
			}
			derived, cancel := context.WithCancel(c)
			defer cancel()
			if _, ok := tenancy.FromContext(derived); ok != fallback {
				t.Errorf("fallback %v: a context derived from the gin context: %v", fallback, ok)
			}
		}, "thor")
		e.ContextWithFallback = fallback
		get(e, "thor.example.com")
	}
}

// gin reuses its contexts, so work that goes on after the request takes a copy. The copy keeps its tenant while the
// original serves others.
func TestCopyKeepsTheTenant(t *testing.T) {
	t.Parallel()
	ids := make([]tenancy.ID, 8)
	for i := range ids {
		ids[i] = tenancy.ID(fmt.Sprintf("tenant%d", i))
	}
	var late sync.WaitGroup
	allServed := make(chan struct{})
	e := engine(t, func(c *gin.Context) {
		want, err := tenancy.Require(c.Request.Context())
		if err != nil {
			t.Error(err)
		}
		copied := c.Copy()
		late.Go(func() {
			<-allServed
			for name, ctx := range map[string]context.Context{"request": copied.Request.Context(), "gin": copied} {
				if got, _ := tenancy.FromContext(ctx); got != want {
					t.Errorf("the copy's %s context acts for %q, want %q", name, got, want)
				}
			}
		})
		c.String(http.StatusOK, want.String())
	}, ids...)
	e.ContextWithFallback = true

	var requests sync.WaitGroup
	for _, id := range ids {
		requests.Go(func() {
			for range 20 {
				if got := get(e, string(id)+".example.com").Body.String(); got != string(id) {
					t.Errorf("acts for %q, want %q", got, id)
				}
			}
		})
	}
	requests.Wait()
	close(allServed)
	late.Wait()
}

func TestNilMiddlewarePanicsAtStartUp(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	ginmw.New(nil)
}
