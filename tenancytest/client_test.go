package tenancytest_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/httpmw"
	"github.com/gorm-tenancy/tenancy/tenancytest"
)

// echo answers with the tenant, the method, the body and the visitor's count, which a cookie holds.
func echo(w http.ResponseWriter, r *http.Request) {
	id, _ := tenancy.FromContext(r.Context())
	n := 0
	if c, err := r.Cookie("visits"); err == nil {
		_, _ = fmt.Sscan(c.Value, &n)
	}
	http.SetCookie(w, &http.Cookie{Name: "visits", Value: fmt.Sprint(n + 1), Path: "/"})
	body, _ := io.ReadAll(r.Body)
	fmt.Fprintf(w, `{"tenant":%q,"method":%q,"body":%q,"visits":%d}`, id, r.Method, body, n)
}

// TestClient shows that each way to name a tenant is the one that the resolver reads.
func TestClient(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		resolver httpmw.Resolver
		naming   tenancytest.Naming
	}{
		"subdomain": {httpmw.FromSubdomain("example.com"), tenancytest.Subdomain("example.com")},
		"domain":    {httpmw.FromDomain(httpmw.DomainMap(map[string]tenancy.ID{"thor.org": "thor"})), tenancytest.Host("thor.org")},
		"header":    {httpmw.FromHeader("X-Tenant"), tenancytest.Header("X-Tenant")},
		"path":      {httpmw.FromPath("/t"), tenancytest.Path("/t")},
		"first":     {httpmw.FromPath("/"), tenancytest.Path("/")},
		"query":     {httpmw.FromQuery("tenant"), tenancytest.Query("tenant")},
		"cookie":    {httpmw.FromCookie("tenant"), tenancytest.Cookie("tenant")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mw, err := httpmw.New(tc.resolver, httpmw.Tenants("thor"))
			must(t, err)
			c := tenancytest.NewClient(t, mw.Handler(http.HandlerFunc(echo)), "thor", tc.naming)
			for visits, answer := range []tenancytest.Answer{
				c.Get("/polls?page=2"), c.PostForm("/polls", url.Values{"x": {"1"}}), c.Do(httptest.NewRequest("DELETE", "/polls", nil)),
			} {
				var got struct {
					Tenant, Method, Body string
					Visits               int
				}
				must(t, answer.JSON(&got))
				if answer.Status != 200 || got.Tenant != "thor" || got.Visits != visits ||
					got.Method != []string{"GET", "POST", "DELETE"}[visits] || got.Body != []string{"", "x=1", ""}[visits] {
					t.Errorf("answer %d: %+v", visits, answer)
				}
			}
			stranger := tenancytest.NewClient(t, mw.Handler(http.HandlerFunc(echo)), "nobody", tc.naming)
			if a := stranger.Get("/polls"); name != "domain" && a.Status != http.StatusNotFound {
				t.Errorf("a stranger gets %d", a.Status)
			}
		})
	}
}
