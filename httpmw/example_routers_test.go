package httpmw_test

import (
	"fmt"
	"net/http"

	"github.com/go-chi/chi/v5"
	"github.com/labstack/echo/v4"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/httpmw"
)

func ExampleMiddleware_Handler_chi() {
	mw, err := httpmw.New(httpmw.FromSubdomain("example.com"), httpmw.Tenants("thor", "potter"))
	if err != nil {
		fmt.Println(err)
		return
	}
	r := chi.NewRouter()
	r.Use(mw.Handler)
	r.Get("/polls", hello)

	get(r, "http://potter.example.com/polls")
	get(r, "http://nobody.example.com/polls")
	// Output:
	// 200 hello, potter
	// 404 {"type":"about:blank","title":"Not Found","status":404,"detail":"Nothing is served at this address."}
}

func ExampleMiddleware_Handler_echo() {
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
