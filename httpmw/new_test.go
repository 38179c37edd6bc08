package httpmw_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/httpmw"
)

func TestNewRefusesMistakes(t *testing.T) {
	t.Parallel()
	good, dir := httpmw.FromHeader("X-Tenant"), httpmw.Tenants("thor")
	domains := func(domain string, id tenancy.ID) httpmw.Domains {
		return httpmw.DomainMap(map[string]tenancy.ID{domain: id})
	}
	for name, c := range map[string]struct {
		resolver  httpmw.Resolver
		directory httpmw.Directory
		option    httpmw.Option
		want      string
	}{
		"no resolver":            {nil, dir, nil, "resolver"},
		"no directory":           {good, nil, nil, "directory"},
		"bad tenant":             {good, httpmw.Tenants("thor", "Bad"), nil, "Bad"},
		"no base domain":         {httpmw.FromSubdomain(), dir, nil, "base domain"},
		"empty base domain":      {httpmw.FromSubdomain(""), dir, nil, "base domain"},
		"base domain with port":  {httpmw.FromSubdomain("example.com:80"), dir, nil, "base domain"},
		"base domain, wildcard":  {httpmw.FromSubdomain("*.example.com"), dir, nil, "base domain"},
		"base domain, dot":       {httpmw.FromSubdomain("ok.org", ".example.com"), dir, nil, "base domain"},
		"base domain, URL":       {httpmw.FromSubdomain("https://example.com"), dir, nil, "base domain"},
		"base domain, IPv4":      {httpmw.FromSubdomain("127.0.0.1"), dir, nil, "base domain"},
		"base domain, IPv6":      {httpmw.FromSubdomain("[::1]"), dir, nil, "base domain"},
		"no domains":             {httpmw.FromDomain(nil), dir, nil, "domains"},
		"domain with port":       {httpmw.FromDomain(domains("a.org:80", "thor")), dir, nil, "a.org:80"},
		"domain of nobody":       {httpmw.FromDomain(domains("a.org", "")), dir, nil, "a.org"},
		"domains, bad base":      {httpmw.FromDomain(domains("a.org", "thor"), "x y"), dir, nil, "base domain"},
		"header without name":    {httpmw.FromHeader(""), dir, nil, "header name"},
		"header with space":      {httpmw.FromHeader("X Tenant"), dir, nil, "header name"},
		"header Host":            {httpmw.FromHeader("host"), dir, nil, "holds a host"},
		"header forwarded":       {httpmw.FromHeader("x-forwarded-host"), dir, nil, "holds a host"},
		"query without name":     {httpmw.FromQuery(""), dir, nil, "parameter"},
		"cookie with equals":     {httpmw.FromCookie("a=b"), dir, nil, "cookie name"},
		"claim without function": {httpmw.FromClaim(nil), dir, nil, "nil"},
		"path without slash":     {httpmw.FromPath("t"), dir, nil, "prefix"},
		"path empty":             {httpmw.FromPath(""), dir, nil, "prefix"},
		"path with wildcard":     {httpmw.FromPath("/t/{tenant}"), dir, nil, "prefix"},
		"path with dots":         {httpmw.FromPath("/t/../x"), dir, nil, "prefix"},
		"path, double slash":     {httpmw.FromPath("/t//x"), dir, nil, "prefix"},
		"wildcard without name":  {httpmw.FromPathValue(""), dir, nil, "wildcard"},
		"empty chain":            {httpmw.Chain(), dir, nil, "resolver"},
		"nil in chain":           {httpmw.Chain(good, nil), dir, nil, "resolver 1"},
		"mistake deep in chain":  {httpmw.Chain(good, httpmw.Chain(httpmw.FromSubdomain())), dir, nil, "base domain"},
		"nil membership":         {good, dir, httpmw.WithMembership(nil), "WithMembership"},
		"nil error handler":      {good, dir, httpmw.WithErrorHandler(nil), "WithErrorHandler"},
		"nil logger":             {good, dir, httpmw.WithLogger(nil), "WithLogger"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var options []httpmw.Option
			if c.option != nil {
				options = append(options, c.option)
			}
			mw, err := httpmw.New(c.resolver, c.directory, options...)
			if err == nil || mw != nil {
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%q does not name %q", err, c.want)
			}
		})
	}
}

// A resolver that somebody wraps escapes New's check. It must then serve nobody.
func TestMistakeServesNobody(t *testing.T) {
	t.Parallel()
	wrapped := httpmw.ResolverFunc(httpmw.FromSubdomain().Resolve)
	w := serve(t, wrapped, requestTo("thor.example.com"), quiet())
	if w.Code != http.StatusServiceUnavailable {
		t.Errorf("status %d, want 503", w.Code)
	}
}
