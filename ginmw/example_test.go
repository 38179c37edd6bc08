package ginmw_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/gin-gonic/gin"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/ginmw"
	"github.com/gorm-tenancy/tenancy/httpmw"
)

func ExampleNew() {
	mw, err := httpmw.New(httpmw.FromSubdomain("example.com"), httpmw.Tenants("thor", "potter"))
	if err != nil {
		fmt.Println(err)
		return
	}
	engine := gin.New()
	engine.Use(ginmw.New(mw))
	engine.GET("/polls", func(c *gin.Context) {
		// A real handler would call db.WithContext(c.Request.Context()).
		id, err := tenancy.Require(c.Request.Context())
		if err != nil {
			c.AbortWithStatus(http.StatusInternalServerError)
			return
		}
		c.String(http.StatusOK, "hello, %s", id)
	})

	w := httptest.NewRecorder()
	engine.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://thor.example.com/polls", nil))
	fmt.Println(w.Code, w.Body)
	// Output: 200 hello, thor
}
