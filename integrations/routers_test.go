package integrations_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/go-chi/chi/v5"
	"github.com/labstack/echo/v4"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/httpmw"
)

// get prints what a handler answers.
func get(handler http.Handler, url string) {
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, url, nil))
	fmt.Println(w.Code, strings.TrimSpace(w.Body.String()))
}

func Example_chi() {
	mw, err := httpmw.New(httpmw.FromSubdomain("example.com"), httpmw.Tenants("thor", "potter"))
	if err != nil {
		fmt.Println(err)
		return
	}
	r := chi.NewRouter()
	r.Use(mw.Handler)
	r.Get("/polls", func(w http.ResponseWriter, r *http.Request) {
		id, ok := tenancy.FromContext(r.Context())
		fmt.Fprintln(w, "hello,", id, ok)
	})

	get(r, "http://potter.example.com/polls")
	get(r, "http://nobody.example.com/polls")
	// Output:
	// 200 hello, potter true
	// 404 {"type":"about:blank","title":"Not Found","status":404,"detail":"Nothing is served at this address."}
}

func Example_echo() {
	mw, err := httpmw.New(httpmw.FromSubdomain("example.com"), httpmw.Tenants("thor", "potter"))
	if err != nil {
		fmt.Println(err)
		return
	}
	e := echo.New()
	e.Use(echo.WrapMiddleware(mw.Handler))
	e.GET("/polls", func(c echo.Context) error {
		id, err := tenancy.Require(c.Request().Context())
		if err != nil {
			return err
		}
		return c.String(http.StatusOK, "hello, "+id.String())
	})

	get(e, "http://potter.example.com/polls")
	get(e, "http://nobody.example.com/polls")
	// Output:
	// 200 hello, potter
	// 404 {"type":"about:blank","title":"Not Found","status":404,"detail":"Nothing is served at this address."}
}
